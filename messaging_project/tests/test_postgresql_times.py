"""How times are read from PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, connection

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def read(text: str, zone: str = "UTC") -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        cursor.execute("SELECT %s::timestamptz", [text])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-31T23:59:59Z", datetime(2026, 7, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-07-31T23:59:59.1Z", datetime(2026, 7, 31, 23, 59, 59, 100_000, tzinfo=UTC)),
        ("1890-01-01T00:00:00.000001Z", datetime(1890, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc_whatever_the_zone_of_the_session(text: str, expected: datetime, zone: str) -> None:
    found = read(text, zone)
    assert (found, found.tzinfo) == (expected, UTC)


@pytest.mark.parametrize("text", ["10000-01-01T00:00:00Z", "0044-03-15 12:00:00+00 BC", "infinity"])
def test_a_time_that_python_does_not_have_is_an_error(text: str) -> None:
    with pytest.raises(DataError, match="timestamp"):
        read(text)
