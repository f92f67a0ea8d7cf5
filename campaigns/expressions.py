"""What the database computes, in the words of each."""

from typing import Any, NamedTuple

import orjson
from django.db import models
from django.db.models import Func
from django.db.models.functions import Now


class JSONType(Func):
    """The name of a JSON value's type: "object", "array", …"""

    output_field = models.CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_TYPEOF", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSON_TYPE", **context)


class CurrentTime(Now):
    """Now, on SQLite in the spelling in which Django stores times there: others compare as text, and so unequal."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        spelled = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=f"REPLACE({spelled}, '.000000', '')", **context)


class Totals(NamedTuple):
    """What a campaign's steps come to."""

    step_count: int = 0
    total_delay_minutes: int = 0


class TotalsField(models.Field):  # type: ignore[type-arg]  # it takes none at run time
    """Totals, read from a JSON array; of a campaign without steps there is none."""

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Totals:
        return Totals(*orjson.loads(value or "[]"))


class AsTotals(Func):
    """Two aggregates as one column. Django's JSONArray would first ask SQLite whether it knows JSON."""

    function = "JSON_ARRAY"
    output_field = TotalsField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_BUILD_ARRAY", **context)
