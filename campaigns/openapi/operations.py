"""What the OpenAPI document says about the campaigns API: one Operation per operation id.

To add an operation, name it in its viewset's `operation_ids` and declare it here.
"""

from django.http import QueryDict
from django.utils.text import get_text_list

from campaigns import exceptions
from campaigns.http.refusals import Reason
from campaigns.openapi import events, examples, fields  # noqa: F401 - being imported registers the fields' schemas
from campaigns.openapi.examples import CHANGED_MEANWHILE, NO_CAMPAIGN, NO_STEP, NOT_EDITABLE, POSITION_TAKEN
from campaigns.openapi.shapes import StateErrorSerializer, StepsSerializer
from campaigns.query_parameters import CampaignFilterSerializer, EventQuerySerializer
from campaigns.revision_serializers import RevisionSerializer, RevisionWithStepsSerializer, StepChangesSerializer
from campaigns.serializers import (
    CampaignAnswerSerializer,
    CampaignChangesSerializer,
    CampaignSerializer,
    CampaignStepSerializer,
    DuplicateSerializer,
    EventPageSerializer,
    HistoryEntrySerializer,
    ListedStepSerializer,
    ReadinessSerializer,
    StepListSerializer,
    TimelineSerializer,
)
from campaigns.statuses import STATUSES, Status, sources
from messaging_project.api.errors import validation_error
from messaging_project.api.openapi import Operation, faults_of, header
from messaging_project.api.paging import LIMIT_FAULT, OF_ANOTHER_LIST

# The shapes of errors whose details have types; addStep keeps the published one for all.
ERRORS = {412: StateErrorSerializer}
REVISION_NUMBER = "The revision's number, or `latest`."
PATH_PARAMETERS = {"id": "The campaign's id.", "step_id": "The step's id.", "number": REVISION_NUMBER}
ADD_STEP_REASONS = (Reason.CAMPAIGN_NOT_EDITABLE, Reason.POSITION_TAKEN, Reason.NO_ROOM)
EDITABLE = "Possible while the campaign is a draft or paused."
# What If-Match takes.
THE_CAMPAIGN = "the campaign"
THE_STEP = "the step"
THE_LIST = "the step list"
CAMPAIGN_OR_LIST = (
    "the campaign, of its step list, or of the campaign with `include=steps`. The last two change with the content of "
    "each step, too"
)


def transition(target: str, summary: str, description: str, *refusals: Exception) -> Operation:
    """A change of status. It answers with the campaign, and refuses one whose status doesn't lead there."""
    leading = sources(target)
    refused_from = next((str(status) for status in STATUSES if status not in (*leading, target)), target)
    return Operation(
        tag="Campaigns",
        summary=summary,
        description=f"From {get_text_list(leading)}. {description}",
        answer=CampaignAnswerSerializer,
        example=examples.campaign(target, revision=2),
        has_etag=True,
        if_match=CAMPAIGN_OR_LIST,
        refusals=[NO_CAMPAIGN, exceptions.InvalidTransition(refused_from, target), *refusals, CHANGED_MEANWHILE],
    )


CAMPAIGNS = {
    "listCampaigns": Operation(
        tag="Campaigns",
        summary="List campaigns",
        description=(
            "All campaigns, or those that match every given parameter. One that is repeated is matched by any of its "
            "values. To get a campaign by your own key: `?external_id=crm-4711`."
        ),
        answer=CampaignAnswerSerializer(many=True),
        example=examples.CAMPAIGN,
        refusals=[faults_of(CampaignFilterSerializer, {"status": ["running"], "created_from": "yesterday"})],
    ),
    "createCampaign": Operation(
        tag="Campaigns",
        summary="Create a campaign",
        description="The new campaign is a draft, with its first steps if the body has some: all of it or nothing.",
        body_example={**examples.CAMPAIGN_BODY, "steps": [examples.FIRST_STEP_BODY, examples.STEP_BODY]},
        status=201,
        answer=CampaignAnswerSerializer,
        example=examples.CAMPAIGN,
        has_etag=True,
        refusals=[
            faults_of(CampaignSerializer, {"name": " ", "external_id": 4711, "steps": [{"position": 0}]}),
            examples.EXTERNAL_ID_TAKEN,
        ],
    ),
    "getCampaign": Operation(
        tag="Campaigns",
        summary="Get a campaign",
        description=(
            "With `?include=steps` the answer has its first 100 steps as well, all as they were at one moment. To get "
            "a campaign by your own key, list campaigns with `?external_id=`."
        ),
        answer=CampaignAnswerSerializer,
        example=examples.CAMPAIGN,
        has_etag=True,
        refusals=[NO_CAMPAIGN],
    ),
    "changeCampaign": Operation(
        tag="Campaigns",
        summary="Change a campaign",
        description="Gives new values to the fields that the body has, in whatever status the campaign is.",
        body_example={"description": "The first week of a new customer."},
        answer=CampaignAnswerSerializer,
        example=examples.CAMPAIGN,
        has_etag=True,
        if_match=THE_CAMPAIGN,
        refusals=[
            faults_of(CampaignChangesSerializer, {"name": None, "description": 5}),
            examples.EXTERNAL_ID_TAKEN,
            NO_CAMPAIGN,
            CHANGED_MEANWHILE,
        ],
    ),
    "deleteCampaign": Operation(
        tag="Campaigns",
        summary="Delete a campaign",
        description=(
            "Deletes a draft and its steps; its history stays. What has been active can only be archived. To delete "
            "only what you have reviewed, send the ETag of its step list as If-Match: the campaign's own doesn't "
            "change with a step's content."
        ),
        status=204,
        if_match=CAMPAIGN_OR_LIST,
        refusals=[NO_CAMPAIGN, examples.NOT_DELETABLE, CHANGED_MEANWHILE],
    ),
    "duplicateCampaign": Operation(
        tag="Campaigns",
        summary="Duplicate a campaign",
        description=(
            "Makes a draft with the same description and steps, all with ids of their own. The body may be left out: "
            "then the copy has the campaign's name with “(copy)” after it, and no external id."
        ),
        body_example={"name": "Welcome, in French", "external_id": "crm-4712"},
        status=201,
        answer=CampaignAnswerSerializer,
        example=examples.COPY,
        has_etag=True,
        if_match=CAMPAIGN_OR_LIST,
        refusals=[
            faults_of(DuplicateSerializer, {"name": " "}),
            examples.EXTERNAL_ID_TAKEN,
            NO_CAMPAIGN,
            CHANGED_MEANWHILE,
        ],
    ),
    "activateCampaign": transition(
        Status.ACTIVE,
        "Activate a campaign",
        "The campaign must be ready, as getReadiness tells. To activate only "
        "what you have reviewed, send the ETag of its step list as If-Match: the campaign's own doesn't change with a "
        "step's content.",
        examples.NOT_READY,
    ),
    "pauseCampaign": transition(
        Status.PAUSED,
        "Pause a campaign",
        "The steps of a paused campaign can be changed.",
    ),
    "completeCampaign": transition(Status.COMPLETED, "Complete a campaign", "It can't run again."),
    "archiveCampaign": transition(
        Status.ARCHIVED,
        "Archive a campaign",
        "This is final.",
    ),
}

STEPS = {
    "listSteps": Operation(
        tag="Steps",
        summary="List a campaign's steps",
        description=(
            "All steps of the campaign, by position. A page that holds all of them has the ETag of the step list; any "
            "other page has one of its own, which no If-Match takes. `include=list_etag` gives the list's on any page."
        ),
        answer=ListedStepSerializer(many=True),
        example=examples.FIRST_STEP,
        has_etag=True,
        refusals=[NO_CAMPAIGN],
    ),
    "addStep": Operation(
        tag="Steps",
        summary="Add a step to a campaign",
        description=(
            f"{EDITABLE} Positions are unique within a campaign, and gaps are allowed. A position that holds another "
            "step is refused, so repeating the call never makes a second step. A 412 `bad_state` has as "
            f"`details.reason` one of {', '.join(f'`{reason}`' for reason in ADD_STEP_REASONS)}."
        ),
        has_plain_errors=True,
        body_example=examples.STEP_BODY,
        status=201,
        answer=CampaignStepSerializer,
        example=examples.STEP,
        has_etag=True,
        if_match=THE_LIST,
        refusals=[
            faults_of(CampaignStepSerializer, {"position": "1", "template_id": "", "variables": {"name": "\0"}}),
            NO_CAMPAIGN,
            NOT_EDITABLE,
            POSITION_TAKEN,
            CHANGED_MEANWHILE,
            examples.NO_ROOM,
        ],
    ),
    "addSteps": Operation(
        tag="Steps",
        summary="Add many steps to a campaign",
        description=(
            f"{EDITABLE} Up to 1,000 steps, in any order: all of them or none. A campaign may have any number. With "
            "`include=list_etag` the answer has the ETag of the step list as it is then."
        ),
        body_example={"steps": [examples.FIRST_STEP_BODY, examples.STEP_BODY]},
        status=201,
        answer=StepsSerializer,
        example=examples.STEPS,
        if_match=THE_LIST,
        headers=[header("ETag", "The version of the step list; with `include=list_etag`.", [201], always=False)],
        refusals=[
            faults_of(StepListSerializer, {"steps": [examples.STEP_BODY, {**examples.STEP_BODY, "template_id": " "}]}),
            NO_CAMPAIGN,
            NOT_EDITABLE,
            POSITION_TAKEN,
            CHANGED_MEANWHILE,
            examples.NO_ROOM,
        ],
    ),
    "replaceSteps": Operation(
        tag="Steps",
        summary="Replace a campaign's steps",
        description=(
            f"{EDITABLE} The body is the whole new sequence, up to 10,000 steps. A step with an existing `id` is kept "
            "and changed, one without is added, and steps that are absent are removed."
        ),
        body_example={"steps": [examples.FIRST_STEP_BODY, {"id": str(examples.STEP_ID), **examples.STEP_BODY}]},
        answer=StepsSerializer,
        example=examples.STEPS,
        has_etag=True,
        if_match=THE_LIST,
        refusals=[examples.not_the_steps("steps[{}].id"), NO_CAMPAIGN, NOT_EDITABLE, CHANGED_MEANWHILE],
    ),
    "reorderSteps": Operation(
        tag="Steps",
        summary="Reorder a campaign's steps",
        description=(
            f"{EDITABLE} The body has the ids of all steps, however many, in their new order. The steps are "
            "renumbered from 0."
        ),
        body_example={"step_ids": examples.STEP_IDS},
        answer=StepsSerializer,
        example=examples.STEPS,
        has_etag=True,
        if_match=THE_LIST,
        refusals=[examples.not_the_steps("step_ids[{}]"), NO_CAMPAIGN, NOT_EDITABLE, CHANGED_MEANWHILE],
    ),
    "getStep": Operation(
        tag="Steps",
        summary="Get a step",
        answer=CampaignStepSerializer,
        example=examples.STEP,
        has_etag=True,
        refusals=[NO_CAMPAIGN, NO_STEP],
    ),
    "changeStep": Operation(
        tag="Steps",
        summary="Change a step",
        description=f"{EDITABLE} Gives new values to the fields that the body has; `variables` are replaced whole.",
        body_example={"delay_minutes": 2880},
        answer=CampaignStepSerializer,
        example=examples.STEP,
        has_etag=True,
        if_match=THE_STEP,
        refusals=[
            faults_of(CampaignStepSerializer, {**examples.STEP_BODY, "position": -1, "delay_minutes": 2.5}),
            NO_CAMPAIGN,
            NO_STEP,
            NOT_EDITABLE,
            POSITION_TAKEN,
            CHANGED_MEANWHILE,
        ],
    ),
    "deleteStep": Operation(
        tag="Steps",
        summary="Delete a step",
        description=f"{EDITABLE} The other steps keep their positions.",
        status=204,
        if_match=THE_STEP,
        refusals=[NO_CAMPAIGN, NO_STEP, NOT_EDITABLE, CHANGED_MEANWHILE],
    ),
}

INSIGHT = {
    "getReadiness": Operation(
        tag="Insight",
        summary="Check whether a campaign could be activated",
        description=(
            "`errors` prevent an activation; `warnings` are only unusual. The status counts, too: an active, completed "
            "or archived campaign has the error `invalid_transition`. Where a template catalogue is plugged in, errors "
            "and warnings tell of template versions that it doesn't have, of missing and surplus variables, and of "
            "newer versions: the first 100 of each kind. Of these, only unknown versions can be errors, if the "
            "operator has chosen so."
        ),
        answer=ReadinessSerializer,
        example=examples.READINESS,
        refusals=[NO_CAMPAIGN],
    ),
    "getTimeline": Operation(
        tag="Insight",
        summary="See when a campaign's steps would be sent",
        description="Delays are elapsed minutes, also across a change to or from daylight-saving time.",
        answer=TimelineSerializer,
        example=examples.TIMELINE,
        refusals=[
            validation_error(("tz", "invalid", "Must be an IANA time zone, such as Europe/Berlin.")),
            NO_CAMPAIGN,
        ],
    ),
    "listHistory": Operation(
        tag="Insight",
        summary="List a campaign's changes",
        description="Newest first, by API, staff and command alike. The history of a deleted campaign is kept.",
        answer=HistoryEntrySerializer(many=True),
        example=examples.HISTORY_ENTRY,
        refusals=[NO_CAMPAIGN],
    ),
}

REVISIONS = {
    "listRevisions": Operation(
        tag="Revisions",
        summary="List a campaign's revisions",
        description=(
            "Newest first. Each activation of steps that differ from the latest revision freezes them as the next one, "
            "which nothing changes or deletes."
        ),
        answer=RevisionSerializer(many=True),
        example=examples.REVISION,
        refusals=[NO_CAMPAIGN],
    ),
    "getRevision": Operation(
        tag="Revisions",
        summary="Get a revision with its steps",
        description=(
            "A revision got by its number may be cached for ever; its ETag is its digest. `latest` is what an "
            "active campaign runs on, and changes with the next one."
        ),
        answer=RevisionWithStepsSerializer,
        example=(examples.REVISION, [examples.FROZEN_STEP]),
        has_etag=True,
        headers=[header("Cache-Control", "For ever (RFC 8246); of `latest`, only after asking again.", [200, 304])],
        refusals=[NO_CAMPAIGN, examples.NO_REVISION],
    ),
    "getChanges": Operation(
        tag="Revisions",
        summary="See what changed since the latest revision",
        description=(
            "The steps as they are, against those of the latest revision: what an activation would put into the next "
            "one. Without a revision all are added. As few steps as possible count as moved."
        ),
        answer=StepChangesSerializer,
        example=examples.CHANGES,
        refusals=[NO_CAMPAIGN],
    ),
}

FEED = {
    "listEvents": Operation(
        tag="Events",
        summary="Follow the changes of all campaigns",
        description=(
            "Every entry of every campaign's history, oldest first. Whoever goes on from each answer's `next_cursor` "
            "misses none and gets none twice, in an order that is legal for each campaign: store the cursor together "
            "with what you did about the events. When `has_more` is false, ask again in a while."
        ),
        answer=EventPageSerializer,
        example=examples.EVENTS,
        headers=[header("Cache-Control", "`no-store`.", [200])],
        refusals=[
            validation_error(LIMIT_FAULT),
            validation_error(OF_ANOTHER_LIST),
            faults_of(EventQuerySerializer, QueryDict("types=step.moved")),
            exceptions.CursorPruned(),
        ],
    ),
}

OPERATIONS = CAMPAIGNS | STEPS | INSIGHT | REVISIONS | FEED
