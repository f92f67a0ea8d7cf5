"""Shapes that only the OpenAPI document needs: what answers hold as plain objects, typed for generated clients."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from campaigns import rules
from campaigns.http.refusals import Reason
from campaigns.models import Campaign
from campaigns.rules import CAMPAIGN_FIELDS, STEP_FIELDS
from campaigns.serializers import CampaignStepSerializer, FindingSerializer, meanings

SEEDED_CAMPAIGN_OUTCOMES = ("created", "extended")
# Of fields that need no help on the staff pages.
DESCRIPTIONS = {
    "name": "The campaign's name, for people.",
    "description": "What the campaign is for, for people.",
    "template_id": "The message template.",
    "template_version_id": "The version of the template that is sent.",
}


class StepsSerializer(serializers.Serializer[Any]):
    """Steps of a campaign, all of those that the call was about."""

    results = CampaignStepSerializer(many=True, help_text="The steps that were added, or all that there are now.")


@extend_schema_serializer(component_name="StateErrorDetails")
class StateErrorDetailsSerializer(serializers.Serializer[Any]):
    """What a 412 is about: which of these are there depends on `reason`, and without it there is `etag`."""

    reason = serializers.ChoiceField(
        Reason.choices, required=False, help_text=f"The rule that forbids it. {meanings(Reason)}"
    )
    status = serializers.ChoiceField(Campaign.Status.choices, required=False, help_text="The campaign's status.")
    editable_statuses = serializers.ListField(
        child=serializers.ChoiceField(Campaign.Status.choices),
        required=False,
        help_text="The statuses in which steps can be changed.",
    )
    target = serializers.ChoiceField(
        Campaign.Status.choices, required=False, help_text="The status that was asked for."
    )
    allowed_targets = serializers.ListField(
        child=serializers.ChoiceField(Campaign.Status.choices),
        required=False,
        help_text="The statuses that may follow.",
    )
    position = serializers.IntegerField(required=False, help_text="The position that was asked for.")
    step_id = serializers.CharField(required=False, help_text="The step that holds it.")
    next_position = serializers.IntegerField(
        required=False, allow_null=True, help_text="The smallest free position above it; null if all are taken."
    )
    errors = FindingSerializer(  # type: ignore[assignment]  # hides Serializer.errors, which no document needs
        many=True, required=False, help_text="What stands in the way of an activation."
    )
    etag = serializers.CharField(required=False, help_text="The current entity tag, where If-Match named another.")


@extend_schema_serializer(component_name="StateError")
class StateErrorSerializer(serializers.Serializer[Any]):
    """A 412: the campaign's state or an If-Match forbids the call."""

    error = serializers.CharField(help_text="`bad_state`, with its rule in `details.reason`, or `precondition_failed`.")
    message = serializers.CharField(help_text="What went wrong and what to do, for people.")
    details = StateErrorDetailsSerializer(help_text="What the error is about.")


# The type of a field's values, for each kind of rule.
BY_RULE: dict[type, type[serializers.Field[Any, Any, Any, Any]]] = {
    rules.Integer: serializers.IntegerField,
    rules.Text: serializers.CharField,
    rules.JSONObject: serializers.DictField,
}


@extend_schema_serializer(component_name="HistoryValues")
class HistoryValuesSerializer(serializers.Serializer[Any]):
    """What `before` and `after` of an entry can have; which of it depends on the action."""

    status = serializers.ChoiceField(Campaign.Status.choices, required=False, help_text="The campaign's status.")
    duplicate_of = serializers.CharField(required=False, help_text="The campaign that it is a copy of.")
    steps = serializers.IntegerField(required=False, help_text="How many steps the change is about.")
    from_position = serializers.IntegerField(required=False, help_text="The first position from which steps moved up.")
    to_position = serializers.IntegerField(required=False, help_text="The last position to which steps moved up.")
    added = serializers.IntegerField(required=False, help_text="How many steps a replacement added.")
    changed = serializers.IntegerField(required=False, help_text="How many steps a replacement changed.")
    removed = serializers.IntegerField(required=False, help_text="How many steps a replacement removed.")
    run_id = serializers.CharField(required=False, help_text="The run of the bulk load that changed it.")
    source = serializers.CharField(  # type: ignore[assignment]  # hides Field.source, which no document needs
        required=False, help_text="Where the rows of that run came from."
    )
    sha256 = serializers.CharField(required=False, help_text="The digest of what that run read.")
    operator = serializers.CharField(required=False, help_text="Who started that run.")
    campaign = serializers.ChoiceField(
        SEEDED_CAMPAIGN_OUTCOMES, required=False, help_text="What that run did to the campaign."
    )
    steps_added = serializers.IntegerField(required=False, help_text="How many steps that run added.")
    steps_updated = serializers.IntegerField(required=False, help_text="How many steps that run changed.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        changed = {
            name: BY_RULE[type(field.rule)](
                required=False, allow_null=field.may_be_null, help_text=field.help or DESCRIPTIONS[name]
            )
            for name, field in (CAMPAIGN_FIELDS | STEP_FIELDS).items()
        }
        return changed | super().get_fields()
