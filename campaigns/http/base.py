"""What the viewsets of the campaigns API share: ids in paths, checked bodies and queries, preconditions, answers."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.viewsets import GenericViewSet

from campaigns import exceptions
from campaigns.history import Actor, actor_of
from campaigns.http.refusals import as_http
from campaigns.models import Campaign, CampaignStep
from campaigns.query_parameters import NoQuerySerializer
from campaigns.rule_fields import ObjectSerializer
from campaigns.rules import OPAQUE_FIELDS
from campaigns.serializers import (
    CampaignAnswerSerializer,
    CampaignSerializer,
    CampaignStepSerializer,
)
from campaigns.steps import find_step
from campaigns.versions import CampaignWithSteps, IfMatch, list_etag, require_campaign
from messaging_project.api import etags
from messaging_project.api.addresses import absolute
from messaging_project.api.errors import APIError, validation_error
from messaging_project.api.json import MAX_BATCH_BYTES, MAX_BODY_BYTES, json_body
from messaging_project.api.paging import Cursor, KeysetPagination, Listing, Order, mark, with_cursor
from messaging_project.api.preferences import APPLIED, wants_strict
from messaging_project.api.query_parameters import QuerySerializer
from messaging_project.ids import parse_uuid

BY_POSITION = Order(("position",))
BODY_UNWANTED = ("", "unexpected", "This operation takes no body.")


def list_name(operation_id: str | None, campaign_id: UUID | str) -> str:
    return f"{operation_id} {campaign_id}"


@cache
def empty_query(serializer_class: type[QuerySerializer]) -> Mapping[str, Any]:
    """What an empty query string means."""
    serializer = serializer_class(data={})
    serializer.is_valid(raise_exception=True)
    return MappingProxyType(serializer.validated_data)


def in_one_spelling(value: Any, levels: int = 3) -> Any:
    """A body's value with 9.0 as 9, down to the fields of steps in a list; what is inside opaque fields stays.

    Nothing that is deeper down is a field, and the depth of a body is its sender's to choose.
    """
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict() if levels:
            return {k: v if k in OPAQUE_FIELDS else in_one_spelling(v, levels - 1) for k, v in value.items()}
        case list() if levels:
            return [in_one_spelling(item, levels - 1) for item in value]
    return value


class BaseCampaignViewSet(GenericViewSet[Campaign]):
    """A viewset below /campaigns."""

    queryset = Campaign.objects.all()
    serializer_class: type[serializers.Serializer[Any]] = CampaignSerializer
    pagination_class = KeysetPagination
    lookup_value_regex = "[^/]+"
    list_order = Order(("id",))
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]  # noqa: RUF012 - an instance variable in DRF
    operation_ids: ClassVar[dict[str, str]]
    batch_actions: ClassVar[frozenset[str]] = frozenset()
    # The serializers of body and query string, for each action that reads such; and the way on after a 413.
    body_serializers: ClassVar[dict[str, type[ObjectSerializer]]] = {}
    query_serializers: ClassVar[dict[str, type[QuerySerializer]]] = {}
    optional_bodies: ClassVar[frozenset[str]] = frozenset()
    remedies_for_size: ClassVar[dict[str, str]] = {}
    _query: Mapping[str, Any] | None = None
    was_strict = False

    @property
    def operation_id(self) -> str | None:
        """The OpenAPI operation being called. Settings name its scopes by this id."""
        return self.operation_ids.get(self.action or "")

    @property
    def max_body_bytes(self) -> int:
        return MAX_BATCH_BYTES if self.action in self.batch_actions else MAX_BODY_BYTES

    @property
    def remedy_for_size(self) -> str:
        """What to do about a body that is too large."""
        return self.remedies_for_size.get(self.action or "", "")

    @property
    def list_name(self) -> str:
        """What tells the list that is asked for from others."""
        return list_name(self.operation_id, self.campaign_id if "id" in self.kwargs else "")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action and self.action not in self.body_serializers and wants_strict(request):
            self.query()
            if request.stream is not None:
                self.require_existence()
                raise validation_error(BODY_UNWANTED)

    def handle_exception(self, exc: Exception) -> Response:
        offers_shift = self.operation_id in {"addStep", "addSteps"}
        if_match = self.request.META.get("HTTP_IF_MATCH")
        return super().handle_exception(as_http(exc, offers_shift=offers_shift, if_match=if_match))

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

    def get_step(self) -> CampaignStep:
        """The path's step. Raises NotFound: for the campaign if that doesn't exist, else for the step."""
        try:
            return find_step(self.campaign_id, self.step_id)
        except exceptions.NotFound:
            require_campaign(self.campaign_id)
            raise

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "strict": wants_strict(self.request), "path": self.kwargs}

    def query(self) -> Mapping[str, Any]:
        """What the query string says, after every fault of it has been looked for."""
        if self._query is None:
            self._query = self._checked()
        return self._query

    def checked_body(self) -> dict[str, Any]:
        """The body's fields, after every fault of body and query has been looked for."""
        serializer_class = self.body_serializers[self.action]
        body, is_partial = self.body(), self.request.method == "PATCH"
        faultless = serializer_class.faultless(body, is_strict=wants_strict(self.request), is_partial=is_partial)
        if faultless is not None:
            self._query = self._checked()
            return faultless
        serializer = serializer_class(data=body, partial=is_partial, context=self.get_serializer_context())
        self._query = self._checked(serializer)
        validated: dict[str, Any] = serializer.validated_data
        return validated

    def body(self) -> Any:
        return json_body(self.request, optional=self.action in self.optional_bodies)

    def canonical_request(self) -> tuple[str, Any]:
        """Path and body in one spelling: what differs in no more than that is the same request."""
        path = "/".join(part.lower() if parse_uuid(part) else part for part in self.request.path.split("/"))
        body = self.body() if self.action in self.body_serializers else None
        return path.rstrip("/"), in_one_spelling(body)

    def _checked(self, *others: serializers.BaseSerializer[Any]) -> Mapping[str, Any]:
        """The parameters of the query string, if neither it nor any of the `others` has a fault.

        Only a fault costs a look-up, so that a missing campaign or step is a 404 before the body is a 400.
        """
        query_class = self.query_serializers.get(self.action or "", NoQuerySerializer)
        query_string = self.request.META.get("QUERY_STRING")
        self.was_strict = wants_strict(self.request)
        context = {"strict": self.was_strict, "query_string": query_string}
        given = self.request.query_params if query_string else None
        query = query_class(data=given, context=context) if given else None
        faults: dict[str, Any] = {}
        for serializer in (*others, *([query] if query else [])):
            if not serializer.is_valid():
                faults |= serializer.errors
        if faults:
            self.require_existence()
            raise self.refusal_of(faults)
        return query.validated_data if query else empty_query(query_class)

    def refusal_of(self, faults: dict[str, Any]) -> Exception:
        """The refusal of a request with these faults."""
        return serializers.ValidationError(faults)

    def require_existence(self) -> None:
        """Raises NotFound if the path's campaign or step doesn't exist."""
        if "step_id" in self.kwargs:
            self.get_step()
        elif "id" in self.kwargs:
            require_campaign(self.campaign_id)

    # --- The answer --------------------------------------------------------------------------------------------------

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        # An answer that is given again was judged by the same preference, which is part of its request.
        if self.was_strict or (wants_strict(request) and "Idempotent-Replayed" in response):
            response["Preference-Applied"] = APPLIED
        return super().finalize_response(request, response, *args, **kwargs)

    def campaign_response(self, shown: Campaign | CampaignWithSteps, status: int = status.HTTP_200_OK) -> Response:
        """The answer with a campaign, and with what the query includes."""
        campaign: Any = shown if isinstance(shown, Campaign) else shown.campaign
        if isinstance(shown, CampaignWithSteps):
            campaign.first_steps = {"next": self._steps_after(shown), "results": shown.steps}
        response = Response(CampaignAnswerSerializer(campaign, context={"include": self.included}).data, status=status)
        if status == 201:
            response["Location"] = absolute(self.request, "campaign-detail", campaign.id)
        return etags.with_etag(self.request, response, shown.etag)

    def _steps_after(self, shown: CampaignWithSteps) -> str | None:
        """The address of listSteps, from the step after those that are shown; None if there are no more."""
        if not shown.has_more:
            return None
        url = absolute(self.request, "campaign-steps", shown.campaign.id)
        if "etag" in self.included:
            url = replace_query_param(url, "include", "etag")
        list_mark = mark(list_name("listSteps", shown.campaign.id), BY_POSITION, {})
        return with_cursor(url, Cursor(list_mark, False, BY_POSITION.position(CampaignStep, shown.steps[-1])))

    @property
    def included(self) -> list[str]:
        """What the query asks for beside what answers have anyway."""
        names: list[str] = self.query().get("include", [])
        return names

    def step_response(self, step: CampaignStep, status: int = status.HTTP_200_OK) -> Response:
        response = Response(CampaignStepSerializer.shown(step), status=status)
        if status == 201:
            response["Location"] = absolute(self.request, "campaign-step-detail", step.campaign_id, step.id)
        return etags.with_etag(self.request, response, step.etag)

    def steps_response(self, steps: Sequence[CampaignStep]) -> Response:
        response = Response({"results": CampaignStepSerializer(steps, many=True).data})
        return etags.with_etag(self.request, response, list_etag((step.id, step.version) for step in steps))

    def paged(self, listing: Listing, serializer_class: type[serializers.Serializer[Any]]) -> Response:
        """The answer with a page of a list. Only one without rows costs a look-up, of what the list is of."""
        try:
            page: Any = self.paginate_queryset(listing)  # type: ignore[arg-type]  # what our paginator takes
        except APIError:
            self.require_existence()
            raise
        if not page:
            self.require_existence()
        context = {"include": self.included}
        return self.get_paginated_response(serializer_class(page, many=True, context=context).data)
