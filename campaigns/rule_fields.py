"""Serializer fields and objects that are judged by rules: by the rules alone where nothing is wrong."""

from functools import cache
from heapq import nsmallest
from typing import Any, ClassVar, NoReturn

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from campaigns import rules
from messaging_project.api.errors import PlacedCode, unlisted
from messaging_project.api.query_parameters import StrictSerializer, unknown_name
from messaging_project.field_paths import MAX_LISTED_FAULTS
from messaging_project.ids import parse_uuid


def apply_rule(rule: rules.Rule, value: Any) -> Any:
    """The value that the rule returns. Its violation becomes DRF's ValidationError; each fault keeps its place."""
    try:
        return rule(value)
    except rules.RuleViolation as violation:
        listed = [ErrorDetail(fault.message, PlacedCode(fault.code, fault.path)) for fault in violation.faults]
        raise serializers.ValidationError([*listed, *unlisted(violation.total - len(listed))]) from violation


class RuleField(serializers.Field[Any, Any, Any, Any]):
    """A field that a rule of `rules` checks. Every fault is reported with its place."""

    def __init__(self, rule: rules.Rule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule

    def to_internal_value(self, data: Any) -> Any:
        return apply_rule(self.rule, data)

    def checked(self, data: Any) -> Any:
        """As run_validation(), where a fault needs no words. Raises RuleViolation, also for a missing value."""
        if data is empty and self.default is not empty:
            return self.get_default()
        return None if data is None and self.allow_null else self.rule(data)

    def fault_count(self, data: Any) -> int:
        """How many faults there are in a value, or in its absence (`empty`); none of them is built."""
        if data is empty:
            return int(self.required)
        return int(not self.allow_null) if data is None else rules.fault_count(self.rule, data)

    def to_representation(self, value: Any) -> Any:
        return value

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key == "null":  # in the words of the rule, which other doors use as well
            try:
                self.rule(None)
            except rules.RuleViolation as violation:
                raise serializers.ValidationError(violation.faults[0].message, key) from violation
        super().fail(key, **kwargs)


class ObjectSerializer(StrictSerializer):
    """A serializer that takes JSON objects only; with `strict` in its context, unknown properties are faults.

    What only the service sets is no fault where it says what the address says: `path_names` has the name of the path's
    variable for each such property.
    """

    path_names: ClassVar[dict[str, str]] = {}

    def run_validation(self, data: Any = empty) -> Any:
        if data is None or not isinstance(data, dict):
            message = f"Must be a JSON object, not {rules.kind(data)}."
            raise serializers.ValidationError({"non_field_errors": [message]}, code="invalid_type")
        faultless = None
        if self.parent is not None:  # whoever has no parent was made because faultless() found nothing
            faultless = self.faultless(data, is_strict=bool(self.context.get("strict")), is_partial=self.root.partial)
        return super().run_validation(data) if faultless is None else faultless

    @classmethod
    def faultless(cls, data: Any, *, is_strict: bool, is_partial: bool) -> dict[str, Any] | None:
        """The values of an object, if their rules alone can tell that nothing is wrong; else a serializer says what is.

        So a faultless object, which most are, needs no serializer and no fields: to make them takes longer than to
        check it.
        """
        fields = _fields_by_rule(cls)
        if not fields or is_partial or not isinstance(data, dict) or (is_strict and not fields.keys() >= data.keys()):
            return None
        try:
            return {name: field.checked(data.get(name, empty)) for name, field in fields.items()}
        except rules.RuleViolation:
            return None

    def strict_faults(self, data: dict[str, Any]) -> dict[str, list[ErrorDetail]]:
        known = [str(field.field_name) for field in self._writable_fields]
        names = self._unwanted(data)
        found: dict[Any, list[ErrorDetail]] = {}
        for name in nsmallest(MAX_LISTED_FAULTS, names):
            if name in self.fields:
                found[name] = [ErrorDetail("Can't be set.", "read_only")]
            else:
                found[name] = [unknown_name(name, known, "property")]
        more = unlisted(len(names) - len(found))
        return found | ({None: more} if more else {})  # None can't be a name in JSON

    def fault_count(self, data: Any) -> int:
        """How many faults run_validation() would find, where every field is a RuleField; none of them is built."""
        if not isinstance(data, dict):
            return 1
        fields = (field for field in self._writable_fields if isinstance(field, RuleField))
        count = sum(field.fault_count(data.get(str(field.field_name), empty)) for field in fields)
        return count + (len(self._unwanted(data)) if self.context.get("strict") else 0)

    def _unwanted(self, data: dict[str, Any]) -> list[str]:
        """The names of properties that are unknown, or for the service alone to set."""
        wanted = {field.field_name for field in self._writable_fields}
        return [name for name in data if name not in wanted and not self._is_as_in_path(name, data[name])]

    def _is_as_in_path(self, name: str, value: object) -> bool:
        in_path = self.context.get("path", {}).get(self.path_names.get(name, ""))
        return isinstance(value, str) and in_path is not None and parse_uuid(value) == parse_uuid(in_path) is not None


@cache
def _fields_by_rule(serializer_class: type[ObjectSerializer]) -> dict[str, RuleField]:
    """The fields that callers set, where each has a rule; else no fields at all."""
    fields = {name: field for name, field in serializer_class().fields.items() if not field.read_only}
    by_rule = {name: field for name, field in fields.items() if type(field) is RuleField}
    return by_rule if len(by_rule) == len(fields) else {}


def rule_fields(table: dict[str, rules.Field]) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """A serializer's fields for the rows of a table."""
    return {
        name: RuleField(
            field.rule,
            allow_null=field.may_be_null,
            help_text=field.help or None,
            **({} if field.is_required else {"default": field.default}),
        )
        for name, field in table.items()
    }
