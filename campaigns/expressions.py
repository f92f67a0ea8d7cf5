"""What the database computes, in the words of each."""

from typing import Any

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
