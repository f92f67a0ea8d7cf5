"""The schemas of the serializer fields that drf-spectacular doesn't know: what the field rules mean in OpenAPI."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from campaigns import rules
from campaigns.models import Campaign, CampaignStep

CONTROL = r"\u0000-\u001f\u007f-\u009f"
FILLED = rf"^[^{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$"  # no control characters, and not only white space
RULE_SCHEMAS: dict[rules.Rule, dict[str, Any]] = {
    rules.integer: {"type": "integer", "minimum": 0, "maximum": rules.MAX_INTEGER},
    rules.opaque_id: {"type": "string", "minLength": 1, "maxLength": rules.MAX_ID_LENGTH, "pattern": FILLED},
    rules.name: {"type": "string", "minLength": 1, "maxLength": rules.MAX_NAME_LENGTH, "pattern": FILLED},
    rules.description: {
        "type": "string",
        "maxLength": rules.MAX_DESCRIPTION_LENGTH,
        "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
    },
    rules.step_id: {"type": "string", "description": "An existing step that is kept; without it the step is new."},
    rules.step_ids: {"type": "array", "items": {"type": "string"}, "maxItems": rules.MAX_SEQUENCE},
    rules.variables: {"type": "object", "additionalProperties": {}},
}
FIELD_WORDS = {field.name: field.help_text for model in (Campaign, CampaignStep) for field in model._meta.fields}
# Answers keep the published contract's `number`, and limits are for those who write.
ANSWER_TYPES = {"integer": "number"}


class RuleFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a RuleField, by its rule; being defined is what registers it."""

    target_class = "campaigns.serializers.RuleField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = {**RULE_SCHEMAS[self.target.rule]}
        if words := FIELD_WORDS.get(self.target.field_name):
            schema["description"] = str(words)
        if direction == "request":
            return schema
        shape = {key: value for key, value in schema.items() if key in ("type", "additionalProperties", "description")}
        return {**shape, "type": ANSWER_TYPES.get(schema["type"], schema["type"])}


class StepListFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a StepListField: an array of its child's component."""

    target_class = "campaigns.serializers.StepListField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        items = auto_schema.resolve_serializer(self.target.child, direction).ref  # type: ignore[arg-type]
        return {"type": "array", "items": items, "minItems": self.target.min_length, "maxItems": self.target.max_length}
