"""The JSON of campaigns and steps, and the API's query strings. Nothing here writes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from campaigns import rules, timeline
from campaigns.models import Action, ActorType, Campaign, CampaignStep, HistoryEntry
from campaigns.timeline import SPACE_FOR_PLUS, PlannedStep
from messaging_project.api.errors import PlacedCode


def apply_rule(rule: rules.Rule, value: Any) -> Any:
    """The value that the rule returns. Its violation becomes DRF's ValidationError; each fault keeps its place."""
    try:
        return rule(value)
    except rules.RuleViolation as violation:
        raise serializers.ValidationError(
            [ErrorDetail(fault.message, PlacedCode(fault.code, fault.path)) for fault in violation.faults]
        ) from violation


class RuleField(serializers.Field[Any, Any, Any, Any]):
    """A field that a rule of `rules` checks. Every fault is reported with its place."""

    def __init__(self, rule: rules.Rule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule

    def to_internal_value(self, data: Any) -> Any:
        return apply_rule(self.rule, data)

    def to_representation(self, value: Any) -> Any:
        return value


class ObjectSerializer(serializers.Serializer[Any]):
    """A serializer of JSON objects. With `strict` in its context, unknown properties are faults."""

    def run_validation(self, data: Any = empty) -> Any:
        if data is None or not isinstance(data, dict):
            message = f"Must be a JSON object, not {rules.kind(data)}."
            raise serializers.ValidationError({"non_field_errors": [message]}, code="invalid_type")
        return super().run_validation(data)

    def to_internal_value(self, data: dict[str, Any]) -> Any:
        faults: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults = dict(error.detail)  # type: ignore[arg-type]  # of a serializer it is a dict
        if self.context.get("strict"):
            faults |= self._unknown(data)
        if faults:
            raise serializers.ValidationError(faults)
        return values

    def _unknown(self, data: dict[str, Any]) -> dict[str, list[ErrorDetail]]:
        known = [name for name, field in self.fields.items() if not field.read_only]
        found = {}
        for name in data.keys() - set(known):
            if name in self.fields:
                found[name] = [ErrorDetail("Can't be set.", "read_only")]
            else:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
                found[name] = [ErrorDetail(f"Unknown property; {hint}", "unknown")]
        return dict(sorted(found.items()))


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


class CampaignStepSerializer(ObjectSerializer):
    """A step: takes the contract's five fields, enforces all their rules, and shows its seven keys."""

    id = serializers.CharField(read_only=True)
    campaign_id = serializers.CharField(read_only=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | rule_fields(rules.STEP_FIELDS)

    def to_representation(self, instance: CampaignStep) -> dict[str, Any]:
        ids = {"id": str(instance.id), "campaign_id": str(instance.campaign_id)}
        return ids | {name: getattr(instance, name) for name in rules.STEP_FIELDS}


class ReplacingStepSerializer(CampaignStepSerializer):
    """A step of a whole new sequence. One with an `id` exists and is kept; one without is new."""

    id = RuleField(rules.StepId(), allow_null=True, default=None)  # type: ignore[assignment]  # it is taken here


class StepListField(serializers.Field[Any, Any, Any, Any]):
    """A JSON array of steps whose positions differ; each fault is reported under its index."""

    def __init__(self, child: CampaignStepSerializer, items: rules.Items, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.child = child
        self.items = items
        child.bind(field_name="", parent=self)  # type: ignore[arg-type]  # any field may be a parent

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        apply_rule(self.items, data)
        faults: dict[int, Any] = {}
        values = []
        for index, item in enumerate(data):
            try:
                values.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                faults[index] = error.detail
        for index, first in rules.repeated_positions(data).items():
            message = f"Must differ from the position of step {first}."
            faults.setdefault(index, {}).setdefault("position", [ErrorDetail(message, "repeated")])
        if faults:
            raise serializers.ValidationError({index: faults[index] for index in sorted(faults)})  # type: ignore[misc]
        return values

    def to_representation(self, value: Any) -> Any:
        return value


class StepListSerializer(ObjectSerializer):
    """Steps to be added, all or none."""

    steps = StepListField(CampaignStepSerializer(), rules.Items(rules.MAX_BATCH, minimum=1))


class SequenceSerializer(ObjectSerializer):
    """The whole new sequence."""

    steps = StepListField(ReplacingStepSerializer(), rules.Items(rules.MAX_SEQUENCE))


class OrderSerializer(ObjectSerializer):
    """The ids of all steps, in their new order."""

    step_ids = RuleField(rules.StepIds())


class CampaignSerializer(ObjectSerializer):
    """A campaign. Its status is read-only; transitions change it."""

    id = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(Campaign.Status.choices, read_only=True)
    step_count = serializers.IntegerField(read_only=True)
    total_delay_minutes = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    steps = StepListField(CampaignStepSerializer(), rules.Items(rules.MAX_BATCH), write_only=True, default=list)

    ORDER = ("id", "external_id", "name", "description", "status", "step_count", "total_delay_minutes")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields() | rule_fields(rules.CAMPAIGN_FIELDS)
        return {name: fields[name] for name in (*self.ORDER, *fields) if name in fields}


class CampaignChangesSerializer(CampaignSerializer):
    """Changes of a campaign's own fields; its steps have addresses of their own."""

    steps = None  # type: ignore[assignment]  # how DRF takes a field away


# --- Query strings ---------------------------------------------------------------------------------------------------


class NoQuerySerializer(serializers.Serializer[Any]):
    """A query string without parameters of its own."""


class InstantField(serializers.DateTimeField):
    """An ISO 8601 date and time in a query string, where "+" means a space."""

    def to_internal_value(self, value: Any) -> datetime:
        return super().to_internal_value(SPACE_FOR_PLUS.sub("+", value))


class CampaignFilterSerializer(serializers.Serializer[Any]):
    """The query parameters that filter campaigns."""

    status = serializers.ChoiceField(Campaign.Status.choices, required=False)
    external_id = RuleField(
        rules.CAMPAIGN_FIELDS["external_id"].rule,
        required=False,
        help_text=rules.CAMPAIGN_FIELDS["external_id"].help,
    )
    template_id = RuleField(rules.STEP_FIELDS["template_id"].rule, required=False)
    template_version_id = RuleField(rules.STEP_FIELDS["template_version_id"].rule, required=False)
    created_from = InstantField(required=False)
    created_before = InstantField(required=False)
    search = RuleField(rules.CAMPAIGN_FIELDS["name"].rule, required=False)
    order = serializers.ChoiceField(("oldest", "newest"), default="oldest")


class AddStepQuerySerializer(serializers.Serializer[Any]):
    """How a step is added."""

    on_conflict = RuleField(
        rules.OneOf(("reject", "shift")),
        default="reject",
        help_text=(
            "What happens if the position holds another step. `reject` answers 412. `shift` makes room: it moves the "
            "unbroken run of steps from that position up by one."
        ),
    )


@dataclass(frozen=True)
class Reading:
    """The rule of a text that `read` can parse. Its ValueError is a fault with this message."""

    read: Callable[[str], Any]
    message: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def __call__(self, value: Any, /) -> Any:
        try:
            return self.read(value)
        except ValueError as error:
            raise rules.RuleViolation(rules.Fault((), "invalid", self.message)) from error


class TimelineQuerySerializer(serializers.Serializer[Any]):
    """When a recipient enters: `tz` as a ZoneInfo, and `start` in UTC, if it was given."""

    INSTANT = "Must be an ISO 8601 date and time, such as 2026-12-01T09:00:00+01:00."

    tz = RuleField(
        Reading(
            timeline.zone_named,
            "Must be an IANA time zone, such as Europe/Berlin.",
            {"type": "string", "default": "UTC"},
        ),
        required=False,
        help_text="The IANA time zone of the local times.",
    )
    start = RuleField(
        Reading(timeline.parse_instant, INSTANT),
        required=False,
        help_text=(
            "When the recipient enters, in ISO 8601 (`2026-12-01T09:00:00+01:00`); `tz` applies if it has no offset. "
            "Defaults to now."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone = attrs.setdefault("tz", ZoneInfo("UTC"))
        if "start" in attrs:
            try:
                attrs["start"] = timeline.in_utc(attrs["start"], zone)
            except OverflowError as error:
                raise serializers.ValidationError({"start": self.INSTANT}) from error
        return attrs


# --- Answers ---------------------------------------------------------------------------------------------------------


class FindingSerializer(serializers.Serializer[Any]):
    """One thing that readiness finds."""

    code = serializers.CharField()
    message = serializers.CharField()
    step_id = serializers.CharField(required=False)


class ReadinessSerializer(serializers.Serializer[Any]):
    """Whether a campaign could be activated."""

    ready = serializers.BooleanField()
    errors = FindingSerializer(many=True)  # type: ignore[assignment]  # hides Serializer.errors, which answers don't use
    warnings = FindingSerializer(many=True)


class PlannedStepSerializer(serializers.Serializer[Any]):
    """When one step would be sent."""

    step_id = serializers.CharField(source="step.id")
    position = serializers.IntegerField(source="step.position")
    delay_minutes = serializers.IntegerField(source="step.delay_minutes")
    offset_minutes = serializers.IntegerField()
    at = serializers.DateTimeField(default_timezone=UTC)
    at_local = serializers.SerializerMethodField()

    def get_at_local(self, planned: PlannedStep) -> str:
        return planned.at_local.isoformat()


class TimelineSerializer(serializers.Serializer[Any]):
    """When the steps of a campaign would be sent to a recipient who enters at `start`."""

    start = serializers.DateTimeField(default_timezone=UTC)
    tz = serializers.CharField()
    results = PlannedStepSerializer(many=True)


class ActorSerializer(serializers.Serializer[HistoryEntry]):
    """Who made a change."""

    type = serializers.ChoiceField(ActorType.choices, source="actor_type")
    issuer = serializers.CharField(source="actor_issuer")
    id = serializers.CharField(source="actor_id")
    name = serializers.CharField(source="actor_name")


class HistoryEntrySerializer(serializers.Serializer[HistoryEntry]):
    """One change: `before` and `after` have the changed fields only."""

    id = serializers.CharField()
    at = serializers.DateTimeField(source="created_at")
    actor = ActorSerializer(source="*")
    action = serializers.ChoiceField(Action.choices)
    campaign_id = serializers.CharField()
    step_id = serializers.CharField(allow_null=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
