"""The query strings of the campaigns API: what each operation reads of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from campaigns import rules, timeline
from campaigns.instants import INSTANT, in_utc, parse_instant
from campaigns.models import Action, Campaign
from campaigns.rule_fields import RuleField
from messaging_project.api.paging import CursorField, Order, PageQuerySerializer
from messaging_project.api.query_parameters import QuerySerializer, Repeatable

IN_UTC = "As in RFC 3339 (`2026-12-01T09:00:00Z`); without an offset it is in UTC, and a date alone is its midnight."
INSTANT_SCHEMA = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}


class NoQuerySerializer(QuerySerializer):
    """A query string without parameters of its own."""


@dataclass(frozen=True)
class Reading:
    """The rule of a text that the function `read` understands; its ValueError is a fault with this message."""

    read: Callable[[str], Any]
    message: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def __call__(self, value: Any, /) -> Any:
        try:
            return self.read(value)
        except ValueError as error:
            raise rules.RuleViolation(rules.Fault((), "invalid", self.message)) from error


def instant_field(help_text: str) -> RuleField:
    """The parameter that is an instant, in UTC."""
    rule = Reading(lambda text: in_utc(parse_instant(text), UTC), INSTANT, INSTANT_SCHEMA)
    return RuleField(rule, required=False, help_text=f"{help_text} {IN_UTC}")


def words(*words: str) -> rules.OneOf:
    return rules.OneOf(words, code="invalid_choice")


def include_field(**parts: str) -> Repeatable:
    """The parameter that asks for more in the answer: each part with what it is."""
    meanings = "; ".join(f"`{name}`: {meaning}" for name, meaning in parts.items())
    return Repeatable(RuleField(words(*parts)), default=list, help_text=f"What the answer has in addition. {meanings}.")


LIST_ETAG = "the entity tag of the whole step list, as `ETag`, for which the database reads the whole list"
STEPS_ETAG = "each step's own entity tag, as `etag`"
CAMPAIGN_ETAG = "the campaign's own entity tag, as `etag`, and that of each step that is included"
FIRST_STEPS = "the first 100 steps by position, as `steps`, of which the answer's ETag then tells, too"


class StepListQuerySerializer(PageQuerySerializer):
    """The query parameters of a list of steps."""

    include = include_field(etag=STEPS_ETAG, list_etag=LIST_ETAG)


class CampaignQuerySerializer(QuerySerializer):
    """What the answer with one campaign has in addition."""

    include = include_field(steps=FIRST_STEPS, etag=CAMPAIGN_ETAG)


FROM_NOW_ON = "latest"  # in place of a cursor of the feed


class EventQuerySerializer(PageQuerySerializer):
    """The query parameters of the feed of changes."""

    cursor = CursorField(
        required=False,
        help_text=(
            "Where to go on: the `next_cursor` of the answer before, with whatever types. "
            f"`{FROM_NOW_ON}` begins now. Without it the answer begins with the oldest event that is kept."
        ),
    )
    types = Repeatable(
        RuleField(words(*Action.values)),
        default=list,
        help_text="Events of this type, or of one of these. `next_cursor` moves past all others.",
    )


ORDERS = {"created": ("id",), "name": ("name", "id"), "updated": ("updated_at", "id")}


class CampaignFilterSerializer(PageQuerySerializer):
    """The query parameters that choose campaigns, and their order as `sort`: an Order."""

    id = Repeatable(
        RuleField(rules.OPAQUE_ID), required=False, help_text="The campaign with this id, or those with one of these."
    )
    status = Repeatable(
        RuleField(words(*Campaign.Status.values)),
        required=False,
        help_text="Campaigns with this status, or one of these.",
    )
    external_id = Repeatable(
        RuleField(rules.CAMPAIGN_FIELDS["external_id"].rule),
        required=False,
        help_text="The campaign with exactly this external id, or those with one of these. Case matters.",
    )
    template_id = Repeatable(
        RuleField(rules.STEP_FIELDS["template_id"].rule),
        required=False,
        help_text="Campaigns with a step of exactly this template, or of one of these. Case matters.",
    )
    template_version_id = Repeatable(
        RuleField(rules.STEP_FIELDS["template_version_id"].rule),
        required=False,
        help_text=(
            "Campaigns with a step of exactly this template version, or of one of these; with `template_id`, one step "
            "has both. Case matters."
        ),
    )
    created_from = instant_field("Campaigns created at this time or later.")
    created_before = instant_field("Campaigns created before this time, and not at it.")
    search = RuleField(
        rules.CAMPAIGN_FIELDS["name"].rule,
        required=False,
        help_text="Campaigns whose name has this in it, in whatever case: `ÄRGER` finds `Ärger`. `ß` isn't `ss`.",
    )
    sort = RuleField(
        words(*(sign + name for name in ORDERS for sign in ("", "-"))),
        required=False,
        help_text=(
            "What the list is sorted by, `-` reverses it; `created` if neither this nor `order` is given. Names are in "
            "the order of their code points (`Z` before `a`). `updated` is the time of the last change of the campaign "
            "itself: changes of its steps don't count. A campaign whose name or `updated` changes while pages are read "
            "may be missed, or come twice; `created` never changes. To learn of changes, use listEvents."
        ),
    )
    order = RuleField(
        words("oldest", "newest"),
        required=False,
        help_text="`oldest` is `sort=created`, `newest` is `sort=-created`; not together with `sort`.",
    )
    include = include_field(etag="each campaign's own entity tag, as `etag`")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "sort" in attrs and "order" in attrs:
            message = "Give either sort or order, and not both."
            raise serializers.ValidationError({"sort": [ErrorDetail(message, "conflict")]})
        by_age = "-created" if attrs.pop("order", "oldest") == "newest" else "created"
        given = attrs.get("sort", by_age)
        attrs["sort"] = Order(ORDERS[given.lstrip("-")], descending=given.startswith("-"))
        return attrs


class AddStepQuerySerializer(QuerySerializer):
    """How a step is added."""

    on_conflict = RuleField(
        rules.OneOf(("reject", "shift")),
        default="reject",
        help_text=(
            "What happens where the position holds another step: `reject` answers 412; `shift` makes room, moving the "
            "unbroken run of steps from that position on up by one."
        ),
    )


class AddStepsQuerySerializer(AddStepQuerySerializer):
    """How many steps are added, and what the answer has in addition."""

    include = include_field(list_etag=LIST_ETAG)


class TimelineQuerySerializer(QuerySerializer):
    """Where and when a recipient enters: `tz` as a ZoneInfo, and `start`, if it was given, in UTC."""

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
        Reading(parse_instant, INSTANT, INSTANT_SCHEMA),
        required=False,
        help_text=(
            "When the recipient enters, as in RFC 3339 (`2026-12-01T09:00:00+01:00`); without an offset it is in `tz`, "
            "and a date alone is its midnight. Left out, it is the present time."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone = attrs.setdefault("tz", ZoneInfo("UTC"))
        if "start" in attrs:
            try:
                attrs["start"] = in_utc(attrs["start"], zone)
            except ValueError as error:
                raise serializers.ValidationError({"start": INSTANT}) from error
        return attrs
