"""The schemas of the serializer fields that drf-spectacular doesn't know."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from campaigns.openapi.shapes import DESCRIPTIONS, HistoryValuesSerializer
from campaigns.serializers import CampaignStepSerializer

# A step in an answer keeps the published contract's `number`.
PUBLISHED_TYPES = {"integer": "number"}


class RuleFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a RuleField, from its rule. Defining this class registers it."""

    target_class = "campaigns.rule_fields.RuleField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = {**self.target.rule.schema}
        if description := self.target.help_text or DESCRIPTIONS.get(self.target.field_name):
            schema["description"] = description
        if direction == "request":
            return schema
        # Limits are for those who write.
        shape = {key: value for key, value in schema.items() if key in ("type", "additionalProperties", "description")}
        types = PUBLISHED_TYPES if isinstance(self.target.parent, CampaignStepSerializer) else {}
        return {**shape, "type": types.get(schema["type"], schema["type"])}


class RepeatableSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a parameter that may be repeated: an array of what one value is."""

    target_class = "messaging_project.api.query_parameters.Repeatable"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        # As drf-spectacular's own extensions do: a child's schema has no public way.
        items = auto_schema._map_serializer_field(self.target.child, direction)  # type: ignore[no-untyped-call]
        schema = {"type": "array", "items": items, "maxItems": self.target.MAX_VALUES}
        return schema | ({"description": self.target.help_text} if self.target.help_text else {})


class ValuesFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of before or after. Null is a choice: OpenAPI 3.0 ignores `nullable` beside a reference."""

    target_class = "campaigns.serializers.ValuesField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        values = auto_schema.resolve_serializer(HistoryValuesSerializer(), direction).ref  # type: ignore[arg-type]
        return {"oneOf": [values, {"enum": [None], "nullable": True}]} if self.target.allow_null else values


class StepListFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a StepListField: an array of its child's component."""

    target_class = "campaigns.serializers.StepListField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        items = auto_schema.resolve_serializer(self.target.child, direction).ref  # type: ignore[arg-type]
        return {"type": "array", "items": items, **self.target.rule.schema}
