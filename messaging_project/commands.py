"""What all management commands have in common."""

import os
import sys
from argparse import Action, ArgumentTypeError
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import Error as DatabaseError
from django.db import connection

from messaging_project.database_errors import is_unopened
from messaging_project.sqlite import MUST_EXIST

UNUSABLE = 2  # exit code: the arguments, a file or the database can't be used
STDOUT = "standard output"
MAX_DIGITS = 18  # more than any option takes; Python refuses to read thousands


@dataclass(frozen=True)
class WholeNumber:
    """The type of an option: a whole number within bounds."""

    minimum: int = 1
    maximum: int = 2**31 - 1

    def __call__(self, text: str) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
        if not (is_number and self.minimum <= int(text) <= self.maximum):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {self.minimum} to {self.maximum}.")
        return int(text)


class Command(BaseCommand):
    """A command that says in one sentence, with exit code 2, that the database or standard output can't be used."""

    _numbers: Sequence[tuple[Action, WholeNumber]] = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        typed = [(action, action.type) for action in parser._actions]
        self._numbers = [(action, kind) for action, kind in typed if isinstance(kind, WholeNumber)]
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """A process that is this command needs one connection: no pool, whose attempts would hide the cause.

        It makes no empty database where there is none.
        """
        connection.settings_dict["OPTIONS"].pop("pool", None)
        connection.settings_dict[MUST_EXIST] = True
        if sys.stderr is None:  # whoever closed it wants no words, and still the exit code
            self.stderr = OutputWrapper(Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends
        if sys.stdout is None:
            self.stderr.write(f"CommandError: {STDOUT} is closed.")
            sys.exit(UNUSABLE)
        try:
            super().run_from_argv(argv)
        finally:
            _leave_standard_output()

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            output = super().execute(*args, **options | self._numbers_of(options))
            self.stdout.flush()
        except DatabaseError as error:
            raise CommandError(ended_by_database("command", error), returncode=UNUSABLE) from error
        except BrokenPipeError:  # who reads has enough
            return None
        except OSError as error:
            raise CommandError(unusable(error), returncode=UNUSABLE) from error
        return output

    def _numbers_of(self, options: dict[str, Any]) -> dict[str, int]:
        """Those that call_command() got by keyword aren't checked by the parser."""
        numbers = {}
        for action, kind in self._numbers:
            if (value := options[action.dest]) != action.default:
                try:
                    numbers[action.dest] = kind(str(value))
                except ArgumentTypeError as error:
                    raise CommandError(f"{action.option_strings[0]}: {error}", returncode=UNUSABLE) from error
        return numbers


def _leave_standard_output() -> None:
    """What it can't take was told; Python would tell it again at the exit, with a traceback and another exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            sys.stdout.close()


def unusable(error: OSError) -> str:
    """What can't be used: the file that the error names, or else what has been written to."""
    return f"{error.filename or STDOUT}: {error.strerror or error}."


def ended_by_database(what: str, error: DatabaseError) -> str:
    """The first line of what the database says; PostgreSQL goes on with the statement. What to do if there is none."""
    name = connection.settings_dict["NAME"]
    if is_unopened(error) and not Path(name).exists():
        return f"There is no database at {name}: set DATABASE_URL, or make one with `python manage.py migrate`."
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return f"The database ended the {what}: {said}."
