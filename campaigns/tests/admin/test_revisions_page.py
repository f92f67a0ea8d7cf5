"""The pages of a campaign's revisions: which there are, and what each froze."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import lifecycle
from campaigns.models import Campaign
from campaigns.steps import change_step
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import ACTOR, make_campaign

pytestmark = pytest.mark.django_db


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def revisions_url(campaign: Campaign, number: int | None = None) -> str:
    if number is None:
        return reverse("admin:campaigns_campaign_revisions", args=[campaign.pk])
    return reverse("admin:campaigns_campaign_revision", args=[campaign.pk, number])


def test_each_revision_shows_what_was_frozen(editor: Client) -> None:
    campaign = make_campaign(steps=103)
    for status in ("active", "paused"):
        lifecycle.change_status(campaign.pk, status, actor=ACTOR)
    change_step(campaign.pk, campaign.steps.get(position=2).pk, {"template_version_id": "new-v2"}, actor=ACTOR)
    lifecycle.change_status(campaign.pk, "active", actor=ACTOR)

    listed = shown(editor, revisions_url(campaign))
    assert listed.index("Revision 2") < listed.index("Revision 1")
    assert listed.count("103 steps <span") == 2
    assert revisions_url(campaign) in shown(editor, campaign_url(campaign.pk))
    assert ("t2-v1" in shown(editor, revisions_url(campaign, 1))) is True
    second = shown(editor, revisions_url(campaign, 2))
    assert ("new-v2" in second, "t2-v1" in second, "t102-v1" in second) == (True, False, False)
    last = shown(editor, revisions_url(campaign, 2) + "?p=2")
    assert "t102-v1" in last
    assert 'title="Place 102 in the frozen order">102<' in last


def test_a_campaign_that_never_ran_has_none(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    assert "was never activated" in shown(editor, revisions_url(campaign))
    assert revisions_url(campaign) not in shown(editor, campaign_url(campaign.pk))


@pytest.mark.parametrize("number", [2, 10**30])
def test_a_revision_that_is_not_there_is_a_404(editor: Client, number: int) -> None:
    campaign = make_campaign(steps=1)
    lifecycle.change_status(campaign.pk, "active", actor=ACTOR)
    assert editor.get(revisions_url(campaign, number)).status_code == 404


def test_they_are_for_whom_may_see_campaigns(client: Client, django_user_model: type) -> None:
    campaign = make_campaign(steps=1)
    lifecycle.change_status(campaign.pk, "active", actor=ACTOR)
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))  # type: ignore[attr-defined]
    answers = [client.get(revisions_url(campaign, number)).status_code for number in (None, 1)]
    assert answers == [403, 403]
