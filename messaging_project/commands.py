"""What all management commands have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import connection

UNUSABLE = 2  # exit code: the arguments, a file or the database can't be used


class Command(BaseCommand):
    """A command that says in one sentence, with exit code 2, that the database can't be used."""

    def run_from_argv(self, argv: list[str]) -> None:
        """A process that is this command needs one connection: no pool, whose attempts would hide the cause."""
        connection.settings_dict["OPTIONS"].pop("pool", None)
        super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DatabaseError as error:
            raise CommandError(ended_by_database("command", error), returncode=UNUSABLE) from error


def ended_by_database(what: str, error: DatabaseError) -> str:
    """The first line of what the database says; PostgreSQL goes on with the statement."""
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return f"The database ended the {what}: {said}."
