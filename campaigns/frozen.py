"""Rows that are written once, by SQL, and never changed or deleted."""

from typing import Any, ClassVar

from django.db import models


class FrozenError(TypeError):
    """Nothing changes or deletes a revision, and only `revisions` makes one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("A revision is never changed or deleted, and campaigns.revisions alone makes one.")


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise FrozenError


class FrozenQuerySet(models.QuerySet[Any]):
    """Reads only."""

    create = bulk_create = get_or_create = update_or_create = update = bulk_update = delete = _refuse


class FrozenManager(models.Manager[Any]):
    """Its methods are those of the rows that it gives."""

    def get_queryset(self) -> FrozenQuerySet:
        return FrozenQuerySet(self.model, using=self._db)


class Frozen(models.Model):
    """A row that SQL writes once."""

    RIGHTS_TO_SERVE: ClassVar = ("SELECT", "INSERT")  # that a database's role needs, where not all

    save = save_base = delete = _refuse

    class Meta:
        abstract = True
