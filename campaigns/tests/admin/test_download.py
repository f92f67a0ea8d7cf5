"""A campaign's steps as a file: what is downloaded is what the seeding command loads."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.tests.admin.conftest import Login
from campaigns.tests.factories import make_campaign, make_step


def export_url(campaign_id: object, format: str) -> str:
    return reverse("admin:campaigns_campaign_export", args=[campaign_id, format])


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(
    ("format", "content_type"), [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl")]
)
def test_a_download_can_be_loaded_again(viewer: Client, tmp_path: Path, format: str, content_type: str) -> None:
    campaign = make_campaign(name="Größe, “1”", external_id="crm-1")
    make_step(campaign, 3, delay_minutes=90, variables={"a": [1, 'x,\n"y"']})
    make_step(campaign, 7)
    make_campaign(name="Another", steps=2)
    answer = viewer.get(export_url(campaign.pk, format))
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe")

    steps = [step.fields for step in campaign.steps.order_by("position")]
    Campaign.objects.all().delete()
    file = tmp_path / f"steps.{format}"
    file.write_bytes(answer.content)
    call_command("seed_campaigns", str(file))
    loaded = Campaign.objects.get()
    assert (loaded.pk, loaded.name, loaded.external_id) == (campaign.pk, "Größe, “1”", "crm-1")
    assert [step.fields for step in loaded.steps.order_by("position")] == steps


def test_there_are_two_formats_of_campaigns_that_exist(viewer: Client) -> None:
    campaign = make_campaign()
    for url in (export_url(campaign.pk, "xml"), export_url(uuid4(), "csv")):
        assert viewer.get(url).status_code == 404


def test_who_may_not_look_may_not_download(login: Login) -> None:
    nobody = login("nora")
    assert nobody.get(export_url(make_campaign(steps=1).pk, "csv")).status_code == 403
