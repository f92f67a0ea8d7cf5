"""The OpenAPI document and its pages, public and without a token."""

from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from messaging_project.api.errors import validation_error
from messaging_project.api.json import JSONRenderer

FORMATS = ("yaml", "json")
_generating = Lock()  # generators keep state in the views' shared inspectors


@cache
def document(format: str) -> str | bytes:
    """The OpenAPI document in one of FORMATS. It depends on the code alone."""
    with _generating:
        schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    renderer = OpenApiYamlRenderer() if format == "yaml" else OpenApiJsonRenderer()
    text: str | bytes = renderer.render(schema, renderer_context={})
    return text


class SchemaView(APIView):
    """The document, in the format that `?format=` names; else the one that Accept prefers; else YAML."""

    schema = None
    http_method_names = ["get", "head"]  # noqa: RUF012 - an instance variable in DRF
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (OpenApiYamlRenderer, OpenApiJsonRenderer, OpenApiJsonRenderer2)

    def get_format_suffix(self, **kwargs: Any) -> str | None:
        name = self.request.query_params.get("format")
        if name is not None and name not in FORMATS:
            raise validation_error(("format", "invalid_choice", f"Must be one of: {', '.join(FORMATS)}."))
        return name

    def get(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        return HttpResponse(document(renderer.format), content_type=renderer.media_type)

    def handle_exception(self, exc: Exception) -> Response:
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from this process's own static files."""

    template_name = "docs.html"
    url_name = "schema"
