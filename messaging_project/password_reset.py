"""The pages on which staff reset a forgotten password by e-mail. Django's login page links to the first by its name."""

from django.contrib import admin
from django.contrib.auth import views
from django.urls import URLPattern, path

PAGE = {"extra_context": {"site_header": admin.site.site_header}}

urls: list[URLPattern] = [
    path("admin/password_reset/", views.PasswordResetView.as_view(**PAGE), name="admin_password_reset"),
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
