"""The shapes of events in the OpenAPI document: one for each type, told apart by `type`."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from campaigns.models import Action
from campaigns.openapi.shapes import HistoryValuesSerializer
from campaigns.rules import CAMPAIGN_FIELDS, STEP_FIELDS
from campaigns.serializers import EventSerializer, HistoryEntrySerializer
from campaigns.statuses import STATUSES

Shape = type[serializers.Serializer[Any]]
ENTRY_FIELDS = HistoryEntrySerializer().fields
NULL = {"enum": [None], "nullable": True}


def component(name: str, doc: str, fields: dict[str, Any]) -> Shape:
    """A serializer that is a component of this name."""
    made: Shape = type(f"{name}Serializer", (serializers.Serializer,), {**fields, "__doc__": doc})
    return extend_schema_serializer(component_name=name)(made)


def values(name: str, doc: str, *names: str) -> Shape:
    """What `before` or `after` can have: some of what the history can."""
    known = HistoryValuesSerializer().fields
    return component(name, doc, {name: known[name] for name in names})


CAMPAIGN = values("CampaignValues", "Of a campaign.", *CAMPAIGN_FIELDS, "steps", "duplicate_of")
STATUS = values("StatusValues", "Of a campaign that changed its status.", "status")
SEEDED = values(
    "SeedValues",
    "Of a campaign that was bulk-loaded.",
    *("run_id", "source", "sha256", "operator", "campaign", "steps_added", "steps_updated"),
)
STEP = values("StepValues", "Of a step.", *STEP_FIELDS)
STEPS = values(
    "StepsValues",
    "Of a change of many steps.",
    *("steps", "from_position", "to_position", "added", "changed", "removed", "template_version_id"),
)
# By type, the shapes of `before` and `after`: these are never null, and None is always null.
VALUES: dict[Action, tuple[Shape | None, Shape | None]] = {
    Action.CAMPAIGN_CREATED: (None, CAMPAIGN),
    Action.CAMPAIGN_CHANGED: (CAMPAIGN, CAMPAIGN),
    Action.CAMPAIGN_DELETED: (CAMPAIGN, None),
    Action.CAMPAIGN_DUPLICATED: (None, CAMPAIGN),
    **{Action(row.action): (STATUS, STATUS) for row in STATUSES.values() if row.action},
    Action.CAMPAIGN_SEEDED: (None, SEEDED),
    Action.STEP_ADDED: (None, STEP),
    Action.STEP_CHANGED: (STEP, STEP),
    Action.STEP_DELETED: (STEP, None),
    Action.STEPS_ADDED: (None, STEPS),
    Action.STEPS_SHIFTED: (None, STEPS),
    Action.STEPS_REORDERED: (None, STEPS),
    Action.STEPS_REPLACED: (None, STEPS),
}


class ShapedField(serializers.DictField):
    """An object of a shape; without one always null."""

    def __init__(self, shape: Shape | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = shape


class ShapedFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a ShapedField."""

    target_class = "campaigns.openapi.events.ShapedField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        if self.target.shape is None:
            return {"oneOf": [NULL]}
        return auto_schema.resolve_serializer(self.target.shape(), direction).ref  # type: ignore[arg-type]


def event(action: Action) -> Shape:
    """The shape of the events of one type."""
    before, after = VALUES[action]
    fields = {
        **ENTRY_FIELDS,
        "type": serializers.ChoiceField([action.value], help_text=ENTRY_FIELDS["action"].help_text),
        "before": ShapedField(before, help_text=ENTRY_FIELDS["before"].help_text),
        "after": ShapedField(after, help_text=ENTRY_FIELDS["after"].help_text),
    }
    name = "".join(word.capitalize() for word in action.value.split("."))
    shown = {key: fields[key] for key in EventSerializer.KEYS}
    return component(f"{name}Event", f"An event of type `{action.value}`.", shown)


EVENTS = {action.value: event(action) for action in Action}


class EventsFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of an EventsField: an array of events, each of its type's shape."""

    target_class = "campaigns.serializers.EventsField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        references = {name: auto_schema.resolve_serializer(shape(), direction).ref for name, shape in EVENTS.items()}  # type: ignore[arg-type]
        mapping = {name: reference["$ref"] for name, reference in references.items()}
        discriminator = {"propertyName": "type", "mapping": mapping}
        return {"type": "array", "items": {"oneOf": [*references.values()], "discriminator": discriminator}}
