from argparse import ArgumentTypeError


def days(text: str) -> int:
    """A number of days, 1 or more."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= 36_500:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a whole number of days from 1 to 36500")
