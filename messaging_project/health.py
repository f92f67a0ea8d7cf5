"""Whether the process lives (/healthz, for servers that don't serve that file themselves), and can serve (/readyz)."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import Error as DatabaseError  # the base of Django's DatabaseError and InterfaceError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from messaging_project.api.key_server import key_server
from messaging_project.api.token_settings import NO_KEY
from messaging_project.postgresql.base import with_timeouts

HEALTHY = (Path(__file__).parent / "healthz" / "index.html").read_bytes()
UNANSWERED = "The database doesn't answer."


def health(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that stands before those that ask for the host's name or HTTPS: a health check knows neither."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.rstrip("/") == "/healthz":
            return HttpResponse(HEALTHY, headers={"Cache-Control": "no-cache"})
        if request.path_info.rstrip("/") == "/readyz":
            faults = [*database_faults(), *key_faults()]
            status = 503 if faults else 200
            return JsonResponse({"faults": faults}, status=status, headers={"Cache-Control": "no-cache"})
        return get_response(request)

    return middleware


# --- What keeps it from serving --------------------------------------------------------------------------------------


def database_faults() -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return _faults_of_set_up()
    except DatabaseError:
        return [UNANSWERED]


def _faults_of_set_up() -> list[str]:
    """Looked for until there are none, and then not again in this process."""
    try:
        _require_set_up()
    except NotSetUp as error:
        return list(error.args)
    return []


class NotSetUp(Exception):
    """Each argument says what is wrong."""


@lru_cache
def _require_set_up() -> None:
    faults = [*_missing_rights_or_migrations()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            faults += _unset_timeouts(cursor)
    if faults:
        raise NotSetUp(*faults)


def _missing_rights_or_migrations() -> list[str]:
    """Without rights on its table, nobody can tell the migrations."""
    if rights := list(_missing_rights()):
        return rights
    executor = MigrationExecutor(connection)
    lacking = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return ["The database lacks migrations: run `manage.py migrate`."] if lacking else []


RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
MISSING_RIGHTS = """
SELECT format('The role %%s lacks %%s on %%s: docs/operations.md has the GRANTs.',
              current_user, string_agg(DISTINCT name, ', '), relation)
FROM unnest(%s::text[], %s::text[]) AS needed(relation, name)
WHERE NOT has_table_privilege(to_regclass(quote_ident(relation)), name)
GROUP BY relation ORDER BY relation
"""


def _missing_rights() -> Iterator[str]:
    """What a process that serves needs of each table and hasn't got. A table that isn't there lacks a migration."""
    if connection.vendor == "postgresql":
        needed = [(MigrationRecorder.Migration._meta.db_table, "SELECT")]
        for model in apps.get_models(include_auto_created=True):
            needed += [(model._meta.db_table, right) for right in getattr(model, "RIGHTS_TO_SERVE", RIGHTS)]
        with connection.cursor() as cursor:
            cursor.execute(MISSING_RIGHTS, [list(column) for column in zip(*needed, strict=True)])
            yield from (fault for (fault,) in cursor.fetchall())


def _unset_timeouts(cursor: Any) -> Iterator[str]:
    for name in settings.DATABASE_TIMEOUTS_MS:
        cursor.execute(f"SHOW {name}")
        if cursor.fetchone() == ("0",):
            variable = f"DATABASE_{name.upper()}_MS"
            yield f"{name} is 0: set {variable}, or behind PgBouncer ALTER ROLE … SET {name}."


def key_faults() -> list[str]:
    tokens = settings.ACCESS_TOKENS
    if tokens["JWKS_URL"]:
        has_keys = key_server(tokens["JWKS_URL"], tuple(tokens["ALGORITHMS"])).has_keys()
        return [] if has_keys else ["The identity provider's keys can't be fetched."]
    return [] if tokens["HS256_KEY"] else [NO_KEY]


# --- Before a start --------------------------------------------------------------------------------------------------


def check_database(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """For `check --deploy --database default`: what /readyz would say of the database, and a newer one's migrations."""
    if "default" not in (databases or ()):
        return []
    try:
        return [*_check_timeouts(), *_check_rights_and_migrations()]
    except (psycopg.Error, DatabaseError) as error:
        return [checks.Error(f"{UNANSWERED} {error}", id="messaging.E001")]


def _check_timeouts() -> list[checks.CheckMessage]:
    """Whether statements of a process that serves end: this process's own may take their time."""
    if connection.vendor != "postgresql":
        return []
    with psycopg.connect(**with_timeouts(connection.get_connection_params())) as own, own.cursor() as cursor:
        return [checks.Warning(fault, id="messaging.W001") for fault in _unset_timeouts(cursor)]


def _check_rights_and_migrations() -> list[checks.CheckMessage]:
    if faults := _missing_rights_or_migrations():
        return [checks.Error(fault, id="messaging.E002") for fault in faults]
    loader = MigrationLoader(connection)
    unknown = loader.applied_migrations.keys() - loader.disk_migrations.keys()
    if not (newer := sorted(f"{app}.{name}" for app, name in unknown if app in loader.migrated_apps)):
        return []
    message = (
        f"A newer version has migrated the database ({', '.join(newer)}): this one may serve beside it during an "
        "upgrade, or in its place to go back. Otherwise start the newer one."
    )
    return [checks.Warning(message, id="messaging.W002")]
