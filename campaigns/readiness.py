"""What a campaign must fulfil before an activation: its steps, and its status."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet, TextChoices

from campaigns.catalogue import Answers, findings
from campaigns.exceptions import InvalidTransition, NotFound
from campaigns.models import Campaign, CampaignStep
from campaigns.statuses import STATUSES, Status
from messaging_project import compiled

MINUTES_PER_DAY = 24 * 60
MAX_TOTAL_MINUTES = 10 * 365 * MINUTES_PER_DAY
LONG_DELAY_MINUTES = 365 * MINUTES_PER_DAY
NO_STEPS = "The campaign has no steps: add at least one."
TOO_LONG = "The campaign lasts {days} days, longer than ten years: shorten its delays."


class Code(TextChoices):
    """What readiness can find. The last five come from the template catalogue, if there is one."""

    INVALID_TRANSITION = "invalid_transition", "the campaign's status can't become active"
    NO_STEPS = "no_steps", "the campaign has no steps"
    TOO_LONG = "too_long", "the delays of all steps together are too long"
    LONG_DELAY = "long_delay", "the delay of a step is unusually long"
    REPEATED_VERSION = "repeated_version", "a step sends the same template version as the step before it"
    UNKNOWN_VERSION = findings.UNKNOWN, "the template catalogue doesn't have a step's template version"
    MISSING_VARIABLES = findings.MISSING, "a step lacks variables that its template version needs"
    SURPLUS_VARIABLES = findings.SURPLUS, "a step has variables that its template version doesn't declare"
    NEWER_VERSION = findings.NEWER, "a step's template has a newer version"
    UNCHECKED_VERSION = findings.UNCHECKED, "the template catalogue could not be asked"


@dataclass(frozen=True)
class Readiness:
    """`errors` prevent an activation; `warnings` are only unusual."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.errors

    def with_templates(self, campaign_id: UUID, answers: Answers | None) -> "Readiness":
        """Itself, with what the catalogue's answers say of the campaign's steps; None says nothing."""
        for finding in findings.template_findings(campaign_id, answers) if answers is not None else ():
            is_error = finding["code"] == Code.UNKNOWN_VERSION and settings.TEMPLATE_CATALOGUE_STRICT
            (self.errors if is_error else self.warnings).append(finding)
        return self


def check_activation(campaign_id: UUID, answers: Answers | None = None) -> Readiness:
    """Judge whether a campaign could be activated: its status, and its steps as check_readiness() does.

    Raises NotFound. Takes no lock.
    """
    found = compiled.rows(_status, campaign_id)
    if not found:
        raise NotFound("campaign", campaign_id)
    readiness, status = check_readiness(campaign_id, answers), found[0].status
    if Status.ACTIVE not in STATUSES[status].targets:
        message = str(InvalidTransition(status, Status.ACTIVE))
        readiness.errors.insert(0, {"code": Code.INVALID_TRANSITION.value, "message": message})
    return readiness


def _status(campaign_id: UUID) -> QuerySet[Campaign, Any]:
    return Campaign.objects.filter(pk=campaign_id).order_by().values_list("status")


def check_readiness(campaign_id: UUID, answers: Answers | None = None) -> Readiness:
    """Judge a campaign's steps, also by what the template catalogue answered about them: see findings.ask_about().

    Takes no lock: a caller that needs the answer to stay true holds the campaign's row.
    """
    return judged(compiled.rows(_steps, campaign_id)).with_templates(campaign_id, answers)


def _steps(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
    return steps.values_list("id", "template_id", "template_version_id", "delay_minutes")


def hindrances(step_count: int, total_minutes: int) -> list[dict[str, Any]]:
    """What prevents an activation of a campaign with so many steps, of so many minutes together."""
    errors = []
    if step_count == 0:
        errors.append({"code": "no_steps", "message": NO_STEPS})
    if total_minutes > MAX_TOTAL_MINUTES:
        days = total_minutes // MINUTES_PER_DAY
        errors.append({"code": "too_long", "message": TOO_LONG.format(days=days)})
    return errors


def judged(steps: Iterable[Any]) -> Readiness:
    """Judge a campaign's steps, or rows with what is judged of them, given in order."""
    readiness = Readiness()
    count, total, previous = 0, 0, None
    for step in steps:
        count += 1
        step_id, version, delay = step.id, (step.template_version_id, step.template_id), step.delay_minutes
        total += delay
        if delay > LONG_DELAY_MINUTES:
            message = f"The step waits {delay // MINUTES_PER_DAY} days, longer than a year."
            readiness.warnings.append({"code": "long_delay", "message": message, "step_id": str(step_id)})
        if version == previous:
            message = "The step sends the same template version as the step before it."
            readiness.warnings.append({"code": "repeated_version", "message": message, "step_id": str(step_id)})
        previous = version
    readiness.errors.extend(hindrances(count, total))
    return readiness
