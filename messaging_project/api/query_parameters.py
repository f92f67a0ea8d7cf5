"""Serializers that can be strict about names that they don't know, and query strings as one of them."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from messaging_project.field_paths import MAX_LISTED_FAULTS


def unknown_name(name: str, known: Iterable[str], kind: str) -> ErrorDetail:
    """The fault of a name that isn't known, with the nearest that is."""
    known = list(known)
    hint = f"known are {', '.join(known)}." if known else "none is known here."
    if near := get_close_matches(name, known, n=1):
        hint = f"did you mean {near[0]}?"
    return ErrorDetail(f"Unknown {kind}; {hint}", "unknown")


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that, with `strict` in its context, reports more faults beside those of its fields."""

    def to_internal_value(self, data: Any) -> Any:
        faults: dict[str, Any] = self.faults_of_form(data)
        values = None
        try:
            values = super().to_internal_value(self.plain(data))
        except serializers.ValidationError as error:
            faults = {**error.detail, **faults}  # type: ignore[dict-item]  # of a serializer it is a dict
        if self.context.get("strict"):
            faults |= self.strict_faults(data)
        if faults:
            raise serializers.ValidationError(faults)
        return values

    def plain(self, data: Any) -> Any:
        """The data as the fields take it."""
        return data

    def faults_of_form(self, data: Any) -> dict[Any, list[ErrorDetail]]:
        """Faults of how values are given, in place of those that fields find in them."""
        return {}

    def strict_faults(self, data: Any) -> dict[Any, list[ErrorDetail]]:
        raise NotImplementedError


class Repeatable(serializers.Field[Any, Any, Any, Any]):
    """A query parameter that may be given more than once: its different values, each as `child` takes it."""

    MAX_VALUES = 100

    def __init__(self, child: serializers.Field[Any, Any, Any, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.child = child

    def to_internal_value(self, data: list[str]) -> list[Any]:
        if len(data) > self.MAX_VALUES:
            message = f"Must be given at most {self.MAX_VALUES} times; it is there {len(data):,} times."
            raise serializers.ValidationError(message, "max_length")
        return sorted({self.child.run_validation(value) for value in data})


def names_of_undecodable(query_string: str) -> list[str]:
    """The names of parameters that aren't UTF-8, from a WSGI environ's QUERY_STRING.

    Django doesn't tell them: it puts U+FFFD in place of what it can't decode, or takes it for Latin-1.
    """
    given = (parameter for parameter in query_string.split("&") if not _is_utf8(parameter))
    return [unquote_plus(parameter.partition("=")[0]) for parameter in given]


def _is_utf8(text: str) -> bool:
    try:
        unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeDecodeError:
        return False
    return True


class QuerySerializer(StrictSerializer):
    """The parameters of a query string. One that isn't Repeatable is given once at most.

    With a `query_string` in its context, what was sent, it reports what isn't UTF-8.
    """

    REPEATED = ErrorDetail("Is given more than once: send it once.", "repeated")
    NOT_UTF8 = ErrorDetail("Is not UTF-8: percent-encode its bytes in UTF-8, such as %C3%A9 for é.", "not_utf8")

    def plain(self, data: QueryDict | dict[str, Any]) -> dict[str, Any]:
        if not isinstance(data, QueryDict):
            return data
        return {name: data.getlist(name) if self._is_repeatable(name) else data[name] for name in data}

    def _is_repeatable(self, name: str) -> bool:
        return isinstance(self.fields.get(name), Repeatable)

    def faults_of_form(self, data: QueryDict | dict[str, Any]) -> dict[str, list[ErrorDetail]]:
        if not isinstance(data, QueryDict):
            return {}
        repeated = [name for name, values in data.lists() if len(values) > 1 and not self._is_repeatable(name)]
        faults = dict.fromkeys(repeated, self.REPEATED)
        faults |= dict.fromkeys(names_of_undecodable(self.context.get("query_string", "")), self.NOT_UTF8)
        return {name: [fault] for name, fault in faults.items() if name in self.fields}

    def strict_faults(self, data: QueryDict) -> dict[str, list[ErrorDetail]]:
        unknown = [name for name in sorted(data) if name not in self.fields]
        # Those beyond are only counted, and a look for near names takes long.
        known = {name: self.fields if index < MAX_LISTED_FAULTS else () for index, name in enumerate(unknown)}
        return {name: [unknown_name(name, known[name], "parameter")] for name in unknown}
