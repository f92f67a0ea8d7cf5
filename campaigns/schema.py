"""What the OpenAPI document says of the campaigns API: one Operation per operation id, and the field rules' schemas."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from campaigns import exceptions, rules
from campaigns.models import Campaign, CampaignStep
from campaigns.serializers import CampaignSerializer, CampaignStepSerializer
from messaging_project.api.openapi import Operation, faults_of

ON_CONFLICT = ("reject", "shift")

# --- Field rules -----------------------------------------------------------------------------------------------------

CONTROL = r"\u0000-\u001f\u007f-\u009f"
FILLED = rf"^[^{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$"  # no control characters, and not only white space
RULE_SCHEMAS: dict[rules.Rule, dict[str, Any]] = {
    rules.integer: {"type": "integer", "minimum": 0, "maximum": rules.MAX_INTEGER},
    rules.opaque_id: {"type": "string", "minLength": 1, "maxLength": rules.MAX_ID_LENGTH, "pattern": FILLED},
    rules.name: {"type": "string", "minLength": 1, "maxLength": rules.MAX_NAME_LENGTH, "pattern": FILLED},
    rules.description: {
        "type": "string",
        "maxLength": rules.MAX_DESCRIPTION_LENGTH,
        "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
    },
    rules.variables: {"type": "object", "additionalProperties": {}},
}
FIELD_WORDS = {field.name: field.help_text for model in (Campaign, CampaignStep) for field in model._meta.fields}
# Answers keep the published contract's `number`, and limits are for those who write.
ANSWER_TYPES = {"integer": "number"}


class RuleFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The schema of a RuleField, by its rule; being defined is what registers it."""

    target_class = "campaigns.serializers.RuleField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = {**RULE_SCHEMAS[self.target.rule]}
        if words := FIELD_WORDS.get(self.target.field_name):
            schema["description"] = str(words)
        if direction == "request":
            return schema
        shape = {key: value for key, value in schema.items() if key in ("type", "additionalProperties", "description")}
        return {**shape, "type": ANSWER_TYPES.get(schema["type"], schema["type"])}


# --- Examples --------------------------------------------------------------------------------------------------------


def campaign(status: str) -> Campaign:
    return Campaign(
        id=UUID("0199b3a0-5f0e-7a31-8c64-1d2f7b9e4a10"),
        external_id="crm-4711",
        name="Welcome",
        description="The first week of a new customer.",
        status=status,
        created_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        updated_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    )


CAMPAIGN = campaign(Campaign.Status.DRAFT)
CAMPAIGN_BODY = {name: getattr(CAMPAIGN, name) for name in ("name", "external_id", "description")}
STEP_BODY = {
    "position": 1,
    "template_id": "welcome-tips",
    "template_version_id": "welcome-tips-v3",
    "delay_minutes": 2880,
    "variables": {"name": "Ada", "tips": 3},
}
STEP = CampaignStep(id=UUID("0199b3a0-6b52-7c0d-b1f5-90ab3c4d5e6f"), campaign_id=CAMPAIGN.id, **STEP_BODY)

NO_CAMPAIGN = exceptions.NotFound("campaign", CAMPAIGN.id)
NOT_EDITABLE = exceptions.CampaignNotEditable(CAMPAIGN.id, Campaign.Status.ACTIVE, Campaign.EDITABLE)
NOT_READY = exceptions.NotReady([{"code": "no_steps", "message": "The campaign has no steps: add at least one."}])


def transition(target: str, summary: str, description: str, *refusals: Exception, refused_from: str) -> Operation:
    """A change of status: answers with the campaign, and refuses to leave `refused_from`."""
    refusal = exceptions.InvalidTransition(refused_from, target, Campaign.TRANSITIONS[refused_from])
    return Operation(
        tag="Campaigns",
        summary=summary,
        description=description,
        answer=CampaignSerializer,
        example=campaign(target),
        refusals=[NO_CAMPAIGN, refusal, *refusals],
    )


# --- Operations ------------------------------------------------------------------------------------------------------

OPERATIONS = {
    "listCampaigns": Operation(
        tag="Campaigns",
        summary="List campaigns",
        description="All campaigns, oldest first.",
        answer=CampaignSerializer(many=True),
        example=CAMPAIGN,
    ),
    "createCampaign": Operation(
        tag="Campaigns",
        summary="Create a campaign",
        description="The new campaign is a draft: it sends nothing until it is activated.",
        body=CampaignSerializer,
        body_example=CAMPAIGN_BODY,
        status=201,
        answer=CampaignSerializer,
        example=CAMPAIGN,
        refusals=[faults_of(CampaignSerializer, {"name": " ", "external_id": 4711})],
    ),
    "getCampaign": Operation(
        tag="Campaigns",
        summary="Get a campaign",
        answer=CampaignSerializer,
        example=CAMPAIGN,
        refusals=[NO_CAMPAIGN],
    ),
    "listSteps": Operation(
        tag="Steps",
        summary="List a campaign's steps",
        description="All steps of the campaign, by position.",
        answer=CampaignStepSerializer(many=True),
        example=STEP,
        refusals=[NO_CAMPAIGN],
    ),
    "addStep": Operation(
        tag="Steps",
        summary="Add a step to a campaign",
        description=(
            "Possible while the campaign is a draft or paused. Positions are unique within a campaign, and gaps are "
            "allowed. A position that holds another step is refused, so repeating the call never makes a second step."
        ),
        parameters=[
            OpenApiParameter(
                "on_conflict",
                enum=ON_CONFLICT,
                default="reject",
                description=(
                    "What happens where the position holds another step: `reject` answers 412; `shift` makes room, "
                    "moving the unbroken run of steps from that position on up by one."
                ),
            )
        ],
        body=CampaignStepSerializer,
        body_example=STEP_BODY,
        status=201,
        answer=CampaignStepSerializer,
        example=STEP,
        refusals=[
            faults_of(CampaignStepSerializer, {"position": "1", "template_id": "", "variables": {"name": "\0"}}),
            NO_CAMPAIGN,
            NOT_EDITABLE,
            exceptions.PositionTaken(STEP.position, STEP.id, STEP.position + 1),
            exceptions.NoRoom(rules.MAX_INTEGER),
        ],
    ),
    "activateCampaign": transition(
        "active",
        "Activate a campaign",
        "From draft or paused. The campaign must be ready: it has steps, and lasts at most ten years.",
        NOT_READY,
        refused_from="completed",
    ),
    "pauseCampaign": transition(
        "paused",
        "Pause a campaign",
        "From active. The steps of a paused campaign can be changed.",
        refused_from="draft",
    ),
    "completeCampaign": transition(
        "completed", "Complete a campaign", "From active or paused. It can't run again.", refused_from="draft"
    ),
    "archiveCampaign": transition(
        "archived", "Archive a campaign", "From draft, paused or completed. This is final.", refused_from="active"
    ),
}
