"""What the catalogue's answers say about the steps of a campaign."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, Func, JSONField

from campaigns.catalogue import Answer, Answers, TemplateVersion
from campaigns.catalogue.asking import asker
from campaigns.models import CampaignStep
from messaging_project.field_paths import MAX_LISTED_FAULTS, echoed

MAX_ASKED = 10_000  # template versions at a time
STEPS_AT_ONCE = 1_000  # whose names of variables are in memory
MAX_NAMED = 10  # variables in a message

UNKNOWN, MISSING, SURPLUS, NEWER, UNCHECKED = (
    "unknown_version",
    "missing_variables",
    "surplus_variables",
    "newer_version",
    "unchecked_version",
)


def ask_about(*campaign_ids: UUID) -> Answers | None:
    """What the catalogue says of the template versions of these campaigns; None if there is none.

    Inside a transaction nothing is asked: it may hold a lock. What was asked shortly before is known then.
    """
    if not settings.TEMPLATE_CATALOGUE:
        return None
    steps = CampaignStep.objects.filter(campaign_id__in=campaign_ids).order_by()
    versions = steps.values_list(*TemplateVersion._fields).distinct()[:MAX_ASKED]
    return ask_of(map(TemplateVersion._make, versions))


def ask_of(versions: Iterable[TemplateVersion]) -> Answers:
    """As ask_about(), of versions that steps have or are to have."""
    return asker().kept(versions) if connection.in_atomic_block else asker().ask(list(versions))


def ask_before_activation(*campaign_ids: UUID) -> Answers | None:
    """As ask_about(), but only if the answers can prevent an activation.

    To be called before a transaction that activates begins; within it, the same call gives the same answers.
    """
    return ask_about(*campaign_ids) if settings.TEMPLATE_CATALOGUE_STRICT else None


def template_findings(campaign_id: UUID, answers: Answers) -> list[dict[str, Any]]:
    """What is to be said of the campaign's steps: of each kind the first MAX_LISTED_FAULTS, and how many more."""
    listed, counts = list[dict[str, Any]](), Counter[str]()
    for step_id, version, names in _steps(campaign_id):
        answer = answers.get(version)
        for code, message in _faults(version, frozenset(names), answer) if answer else [(UNCHECKED, "")]:
            counts[code] += 1
            if message and counts[code] <= MAX_LISTED_FAULTS:
                listed.append({"code": code, "message": message, "step_id": str(step_id)})
    return [*_summaries(counts), *listed]


def _summaries(counts: Counter[str]) -> Iterator[dict[str, Any]]:
    if unchecked := counts.pop(UNCHECKED, 0):
        message = f"The template catalogue could not be asked about {_steps_of(unchecked)}."
        yield {"code": UNCHECKED, "message": message}
    for code, count in counts.items():
        if count > MAX_LISTED_FAULTS:
            message = f"There are {_steps_of(count)} with {WORDS[code]}: the first {MAX_LISTED_FAULTS} are listed."
            yield {"code": code, "message": message}


WORDS = {
    UNKNOWN: "an unknown template version",
    MISSING: "missing variables",
    SURPLUS: "surplus variables",
    NEWER: "a newer template version",
}


def _steps_of(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"


def _faults(version: TemplateVersion, names: frozenset[str], answer: Answer) -> Iterator[tuple[str, str]]:
    if not answer.exists:
        yield UNKNOWN, unknown(version)
        return
    if answer.variables is not None:
        if missing := [name for name, is_required in answer.variables.items() if is_required and name not in names]:
            yield MISSING, f"Its template version needs variables that the step lacks: {_named(missing)}."
        if surplus := sorted(names - answer.variables.keys()):
            yield SURPLUS, f"The step has variables that its template version doesn't declare: {_named(surplus)}."
    if answer.newest not in (None, version.template_version_id):
        yield NEWER, f"There is a newer version of its template: {echoed(str(answer.newest))}."


def unknown(version: TemplateVersion) -> str:
    """That the catalogue hasn't got this version."""
    name, version_id = map(echoed, version)
    return f"The template catalogue has no version {version_id} of the template {name}."


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(echoed, names[:MAX_NAMED])) + more


# --- The steps -------------------------------------------------------------------------------------------------------


class VariableNames(Func):
    """The names of a step's variables, as a JSON array; their values stay in the database."""

    output_field = JSONField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="(SELECT json_group_array(key) FROM json_each(%(expressions)s))", **context
        )

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        names = "(SELECT coalesce(jsonb_agg(name), '[]') FROM jsonb_object_keys(%(expressions)s) AS name)"
        return self.as_sql(compiler, connection, template=names, **context)


def _steps(campaign_id: UUID) -> Iterator[tuple[UUID, TemplateVersion, list[str]]]:
    """The steps in order, with the names of their variables."""
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
    rows = steps.values_list("position", "id", *TemplateVersion._fields, VariableNames(F("variables")))
    last = -1
    while page := list(rows.filter(position__gt=last)[:STEPS_AT_ONCE]):
        for position, step_id, template_id, version_id, names in page:
            last = position
            yield step_id, TemplateVersion(template_id, version_id), names
