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

    campaign_id = serializers.CharField()
    number = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256 over the contents of its steps, in order.")
    step_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = ActorSerializer(source="*")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A revision's row as the renderer takes it."""
        own = ("campaign_id", "number", "digest", "step_count", "created_at")
        return {**{name: getattr(instance, name) for name in own}, "created_by": actor_shown(instance)}


class PlacedStepSerializer(ObjectSerializer):
    """A step's content, and its place among the steps."""

    ordinal = serializers.IntegerField(help_text="Its place, from 0; positions may have gaps.")
    id = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | rule_fields({name: STEP_FIELDS[name] for name in CONTENT})

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A step's row as the renderer takes it."""
        content = {name: getattr(instance, name) for name in CONTENT}
        return {"ordinal": instance.ordinal, "id": instance.step_id, **content}


@extend_schema_serializer(component_name="RevisionWithSteps")
class RevisionWithStepsSerializer(RevisionSerializer):
    """A revision with its steps."""

    steps = PlacedStepSerializer(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The pair of a revision's row and those of its steps."""
        revision, steps = instance
        shown = super().to_representation(revision)
        return {**shown, "steps": PlacedStepSerializer(steps, many=True).data}


class MovedStepSerializer(serializers.Serializer[Any]):
    """A step that has another place among those that stayed."""

    id = serializers.CharField()
    before = serializers.IntegerField(help_text="Its ordinal in the revision.")
    after = serializers.IntegerField(help_text="Its ordinal now.")


class ChangedStepSerializer(serializers.Serializer[Any]):
    """A step with other content: the fields that differ, before and after."""

    ordinal = serializers.IntegerField(help_text="Its ordinal now.")
    id = serializers.CharField()
    before = ValuesField()
    after = ValuesField()


@extend_schema_serializer(component_name="StepChanges")
class StepChangesSerializer(serializers.Serializer[Any]):
    """What differs between a campaign's steps and its latest revision."""

    revision = serializers.IntegerField(allow_null=True, help_text="Its number; null if there is none.")
    added = PlacedStepSerializer(many=True)
    removed = PlacedStepSerializer(many=True)
    moved = MovedStepSerializer(many=True)
    changed = ChangedStepSerializer(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Differences as the renderer takes them."""
        placed = {name: getattr(instance, name) for name in ("added", "removed")}
        return {
            "revision": instance.revision,
            **{name: PlacedStepSerializer(steps, many=True).data for name, steps in placed.items()},
            "moved": [step._asdict() for step in instance.moved],
            "changed": [step._asdict() for step in instance.changed],
        }
