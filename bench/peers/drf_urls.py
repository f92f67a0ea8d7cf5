"""The views and addresses of the peer built on Django REST Framework."""

from typing import Any

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404
from rest_framework import authentication, exceptions, permissions, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from bench.peers import tokens
from bench.peers.models import Campaign, Step, with_totals
from bench.peers.shared import CAMPAIGN_KEYS, EDITABLE, LIMIT, STEP_KEYS, envelope


class Caller:
    is_authenticated = True


class TokenAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Any]:
        try:
            return Caller(), tokens.subject(request.headers.get("Authorization"))
        except tokens.Unauthorized as error:
            raise exceptions.AuthenticationFailed from error


class StateError(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED


class StepSerializer(serializers.ModelSerializer[Step]):
    campaign_id = serializers.UUIDField(read_only=True)
    position = serializers.IntegerField(min_value=0, max_value=2_147_483_647)
    delay_minutes = serializers.IntegerField(min_value=0, max_value=2_147_483_647, default=0)

    class Meta:
        model = Step
        fields = STEP_KEYS
        read_only_fields = ("id", "campaign_id")


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    step_count = serializers.IntegerField(read_only=True)
    total_delay_minutes = serializers.IntegerField(read_only=True)

    class Meta:
        model = Campaign
        fields = (*CAMPAIGN_KEYS, "step_count", "total_delay_minutes")


class Pages(CursorPagination):
    page_size = LIMIT
    ordering = "id"


class PagesOfSteps(Pages):
    ordering = "position"


class CampaignViewSet(viewsets.ReadOnlyModelViewSet[Campaign]):
    authentication_classes = (TokenAuthentication,)
    permission_classes = (permissions.IsAuthenticated,)
    serializer_class = CampaignSerializer
    pagination_class = Pages

    def get_queryset(self) -> Any:
        return with_totals()

    @action(detail=True, methods=["get"], pagination_class=PagesOfSteps, serializer_class=StepSerializer)
    def steps(self, request: Request, pk: str) -> Response:
        campaign = get_object_or_404(Campaign, pk=pk)
        page = self.paginate_queryset(campaign.steps.all())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @steps.mapping.post
    def add_step(self, request: Request, pk: str) -> Response:
        serializer = StepSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            campaign = get_object_or_404(Campaign.objects.select_for_update(), pk=pk)
            if campaign.status not in EDITABLE:
                raise StateError(envelope("bad_state", "The campaign can't be changed.", status=campaign.status))
            try:
                with transaction.atomic():
                    serializer.save(campaign=campaign)
            except IntegrityError as error:
                raise StateError(envelope("bad_state", "The position is taken.")) from error
        return Response(serializer.data, status=status.HTTP_201_CREATED)


router = SimpleRouter(trailing_slash=False)
router.register("v1/messaging/campaigns", CampaignViewSet, basename="campaign")
urlpatterns = router.urls
