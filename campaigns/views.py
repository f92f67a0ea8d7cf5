"""The campaigns API. Its views declare and delegate: sequence and lifecycle do the work."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from campaigns import exceptions, lifecycle, sequence
from campaigns.history import actor_of
from campaigns.models import Campaign, CampaignStep
from campaigns.rules import StepFields
from campaigns.serializers import CampaignSerializer, CampaignStepSerializer
from messaging_project.api.errors import RETRY_AFTER_SECONDS, APIError, validation_error
from messaging_project.api.ids import parse_uuid
from messaging_project.api.json import json_body
from messaging_project.api.paging import KeysetPagination

ON_CONFLICT = ("reject", "shift")


def as_http(exc: Exception) -> Exception:
    """A refusal of the domain as the error answer that the API gives for it; anything else unchanged."""
    match exc:
        case exceptions.NotFound():
            return APIError(404, "not_found", exc.message, exc.details)
        case exceptions.BadState():
            return APIError(412, "bad_state", exc.message, exc.details)
        case exceptions.VersionMismatch():
            return APIError(412, "precondition_failed", exc.message, exc.details)
        case exceptions.ExternalIdTaken():
            return validation_error(("external_id", "unique", exc.message))
        case exceptions.Contention():
            return APIError(503, "unavailable", exc.message, headers={"Retry-After": RETRY_AFTER_SECONDS})
        case _:
            return exc


class CampaignViewSet(GenericViewSet[Campaign]):
    """Campaigns, and their steps as a nested collection."""

    queryset = Campaign.objects.all()
    serializer_class: type[Serializer[Any]] = CampaignSerializer
    pagination_class = KeysetPagination
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"
    ordering = "id"
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]  # noqa: RUF012 - an instance variable in DRF
    operation_ids: ClassVar[dict[str, str]] = {
        "list": "listCampaigns",
        "create": "createCampaign",
        "retrieve": "getCampaign",
        "list_steps": "listSteps",
        "steps": "addStep",
        "activate": "activateCampaign",
        "pause": "pauseCampaign",
        "complete": "completeCampaign",
        "archive": "archiveCampaign",
    }

    @property
    def operation_id(self) -> str | None:
        """The OpenAPI operation being called, by which settings name the scopes it needs."""
        return self.operation_ids.get(self.action or "")

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(as_http(exc))

    def list(self, request: Request) -> Response:
        return self.paged(self.get_queryset())

    def create(self, request: Request) -> Response:
        fields = self.checked_body()
        campaign = lifecycle.create_campaign(**fields, actor=actor_of(request.user))
        location = reverse("campaign-detail", args=[campaign.id], request=request)
        return self.campaign_response(campaign, status=status.HTTP_201_CREATED, headers={"Location": location})

    def retrieve(self, request: Request, id: str) -> Response:
        return self.campaign_response(self.get_campaign())

    @action(detail=True, methods=["post"], serializer_class=CampaignStepSerializer, ordering="position")
    def steps(self, request: Request, id: str) -> Response:
        body = self.checked_body(on_conflict=ON_CONFLICT)
        shift = request.query_params.get("on_conflict") == "shift"
        step = sequence.add_step(self.campaign_id, StepFields(**body), actor=actor_of(request.user), shift=shift)
        location = f"{reverse('campaign-steps', args=[step.campaign_id], request=request)}/{step.id}"
        serializer = self.get_serializer(step)
        return Response(serializer.data, status=status.HTTP_201_CREATED, headers={"Location": location})

    @steps.mapping.get
    def list_steps(self, request: Request, id: str) -> Response:
        return self.paged(CampaignStep.objects.filter(campaign=self.get_campaign()))

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, id: str) -> Response:
        return self.change_status(Campaign.Status.ACTIVE)

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:
        return self.change_status(Campaign.Status.PAUSED)

    @action(detail=True, methods=["post"])
    def complete(self, request: Request, id: str) -> Response:
        return self.change_status(Campaign.Status.COMPLETED)

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, id: str) -> Response:
        return self.change_status(Campaign.Status.ARCHIVED)

    # --- What the actions share --------------------------------------------------------------------------------------

    @property
    def campaign_id(self) -> UUID:
        """The path's id. Raises NotFound for one that no campaign could have."""
        given = self.kwargs["id"]
        campaign_id = parse_uuid(given)
        if campaign_id is None:
            raise exceptions.NotFound("campaign", given)
        return campaign_id

    def get_campaign(self) -> Campaign:
        campaign = self.get_queryset().filter(pk=self.campaign_id).first()
        if campaign is None:
            raise exceptions.NotFound("campaign", self.campaign_id)
        return campaign

    def change_status(self, target: str) -> Response:
        return self.campaign_response(
            lifecycle.change_status(self.campaign_id, target, actor=actor_of(self.request.user))
        )

    def campaign_response(self, campaign: Campaign, **kwargs: Any) -> Response:
        return Response(CampaignSerializer(campaign).data, **kwargs)

    def paged(self, queryset: QuerySet[Any]) -> Response:
        page = self.paginate_queryset(queryset)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def checked_body(self, **choices: tuple[str, ...]) -> dict[str, Any]:
        """The body's fields, after every fault of body and query has been looked for.

        `choices` gives the values that a query parameter may have. Only where there is a fault does it cost a look-up:
        a campaign that doesn't exist is a 404 before its body is a 400.
        """
        serializer = self.get_serializer(data=json_body(self.request))
        faults: dict[str, Any] = {} if serializer.is_valid() else dict(serializer.errors)
        for name, allowed in choices.items():
            if self.request.query_params.get(name, allowed[0]) not in allowed:
                faults[name] = [f"Must be one of: {', '.join(allowed)}."]
        if faults:
            if self.detail:
                self.get_campaign()
            raise ValidationError(faults)
        validated: dict[str, Any] = serializer.validated_data
        return validated
