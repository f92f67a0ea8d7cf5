"""The schemas of the serializer fields that drf-spectacular doesn't know."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

# Answers keep the published contract's `number`. Limits are for requests.
ANSWER_TYPES = {"integer": "number"}


class RuleFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a RuleField, from its rule. Defining this class registers it."""

    target_class = "campaigns.serializers.RuleField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = {**self.target.rule.schema}
        if self.target.help_text:
            schema["description"] = self.target.help_text
        if direction == "request":
            return schema
        shape = {key: value for key, value in schema.items() if key in ("type", "additionalProperties", "description")}
        return {**shape, "type": ANSWER_TYPES.get(schema["type"], schema["type"])}


class StepListFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a StepListField: an array of its child's component."""

    target_class = "campaigns.serializers.StepListField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        items = auto_schema.resolve_serializer(self.target.child, direction).ref  # type: ignore[arg-type]
        return {"type": "array", "items": items, **self.target.items.schema}
