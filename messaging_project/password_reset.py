"""The pages on which staff reset a forgotten password by e-mail. Django's login page links to the first by its name."""

import logging
from typing import Any

from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordResetForm
from django.urls import URLPattern, path

from messaging_project.api.throttle_settings import Rate
from messaging_project.api.throttles import count_call
from messaging_project.login_guard import client_address

logger = logging.getLogger(__name__)

OF_ACCOUNT = Rate(3, "hour")  # mails
OF_ADDRESS = Rate(20, "hour")  # requests, since whoever makes them up names accounts that don't exist, too
PAGE = {"extra_context": {"site_header": admin.site.site_header}}


class BoundedPasswordResetForm(PasswordResetForm):
    """Sends no more mails than the limits allow. The answer doesn't tell: it would tell which accounts exist."""

    def save(self, *args: Any, **options: Any) -> None:
        if _may_pass(f"address {client_address(options['request'])}", OF_ADDRESS):
            super().save(*args, **options)

    def send_mail(
        self, subject_template_name: str, email_template_name: str, context: dict[str, Any], *args: Any, **options: Any
    ) -> None:
        if _may_pass(f"account {context['user'].pk}", OF_ACCOUNT):
            super().send_mail(subject_template_name, email_template_name, context, *args, **options)


def _may_pass(whose: str, rate: Rate) -> bool:
    """Whether one more reset is within the limit; logged where it isn't."""
    calls, _ = count_call(f"password-reset {whose}", rate)
    if calls > rate.calls:
        logger.warning("A password reset isn't mailed: %s passed %d in one %s.", whose, rate.calls, rate.per)
    return calls <= rate.calls


urls: list[URLPattern] = [
    path(
        "admin/password_reset/",
        views.PasswordResetView.as_view(**PAGE, form_class=BoundedPasswordResetForm),
        name="admin_password_reset",
    ),
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
