"""Pages may load nothing from elsewhere and run nothing inline, Swagger UI's page included."""

import re

import pytest
from django.test import Client
from django.urls import reverse

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/nowhere", "/docs", "/", "/v1/messaging/campaigns"])
@pytest.mark.django_db
def test_every_answer_has_the_policy(path: str) -> None:
    assert Client().get(path).headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "name", ["index", "campaigns_campaign_changelist", "campaigns_campaign_add", "campaigns_campaignstep_add"]
)
def test_admin_pages_have_nothing_inline(admin_client: Client, name: str) -> None:
    page = admin_client.get(reverse(f"admin:{name}")).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=\"", page) == []
