"""The views and addresses of the peer built on django-ninja."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import path
from ninja import Field, NinjaAPI, Schema

from bench.peers import tokens
from bench.peers.models import Campaign, Step, with_totals
from bench.peers.shared import EDITABLE, LIMIT, envelope, page

Natural = Annotated[int, Field(ge=0, le=2_147_483_647)]
Text = Annotated[str, Field(min_length=1, max_length=255)]


class NewStep(Schema):
    position: Natural
    template_id: Text
    template_version_id: Text
    delay_minutes: Natural = 0
    variables: Annotated[dict[str, Any], Field(default_factory=dict)]


class ShownStep(NewStep):
    id: UUID
    campaign_id: UUID


class ShownCampaign(Schema):
    id: UUID
    external_id: str | None
    name: str
    description: str
    status: str
    created_at: datetime
    updated_at: datetime
    step_count: int
    total_delay_minutes: int


class CampaignPage(Schema):
    next: str | None
    previous: str | None
    results: list[ShownCampaign]


class StepPage(Schema):
    next: str | None
    previous: str | None
    results: list[ShownStep]


def caller(request: HttpRequest) -> str | None:
    try:
        return tokens.subject(request.headers.get("Authorization"))
    except tokens.Unauthorized:
        return None


api = NinjaAPI(auth=caller)
ROOT = "/messaging/campaigns"


@api.post(ROOT + "/{uuid:pk}/steps", response={201: ShownStep, 412: dict[str, Any]})
def add_step(request: HttpRequest, pk: UUID, body: NewStep) -> tuple[int, Any]:
    with transaction.atomic():
        campaign = get_object_or_404(Campaign.objects.select_for_update(), pk=pk)
        if campaign.status not in EDITABLE:
            return 412, envelope("bad_state", "The campaign can't be changed.", status=campaign.status)
        try:
            with transaction.atomic():
                return 201, Step.objects.create(campaign=campaign, **body.model_dump())
        except IntegrityError:
            return 412, envelope("bad_state", "The position is taken.")


@api.get(ROOT + "/{uuid:pk}/steps", response=StepPage)
def list_steps(request: HttpRequest, pk: UUID) -> Any:
    campaign = get_object_or_404(Campaign, pk=pk)
    return page(list(campaign.steps.order_by("position")[:LIMIT]))


@api.get(ROOT + "/{uuid:pk}", response=ShownCampaign)
def get_campaign(request: HttpRequest, pk: UUID) -> Any:
    return get_object_or_404(with_totals(), pk=pk)


@api.get(ROOT, response=CampaignPage)
def list_campaigns(request: HttpRequest) -> Any:
    return page(list(with_totals()[:LIMIT]))


urlpatterns = [path("v1/", api.urls)]
