"""The staff's site: Django's admin, whose sessions last as long as somebody works."""

import time
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase

SLID_AT = "slid_at"  # the key in the session
SLIDES = 20  # in the life of a session: to write it with every page would make every page wait for a write


def slide(request: HttpRequest) -> None:
    """Let the session begin anew, unless it did so a short while ago."""
    now = int(time.time())
    if now - request.session.get(SLID_AT, 0) >= settings.SESSION_COOKIE_AGE / SLIDES:
        request.session[SLID_AT] = now


# In the order of use; what isn't named comes last.
SECTIONS = ("Campaign", "CampaignStep", "HistoryEntry", "User", "Group")


class StaffSite(admin.AdminSite):
    """What a two-factor package extends; settings.STAFF_SITE names the class that is used."""

    index_title = "Overview"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        @wraps(view)
        def sliding(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            slide(request)
            response: HttpResponseBase = view(request, *args, **options)
            return response

        return super().admin_view(sliding, cacheable)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps: list[Any] = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=_place)
        return sorted(apps, key=lambda app: _place(app["models"][0]))


def _place(section: dict[str, Any]) -> int:
    name = section["object_name"]
    return SECTIONS.index(name) if name in SECTIONS else len(SECTIONS)
