"""Refusals say the way on."""

import gzip
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.factories import make_campaign, step_body, stored

pytestmark = pytest.mark.django_db

TOO_LARGE = {
    "addStep": ("post", "/steps", 1_048_576, " To add many steps at once, use addSteps: POST …/steps/bulk."),
    "addSteps": ("post", "/steps/bulk", 8_388_608, " Add the steps by several calls."),
    "replaceSteps": (
        "put", "/steps", 8_388_608, " Change a longer sequence by addSteps, changeStep and deleteStep.",
    ),
    "reorderSteps": ("put", "/steps/order", 8_388_608, ""),
    "createCampaign": (
        "post", None, 8_388_608, " Create it with fewer steps, and add the others by addSteps.",
    ),
    "changeCampaign": ("patch", "", 1_048_576, ""),
    "duplicateCampaign": ("post", "/duplicate", 1_048_576, ""),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "limit", "remedy"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_body_that_is_too_large_is_told_the_limit_and_the_operation_for_many(
    client: APIClient, method: str, path: str | None, limit: int, remedy: str
) -> None:
    address = ROOT if path is None else campaign_url(make_campaign(), path)
    answer = getattr(client, method)(address, " " * (limit + 1), content_type="application/json")
    message = f"The body is larger than {limit:,} bytes.{remedy}"
    assert (answer.status_code, answer.json()) == (413, {"error": "payload_too_large", "message": message})


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP", "x" * 100])
def test_a_body_with_a_content_coding_is_refused(client: APIClient, coding: str) -> None:
    address = campaign_url(make_campaign(), "/steps")
    before = stored()
    body = gzip.compress(json.dumps(step_body(0)).encode())
    headers = {"Content-Encoding": coding}
    answer = client.post(address, body, content_type="application/json", headers=headers)
    named = "x" * 64 + "…" if len(coding) > 64 else coding.lower()
    message = f"Send the body as it is, without Content-Encoding: {named} isn't taken."
    assert (answer.status_code, answer.json()) == (415, {"error": "unsupported_media_type", "message": message})
    assert answer["Accept-Encoding"] == "identity"
    assert stored() == before


@pytest.mark.parametrize("coding", ["identity", ""])
def test_none_is_taken_for_none(client: APIClient, coding: str) -> None:
    address = campaign_url(make_campaign(), "/steps")
    assert client.post(address, step_body(0), headers={"Content-Encoding": coding}).status_code == 201


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**step_body(0), "position": None}, "Must be an integer, not null."),
        ({**step_body(0), "template_id": None}, "Must be a string, not null."),
        ({**step_body(0), "variables": None}, "Must be an object, not null."),
    ],
)
def test_null_is_refused_in_the_words_of_the_fields_rule(client: APIClient, body: Any, message: str) -> None:
    (fault,) = client.post(campaign_url(make_campaign(), "/steps"), body).json()["details"]["errors"]
    assert (fault["code"], fault["message"]) == ("null", message)
