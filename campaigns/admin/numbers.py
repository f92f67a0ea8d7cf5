"""Numbers in what a browser sends."""


def parse_number(text: str, digits: int) -> int | None:
    """A number of so many decimal digits at most; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
