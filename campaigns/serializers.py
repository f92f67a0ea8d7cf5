"""The shapes of campaigns and steps in JSON, and the field rules at the API's door. Nothing here writes."""

from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from campaigns import rules
from campaigns.history import Action, ActorType, HistoryEntry
from campaigns.models import Campaign, CampaignStep
from campaigns.timeline import SPACE_FOR_PLUS, PlannedStep
from messaging_project.api.errors import PlacedCode


def apply_rule(rule: rules.Rule, value: Any) -> Any:
    """What the rule makes of a value; its violation as DRF's, each fault with its place."""
    try:
        return rule(value)
    except rules.RuleViolation as violation:
        raise serializers.ValidationError(
            [ErrorDetail(fault.message, PlacedCode(fault.code, fault.path)) for fault in violation.faults]
        ) from violation


class RuleField(serializers.Field[Any, Any, Any, Any]):
    """A field whose value one of the functions in `rules` checks, strictly; every fault is reported with its place."""

    def __init__(self, rule: rules.Rule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule

    def to_internal_value(self, data: Any) -> Any:
        return apply_rule(self.rule, data)

    def to_representation(self, value: Any) -> Any:
        return value


class ObjectSerializer(serializers.Serializer[Any]):
    """A serializer that takes JSON objects only; with `strict` in its context, unknown properties are faults."""

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
                found[name] = [ErrorDetail(f"Is no known property; {hint}", "unknown")]
        return dict(sorted(found.items()))


class CampaignStepSerializer(ObjectSerializer):
    """A step. Takes the contract's five fields and enforces all their rules; gives its seven keys."""

    id = serializers.CharField(read_only=True)
    campaign_id = serializers.CharField(read_only=True)
    position = RuleField(rules.integer)
    template_id = RuleField(rules.opaque_id)
    template_version_id = RuleField(rules.opaque_id)
    delay_minutes = RuleField(rules.integer, default=0)
    variables = RuleField(rules.variables, default=dict)

    def to_representation(self, instance: CampaignStep) -> dict[str, Any]:
        return {
            "id": str(instance.id),
            "campaign_id": str(instance.campaign_id),
            "position": instance.position,
            "template_id": instance.template_id,
            "template_version_id": instance.template_version_id,
            "delay_minutes": instance.delay_minutes,
            "variables": instance.variables,
        }


class ReplacingStepSerializer(CampaignStepSerializer):
    """A step of a whole sequence to be: with the `id` of an existing step that is kept, or without for a new one."""

    id = RuleField(rules.step_id, allow_null=True, default=None)  # type: ignore[assignment]  # it is taken here


class StepListField(serializers.Field[Any, Any, Any, Any]):
    """A JSON array of steps whose positions differ; each fault is reported under its index."""

    def __init__(self, child: CampaignStepSerializer, *, max_length: int, min_length: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.child = child
        self.min_length = min_length
        self.max_length = max_length
        child.bind(field_name="", parent=self)  # type: ignore[arg-type]  # any field may be a parent

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        apply_rule(partial(rules.sized_list, minimum=self.min_length, maximum=self.max_length), data)
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

    steps = StepListField(CampaignStepSerializer(), min_length=1, max_length=rules.MAX_BATCH)


class SequenceSerializer(ObjectSerializer):
    """The whole sequence to be."""

    steps = StepListField(ReplacingStepSerializer(), max_length=rules.MAX_SEQUENCE)


class OrderSerializer(ObjectSerializer):
    """The ids of all steps, in the order to be."""

    step_ids = RuleField(rules.step_ids)


class CampaignSerializer(ObjectSerializer):
    """A campaign. Its status is read-only: it changes by the transitions."""

    id = serializers.CharField(read_only=True)
    external_id = RuleField(rules.opaque_id, allow_null=True, default=None)
    name = RuleField(rules.name)
    description = RuleField(rules.description, default="")
    status = serializers.ChoiceField(Campaign.Status.choices, read_only=True)
    step_count = serializers.IntegerField(read_only=True)
    total_delay_minutes = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    steps = StepListField(CampaignStepSerializer(), max_length=rules.MAX_BATCH, write_only=True, default=list)


class CampaignChangesSerializer(CampaignSerializer):
    """Changes of a campaign's own fields; its steps have addresses of their own."""

    steps = None  # type: ignore[assignment]  # how DRF takes a field away


class InstantField(serializers.DateTimeField):
    """An ISO 8601 date and time in a query string, where "+" means a space."""

    def to_internal_value(self, value: Any) -> datetime:
        return super().to_internal_value(SPACE_FOR_PLUS.sub("+", value))


class CampaignFilterSerializer(serializers.Serializer[Any]):
    """The query parameters that choose campaigns."""

    status = serializers.ChoiceField(Campaign.Status.choices, required=False)
    external_id = RuleField(rules.opaque_id, required=False)
    template_id = RuleField(rules.opaque_id, required=False)
    template_version_id = RuleField(rules.opaque_id, required=False)
    created_from = InstantField(required=False)
    created_before = InstantField(required=False)
    search = RuleField(rules.name, required=False)
    order = serializers.ChoiceField(("oldest", "newest"), default="oldest")


class FindingSerializer(serializers.Serializer[Any]):
    """One thing that readiness finds."""

    code = serializers.CharField()
    message = serializers.CharField()
    step_id = serializers.CharField(required=False)


class ReadinessSerializer(serializers.Serializer[Any]):
    """Whether a campaign could be activated."""

    ready = serializers.BooleanField()
    errors = FindingSerializer(many=True)  # type: ignore[assignment]  # hides Serializer.errors, which no answer needs
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
