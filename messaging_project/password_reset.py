"""The pages on which staff reset a forgotten password by e-mail. Django's login page links to the first by its name."""

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from messaging_project.api.throttle_settings import Rate
from messaging_project.api.throttles import count_call
from messaging_project.login_guard import client_address

logger = logging.getLogger(__name__)

PAGE = {"extra_context": {"site_header": admin.site.site_header}}
OF_ADDRESS = Rate(20, "hour")  # requests of a caller, whether or not anyone has the e-mail address
OF_ACCOUNT = Rate(3, "hour")  # mails


def may_pass(whose: str, rate: Rate) -> bool:
    """Counts a request; whether it is within the limit. One beyond it is logged."""
    calls, _ = count_call(f"passwordReset {rate.per} {whose}", rate)
    if calls > rate.calls:
        logger.warning("No mail to reset a password: more than %d an %s of the %s", rate.calls, rate.per, whose)
    return calls <= rate.calls


class BoundedResetForm(PasswordResetForm):
    def get_users(self, email: str) -> Iterator[User]:
        return (user for user in super().get_users(email) if may_pass(f"account {user.pk}", OF_ACCOUNT))


class BoundedResetView(views.PasswordResetView):
    """Answers the same beyond the limits, and sends no mail."""

    form_class = BoundedResetForm

    def form_valid(self, form: Any) -> HttpResponse:
        if may_pass(f"address {client_address(self.request)}", OF_ADDRESS):
            return super().form_valid(form)
        return HttpResponseRedirect(str(self.get_success_url()))


urls: list[URLPattern] = [
    path("admin/password_reset/", BoundedResetView.as_view(**PAGE), name="admin_password_reset"),
    path("admin/password_reset/done/", views.PasswordResetDoneView.as_view(**PAGE), name="password_reset_done"),
    path(
        "admin/password_reset/<uidb64>/<token>/",
        views.PasswordResetConfirmView.as_view(**PAGE),
        name="password_reset_confirm",
    ),
    path(
        "admin/password_reset/complete/",
        views.PasswordResetCompleteView.as_view(**PAGE),
        name="password_reset_complete",
    ),
]
