"""The published endpoint with real tokens, signed by an identity provider."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep, HistoryEntry
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.identity_provider import IdentityProvider, claims, es256

STEP = {"position": 0, "template_id": "welcome", "template_version_id": "1"}

pytestmark = pytest.mark.usefixtures("configured")


def add_step(campaign_id: object, token: str | None, query: str = "") -> Any:
    client = APIClient()
    if token is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.post(f"/v1/messaging/campaigns/{campaign_id}/steps{query}", STEP)


@pytest.mark.django_db
def test_the_history_names_the_tokens_subject() -> None:
    campaign = Campaign.objects.create(name="Welcome")

    response = add_step(campaign.id, es256(claims()))

    assert response.status_code == 201
    entry = HistoryEntry.objects.get(campaign_id=campaign.id)
    assert (entry.actor_type, entry.actor_issuer, entry.actor_id) == ("token", idp.ISSUER, "service-a")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "query"),
    [(None, ""), (es256(claims(), key="attacker"), ""), (None, f"?access_token={es256(claims())}")],
    ids=["none", "forged", "in the query string"],
)
def test_without_a_good_token_nothing_is_written(token: str | None, query: str) -> None:
    campaign = Campaign.objects.create(name="Welcome")

    response = add_step(campaign.id, token, query)

    assert response.status_code == 401
    assert response.json()["error"] == "unauthenticated"
    assert response["WWW-Authenticate"].startswith('Bearer realm="messaging"')
    assert not CampaignStep.objects.exists()


@pytest.mark.django_db
def test_a_missing_scope_is_said_before_the_campaign_is_looked_for(settings: Settings) -> None:
    settings.REQUIRED_SCOPES = ["addStep=campaigns:write", "*=campaigns:read"]
    campaign = Campaign.objects.create(name="Welcome")
    no_campaign = "0190f1b2-0000-7000-8000-000000000000"

    for campaign_id in (campaign.id, no_campaign, "no-uuid"):
        response = add_step(campaign_id, es256(claims(scope="campaigns:read")))
        assert response.status_code == 403
        assert response.json()["error"] == "insufficient_scope"
        assert response.json()["details"] == {"required_scopes": ["campaigns:write"]}
    assert not CampaignStep.objects.exists()

    assert add_step(no_campaign, es256(claims(scope="campaigns:write"))).status_code == 404
    assert add_step(campaign.id, es256(claims(scope="campaigns:write"))).status_code == 201


@pytest.mark.django_db
def test_no_key_server_is_a_503_and_nothing_is_written(provider: IdentityProvider) -> None:
    campaign = Campaign.objects.create(name="Welcome")
    provider.stop()

    response = add_step(campaign.id, es256(claims()))

    assert response.status_code == 503
    assert response.json()["error"] == "unavailable"
    assert response["Retry-After"] == "5"
    assert not CampaignStep.objects.exists()
