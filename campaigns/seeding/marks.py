"""How far a load in several transactions has come: its mark, which moves with each commit."""

import hashlib
from typing import Any

from django.db import models
from django.db.models.functions import Now


class SeedMark(models.Model):
    """One unfinished `seed_campaigns --commit-every`. The row goes when the load is complete."""

    key = models.CharField(
        primary_key=True, max_length=64
    )  # SHA-256 over the input and the options that shape the load
    run_id = models.UUIDField()
    line = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "campaigns"

    def __str__(self) -> str:
        return f"run {self.run_id} up to line {self.line}"


def key(digest: str, *options: Any) -> str:
    """What must be the same for a command to go on where another stopped."""
    return hashlib.sha256(repr((digest, *options)).encode()).hexdigest()
