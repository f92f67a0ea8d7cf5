"""The project's URLs."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import TemplateView

from messaging_project import password_reset
from messaging_project.api import errors
from messaging_project.api.documents import DocsView, SchemaView

# Patterns are tried from the first on: the API's come first, since programs call more often than people click.
urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^v1/messaging/schema/?$", SchemaView.as_view(), name="schema"),
    path("v1/messaging/", include("campaigns.urls")),
    path("", TemplateView.as_view(template_name="landing.html"), name="landing"),
    re_path(r"^docs/?$", DocsView.as_view(), name="docs"),
    *(password_reset.urls if settings.CAN_SEND_EMAIL else ()),
    path("admin/", admin.site.urls),
    re_path(r"^/*v1(?:/|$)", errors.unknown_url, name="unmatched"),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.internal_server_error
