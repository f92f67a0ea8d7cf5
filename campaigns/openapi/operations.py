"""What the OpenAPI document says about the campaigns API: one Operation per operation id.

To add an operation, name it in its viewset's `operation_ids` and declare it here.
"""

from typing import Any

from rest_framework import serializers

from campaigns import exceptions
from campaigns.openapi import examples, fields  # noqa: F401 - importing it registers the fields' schemas
from campaigns.openapi.examples import CHANGED_MEANWHILE, NO_CAMPAIGN, NO_STEP, NOT_EDITABLE, POSITION_TAKEN
from campaigns.serializers import (
    AddStepQuerySerializer,
    CampaignChangesSerializer,
    CampaignFilterSerializer,
    CampaignSerializer,
    CampaignStepSerializer,
    HistoryEntrySerializer,
    OrderSerializer,
    ReadinessSerializer,
    SequenceSerializer,
    StepListSerializer,
    TimelineQuerySerializer,
    TimelineSerializer,
)
from campaigns.statuses import Status
from messaging_project.api.errors import validation_error
from messaging_project.api.openapi import Operation, faults_of

PATH_PARAMETERS = {"id": "The campaign's id.", "step_id": "The step's id."}
EDITABLE = "Possible while the campaign is a draft or paused."


class StepsSerializer(serializers.Serializer[Any]):
    """The steps of a campaign that the call wrote."""

    results = CampaignStepSerializer(many=True)


def transition(target: str, summary: str, description: str, *refusals: Exception, refused_from: str) -> Operation:
    """A change of status. It answers with the campaign, and refuses a campaign that is `refused_from`."""
    refusal = exceptions.InvalidTransition(refused_from, target)
    return Operation(
        tag="Campaigns",
        summary=summary,
        description=description,
        answer=CampaignSerializer,
        example=examples.campaign(target),
        has_etag=True,
        takes_if_match=True,
        refusals=[NO_CAMPAIGN, refusal, *refusals, CHANGED_MEANWHILE],
    )


CAMPAIGNS = {
    "listCampaigns": Operation(
        tag="Campaigns",
        summary="List campaigns",
        description="All campaigns, or those that match every given parameter.",
        parameters=[CampaignFilterSerializer],
        answer=CampaignSerializer(many=True),
        example=examples.CAMPAIGN,
        refusals=[faults_of(CampaignFilterSerializer, {"status": "running", "created_from": "yesterday"})],
    ),
    "createCampaign": Operation(
        tag="Campaigns",
        summary="Create a campaign",
        description="The new campaign is a draft. Its first steps may come with it: all of it is created, or nothing.",
        body=CampaignSerializer,
        body_example={**examples.CAMPAIGN_BODY, "steps": [examples.FIRST_STEP_BODY, examples.STEP_BODY]},
        status=201,
        answer=CampaignSerializer,
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
        answer=CampaignSerializer,
        example=examples.CAMPAIGN,
        has_etag=True,
        refusals=[NO_CAMPAIGN],
    ),
    "changeCampaign": Operation(
        tag="Campaigns",
        summary="Change a campaign",
        description="Changes the fields that the body names, in any status.",
        body=CampaignChangesSerializer,
        body_example={"description": "The first week of a new customer."},
        answer=CampaignSerializer,
        example=examples.CAMPAIGN,
        has_etag=True,
        takes_if_match=True,
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
        description="Deletes a draft and its steps; its history is kept. Any other campaign can only be archived.",
        status=204,
        takes_if_match=True,
        refusals=[NO_CAMPAIGN, examples.NOT_DELETABLE, CHANGED_MEANWHILE],
    ),
    "duplicateCampaign": Operation(
        tag="Campaigns",
        summary="Duplicate a campaign",
        description="Creates a draft with the same description and steps, under new ids.",
        status=201,
        answer=CampaignSerializer,
        example=examples.COPY,
        has_etag=True,
        refusals=[NO_CAMPAIGN],
    ),
    "activateCampaign": transition(
        Status.ACTIVE,
        "Activate a campaign",
        "From draft or paused. The campaign must be ready: it has steps, and lasts at most ten years.",
        examples.NOT_READY,
        refused_from=Status.COMPLETED,
    ),
    "pauseCampaign": transition(
        Status.PAUSED,
        "Pause a campaign",
        "From active. The steps of a paused campaign can be changed.",
        refused_from=Status.DRAFT,
    ),
    "completeCampaign": transition(
        Status.COMPLETED, "Complete a campaign", "From active or paused. It can't run again.", refused_from=Status.DRAFT
    ),
    "archiveCampaign": transition(
        Status.ARCHIVED,
        "Archive a campaign",
        "From draft, paused or completed. This is final.",
        refused_from=Status.ACTIVE,
    ),
}

STEPS = {
    "listSteps": Operation(
        tag="Steps",
        summary="List a campaign's steps",
        description="All steps of the campaign, by position. On every page, the ETag is that of the whole list.",
        answer=CampaignStepSerializer(many=True),
        example=examples.STEP,
        has_etag=True,
        refusals=[NO_CAMPAIGN],
    ),
    "addStep": Operation(
        tag="Steps",
        summary="Add a step to a campaign",
        description=(
            f"{EDITABLE} Positions are unique within a campaign, and gaps are allowed. A position that holds another "
            "step is refused, so repeating the call never makes a second step."
        ),
        parameters=[AddStepQuerySerializer],
        body=CampaignStepSerializer,
        body_example=examples.STEP_BODY,
        status=201,
        answer=CampaignStepSerializer,
        example=examples.STEP,
        has_etag=True,
        refusals=[
            faults_of(CampaignStepSerializer, {"position": "1", "template_id": "", "variables": {"name": "\0"}}),
            NO_CAMPAIGN,
            NOT_EDITABLE,
            POSITION_TAKEN,
            examples.NO_ROOM,
        ],
    ),
    "addSteps": Operation(
        tag="Steps",
        summary="Add many steps to a campaign",
        description=f"{EDITABLE} Up to 1,000 steps, in any order: all of them or none.",
        body=StepListSerializer,
        body_example={"steps": [examples.FIRST_STEP_BODY, examples.STEP_BODY]},
        status=201,
        answer=StepsSerializer,
        example=examples.STEPS,
        refusals=[
            faults_of(StepListSerializer, {"steps": [examples.STEP_BODY, {**examples.STEP_BODY, "template_id": " "}]}),
            NO_CAMPAIGN,
            NOT_EDITABLE,
            POSITION_TAKEN,
        ],
    ),
    "replaceSteps": Operation(
        tag="Steps",
        summary="Replace a campaign's steps",
        description=(
            f"{EDITABLE} The body is the whole new sequence, up to 10,000 steps. A step with an existing `id` is kept "
            "and changed, one without is added, and steps that are absent are removed."
        ),
        body=SequenceSerializer,
        body_example={"steps": [examples.FIRST_STEP_BODY, {"id": str(examples.STEP_ID), **examples.STEP_BODY}]},
        answer=StepsSerializer,
        example=examples.STEPS,
        has_etag=True,
        takes_if_match=True,
        refusals=[examples.not_the_steps("steps[{}].id"), NO_CAMPAIGN, NOT_EDITABLE, CHANGED_MEANWHILE],
    ),
    "reorderSteps": Operation(
        tag="Steps",
        summary="Reorder a campaign's steps",
        description=f"{EDITABLE} The body lists the ids of all steps in their new order; they are renumbered from 0.",
        body=OrderSerializer,
        body_example={"step_ids": examples.STEP_IDS},
        answer=StepsSerializer,
        example=examples.STEPS,
        has_etag=True,
        takes_if_match=True,
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
        description=f"{EDITABLE} Changes the fields that the body names; `variables` are replaced as a whole.",
        body=CampaignStepSerializer,
        body_example={"delay_minutes": 2880},
        answer=CampaignStepSerializer,
        example=examples.STEP,
        has_etag=True,
        takes_if_match=True,
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
        takes_if_match=True,
        refusals=[NO_CAMPAIGN, NO_STEP, NOT_EDITABLE, CHANGED_MEANWHILE],
    ),
}

INSIGHT = {
    "getReadiness": Operation(
        tag="Insight",
        summary="Check whether a campaign could be activated",
        description="`errors` prevent an activation; `warnings` are only unusual.",
        answer=ReadinessSerializer,
        example=examples.READINESS,
        refusals=[NO_CAMPAIGN],
    ),
    "getTimeline": Operation(
        tag="Insight",
        summary="See when a campaign's steps would be sent",
        description="Delays are elapsed minutes, even when the clocks change.",
        parameters=[TimelineQuerySerializer],
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

OPERATIONS = CAMPAIGNS | STEPS | INSIGHT
