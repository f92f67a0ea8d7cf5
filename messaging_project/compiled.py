"""Queries that Django builds and compiles once for each of their shapes, which takes longer than their answer.

A query is told apart by what builds it, and by the shape of its values: how many there are, and of which types. It is
built with stand-ins for the values, so that it can be seen where in its parameters each of them belongs.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import IntegerField, JSONField, Model, QuerySet
from psycopg.types.numeric import Int8

from messaging_project.prepared import prepared_cursor
from messaging_project.strict_json import StoredJSON

M = TypeVar("M", bound=Model)
Build = Callable[..., QuerySet[Any, Any]]
KEPT = 512  # queries
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows(
    build: Build,
    *values: Any,
    is_prepared: bool = True,
    load_json: Callable[[str], Any] = StoredJSON,
) -> list[Any]:
    """The rows, as named tuples, of the values_list() that `build` makes of the values.

    A value is a UUID, a time, a text, a number, or a list or dict of such. `build` may look at the length of a list and
    at the names in a dict, and at no value. It is a module's function, or a partial of one with what else it needs: one
    that is made for each call, such as a closure, is compiled for each call.
    JSON comes as `load_json` reads it, by default as it is stored.
    With `is_prepared`, PostgreSQL plans the query once for each connection: not for one whose best plan depends on its
    values.
    """
    query = _compiled(connections["default"].vendor, _Wanted(build, values), is_prepared, load_json)
    return [] if query is None else query.rows([*_leaves(values)])


def instances(model: type[M], build: Build, *values: Any) -> list[M]:
    """As rows(), of all columns of a model: its instances, with what else the rows have as attributes."""
    names = _columns(model)
    found = []
    for row in rows(partial(_all_of, model, build), *values, load_json=json.loads):
        instance = model.from_db("default", names, row[: len(names)])
        vars(instance).update(zip(row._fields[len(names) :], row[len(names) :], strict=True))
        found.append(instance)
    return found


def _all_of(model: type[Model], build: Build, *values: Any) -> QuerySet[Any, Any]:
    queryset = build(*values)
    return queryset.values_list(*_columns(model), *queryset.query.annotations)


def _columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


class _Wanted:
    """A query as the cache knows it: equal to another of the same builder whose values have the same shape."""

    def __init__(self, build: Build, values: tuple[Any, ...]) -> None:
        self.build, self.values = build, values
        # A partial is equal to no other, so what it is made of is compared.
        builder = (build.func, build.args, *build.keywords.items()) if isinstance(build, partial) else build
        self._identity = (builder, _shape(values))

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wanted) and self._identity == other._identity


@lru_cache(KEPT)
def _compiled(vendor: str, wanted: _Wanted, is_prepared: bool, load_json: Callable[[str], Any]) -> "_Query | None":
    stand_ins = _stand_in(wanted.values)
    try:
        return _Query(
            wanted.build(*stand_ins), [*_leaves(stand_ins)], is_prepared and vendor == "postgresql", load_json
        )
    except EmptyResultSet:
        return None


class _Query:
    """A compiled query."""

    def __init__(self, queryset: QuerySet[Any, Any], stand_ins: list[Any], is_prepared: bool, load_json: Any) -> None:
        compiler: Any = queryset.query.get_compiler("default")
        self._sql, parameters = compiler.as_sql()
        self._is_prepared = is_prepared
        places = {self._adapted(value): index for index, value in enumerate(stand_ins)}
        self._parameters = [(places.get(parameter), parameter) for parameter in parameters]
        columns = [expression for expression, _, _ in compiler.select]
        self._converters = {
            index: _unless_null(load_json) if isinstance(column.output_field, JSONField) else _in_turn(found, column)
            for index, (found, column) in compiler.get_converters(columns).items()
            if not isinstance(column.output_field, IntegerField)  # they come as integers
        }
        names: Any = [alias or column.target.attname for column, _, alias in compiler.select]
        row: Any = namedtuple("Row", names)  # type: ignore[misc]  # the names are known only here
        self._row: Callable[..., Any] = row._make

    def rows(self, values: list[Any]) -> list[Any]:
        given = [self._adapted(value) for value in values]
        parameters = [constant if place is None else given[place] for place, constant in self._parameters]
        connection = connections["default"]
        with prepared_cursor() if self._is_prepared else connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            found = cursor.fetchall()
        return [self._row(self._converted(row, connection) if self._converters else row) for row in found]

    def _converted(self, row: tuple[Any, ...], connection: Any) -> list[Any]:
        converted = list(row)
        for index, convert in self._converters.items():
            converted[index] = convert(converted[index], connection)
        return converted

    def _adapted(self, value: Any) -> Any:
        """As Django gives it to the database. A number is of one type whatever its size: the statement is, too."""
        connection: Any = connections["default"]
        match value:
            case UUID() if not connection.features.has_native_uuid_field:
                return value.hex
            case datetime():
                return connection.ops.adapt_datetimefield_value(value)
            case int() if self._is_prepared:
                return Int8(value)
        return value


def _unless_null(load_json: Callable[[str], Any]) -> Callable[[str | None, Any], Any]:
    return lambda text, _connection: None if text is None else load_json(text)


def _in_turn(functions: list[Callable[..., Any]], column: Any) -> Callable[[Any, Any], Any]:
    """One function for what Django does to a column's value with several."""

    def convert(value: Any, connection: Any) -> Any:
        for function in functions:
            value = function(value, column, connection)
        return value

    return convert


# --- Values ----------------------------------------------------------------------------------------------------------


def _shape(value: Any) -> tuple[Any, ...] | type[Any]:
    match value:
        case dict():
            return tuple((name, _shape(item)) for name, item in value.items())
        case list() | tuple():
            return tuple(map(_shape, value))
    return type(value)


def _leaves(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            yield from _leaves(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from _leaves(item)
        case _:
            yield value


def _stand_in(value: Any) -> Any:
    """Another value of the same shape, in which nothing occurs elsewhere."""
    number = uuid4().int
    match value:
        case dict():
            return {name: _stand_in(item) for name, item in value.items()}
        case list() | tuple():
            return [_stand_in(item) for item in value]
        case UUID():
            return UUID(int=number)
        case datetime():
            return EPOCH + timedelta(microseconds=number % 10**15)
        case str():
            return f"{number:x}"
        case int():
            return number % 2**62
    raise TypeError(type(value))
