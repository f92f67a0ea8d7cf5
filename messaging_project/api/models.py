"""The tables that all APIs of the project share."""

from django.db import models
from django.db.models.functions import Now


class IdempotentAnswer(models.Model):
    """The first successful answer to a POST with an Idempotency-Key, stored for retries."""

    id = models.BigAutoField(primary_key=True)
    # A digest of caller and key: a unique index over three long texts would be larger than its table.
    digest = models.BinaryField(max_length=32, unique=True)
    request_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")

    def __str__(self) -> str:
        return f"answer of {self.created_at:%Y-%m-%d %H:%M:%S}"


class ThrottleCounter(models.Model):
    """How many calls a caller has made in the current window; a PostgreSQL table without a write-ahead log."""

    key = models.TextField(primary_key=True)  # operation, length of the window, issuer and subject
    resets_at = models.BigIntegerField()  # seconds since 1970
    calls = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.calls} calls by {self.key}"
