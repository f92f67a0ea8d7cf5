"""campaigns.services: what the project's other apps call."""

from uuid import UUID

import pytest

from campaigns import exceptions, services
from campaigns.tests.api import NO_ID
from campaigns.tests.factories import ACTOR, make_campaign, step_fields

pytestmark = pytest.mark.django_db


def test_a_campaign_is_written_activated_and_read_as_it_was_frozen() -> None:
    campaign = make_campaign()
    step = services.add_step(campaign.id, step_fields(3, delay_minutes=5, variables={"a": [1, None]}), actor=ACTOR)
    services.change_status(campaign.id, "active", actor=ACTOR)
    found = services.get_latest_revision(campaign.id)
    assert (found.number, found.created_by, found.steps) == (
        1,
        ACTOR,
        (services.FrozenStep(0, step.id, "t3", "t3-v1", 5, {"a": [1, None]}),),
    )
    assert services.get_revision(campaign.id, 1) == found
    assert [(it.action, it.revision) for it in services.changes_since().entries] == [
        ("step.added", None),
        ("campaign.activated", 1),
    ]
    assert not services.step_changes(campaign.id)


def test_it_refuses_what_the_domain_does() -> None:
    with pytest.raises(services.CampaignNotEditable, match="steps of a campaign that is active can't be changed"):
        services.add_step(make_campaign(status="active").id, step_fields(), actor=ACTOR)
    for missing in (make_campaign().id, UUID(NO_ID)):
        with pytest.raises(services.NotFound):
            services.get_revision(missing, 1)


def test_each_refusal_is_a_sentence_as_text() -> None:
    refusals = [it for it in vars(exceptions).values() if isinstance(it, type) and issubclass(it, Exception)]
    kinds = {exceptions.CampaignsError, exceptions.BadState}  # of which none is raised
    assert [it.__name__ for it in refusals if it not in kinds and it.__str__ is Exception.__str__] == []
