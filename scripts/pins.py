"""What the compiled requirements files pin, held against what the installed packages ask of each other."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^[^\s#-].*?==[^\\\n]+", re.MULTILINE)


def missing_extras(path: Path) -> list[str]:
    """A sentence for each extra that one pinned package asks of another and that the other's pin lacks.

    pip before 24 takes the newest release for it, which has no hash in the file.
    """
    pins = [Requirement(line) for line in PIN.findall(path.read_text())]
    extras = {canonicalize_name(pin.name): pin.extras for pin in pins}
    return [
        f"{path.name}: {pin.name} asks for {asked.name}[{extra}], but the pin of {asked.name} lacks the extra "
        f"{extra}: run `make requirements`"
        for pin in pins
        for asked in _asked_by(pin)
        for extra in sorted(asked.extras - extras.get(canonicalize_name(asked.name), set()))
    ]


def _asked_by(pin: Requirement) -> Iterator[Requirement]:
    """What a package asks for here, with the extras of its pin; nothing if it isn't meant for this platform."""
    try:
        found = requires(pin.name) or ()
    except PackageNotFoundError:
        return
    for asked in map(Requirement, found):
        if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
            yield asked
