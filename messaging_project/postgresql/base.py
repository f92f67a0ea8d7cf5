"""Django's PostgreSQL backend, whose connections the watchdog knows of."""

from typing import Any

from django.db.backends.postgresql import base

from messaging_project.watchdog import watchdog


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        while True:
            try:
                return super().pool
            except KeyError:  # the watchdog took it away between two steps of Django's
                continue

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        watchdog.begin(self)
        try:
            return super().get_new_connection(conn_params)
        except BaseException:
            watchdog.end(self)
            raise

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # Django's own, which the stubs don't have
        finally:
            watchdog.end(self)
