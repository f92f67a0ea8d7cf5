"""Template ids and versions that the pages suggest, where there is a catalogue."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign

ADD_STEP = "/admin/campaigns/campaignstep/add/"


@pytest.mark.django_db
@pytest.mark.any_database
def test_they_are_for_who_may_write_steps(editor: Client, viewer: Client, settings: Settings) -> None:
    settings.TEMPLATE_CATALOGUE = "campaigns.catalogue.memory.demo"
    url = reverse("admin:campaigns_campaign_templates")
    assert editor.get(url, {"q": "tmpl_trial_o"}).json() == {
        "templates": [{"template_id": "tmpl_trial_offer", "versions": ["tmpl_trial_offer_v2", "tmpl_trial_offer_v1"]}]
    }
    assert viewer.get(url).status_code == 403
    assert Client().get(url).headers["Location"] == f"/admin/login/?next={url}"

    campaign = make_campaign()
    pages = (campaign_url(campaign.pk), ADD_STEP)
    assert [f'data-templates-url="{url}"' in editor.get(page).text for page in pages] == [True, True]
    settings.TEMPLATE_CATALOGUE = ""
    assert ["templates.js" in editor.get(page).text for page in pages] == [False, False]
    assert editor.get(url).status_code == 404
