"""Whether the process lives (/healthz, for servers that don't serve that file themselves), and can serve (/readyz)."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
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
    faults = []
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        faults.append("The database lacks migrations: run `manage.py migrate`.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            faults += _unset_timeouts(cursor)
    if faults:
        raise NotSetUp(*faults)


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


def check_timeouts(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """For `check --deploy --database default`: whether statements of a process that serves end."""
    if "default" not in (databases or ()) or connections["default"].vendor != "postgresql":
        return []
    parameters = connections["default"].get_connection_params()
    try:
        with psycopg.connect(**with_timeouts(parameters)) as own, own.cursor() as cursor:
            return [checks.Warning(fault, id="messaging.W001") for fault in _unset_timeouts(cursor)]
    except psycopg.OperationalError as error:
        return [checks.Error(f"{UNANSWERED} {error}", id="messaging.E001")]
