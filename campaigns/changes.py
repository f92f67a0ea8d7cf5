"""What differs between a campaign's steps and its latest revision."""

import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from campaigns.models import CampaignStep, RevisionStep
from campaigns.revisions import CONTENT, latest_revision_or_none
from campaigns.rules import OPAQUE_FIELDS
from campaigns.versions import require_campaign
from messaging_project import compiled
from messaging_project.snapshots import snapshot
from messaging_project.strict_json import StoredJSON

NO_REVISION = 0  # which no revision has as its id


class PlacedStep(NamedTuple):
    """A step's content at its ordinal."""

    ordinal: int
    step_id: UUID
    template_id: str
    template_version_id: str
    delay_minutes: int
    variables: Any


class MovedStep(NamedTuple):
    """The ordinals of a step whose place among the steps that stayed is another."""

    id: UUID
    before: int
    after: int


class ChangedStep(NamedTuple):
    """The fields of a step that differ, and its ordinal now."""

    ordinal: int
    id: UUID
    before: dict[str, Any]
    after: dict[str, Any]


class StepChanges(NamedTuple):
    """All lists are in the order of the steps now, that of removed ones in the revision's. `revision` is its number."""

    revision: int | None
    added: list[PlacedStep]
    removed: list[PlacedStep]
    moved: list[MovedStep]
    changed: list[ChangedStep]

    def __bool__(self) -> bool:
        return any(self[1:])


def step_changes(campaign_id: UUID, load_json: Callable[[str], Any] = json.loads) -> StepChanges:
    """A campaign's steps against its latest revision, at one moment; without one, all are added. Raises NotFound."""
    with snapshot():
        revision = latest_revision_or_none(campaign_id)
        if revision is None:
            require_campaign(campaign_id)
        revision_id = NO_REVISION if revision is None else revision.id
        read, loaded = partial(_read, campaign_id, revision_id), partial(_loaded, load_json)
        now = {row[0]: ordinal for ordinal, row in enumerate(compiled.rows(_ids, campaign_id))}
        then = {row[0]: ordinal for ordinal, row in enumerate(compiled.rows(_frozen_ids, revision_id))}
        added = [PlacedStep(now[row[0]], *loaded(row)) for row in read(_added)] if now.keys() - then.keys() else []
        removed = [PlacedStep(then[row[0]], *loaded(row)) for row in read(_removed)] if then.keys() - now.keys() else []
        before = {row[0]: row for row in read(_changed_then)}
        after = read(_changed_now) if before else []
        changed = [_changed(now[row[0]], before[row[0]], row, load_json) for row in after]
    number = None if revision is None else revision.number
    return StepChanges(number, added, removed, _moved(then, now), changed)


def _loaded(load_json: Callable[[str], Any], row: Sequence[Any]) -> Sequence[Any]:
    """A row, of which JSON is a stored text."""
    return [load_json(value.text) if isinstance(value, StoredJSON) else value for value in row]


def _changed(ordinal: int, before: Sequence[Any], after: Sequence[Any], load_json: Callable[[str], Any]) -> ChangedStep:
    def differing(row: Sequence[Any]) -> dict[str, Any]:
        values = zip(CONTENT, _loaded(load_json, row)[1:], differs, strict=True)
        return {name: value for name, value, is_other in values if is_other}

    # As texts: Python takes 1 for true.
    differs = [old != new for old, new in zip(_loaded(str, before)[1:], _loaded(str, after)[1:], strict=True)]
    return ChangedStep(ordinal, after[0], differing(before), differing(after))


def _moved(then: dict[UUID, int], now: dict[UUID, int]) -> list[MovedStep]:
    """As few steps as can have moved: those outside a longest run of steps that stayed in order."""
    kept = [step_id for step_id in now if step_id in then]
    in_order = _longest_ascending([then[step_id] for step_id in kept])
    return [MovedStep(it, then[it], now[it]) for it in kept if then[it] not in in_order]


def _longest_ascending(numbers: Sequence[int]) -> set[int]:
    """The members of a longest ascending subsequence of different numbers (patience sorting)."""
    tops: list[int] = []
    below: dict[int, int | None] = {}
    for number in numbers:
        pile = bisect_left(tops, number)
        below[number] = tops[pile - 1] if pile else None
        tops[pile : pile + 1] = [number]
    found: set[int] = set()
    last = tops[-1] if tops else None
    while last is not None:
        found.add(last)
        last = below[last]
    return found


# --- Queries ---------------------------------------------------------------------------------------------------------


def _read(campaign_id: UUID, revision_id: int, build: compiled.Build) -> list[Any]:
    return compiled.rows(build, campaign_id, revision_id)


def _ids(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position").values_list("id")


def _frozen_ids(revision_id: int) -> QuerySet[RevisionStep, Any]:
    return RevisionStep.objects.filter(revision_id=revision_id).order_by("ordinal").values_list("step_id")


def _now(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")


def _then(revision_id: int) -> QuerySet[RevisionStep, Any]:
    return RevisionStep.objects.filter(revision_id=revision_id).order_by("ordinal")


def _added(campaign_id: UUID, revision_id: int) -> QuerySet[CampaignStep, Any]:
    frozen = _then(revision_id).filter(step_id=OuterRef("pk"))
    return _now(campaign_id).filter(~Exists(frozen)).values_list("id", *CONTENT)


def _removed(campaign_id: UUID, revision_id: int) -> QuerySet[RevisionStep, Any]:
    present = _now(campaign_id).filter(pk=OuterRef("step_id"))
    return _then(revision_id).filter(~Exists(present)).values_list("step_id", *CONTENT)


def _changed_now(campaign_id: UUID, revision_id: int) -> QuerySet[CampaignStep, Any]:
    frozen = _then(revision_id).filter(step_id=OuterRef("pk"))
    return _now(campaign_id).filter(Exists(_differing(frozen))).values_list("id", *CONTENT)


def _changed_then(campaign_id: UUID, revision_id: int) -> QuerySet[RevisionStep, Any]:
    present = _now(campaign_id).filter(pk=OuterRef("step_id"))
    return _then(revision_id).filter(Exists(_differing(present))).values_list("step_id", *CONTENT)


def _differing(steps: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    """Those whose content isn't the outer row's. JSON differs where its text does, as in a digest."""
    texts = {name: f"{name}_as_text" for name in OPAQUE_FIELDS}
    as_text: Any = steps.annotate(**{alias: Cast(name, TextField()) for name, alias in texts.items()})
    same: dict[str, Any] = {name: OuterRef(name) for name in CONTENT if name not in texts}
    same |= {alias: Cast(OuterRef(name), TextField()) for name, alias in texts.items()}
    differing: QuerySet[Any, Any] = as_text.filter(~Q(**same))
    return differing
