"""What an answer repeats of a request: where in a value something is (`steps[3].variables.name`), and what was sent."""

MAX_ECHOED = 64  # characters of a name or a word
MAX_ECHOED_ID = 200  # characters of what an address asks for: enough for each address that there is
MAX_LISTED_FAULTS = 100  # of one request; the others are counted


def echoed(text: str, limit: int = MAX_ECHOED) -> str:
    """What an answer repeats of a text that a caller sent: all of it, or its start with an ellipsis."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def place(path: str, keys: tuple[str | int, ...]) -> str:
    """`path` and the keys below it as one path; names that aren't plain words are quoted, and long ones cut.

    Uncut, one long name above thousands of faults would make gigabytes of a body that fits the limit.
    """
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
            continue
        name = echoed(key)
        if name.isidentifier():
            path += f".{name}" if path else name
        else:
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "backslashreplace").decode()
            path += f'["{quoted}"]'
    return path
