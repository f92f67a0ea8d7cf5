"""The campaigns API. Its views declare and delegate: steps, many_steps, lifecycle and timeline do the work."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import Serializer

from campaigns import lifecycle, timeline
from campaigns.http.base import BaseCampaignViewSet
from campaigns.http.refusals import step_ids_at
from campaigns.many_steps import DesiredStep, add_steps, reorder_steps, replace_steps
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.openapi.operations import OPERATIONS, PATH_PARAMETERS
from campaigns.readiness import check_readiness
from campaigns.rules import StepFields
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
from campaigns.steps import add_step, change_step, remove_step
from campaigns.versions import step_list_etag
from messaging_project.api.errors import validation_error
from messaging_project.api.etags import with_etag
from messaging_project.api.idempotency import idempotent
from messaging_project.api.openapi import DeclaredSchema


def filtered(campaigns: QuerySet[Campaign], chosen: Mapping[str, Any]) -> QuerySet[Campaign]:
    """The campaigns that match every parameter of the query."""
    lookups = {
        "status": "status",
        "external_id": "external_id",
        "created_from": "created_at__gte",
        "created_before": "created_at__lt",
        "search": "name__icontains",
    }
    campaigns = campaigns.filter(**{lookups[name]: chosen[name] for name in lookups.keys() & chosen.keys()})
    templates = {name: chosen[name] for name in ("template_id", "template_version_id") if name in chosen}
    if templates:  # given together, one step must have both
        campaigns = campaigns.filter(Exists(CampaignStep.objects.filter(campaign_id=OuterRef("pk"), **templates)))
    return campaigns


class CampaignViewSet(BaseCampaignViewSet):
    """Campaigns, and their steps as a nested collection."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS)
    lookup_url_kwarg = "id"
    operation_ids: ClassVar[dict[str, str]] = {
        "list": "listCampaigns",
        "create": "createCampaign",
        "retrieve": "getCampaign",
        "partial_update": "changeCampaign",
        "destroy": "deleteCampaign",
        "duplicate": "duplicateCampaign",
        "list_steps": "listSteps",
        "steps": "addStep",
        "replace_steps": "replaceSteps",
        "bulk": "addSteps",
        "order": "reorderSteps",
        "activate": "activateCampaign",
        "pause": "pauseCampaign",
        "complete": "completeCampaign",
        "archive": "archiveCampaign",
        "readiness": "getReadiness",
        "timeline": "getTimeline",
        "history": "listHistory",
    }
    batch_actions = frozenset({"create", "bulk", "replace_steps", "order"})
    query_serializers: ClassVar[dict[str, type[Serializer[Any]]]] = {
        "list": CampaignFilterSerializer,
        "steps": AddStepQuerySerializer,
        "timeline": TimelineQuerySerializer,
    }

    def list(self, request: Request) -> Response:
        chosen = self.query()
        self.ordering = "-id" if chosen["order"] == "newest" else "id"
        campaigns = filtered(Campaign.objects.with_totals(), chosen)
        return self.paged(campaigns, CampaignSerializer)

    @idempotent
    def create(self, request: Request) -> Response:
        fields = self.checked_body()
        fields["steps"] = [StepFields(**step) for step in fields["steps"]]
        return self.campaign_response(lifecycle.create_campaign(**fields, actor=self.actor), status.HTTP_201_CREATED)

    def retrieve(self, request: Request, id: str) -> Response:
        return self.campaign_response(self.get_campaign())

    def partial_update(self, request: Request, id: str) -> Response:
        changes = self.checked_body(CampaignChangesSerializer, partial=True)
        campaign = lifecycle.change_campaign(self.campaign_id, changes, actor=self.actor, if_match=self.if_match)
        return self.campaign_response(campaign)

    def destroy(self, request: Request, id: str) -> Response:
        lifecycle.delete_campaign(self.campaign_id, actor=self.actor, if_match=self.if_match)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    @idempotent
    def duplicate(self, request: Request, id: str) -> Response:
        copy = lifecycle.duplicate_campaign(self.campaign_id, actor=self.actor)
        return self.campaign_response(copy, status.HTTP_201_CREATED)

    # --- Steps -------------------------------------------------------------------------------------------------------

    @action(detail=True, methods=["post"], serializer_class=CampaignStepSerializer, ordering="position")
    @idempotent
    def steps(self, request: Request, id: str) -> Response:
        fields = StepFields(**self.checked_body())
        shift = self.query()["on_conflict"] == "shift"
        step = add_step(self.campaign_id, fields, actor=self.actor, shift=shift)
        return self.step_response(step, status.HTTP_201_CREATED)

    @steps.mapping.get
    def list_steps(self, request: Request, id: str) -> Response:
        campaign_id = self.get_campaign().id
        etag = step_list_etag(campaign_id)  # read before the page: it may be older than the page, never newer
        response = self.paged(CampaignStep.objects.filter(campaign_id=campaign_id), CampaignStepSerializer)
        return with_etag(request, response, etag)

    @steps.mapping.put
    def replace_steps(self, request: Request, id: str) -> Response:
        body = self.checked_body(SequenceSerializer)
        desired = [DesiredStep(step.pop("id"), StepFields(**step)) for step in body["steps"]]
        with step_ids_at("steps[{}].id"):
            steps = replace_steps(self.campaign_id, desired, actor=self.actor, if_match=self.if_match)
        return self.steps_response(steps)

    @action(detail=True, methods=["post"], url_path="steps/bulk")
    @idempotent
    def bulk(self, request: Request, id: str) -> Response:
        body = self.checked_body(StepListSerializer)
        many = [StepFields(**step) for step in body["steps"]]
        steps = add_steps(self.campaign_id, many, actor=self.actor)
        location = reverse("campaign-steps", args=[self.campaign_id], request=request)
        results = CampaignStepSerializer(steps, many=True).data
        return Response({"results": results}, status=status.HTTP_201_CREATED, headers={"Location": location})

    @action(detail=True, methods=["put"], url_path="steps/order")
    def order(self, request: Request, id: str) -> Response:
        body = self.checked_body(OrderSerializer)
        with step_ids_at("step_ids[{}]"):
            steps = reorder_steps(self.campaign_id, body["step_ids"], actor=self.actor, if_match=self.if_match)
        return self.steps_response(steps)

    # --- Life --------------------------------------------------------------------------------------------------------

    @action(detail=True, methods=["post"])
    @idempotent
    def activate(self, request: Request, id: str) -> Response:
        return self.change_status(Status.ACTIVE)

    @action(detail=True, methods=["post"])
    @idempotent
    def pause(self, request: Request, id: str) -> Response:
        return self.change_status(Status.PAUSED)

    @action(detail=True, methods=["post"])
    @idempotent
    def complete(self, request: Request, id: str) -> Response:
        return self.change_status(Status.COMPLETED)

    @action(detail=True, methods=["post"])
    @idempotent
    def archive(self, request: Request, id: str) -> Response:
        return self.change_status(Status.ARCHIVED)

    @action(detail=True, methods=["get"])
    def readiness(self, request: Request, id: str) -> Response:
        return Response(ReadinessSerializer(check_readiness(self.get_campaign().id)).data)

    @action(detail=True, methods=["get"])
    def timeline(self, request: Request, id: str) -> Response:
        campaign_id = self.get_campaign().id
        chosen = self.query()
        zone, start = chosen["tz"], chosen.get("start") or timezone.now()
        steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
        try:
            results = timeline.plan(steps, start, zone)
        except timeline.BeyondCalendar:
            message = "Must keep every step within the years 1 to 9999."
            raise validation_error(("start", "out_of_range", message)) from None
        return Response(TimelineSerializer({"start": start, "tz": zone.key, "results": results}).data)

    @action(detail=True, methods=["get"], ordering="-id")
    def history(self, request: Request, id: str) -> Response:
        entries = HistoryEntry.objects.filter(campaign_id=self.campaign_id)
        if not entries.exists():
            self.get_campaign()
        return self.paged(entries, HistoryEntrySerializer)

    # --- What the actions share --------------------------------------------------------------------------------------

    def change_status(self, target: str) -> Response:
        campaign = lifecycle.change_status(self.campaign_id, target, actor=self.actor, if_match=self.if_match)
        return self.campaign_response(campaign)


class StepViewSet(BaseCampaignViewSet):
    """One step of a campaign."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS)
    serializer_class = CampaignStepSerializer
    lookup_url_kwarg = "step_id"
    operation_ids: ClassVar[dict[str, str]] = {
        "retrieve": "getStep",
        "partial_update": "changeStep",
        "destroy": "deleteStep",
    }

    def retrieve(self, request: Request, id: str, step_id: str) -> Response:
        return self.step_response(self.get_step())

    def partial_update(self, request: Request, id: str, step_id: str) -> Response:
        changes = self.checked_body(partial=True)
        step = change_step(self.campaign_id, self.step_id, changes, actor=self.actor, if_match=self.if_match)
        return self.step_response(step)

    def destroy(self, request: Request, id: str, step_id: str) -> Response:
        remove_step(self.campaign_id, self.step_id, actor=self.actor, if_match=self.if_match)
        return Response(status=status.HTTP_204_NO_CONTENT)
