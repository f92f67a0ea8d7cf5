"""What the viewsets of the campaigns API share: ids in paths, checked bodies and queries, preconditions, answers."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from campaigns import exceptions
from campaigns.history import Actor, actor_of
from campaigns.http.refusals import as_http
from campaigns.models import Campaign, CampaignStep
from campaigns.serializers import CampaignSerializer, CampaignStepSerializer, NoQuerySerializer
from campaigns.steps import find_step
from campaigns.versions import IfMatch, current_campaign, list_etag
from messaging_project.api import etags
from messaging_project.api.json import MAX_BATCH_BYTES, MAX_BODY_BYTES, json_body
from messaging_project.api.paging import KeysetPagination
from messaging_project.api.preferences import APPLIED, wants_strict
from messaging_project.ids import parse_uuid


@cache
def empty_query(serializer_class: type[serializers.Serializer[Any]]) -> Mapping[str, Any]:
    """The parameters of an empty query string."""
    serializer = serializer_class(data={})
    serializer.is_valid(raise_exception=True)
    return MappingProxyType(serializer.validated_data)


class BaseCampaignViewSet(GenericViewSet[Campaign]):
    """A viewset below /campaigns."""

    queryset = Campaign.objects.all()
    serializer_class: type[serializers.Serializer[Any]] = CampaignSerializer
    pagination_class = KeysetPagination
    lookup_value_regex = "[^/]+"
    ordering = "id"
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]  # noqa: RUF012 - an instance variable in DRF
    operation_ids: ClassVar[dict[str, str]]
    batch_actions: ClassVar[frozenset[str]] = frozenset()
    # The serializer of the query string, for each action that reads one; paging reads its own two parameters.
    query_serializers: ClassVar[dict[str, type[serializers.Serializer[Any]]]] = {}

    @property
    def operation_id(self) -> str | None:
        """The OpenAPI operation being called. Settings name its scopes by this id."""
        return self.operation_ids.get(self.action or "")

    @property
    def max_body_bytes(self) -> int:
        return MAX_BATCH_BYTES if self.action in self.batch_actions else MAX_BODY_BYTES

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(as_http(exc, offers_shift=self.operation_id == "addStep"))

    # --- The request -------------------------------------------------------------------------------------------------

    @property
    def campaign_id(self) -> UUID:
        """The path's campaign. Raises NotFound for an impossible id."""
        return self._path_id("id", "campaign")

    @property
    def step_id(self) -> UUID:
        """The path's step. Raises NotFound for an impossible id."""
        return self._path_id("step_id", "step")

    def _path_id(self, name: str, resource: str) -> UUID:
        given = self.kwargs[name]
        found = parse_uuid(given)
        if found is None:
            raise exceptions.NotFound(resource, given)
        return found

    @property
    def actor(self) -> Actor:
        return actor_of(self.request.user)

    @property
    def if_match(self) -> IfMatch:
        return etags.if_match(self.request)

    def get_campaign(self) -> Campaign:
        return current_campaign(self.campaign_id)

    def get_step(self) -> CampaignStep:
        """The path's step. Raises NotFound: for the campaign if that doesn't exist, else for the step."""
        try:
            return find_step(self.campaign_id, self.step_id)
        except exceptions.NotFound:
            self.get_campaign()
            raise

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "strict": wants_strict(self.request)}

    def query(self) -> Mapping[str, Any]:
        """The parameters of the query string, checked."""
        return self._checked()

    def checked_body(
        self, serializer_class: type[serializers.Serializer[Any]] | None = None, *, partial: bool = False
    ) -> dict[str, Any]:
        """The body's fields. Faults of body and query are reported together."""
        body = json_body(self.request)
        context = self.get_serializer_context()
        serializer = (serializer_class or self.get_serializer_class())(data=body, partial=partial, context=context)
        self._checked(serializer)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    def _checked(self, *others: serializers.BaseSerializer[Any]) -> Mapping[str, Any]:
        """The parameters of the query string, if neither it nor any of the `others` has a fault.

        Only a fault costs a look-up, so that a missing campaign or step is a 404 before the body is a 400.
        """
        query_class = self.query_serializers.get(self.action or "", NoQuerySerializer)
        query = query_class(data=self.request.query_params.dict()) if self.request.query_params else None
        faults: dict[str, Any] = {}
        for serializer in (*others, *([query] if query else [])):
            if not serializer.is_valid():
                faults |= serializer.errors
        if faults:
            self.require_existence()
            raise serializers.ValidationError(faults)
        return query.validated_data if query else empty_query(query_class)

    def require_existence(self) -> None:
        """Raises NotFound if the path's campaign or step doesn't exist."""
        if "step_id" in self.kwargs:
            self.get_step()
        elif "id" in self.kwargs:
            self.get_campaign()

    # --- The answer --------------------------------------------------------------------------------------------------

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if wants_strict(request):
            response["Preference-Applied"] = APPLIED
        return super().finalize_response(request, response, *args, **kwargs)

    def campaign_response(self, campaign: Campaign, status: int = status.HTTP_200_OK) -> Response:
        response = Response(CampaignSerializer(campaign).data, status=status)
        if status == 201:
            response["Location"] = reverse("campaign-detail", args=[campaign.id], request=self.request)
        return etags.with_etag(self.request, response, campaign.etag)

    def step_response(self, step: CampaignStep, status: int = status.HTTP_200_OK) -> Response:
        response = Response(CampaignStepSerializer(step).data, status=status)
        if status == 201:
            path = reverse("campaign-step-detail", args=[step.campaign_id, step.id], request=self.request)
            response["Location"] = path
        return etags.with_etag(self.request, response, step.etag)

    def steps_response(self, steps: Sequence[CampaignStep]) -> Response:
        response = Response({"results": CampaignStepSerializer(steps, many=True).data})
        return etags.with_etag(self.request, response, list_etag((step.id, step.version) for step in steps))

    def paged(self, queryset: QuerySet[Any], serializer_class: type[serializers.Serializer[Any]]) -> Response:
        page = self.paginate_queryset(queryset)
        return self.get_paginated_response(serializer_class(page, many=True).data)
