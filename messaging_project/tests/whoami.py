"""URLs of one small API view that tells callers who they are; authentication and permission are the settings'."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class WhoAmI(APIView):
    operation_id = "whoAmI"

    @extend_schema(operation_id=operation_id, responses={200: dict})
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response({"issuer": user.issuer, "subject": user.subject, "scopes": sorted(user.scopes)})


class Greet(APIView):
    """Looks at nothing of its caller."""

    operation_id = "greet"

    @extend_schema(operation_id=operation_id, responses={200: dict})
    def get(self, request: Request) -> Response:
        return Response({"hello": "world"})


urlpatterns = [path("v1/whoami", WhoAmI.as_view()), path("v1/greet", Greet.as_view())]
