"""The JSON of campaigns and steps. Nothing here writes."""

from datetime import UTC
from typing import Any, ClassVar

from django.db.models import TextChoices
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from campaigns import rules
from campaigns.models import Action, ActorType, Campaign, HistoryEntry, campaign_etag, step_etag
from campaigns.readiness import Code
from campaigns.rule_fields import ObjectSerializer, RuleField, rule_fields
from campaigns.timeline import PlannedStep
from messaging_project.api.errors import flatten, unlisted
from messaging_project.api.etags import quoted
from messaging_project.field_paths import MAX_LISTED_FAULTS


class CampaignStepSerializer(ObjectSerializer):
    """A step: takes the contract's five fields, enforces all their rules, and shows its seven keys."""

    id = serializers.CharField(read_only=True, help_text="The step's id.")
    campaign_id = serializers.CharField(read_only=True, help_text="The campaign that it is a step of.")

    path_names: ClassVar[dict[str, str]] = {"id": "step_id", "campaign_id": "id"}
    KEYS = ("id", "campaign_id", *rules.STEP_FIELDS)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | rule_fields(rules.STEP_FIELDS)

    @classmethod
    def shown(cls, step: Any) -> dict[str, Any]:
        """A step, or its row, as the renderer takes it. DRF would build and ask a field for each value."""
        return {name: getattr(step, name) for name in cls.KEYS}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return self.shown(instance)


class ReplacingStepSerializer(CampaignStepSerializer):
    """A step of a whole new sequence. One with an `id` exists and is kept; one without is new."""

    id = RuleField(rules.StepId(), allow_null=True, default=None)  # type: ignore[assignment]  # it is taken here


class StepListField(RuleField):
    """A JSON array of steps whose positions differ; each fault is reported under its index."""

    def __init__(self, child: CampaignStepSerializer, items: rules.Items, **kwargs: Any) -> None:
        super().__init__(items, **kwargs)
        self.child = child
        child.bind(field_name="", parent=self)  # type: ignore[arg-type]  # any field may be a parent

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        super().to_internal_value(data)
        repeated = rules.repeated_positions(data)
        faults: dict[int, Any] = {}
        values: list[dict[str, Any]] = []
        listed = more = 0
        for index, item in enumerate(data):
            if listed >= MAX_LISTED_FAULTS:
                more += self._fault_count(item, is_repeated=index in repeated)
            elif found := self._faults_of(item, repeated.get(index), values):
                faults[index] = found
                listed += sum(1 for _ in flatten(found))
        if faults:
            raise serializers.ValidationError(faults | {len(data): unlisted(more)})  # type: ignore[arg-type]  # any keys
        return values

    def _faults_of(self, item: Any, first: int | None, values: list[dict[str, Any]]) -> dict[str, Any]:
        """The faults of a step, whose position is also that of step `first`. Without a fault, it joins `values`."""
        faults: dict[str, Any] = {}
        try:
            values.append(self.child.run_validation(item))
        except serializers.ValidationError as error:
            faults = dict(error.detail)  # type: ignore[arg-type]  # of a serializer it is a dict
        if first is not None:
            faults.setdefault("position", [ErrorDetail(f"Must differ from the position of step {first}.", "repeated")])
        return faults

    def _fault_count(self, item: Any, *, is_repeated: bool) -> int:
        """A position has one fault: that it is repeated only where it has no other."""
        position = rules.STEP_FIELDS["position"].rule
        return self.child.fault_count(item) + (is_repeated and not rules.fault_count(position, item["position"]))


class StepListSerializer(ObjectSerializer):
    """Steps to be added, all or none."""

    steps = StepListField(
        CampaignStepSerializer(),
        rules.Items(rules.MAX_BATCH, minimum=1, remedy="Add the others by further calls."),
        help_text="The steps to add, in any order.",
    )


class SequenceSerializer(ObjectSerializer):
    """The whole new sequence."""

    REMEDY = "Change a longer sequence by addSteps, changeStep and deleteStep."
    steps = StepListField(
        ReplacingStepSerializer(),
        rules.Items(rules.MAX_SEQUENCE, remedy=REMEDY),
        help_text="All steps that the campaign is to have, in any order.",
    )


class OrderSerializer(ObjectSerializer):
    """The ids of all steps, in their new order."""

    step_ids = RuleField(rules.StepIds(), help_text="The ids of all steps of the campaign, in their new order.")


@extend_schema_field({"type": "integer", "format": "int64"})
class LongField(serializers.IntegerField):
    """An integer for which 32 bits don't do: a sum of delays."""


class CampaignSerializer(ObjectSerializer):
    """A campaign. Its status is read-only; transitions change it."""

    id = serializers.CharField(read_only=True, help_text="The campaign's id.")
    status = serializers.ChoiceField(
        Campaign.Status.choices, read_only=True, help_text="Where it is in its life; operations of their own change it."
    )
    step_count = serializers.IntegerField(read_only=True, help_text="How many steps it has.")
    total_delay_minutes = LongField(read_only=True, help_text="The sum of its steps' delays, in minutes.")
    revision = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="The number of its latest revision; null if it has none."
    )
    created_at = serializers.DateTimeField(read_only=True, help_text="When it was created.")
    updated_at = serializers.DateTimeField(read_only=True)
    steps = StepListField(
        CampaignStepSerializer(),
        rules.Items(rules.MAX_BATCH, remedy="Add the others by addSteps."),
        write_only=True,
        default=list,
        help_text="Its first steps, in any order.",
    )

    path_names: ClassVar[dict[str, str]] = {"id": "id"}
    ORDER = ("id", "external_id", "name", "description", "status", "step_count", "total_delay_minutes", "revision")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields() | rule_fields(rules.CAMPAIGN_FIELDS)
        return {name: fields[name] for name in (*self.ORDER, *fields) if name in fields}


class CampaignChangesSerializer(CampaignSerializer):
    """Changes of a campaign's own fields; its steps have addresses of their own."""

    steps = None  # type: ignore[assignment]  # how DRF takes a field away


class DuplicateSerializer(ObjectSerializer):
    """What a copy has of its own."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = {name: rules.CAMPAIGN_FIELDS[name] for name in ("name", "external_id")}
        name = RuleField(
            rules.NAME, required=False, help_text="Without it, the campaign's name with “(copy)” after it."
        )
        return super().get_fields() | rule_fields(fields) | {"name": name}


# --- Answers ---------------------------------------------------------------------------------------------------------


@extend_schema_serializer(component_name="ListedStep")
class ListedStepSerializer(CampaignStepSerializer):
    """A step in a list."""

    etag = serializers.CharField(required=False, help_text="Its entity tag; with `include=etag`.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if "etag" in self.context.get("include", ()):
            shown["etag"] = quoted(step_etag(instance))
        return shown


class FirstStepsSerializer(serializers.Serializer[Any]):
    """The first steps of a campaign, as the first page of its list."""

    next = serializers.URLField(allow_null=True, help_text="The address of the next page; null if these are all.")
    results = ListedStepSerializer(many=True, help_text="The steps, by position.")


@extend_schema_serializer(component_name="Campaign")
class CampaignAnswerSerializer(CampaignSerializer):
    """A campaign in an answer, with its `first_steps` where it has such."""

    updated_at = serializers.DateTimeField(
        read_only=True, help_text="When the campaign itself was last changed; changes of its steps don't count."
    )
    etag = serializers.CharField(required=False, help_text="Its own entity tag; with `include=etag`.")
    steps = FirstStepsSerializer(  # type: ignore[assignment]  # of the same name in a request, and of another shape
        source="first_steps", required=False, help_text="The first 100 steps by position; with `include=steps`."
    )
    KEYS = (*CampaignSerializer.ORDER, "created_at", "updated_at")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A campaign with its totals, or its row, as the renderer takes it."""
        totals = instance.totals._asdict()
        shown = {name: totals[name] if name in totals else getattr(instance, name) for name in self.KEYS}
        if "etag" in self.context.get("include", ()):
            shown["etag"] = quoted(campaign_etag(instance))
        if first_steps := getattr(instance, "first_steps", None):
            steps = ListedStepSerializer(first_steps["results"], many=True, context=self.context).data
            shown["steps"] = {"next": first_steps["next"], "results": steps}
        return shown


def meanings(words: type[TextChoices]) -> str:
    """What each word means, by its label."""
    return f"{'; '.join(f'`{word}`: {meaning}' for word, meaning in words.choices)}."


class FindingSerializer(serializers.Serializer[Any]):
    """One thing that readiness finds."""

    code = serializers.ChoiceField(Code.choices, help_text=f"What was found, for programs. {meanings(Code)}")
    message = serializers.CharField(help_text="What was found, for people.")
    step_id = serializers.CharField(required=False, help_text="The step that it is about, if it is about one.")


class ReadinessSerializer(serializers.Serializer[Any]):
    """Whether a campaign could be activated."""

    ready = serializers.BooleanField(help_text="Whether it could be activated: there are no `errors`.")
    errors = FindingSerializer(  # type: ignore[assignment]  # hides Serializer.errors, which answers don't use
        many=True, help_text="What prevents an activation."
    )
    warnings = FindingSerializer(many=True, help_text="What is only unusual.")


class PlannedStepSerializer(serializers.Serializer[Any]):
    """When one step would be sent."""

    step_id = serializers.CharField(source="step.id", help_text="The step's id.")
    position = serializers.IntegerField(source="step.position", help_text="The step's position.")
    delay_minutes = serializers.IntegerField(
        source="step.delay_minutes", help_text="Minutes after the previous step; for the first step, after `start`."
    )
    offset_minutes = LongField(help_text="Minutes after `start`: the sum of the delays up to and with this step's.")
    at = serializers.DateTimeField(default_timezone=UTC, help_text="When the step would be sent, in UTC.")
    at_local = serializers.CharField(
        read_only=True, help_text="The same moment in the time zone `tz`, with its offset from UTC."
    )

    def to_representation(self, instance: PlannedStep) -> dict[str, Any]:
        """A planned step as the renderer takes it."""
        step, offset, at, at_local = instance
        return {
            "step_id": step.id,
            "position": step.position,
            "delay_minutes": step.delay_minutes,
            "offset_minutes": offset,
            "at": at,
            "at_local": at_local.isoformat(),
        }


class TimelineSerializer(serializers.Serializer[Any]):
    """When the steps of a campaign would be sent to a recipient who enters at `start`."""

    start = serializers.DateTimeField(default_timezone=UTC, help_text="When the recipient enters, in UTC.")
    tz = serializers.CharField(help_text="The IANA time zone of the local times.")
    results = PlannedStepSerializer(many=True, help_text="All steps, by position.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A timeline as the renderer takes it. Fields of its own would keep it for the garbage collector."""
        shown = PlannedStepSerializer().to_representation
        return {**instance, "start": instance["start"].astimezone(UTC), "results": [*map(shown, instance["results"])]}


class ActorSerializer(serializers.Serializer[HistoryEntry]):
    """Who made a change."""

    type = serializers.ChoiceField(
        ActorType.choices, source="actor_type", help_text="Whether it was an access token, staff or a command."
    )
    issuer = serializers.CharField(source="actor_issuer", help_text="Who issued the access token; else empty.")
    id = serializers.CharField(
        source="actor_id", help_text="The token's subject, the staff account's id, or the command's name."
    )
    name = serializers.CharField(source="actor_name", help_text="The name to show.")


class ValuesField(serializers.DictField):
    """The fields that a change was about."""


def actor_shown(row: Any) -> dict[str, str]:
    """Whoever made what a row with an actor's columns tells of."""
    return {name: getattr(row, f"actor_{name}") for name in ("type", "issuer", "id", "name")}


class HistoryEntrySerializer(serializers.Serializer[HistoryEntry]):
    """One change: `before` and `after` have the changed fields only."""

    OWN = ("action", "campaign_id", "step_id", "revision", "before", "after")
    id = serializers.CharField(help_text="The entry's id, here and in `listEvents`.")
    at = serializers.DateTimeField(source="created_at", help_text="When the change was made.")
    actor = ActorSerializer(source="*", help_text="Who made the change.")
    action = serializers.ChoiceField(Action.choices, help_text="What was done.")
    campaign_id = serializers.CharField(help_text="The campaign that was changed.")
    step_id = serializers.CharField(
        allow_null=True, help_text="The step that was changed; null if it wasn't one step alone."
    )
    revision = serializers.IntegerField(
        allow_null=True, help_text="Of a change of status, the campaign's latest revision then."
    )
    before = ValuesField(allow_null=True, help_text="The changed fields as they were; null if there was nothing.")
    after = ValuesField(
        allow_null=True, help_text="The fields as they became, or counts of many changed steps; null after a deletion."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """An entry, or its row, as the renderer takes it."""
        return {
            "id": instance.id,
            "at": instance.created_at,
            "actor": actor_shown(instance),
            **{name: getattr(instance, name) for name in self.OWN},
        }


class EventSerializer(serializers.Serializer[HistoryEntry]):
    """A change in the feed of all changes."""

    KEYS = ("id", "type", "at", "actor", "campaign_id", "step_id", "revision", "before", "after")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """A history entry, or its row, as the renderer takes it."""
        shown = HistoryEntrySerializer().to_representation(instance)
        shown["type"] = shown.pop("action")
        return {name: shown[name] for name in self.KEYS}


class EventsField(serializers.ListField):
    """Events, each of its type's shape."""

    child = EventSerializer()


class EventPageSerializer(serializers.Serializer[Any]):
    """Events in the order of the feed, and where to go on."""

    results = EventsField(help_text="The events, oldest first.")
    next_cursor = serializers.CharField(help_text="Where to go on, also after an answer without events.")
    has_more = serializers.BooleanField(help_text="Whether there is more to get at once; else ask again in a while.")
