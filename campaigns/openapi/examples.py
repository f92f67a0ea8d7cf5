"""The values that the OpenAPI document shows: a campaign, its steps, and refusals."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from campaigns import exceptions, timeline
from campaigns.changes import ChangedStep, PlacedStep, StepChanges
from campaigns.expressions import Totals
from campaigns.http.refusals import step_set_mismatch
from campaigns.models import Action, ActorType, Campaign, CampaignStep, HistoryEntry, Revision
from campaigns.readiness import Readiness
from messaging_project.api.errors import APIError
from messaging_project.api.openapi import EXAMPLE_ID

CAMPAIGN_ID = UUID(EXAMPLE_ID)
COPY_ID = UUID("0199b3a2-0d5c-7be2-a1c7-6e5d4c3b2a19")
STEP_ID = UUID("0199b3a0-6b52-7c0d-b1f5-90ab3c4d5e6f")
MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

STEP_BODY: dict[str, Any] = {
    "position": 1,
    "template_id": "welcome-tips",
    "template_version_id": "welcome-tips-v3",
    "delay_minutes": 2880,
    "variables": {"name": "Ada", "tips": 3},
}
FIRST_STEP_BODY: dict[str, Any] = {
    "position": 0,
    "template_id": "welcome",
    "template_version_id": "welcome-v1",
    "delay_minutes": 0,
    "variables": {"name": "Ada"},
}
STEP = CampaignStep(id=STEP_ID, campaign_id=CAMPAIGN_ID, **STEP_BODY)
FIRST_STEP = CampaignStep(id=UUID("0199b3a0-6b4f-7e18-8d02-7f6e5d4c3b2a"), campaign_id=CAMPAIGN_ID, **FIRST_STEP_BODY)
STEPS = {"results": [FIRST_STEP, STEP]}
STEP_IDS = [str(FIRST_STEP.id), str(STEP.id)]


def campaign(status: str, revision: int | None = None, **fields: Any) -> Campaign:
    shown = {
        "id": CAMPAIGN_ID,
        "external_id": "crm-4711",
        "name": "Welcome",
        "description": "The first week of a new customer.",
        "status": status,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    campaign = Campaign(**shown | fields)
    vars(campaign).update(totals=Totals(2, 2880), revision=revision)  # what with_totals() adds
    return campaign


CAMPAIGN = campaign(Campaign.Status.DRAFT)
COPY = campaign(Campaign.Status.DRAFT, id=COPY_ID, external_id=None, name="Welcome (copy)")
CAMPAIGN_BODY = {name: getattr(CAMPAIGN, name) for name in ("name", "external_id", "description")}

NO_STEPS = {"code": "no_steps", "message": "The campaign has no steps: add at least one."}
REPEATED_VERSION = {
    "code": "repeated_version",
    "message": "The step sends the same template version as the step before it.",
    "step_id": str(STEP_ID),
}
READINESS = Readiness(warnings=[REPEATED_VERSION])
START = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
TIMELINE = {
    "start": START,
    "tz": "Europe/Berlin",
    "results": timeline.plan([FIRST_STEP, STEP], START, ZoneInfo("Europe/Berlin")),
}
BEFORE: dict[str, Any] = {"delay_minutes": 1440}
AFTER = {"delay_minutes": STEP.delay_minutes}
HISTORY_ENTRY = HistoryEntry(
    id=UUID("0199b3a1-22c4-7f60-9a3b-5c4d3e2f1a0b"),
    created_at=MOMENT,
    actor_type=ActorType.TOKEN,
    actor_issuer="https://login.example/",
    actor_id="crm-sync",
    actor_name="crm-sync",
    action=Action.STEP_CHANGED,
    campaign_id=CAMPAIGN_ID,
    step_id=STEP_ID,
    before=BEFORE,
    after=AFTER,
)
REVISION = Revision(
    campaign_id=CAMPAIGN_ID,
    number=2,
    digest="9f2c7d0e4b1a8c6d3e5f7a9b0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d",
    step_count=1,
    created_at=MOMENT,
    actor_type=ActorType.TOKEN,
    actor_issuer="https://login.example/",
    actor_id="crm-sync",
    actor_name="crm-sync",
)


def placed(ordinal: int, step: CampaignStep) -> PlacedStep:
    return PlacedStep(ordinal, step.id, *(getattr(step, name) for name in PlacedStep._fields[2:]))


FROZEN_STEP = placed(0, STEP)._replace(**BEFORE)  # by that revision, which FIRST_STEP came after
CHANGES = StepChanges(
    revision=2,
    added=[placed(0, FIRST_STEP)],
    removed=[],
    moved=[],
    changed=[ChangedStep(1, STEP_ID, BEFORE, AFTER)],
)
EVENTS = {"results": [HISTORY_ENTRY], "next_cursor": "WyJhNmIxYzJkMyIsMCwiNDcxMSJd", "has_more": False}

# --- Refusals --------------------------------------------------------------------------------------------------------

NO_CAMPAIGN = exceptions.NotFound("campaign", CAMPAIGN_ID)
NO_STEP = exceptions.NotFound("step", STEP_ID)
NO_REVISION = exceptions.NotFound("revision", "3")
NOT_EDITABLE = exceptions.CampaignNotEditable(CAMPAIGN_ID, Campaign.Status.ACTIVE)
POSITION_TAKEN = exceptions.PositionTaken(STEP.position, STEP_ID, STEP.position + 1)
NO_ROOM = exceptions.NoRoom(STEP.position)
NOT_READY = exceptions.NotReady([NO_STEPS])
NOT_DELETABLE = exceptions.NotDeletable(CAMPAIGN_ID, Campaign.Status.ACTIVE)
EXTERNAL_ID_TAKEN = exceptions.ExternalIdTaken("crm-4711", COPY_ID)
CHANGED_MEANWHILE = exceptions.VersionMismatch("4")


def not_the_steps(place: str) -> APIError:
    """The refusal of step ids that aren't the campaign's, at `place` in a body."""
    mismatch = exceptions.StepSetMismatch(missing=[], unknown={0: str(COPY_ID)}, repeated={2: str(STEP_ID)}, total=2)
    return step_set_mismatch(mismatch, place)
