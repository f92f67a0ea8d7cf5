"""The campaigns API. Its views declare and delegate: the domain's modules do the work."""

from contextlib import nullcontext
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import feed, lifecycle, timeline
from campaigns.catalogue.findings import ask_about, ask_before_activation
from campaigns.changes import step_changes
from campaigns.exceptions import ExternalIdTaken, NotFound
from campaigns.http.base import BY_POSITION, BaseCampaignViewSet
from campaigns.http.refusals import external_id_taken, step_ids_at
from campaigns.listings import campaign_listing, history_listing, revision_listing, step_listing
from campaigns.many_steps import DesiredStep, add_steps, reorder_steps, replace_steps
from campaigns.models import Campaign, HistoryEntry
from campaigns.openapi.operations import ERRORS, OPERATIONS, PATH_PARAMETERS
from campaigns.query_parameters import (
    FROM_NOW_ON,
    AddStepQuerySerializer,
    AddStepsQuerySerializer,
    CampaignFilterSerializer,
    CampaignQuerySerializer,
    EventQuerySerializer,
    StepListQuerySerializer,
    TimelineQuerySerializer,
)
from campaigns.readiness import check_activation
from campaigns.revision_serializers import RevisionSerializer, RevisionWithStepsSerializer, StepChangesSerializer
from campaigns.revisions import LATEST, NUMBER, find_revision, revision_steps
from campaigns.rule_fields import ObjectSerializer
from campaigns.rules import StepFields
from campaigns.serializers import (
    CampaignAnswerSerializer,
    CampaignChangesSerializer,
    CampaignSerializer,
    CampaignStepSerializer,
    DuplicateSerializer,
    EventPageSerializer,
    HistoryEntrySerializer,
    ListedStepSerializer,
    OrderSerializer,
    ReadinessSerializer,
    SequenceSerializer,
    StepListSerializer,
    TimelineSerializer,
)
from campaigns.statuses import Status
from campaigns.steps import add_step, change_step, remove_step
from campaigns.versions import (
    CampaignWithSteps,
    campaign_with_steps,
    current_campaign,
    list_etag,
    page_etag,
    require_campaign,
    step_list_etag,
)
from messaging_project.api.addresses import absolute
from messaging_project.api.errors import validation_error
from messaging_project.api.etags import quoted, with_etag
from messaging_project.api.idempotency import idempotent
from messaging_project.api.openapi import DeclaredSchema
from messaging_project.api.paging import (
    DEFAULT_LIMIT,
    KeysetPagination,
    Order,
    PageQuerySerializer,
    cursor_after,
    number_in,
)
from messaging_project.api.query_parameters import QuerySerializer
from messaging_project.strict_json import StoredJSON


class CampaignViewSet(BaseCampaignViewSet):
    """Campaigns, and their steps as a nested collection."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS, ERRORS)
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
        "changes": "getChanges",
    }
    batch_actions = frozenset({"create", "bulk", "replace_steps", "order"})
    body_serializers: ClassVar[dict[str, type[ObjectSerializer]]] = {
        "create": CampaignSerializer,
        "partial_update": CampaignChangesSerializer,
        "duplicate": DuplicateSerializer,
        "steps": CampaignStepSerializer,
        "replace_steps": SequenceSerializer,
        "bulk": StepListSerializer,
        "order": OrderSerializer,
    }
    optional_bodies = frozenset({"duplicate"})
    query_serializers: ClassVar[dict[str, type[QuerySerializer]]] = {
        "list": CampaignFilterSerializer,
        "create": CampaignQuerySerializer,
        "retrieve": CampaignQuerySerializer,
        "list_steps": StepListQuerySerializer,
        "steps": AddStepQuerySerializer,
        "bulk": AddStepsQuerySerializer,
        "timeline": TimelineQuerySerializer,
        "history": PageQuerySerializer,
    }
    remedies_for_size: ClassVar[dict[str, str]] = {
        "create": "Create it with fewer steps, and add the others by addSteps.",
        "steps": "To add many steps at once, use addSteps: POST …/steps/bulk.",
        "bulk": "Add the steps by several calls.",
        "replace_steps": "Change a longer sequence by addSteps, changeStep and deleteStep.",
    }

    def list(self, request: Request) -> Response:
        chosen = self.query()
        self.list_order = chosen["sort"]
        return self.paged(campaign_listing(chosen), CampaignAnswerSerializer)

    @idempotent
    def create(self, request: Request) -> Response:
        fields = self.checked_body()
        fields["steps"] = [StepFields(**step) for step in fields["steps"]]
        if "steps" not in self.included:
            return self.campaign_response(
                lifecycle.create_campaign(**fields, actor=self.actor), status.HTTP_201_CREATED
            )
        with transaction.atomic():  # nobody can change its steps before they are read
            campaign = lifecycle.create_campaign(**fields, actor=self.actor)
            return self.campaign_response(self.read_campaign(campaign.id), status.HTTP_201_CREATED)

    def retrieve(self, request: Request, id: str) -> Response:
        return self.campaign_response(self.read_campaign(self.campaign_id))

    def read_campaign(self, campaign_id: UUID) -> Campaign | CampaignWithSteps:
        """A campaign, with its first steps if the query includes them."""
        if "steps" in self.included:
            return campaign_with_steps(campaign_id, DEFAULT_LIMIT)
        return current_campaign(campaign_id)

    def partial_update(self, request: Request, id: str) -> Response:
        changes = self.checked_body()
        campaign = lifecycle.change_campaign(self.campaign_id, changes, actor=self.actor, if_match=self.if_match)
        return self.campaign_response(campaign)

    def destroy(self, request: Request, id: str) -> Response:
        lifecycle.delete_campaign(self.campaign_id, actor=self.actor, if_match=self.if_match)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    @idempotent
    def duplicate(self, request: Request, id: str) -> Response:
        own = self.checked_body()
        copy = lifecycle.duplicate_campaign(self.campaign_id, **own, actor=self.actor, if_match=self.if_match)
        return self.campaign_response(copy, status.HTTP_201_CREATED)

    # --- Steps -------------------------------------------------------------------------------------------------------

    @action(detail=True, methods=["post"], list_order=BY_POSITION)
    @idempotent
    def steps(self, request: Request, id: str) -> Response:
        fields = StepFields(**self.checked_body())
        shift = self.query()["on_conflict"] == "shift"
        step = add_step(self.campaign_id, fields, actor=self.actor, shift=shift, if_match=self.if_match)
        return self.step_response(step, status.HTTP_201_CREATED)

    @steps.mapping.get
    def list_steps(self, request: Request, id: str) -> Response:
        # Before the page: of a change in between it must know less, never more.
        etag = step_list_etag(self.campaign_id) if "list_etag" in self.included else None
        response = self.paged(step_listing(self.campaign_id), ListedStepSerializer)
        assert isinstance(self.paginator, KeysetPagination)  # noqa: S101 - tells mypy what the class above says
        versions = [(row.id, row.version) for row in self.paginator.page]
        has_previous, has_next = (response.data[link] is not None for link in ("previous", "next"))
        if not has_previous and not has_next:
            etag = list_etag(versions)
        return with_etag(request, response, etag or page_etag(versions, has_previous=has_previous, has_next=has_next))

    @steps.mapping.put
    def replace_steps(self, request: Request, id: str) -> Response:
        body = self.checked_body()
        desired = [DesiredStep(step.pop("id"), StepFields(**step)) for step in body["steps"]]
        with step_ids_at("steps[{}].id"):
            steps = replace_steps(self.campaign_id, desired, actor=self.actor, if_match=self.if_match)
        return self.steps_response(steps)

    @action(detail=True, methods=["post"], url_path="steps/bulk")
    @idempotent
    def bulk(self, request: Request, id: str) -> Response:
        body = self.checked_body()
        many = [StepFields(**step) for step in body["steps"]]
        shift = self.query()["on_conflict"] == "shift"
        with_tag = "list_etag" in self.included
        with transaction.atomic() if with_tag else nullcontext():  # nobody can add others before the tag is read
            steps = add_steps(self.campaign_id, many, actor=self.actor, shift=shift, if_match=self.if_match)
            headers = {"ETag": quoted(step_list_etag(self.campaign_id))} if with_tag else {}
        headers["Location"] = absolute(request, "campaign-steps", self.campaign_id)
        results = CampaignStepSerializer(steps, many=True).data
        return Response({"results": results}, status=status.HTTP_201_CREATED, headers=headers)

    @action(detail=True, methods=["put"], url_path="steps/order")
    def order(self, request: Request, id: str) -> Response:
        body = self.checked_body()
        with step_ids_at("step_ids[{}]"):
            steps = reorder_steps(self.campaign_id, body["step_ids"], actor=self.actor, if_match=self.if_match)
        return self.steps_response(steps)

    # --- Life --------------------------------------------------------------------------------------------------------

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, id: str) -> HttpResponse:
        ask_before_activation(self.campaign_id)  # before the transaction of an Idempotency-Key
        return self.activate_once(request)

    @idempotent
    def activate_once(self, request: Request) -> Response:
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
        found = check_activation(self.campaign_id, ask_about(self.campaign_id))
        return Response(ReadinessSerializer(found).data)

    @action(detail=True, methods=["get"])
    def timeline(self, request: Request, id: str) -> Response:
        chosen = self.query()
        zone, start = chosen["tz"], chosen.get("start") or timezone.now()
        steps = timeline.steps_to_plan(self.campaign_id)
        if not steps:
            self.require_existence()
        try:
            results = timeline.plan(steps, start, zone)
        except timeline.BeyondCalendar:
            message = "Must keep every step within the years 1 to 9999: choose another start, or shorten the delays."
            raise validation_error(("start", "out_of_range", message)) from None
        return Response(TimelineSerializer({"start": start, "tz": zone.key, "results": results}).data)

    @action(detail=True, methods=["get"], list_order=Order(("id",), descending=True))
    def history(self, request: Request, id: str) -> Response:
        return self.paged(history_listing(self.campaign_id), HistoryEntrySerializer)

    @action(detail=True, methods=["get"])
    def changes(self, request: Request, id: str) -> Response:
        return Response(StepChangesSerializer(step_changes(self.campaign_id, StoredJSON)).data)

    # --- What the actions share --------------------------------------------------------------------------------------

    def require_existence(self) -> None:
        """Raises NotFound for a path that leads to nothing; a campaign's history is there when the campaign isn't."""
        if self.action != "history" or not HistoryEntry.objects.filter(campaign_id=self.campaign_id).exists():
            super().require_existence()

    def refusal_of(self, faults: dict[str, Any]) -> Exception:
        """With the fault that only the database finds: an external id that another campaign has."""
        body = self.body() if self.action in {"create", "partial_update", "duplicate"} else None
        given: Any = body.get("external_id") if isinstance(body, dict) and "external_id" not in faults else None
        holder = None if given is None else lifecycle.holder_of(given)
        if holder is None or (self.action == "partial_update" and holder == self.campaign_id):
            return super().refusal_of(faults)
        return external_id_taken(ExternalIdTaken(given, holder), faults)

    def change_status(self, target: str) -> Response:
        campaign = lifecycle.change_status(self.campaign_id, target, actor=self.actor, if_match=self.if_match)
        return self.campaign_response(campaign)


class StepViewSet(BaseCampaignViewSet):
    """One step of a campaign."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS, ERRORS)
    lookup_url_kwarg = "step_id"
    operation_ids: ClassVar[dict[str, str]] = {
        "retrieve": "getStep",
        "partial_update": "changeStep",
        "destroy": "deleteStep",
    }
    body_serializers: ClassVar[dict[str, type[ObjectSerializer]]] = {"partial_update": CampaignStepSerializer}

    def retrieve(self, request: Request, id: str, step_id: str) -> Response:
        return self.step_response(self.get_step())

    def partial_update(self, request: Request, id: str, step_id: str) -> Response:
        changes = self.checked_body()
        step = change_step(self.campaign_id, self.step_id, changes, actor=self.actor, if_match=self.if_match)
        return self.step_response(step)

    def destroy(self, request: Request, id: str, step_id: str) -> Response:
        remove_step(self.campaign_id, self.step_id, actor=self.actor, if_match=self.if_match)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RevisionViewSet(BaseCampaignViewSet):
    """The revisions of a campaign."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS, ERRORS)
    lookup_url_kwarg = "number"
    list_order = Order(("number",), descending=True)
    operation_ids: ClassVar[dict[str, str]] = {"list": "listRevisions", "retrieve": "getRevision"}
    query_serializers: ClassVar[dict[str, type[QuerySerializer]]] = {"list": PageQuerySerializer}
    FOR_EVER = "private, max-age=31536000, immutable"

    def list(self, request: Request, id: str) -> Response:
        return self.paged(revision_listing(self.campaign_id), RevisionSerializer)

    def retrieve(self, request: Request, id: str, number: str) -> Response:
        is_latest = number == LATEST
        revision = find_revision(self.campaign_id, None if is_latest else self.number)
        # Steps that were changed back give the digest of an earlier revision, which isn't the latest one.
        etag = f"{revision.number}-{revision.digest}" if is_latest else revision.digest
        headers = {"Cache-Control": "private, no-cache" if is_latest else self.FOR_EVER}
        response = with_etag(request, Response(headers=headers), etag)
        if response.status_code != status.HTTP_304_NOT_MODIFIED:
            response.data = RevisionWithStepsSerializer((revision, revision_steps(revision.id))).data
        return response

    @property
    def number(self) -> int:
        """The path's number. Raises NotFound for what is none."""
        given = self.kwargs["number"]
        if not NUMBER.fullmatch(given):
            require_campaign(self.campaign_id)
            raise NotFound("revision", given)
        return int(given)


class EventViewSet(BaseCampaignViewSet):
    """The changes of all campaigns."""

    schema = DeclaredSchema(OPERATIONS, PATH_PARAMETERS, ERRORS)
    operation_ids: ClassVar[dict[str, str]] = {"list": "listEvents"}
    query_serializers: ClassVar[dict[str, type[QuerySerializer]]] = {"list": EventQuerySerializer}

    def list(self, request: Request) -> Response:
        chosen = self.query()
        given = chosen.get("cursor")
        if given == FROM_NOW_ON:
            found = feed.Changes([], feed.latest_cursor(), has_more=False)
        else:
            after = None if given is None else number_in(self.list_name, given)
            found = feed.changes_since(after, limit=chosen["limit"], types=chosen["types"], load_json=StoredJSON)
        next_cursor = cursor_after(self.list_name, found.cursor)
        page = {"results": found.entries, "next_cursor": next_cursor, "has_more": found.has_more}
        return Response(EventPageSerializer(page).data, headers={"Cache-Control": "no-store"})
