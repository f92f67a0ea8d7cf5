"""How texts and times compare, alike on every database and whatever its locale."""

import re
from functools import cache
from typing import Any

from django.db.models import Func


class ByCodePoint(Func):
    """A text in the order of its code points: PostgreSQL's default is that of the database's locale."""

    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='(%(expressions)s) COLLATE "C"', **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)


class ByInstant(Func):
    """A time in the order of time: SQLite keeps it as text, with a fraction of no, three or six digits."""

    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        sql, parameters = self.as_sql(compiler, connection, template="%(expressions)s", **context)
        return f"{sql} || substr('.000000', length({sql}) - 18)", (*parameters, *parameters)


def any_case(text: str) -> str:
    """A regular expression for `text` in any case, as both Python and PostgreSQL read it.

    Characters are folded one for one (Unicode's simple case folding): `Ä` is `ä`, and `ß` isn't `ss`. The databases'
    own folding depends on the locale, and SQLite's is that of ASCII alone.
    """
    return "".join(_one_of(_variants().get(_folded(character), character)) for character in text)


def _one_of(characters: str) -> str:
    if len(characters) > 1:
        return f"[{characters}]"
    return re.escape(characters) if characters.isascii() else characters


@cache
def _variants() -> dict[str, str]:
    """The characters that fold to the same one, by it. Cased letters are in Unicode's first two planes only."""
    found: dict[str, str] = {}
    for character in map(chr, range(0x20000)):
        if _folded(character) != character:
            found[_folded(character)] = found.get(_folded(character), _folded(character)) + character
    return found


def _folded(character: str) -> str:
    return next((folded for folded in (character.casefold(), character.lower()) if len(folded) == 1), character)
