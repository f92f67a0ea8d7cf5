"""Where in a value something is, as one text: `steps[3].variables.name`."""

MAX_ECHOED = 64  # characters of what a caller sent that an answer repeats
MAX_LISTED_FAULTS = 100  # of one request; the others are counted


def place(path: str, keys: tuple[str | int, ...]) -> str:
    """`path` and the keys below it as one path; names that aren't plain words are quoted, and long ones cut.

    Uncut, one long name above thousands of faults would make gigabytes of a body that fits the limit.
    """
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
            continue
        name = key if len(key) <= MAX_ECHOED else f"{key[:MAX_ECHOED]}…"
        if name.isidentifier():
            path += f".{name}" if path else name
        else:
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "backslashreplace").decode()
            path += f'["{quoted}"]'
    return path
