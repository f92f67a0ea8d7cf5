"""`manage.py check_steps`: which stored steps break a rule that came after them."""

import io

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from campaigns.tests.api import step_url
from campaigns.tests.factories import make_campaign, make_step, stored

pytestmark = pytest.mark.django_db
OVER_THE_LIMIT = {"n": [10**300] * 300}  # as a version that didn't count digits has left it


def checked() -> tuple[int, str]:
    """The command's exit code and all that it says."""
    out = io.StringIO()
    try:
        call_command("check_steps", stdout=out)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def test_steps_that_keep_the_rules_are_only_counted() -> None:
    make_campaign(steps=3)
    assert checked() == (0, "All 3 steps keep the rules.\n")


def test_each_fault_of_each_step_is_listed_whatever_their_number() -> None:
    campaign = make_campaign()
    first = make_step(campaign, 1_000, variables=OVER_THE_LIMIT)
    other = make_campaign(steps=250)
    last = make_step(other, 2_000, template_id="a\x07", variables={"b": {"c": "d\x07"}, "": ["\U0001f600"] * 20_000})
    before = stored()
    too_large = "variables: Must take at most 65,536 bytes as compact JSON, numbers written out in full; it takes"
    code, said = checked()
    assert (code, said.splitlines()) == (
        1,
        [
            f"{campaign.id} {first.id} {too_large} 90,607.",
            f"{other.id} {last.id} template_id: Must not contain control characters.",
            f"{other.id} {last.id} {too_large} 140,026.",
            "2 of 252 steps break a rule.",
        ],
    )
    assert stored() == before


def test_a_step_over_the_limit_stays_readable_and_can_be_mended(client: APIClient) -> None:
    step = make_step(make_campaign(), variables=OVER_THE_LIMIT)
    assert client.get(step_url(step)).json()["variables"] == OVER_THE_LIMIT
    assert client.patch(step_url(step), {"delay_minutes": 5}).status_code == 200
    assert client.patch(step_url(step), {"variables": {}}).status_code == 200
    assert checked()[0] == 0
