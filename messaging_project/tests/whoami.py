"""URLs of two small API views that leave authentication and permission to the settings."""

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class WhoAmI(APIView):
    """Tells its caller who it is."""

    operation_id = "whoAmI"

    def get(self, request: Request) -> Response:
        user: Any = request.user  # the stubs know only Django's own
        return Response({"issuer": user.issuer, "subject": user.subject, "scopes": sorted(user.scopes)})


class Greet(APIView):
    """Looks at nothing of its caller."""

    operation_id = "greet"

    def get(self, request: Request) -> Response:
        return Response({"hello": "world"})


urlpatterns = [path("v1/whoami", WhoAmI.as_view()), path("v1/greet", Greet.as_view())]
