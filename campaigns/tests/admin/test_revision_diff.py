"""The page that asks before a campaign is resumed says what differs from the revision that ran last."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from campaigns import lifecycle
from campaigns.tests.admin.pages import status_url
from campaigns.tests.factories import ACTOR, make_campaign, make_step

pytestmark = pytest.mark.django_db


def test_it_tells_each_kind_of_change_and_how_many_more() -> None:
    campaign, client = make_campaign(steps=24), Client()
    client.force_login(User.objects.create_superuser("root"))
    for status in ("active", "paused"):
        lifecycle.change_status(campaign.pk, status, actor=ACTOR)

    def page() -> str:
        return client.get(status_url(campaign, "active")).content.decode()

    assert "Nothing differs: no new revision is made." in page()
    campaign.steps.filter(position__gt=5).delete()
    make_step(campaign, 6, template_version_id="new-v1")
    campaign.steps.filter(position=0).update(position=50)
    campaign.steps.filter(position=3).update(delay_minutes=5)
    shown = page()
    assert "Against revision 1, which ran last" in shown
    assert "<li>Added at position 6: t6 · new-v1</li>" in shown
    assert "<li>Removed: t6 · t6-v1, place 6 in the frozen order</li>" in shown
    assert "<li>Moved, now at position 50: t0 · t0-v1, place 0 in the frozen order</li>" in shown
    assert "<li>Changed at position 3: t3 · t3-v1: delay</li>" not in shown  # beyond the first lines
    assert "<li>and 1 more</li>" in shown
    campaign.steps.filter(position=6).delete()
    assert "<li>Changed at position 3: t3 · t3-v1: delay</li>" in page()
