"""POST /v1/messaging/campaigns/{id}/steps"""

import pytest
from rest_framework.test import APIClient

from campaigns.tests.factories import make_campaign, positions, step_body

pytestmark = pytest.mark.django_db


def test_a_step_needs_only_what_the_contract_requires(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(f"/v1/messaging/campaigns/{campaign.id}/steps", step_body(3))
    assert answer.status_code == 201, answer.content
    assert positions(campaign) == [3]
