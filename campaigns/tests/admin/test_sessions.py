"""Sessions last as long as somebody works; what is sent after their end is shown again, and stands in no log."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns.tests.admin.pages import FormReader, campaign_url, opened, row, save, with_new_row
from campaigns.tests.factories import make_campaign, stored
from messaging_project.staff_site import SLID_AT

SHOW_AGAIN = {"_show_again": "1"}


def aged(client: Client, seconds: int) -> Session:
    """The client's session, as if it had begun that long ago."""
    session: Any = client.session
    session[SLID_AT] = int(timezone.now().timestamp()) - seconds
    session.save()
    row = Session.objects.get(pk=session.session_key)
    row.expire_date -= timedelta(seconds=seconds)
    row.save()
    return row


def test_a_session_lasts_as_long_as_somebody_works(settings: Settings, viewer: Client) -> None:
    settings.SESSION_COOKIE_AGE = 3600
    session = aged(viewer, 1800)
    answer = viewer.get(campaign_url(make_campaign().pk))
    session.refresh_from_db()
    assert session.expire_date > timezone.now() + timedelta(seconds=3590)
    assert answer.cookies["sessionid"]["max-age"] == 3600


def test_a_session_is_not_written_with_each_page(settings: Settings, viewer: Client) -> None:
    settings.SESSION_COOKIE_AGE = 3600
    session = aged(viewer, 100)
    answer = viewer.get(campaign_url(make_campaign().pk))
    assert "sessionid" not in answer.cookies
    assert Session.objects.get().expire_date == session.expire_date


def test_a_page_is_shown_again_as_it_was_sent_and_nothing_is_saved(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = with_new_row(opened(editor, campaign), position=1, template_id="new", template_version_id="v1")
    before = stored()
    answer = editor.post(campaign_url(campaign.pk), form | {"name": "Typed"} | SHOW_AGAIN)
    assert FormReader.of(answer).data | {"name": ""} == form | {"name": "", "steps-1-id": ""} | row(
        1, delay_minutes_days="", delay_minutes_hours="", delay_minutes_minutes="", variables=""
    )
    assert FormReader.of(answer).data["name"] == "Typed"
    assert stored() == before


def test_who_may_only_look_is_shown_no_form(viewer: Client) -> None:
    campaign = make_campaign(steps=1)
    assert viewer.post(campaign_url(campaign.pk), {"name": "Typed"} | SHOW_AGAIN).status_code == 403


@pytest.mark.parametrize("has_key", [True, False])
def test_what_is_refused_stands_in_no_log(editor: Client, caplog: pytest.LogCaptureFixture, has_key: bool) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | row(0, variables='{"offer": "half-price"}')
    editor.handler.enforce_csrf_checks = not has_key
    Session.objects.all().delete()
    with caplog.at_level("DEBUG"):
        answer = save(editor, campaign, form)
    assert answer.status_code == (302 if has_key else 403)
    assert "half-price" not in caplog.text + answer.content.decode() + answer.headers.get("Location", "")
