"""Keyset paging: `{next, previous, results}`, with `limit` and an opaque `cursor`."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, CharField, DateTimeField, F, Field, Func, Model, QuerySet, TextField, Value
from django.db.models.expressions import OrderBy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from messaging_project import compiled
from messaging_project.api.errors import validation_error
from messaging_project.api.query_parameters import QuerySerializer
from messaging_project.comparison import ByCodePoint, ByInstant
from messaging_project.compiled import Build

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
LIMIT_FAULT = ("limit", "invalid", f"Must be an integer from 1 to {MAX_LIMIT}.")
NO_FILTERS = ("limit", "cursor", "include")  # parameters that don't choose rows
CURSOR_FAULT = ("cursor", "invalid", "Must be a cursor that another page of the list gave, unchanged.")
OF_ANOTHER_LIST = ("cursor", "invalid", "Is of another list, or of this one in another order or with other filters.")


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
class LimitField(serializers.Field[int, str, int, Any]):
    """How many rows a page has."""

    def to_internal_value(self, data: str) -> int:
        if data.isascii() and data.isdigit() and len(data) <= 4 and 1 <= int(data) <= MAX_LIMIT:
            return int(data)
        raise serializers.ValidationError(LIMIT_FAULT[2], LIMIT_FAULT[1])


@extend_schema_field({"type": "string"})
class CursorField(serializers.Field[str, str, str, Any]):
    """A cursor as it was given; what it means depends on the list."""

    def to_internal_value(self, data: str) -> str:
        return data


class PageQuerySerializer(QuerySerializer):
    """The query parameters of every list."""

    limit = LimitField(default=DEFAULT_LIMIT, help_text=f"How many results a page has, 1-{MAX_LIMIT:,}.")
    cursor = CursorField(
        required=False,
        help_text="Where the page starts; taken from the `next` or `previous` of another page of the same list.",
    )


class Beyond(Func):
    """Whether some columns, read as one row, come after some values: (a, b) > (x, y), as one index has them."""

    output_field = BooleanField()

    def __init__(self, columns: Sequence[Any], values: Sequence[Any], *, descending: bool = False) -> None:
        super().__init__(*columns, *values, operator="<" if descending else ">")

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        compiled = [compiler.compile(expression) for expression in self.source_expressions]
        first, start = compiled[0], compiled[len(compiled) // 2]
        columns, values = (", ".join(sql for sql, _ in half) for half in halves(compiled))
        operator = self.extra["operator"]
        # The first term says no more than the second: without it SQLite doesn't find the start in an index.
        sql = f"({first[0]} {operator}= {start[0]} AND ({columns}) {operator} ({values}))"
        return sql, [parameter for _, parameters in (first, start, *compiled) for parameter in parameters]


def halves(items: list[Any]) -> tuple[list[Any], list[Any]]:
    return items[: len(items) // 2], items[len(items) // 2 :]


@dataclass(frozen=True)
class Order:
    """The order of a list: by `names`, which together are unique, all of them ascending or all descending."""

    names: tuple[str, ...]
    descending: bool = False

    def columns(self, model: type[Model]) -> list[Any]:
        return [comparable(field, F(name)) for name, field in self._fields(model)]

    def sorted(self, rows: QuerySet[Any], *, backwards: bool = False) -> QuerySet[Any]:
        descending = self.descending is not backwards
        return rows.order_by(*(OrderBy(column, descending=descending) for column in self.columns(rows.model)))

    def after(self, rows: QuerySet[Any], values: Sequence[Any], *, backwards: bool = False) -> QuerySet[Any]:
        """The rows after the one with these values (before it, if `backwards`)."""
        start = [
            comparable(field, Value(value, output_field=field))
            for (_, field), value in zip(self._fields(rows.model), values, strict=True)
        ]
        return rows.filter(Beyond(self.columns(rows.model), start, descending=self.descending is not backwards))

    def values(self, model: type[Model], position: Sequence[str]) -> list[Any]:
        """The values of the row at `position`. Raises ValueError for one that no row has."""
        return [value_of(field, text) for (_, field), text in zip(self._fields(model), position, strict=True)]

    def position(self, model: type[Model], row: Any) -> tuple[str, ...]:
        return tuple(field.value_to_string(row) for _, field in self._fields(model))

    def _fields(self, model: type[Model]) -> list[tuple[str, Any]]:
        return [(name, model._meta.get_field(name)) for name in self.names]


def comparable(field: "Field[Any, Any]", expression: Any) -> Any:
    """A value of the field as every database compares it alike."""
    match field:
        case CharField() | TextField():
            return ByCodePoint(expression)
        case DateTimeField():
            return ByInstant(expression)
    return expression


def value_of(field: "Field[Any, Any]", text: str) -> Any:
    """The value of which Order.position() makes the text. Raises ValueError for a text that it never makes."""
    try:
        value = field.to_python(text)
        field.run_validators(value)
        if isinstance(value, datetime):
            value = value.astimezone(UTC)
    except (ValidationError, OverflowError) as error:
        raise ValueError(text) from error
    row: Any = SimpleNamespace(**{field.attname: value})
    if field.value_to_string(row) != text:
        raise ValueError(text)
    return value


@dataclass(frozen=True)
class Cursor:
    """Where a page starts: after the row at `position`, or before it where the list is read `backwards`.

    `mark` is of the list and its order: in another list the same position means something else. Without a position
    the page is the list's last one.
    """

    mark: str
    backwards: bool
    position: tuple[str, ...] = ()

    def encode(self) -> str:
        text = json.dumps([self.mark, int(self.backwards), *self.position], ensure_ascii=False, separators=(",", ":"))
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, given: str) -> "Cursor":
        """Raises ValueError for what encode() doesn't give."""
        mark, backwards, *position = json.loads(urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        cursor = cls(mark, bool(backwards), tuple(position))
        if not all(isinstance(part, str) for part in (mark, *position)) or cursor.encode() != given:
            raise ValueError(given)
        return cursor


def read_cursor(given: str, mark: str) -> Cursor:
    """A cursor of the list with this mark. Raises an error answer for anything else."""
    try:
        cursor = Cursor.decode(given)
    except (ValueError, TypeError, RecursionError) as error:
        raise validation_error(CURSOR_FAULT) from error
    if cursor.mark != mark:
        raise validation_error(OF_ANOTHER_LIST)
    return cursor


@dataclass(frozen=True)
class Listing:
    """The rows of a list: `build` makes the values_list() of the values (see compiled).

    `is_prepared`: how the database finds the rows doesn't depend on the values.
    """

    model: type[Model]
    build: Build
    values: tuple[Any, ...]
    is_prepared: bool = True


class KeysetPagination(BasePagination):
    """Pages of a Listing in the view's `list_order`: rows that come or go never skip or repeat others.

    A row whose place in the order changes between two pages may be missed, or come twice.
    The view's `query()` has the parameters of PageQuerySerializer, and its `list_name` tells its lists apart. A cursor
    that isn't of the same list, order and filters is a 400.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.listing: Listing = queryset
        query = view.query()
        self.url = request.build_absolute_uri()
        self.order: Order = view.list_order
        self.mark = mark(view.list_name, self.order, query)
        self.cursor = self._cursor(query)
        found = self._found(query["limit"] + 1)
        self.more = len(found) > query["limit"]
        self.page = found[: query["limit"]]
        if self.backwards:
            self.page.reverse()
        return self.page

    def _cursor(self, query: Any) -> Cursor | None:
        return read_cursor(query["cursor"], self.mark) if "cursor" in query else None

    @property
    def backwards(self) -> bool:
        return self.cursor is not None and self.cursor.backwards

    def _start(self) -> list[Any]:
        """The values of the row that the cursor names; none for a page at one of the list's ends."""
        if self.cursor is None or (self.backwards and not self.cursor.position):
            return []
        return self.order.values(self.listing.model, self.cursor.position)

    def _found(self, count: int) -> list[Any]:
        """The first `count` rows from the cursor on."""
        listing = self.listing
        try:
            start = self._start()
        except ValueError as error:
            raise validation_error(CURSOR_FAULT) from error
        build = partial(_page, listing.build, self.order, self.backwards, count)
        return compiled.rows(build, listing.values, start, is_prepared=listing.is_prepared)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next_link(), "previous": self.previous_link(), "results": data})

    def next_link(self) -> str | None:
        has_next = bool(self.cursor and self.cursor.position) if self.backwards else self.more
        if not has_next:
            return None
        if not self.page:  # its rows have all gone: the next page is the list's first
            return remove_query_param(self.url, "cursor")
        return self._link(self.page[-1], backwards=False)

    def previous_link(self) -> str | None:
        has_previous = self.more if self.backwards else self.cursor is not None
        if not has_previous:
            return None
        return self._link(self.page[0] if self.page else None, backwards=True)

    def _link(self, row: Any, *, backwards: bool) -> str:
        position = () if row is None else self.order.position(self.listing.model, row)
        return with_cursor(self.url, Cursor(self.mark, backwards, position))

    # --- For the OpenAPI document ------------------------------------------------------------------------------------

    path = "/"  # of the list

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return []  # PageQuerySerializer declares them

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        if isinstance(schema, dict):  # drf-spectacular gives a marker, too, to find the place of an example
            schema = {**schema, "description": "The results of this page, in the order of the list."}
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {
                    **link,
                    "description": "The address of the next page; null on the last one.",
                    "example": f"https://messaging.example{self.path}?cursor=WyJhNmIxYzJkMyIsMCwi&limit=100",
                },
                "previous": {
                    **link,
                    "description": "The address of the previous page; null on the first one.",
                    "example": None,
                },
                "results": schema,
            },
        }


def _page(
    build: Build, order: Order, backwards: bool, count: int, values: Sequence[Any], start: Sequence[Any]
) -> QuerySet[Any, Any]:
    rows = order.sorted(build(*values), backwards=backwards)
    return (order.after(rows, start, backwards=backwards) if start else rows)[:count]


def mark(list_name: str, order: Order, query: Any) -> str:
    """What tells a list in one order, with one choice of filters, from others."""
    filters = {name: value for name, value in query.items() if name not in NO_FILTERS}
    text = json.dumps([list_name, order.names, order.descending, filters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def with_cursor(url: str, cursor: Cursor) -> str:
    return replace_query_param(url, "cursor", cursor.encode())


# --- Lists that only go on -------------------------------------------------------------------------------------------

BY_NUMBER = Order(("number",))


def cursor_after(list_name: str, number: int) -> str:
    """The cursor that goes on after a number in a list that is ordered by it, with whatever filters."""
    return Cursor(mark(list_name, BY_NUMBER, {}), False, (str(number),)).encode()


def number_in(list_name: str, given: str) -> int:
    """What cursor_after() was given. Raises an error answer for a cursor that it didn't make."""
    cursor = read_cursor(given, mark(list_name, BY_NUMBER, {}))
    try:
        (number,) = map(int, cursor.position)
    except ValueError as error:
        raise validation_error(CURSOR_FAULT) from error
    if cursor_after(list_name, number) != given or not 0 <= number < 2**63:
        raise validation_error(CURSOR_FAULT)
    return number
