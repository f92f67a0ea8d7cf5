"""The shapes of campaigns and steps in JSON, and the field rules at the API's door. Nothing here writes."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from campaigns import rules
from campaigns.models import Campaign, CampaignStep
from messaging_project.api.errors import PlacedCode


class RuleField(serializers.Field[Any, Any, Any, Any]):
    """A field whose value one of the functions in `rules` checks, strictly; every fault is reported with its place."""

    def __init__(self, rule: rules.Rule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule

    def to_internal_value(self, data: Any) -> Any:
        try:
            return self.rule(data)
        except rules.RuleViolation as violation:
            faults = violation.faults
            raise serializers.ValidationError(
                [ErrorDetail(fault.message, PlacedCode(fault.code, fault.path)) for fault in faults]
            ) from violation

    def to_representation(self, value: Any) -> Any:
        return value


class ObjectSerializer(serializers.Serializer[Any]):
    """A serializer that takes JSON objects only, and says so in JSON's terms."""

    def run_validation(self, data: Any = empty) -> Any:
        if data is None or not isinstance(data, dict):
            message = f"Must be a JSON object, not {rules.kind(data)}."
            raise serializers.ValidationError({"non_field_errors": [message]}, code="invalid_type")
        return super().run_validation(data)


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


class CampaignSerializer(ObjectSerializer):
    """A campaign. Its status is read-only: it changes by the transitions."""

    id = serializers.CharField(read_only=True)
    external_id = RuleField(rules.opaque_id, allow_null=True, default=None)
    name = RuleField(rules.name)
    description = RuleField(rules.description, default="")
    status = serializers.ChoiceField(Campaign.Status.choices, read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
