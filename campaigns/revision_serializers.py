"""The JSON of revisions, and of what has changed since one. Nothing here writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from campaigns.revisions import CONTENT
from campaigns.rule_fields import ObjectSerializer, rule_fields
from campaigns.rules import STEP_FIELDS
from campaigns.serializers import ActorSerializer, ValuesField, actor_shown


class RevisionSerializer(serializers.Serializer[Any]):
    """A revision in a list."""

    campaign_id = serializers.CharField(help_text="The campaign that it is a revision of.")
    number = serializers.IntegerField(help_text="Its number: 1 for the campaign's first revision, 2 for the next.")
    digest = serializers.CharField(help_text="SHA-256 over the contents of its steps, in order.")
    step_count = serializers.IntegerField(help_text="How many steps it has.")
    created_at = serializers.DateTimeField(help_text="When the activation froze it.")
    created_by = ActorSerializer(source="*", help_text="Who activated the campaign.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A revision's row as the renderer takes it."""
        own = ("campaign_id", "number", "digest", "step_count", "created_at")
        return {**{name: getattr(instance, name) for name in own}, "created_by": actor_shown(instance)}


class PlacedStepSerializer(ObjectSerializer):
    """A step's content, and its place among the steps."""

    ordinal = serializers.IntegerField(help_text="Its place, from 0; positions may have gaps.")
    id = serializers.CharField(help_text="The step's id.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | rule_fields({name: STEP_FIELDS[name] for name in CONTENT})

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A step's row as the renderer takes it."""
        content = {name: getattr(instance, name) for name in CONTENT}
        return {"ordinal": instance.ordinal, "id": instance.step_id, **content}


@extend_schema_serializer(component_name="RevisionWithSteps")
class RevisionWithStepsSerializer(RevisionSerializer):
    """A revision with its steps."""

    steps = PlacedStepSerializer(many=True, help_text="All its steps, in order.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The pair of a revision's row and those of its steps."""
        revision, steps = instance
        shown = super().to_representation(revision)
        return {**shown, "steps": PlacedStepSerializer(steps, many=True).data}


class MovedStepSerializer(serializers.Serializer[Any]):
    """A step that has another place among those that stayed."""

    id = serializers.CharField(help_text="The step's id.")
    before = serializers.IntegerField(help_text="Its ordinal in the revision.")
    after = serializers.IntegerField(help_text="Its ordinal now.")


class ChangedStepSerializer(serializers.Serializer[Any]):
    """A step with other content: the fields that differ, before and after."""

    ordinal = serializers.IntegerField(help_text="Its ordinal now.")
    id = serializers.CharField(help_text="The step's id.")
    before = ValuesField(help_text="The fields that differ, as they are in the revision.")
    after = ValuesField(help_text="The same fields, as they are now.")


@extend_schema_serializer(component_name="StepChanges")
class StepChangesSerializer(serializers.Serializer[Any]):
    """What differs between a campaign's steps and its latest revision."""

    revision = serializers.IntegerField(allow_null=True, help_text="Its number; null if there is none.")
    added = PlacedStepSerializer(many=True, help_text="Steps that the revision doesn't have.")
    removed = PlacedStepSerializer(many=True, help_text="Steps that only the revision has.")
    moved = MovedStepSerializer(many=True, help_text="Steps that have another place, as few as possible.")
    changed = ChangedStepSerializer(many=True, help_text="Steps that have other content.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Differences as the renderer takes them."""
        placed = {name: getattr(instance, name) for name in ("added", "removed")}
        return {
            "revision": instance.revision,
            **{name: PlacedStepSerializer(steps, many=True).data for name, steps in placed.items()},
            "moved": [step._asdict() for step in instance.moved],
            "changed": [step._asdict() for step in instance.changed],
        }
