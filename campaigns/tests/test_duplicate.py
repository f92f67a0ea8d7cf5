"""POST …/duplicate: a copy, with a name and an external id of its own if the body has them."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.api import campaign_url, faults
from campaigns.tests.factories import history_of, make_campaign, stored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "name", "external_id"),
    [
        ({}, "Welcome (copy)", None),
        ({"name": "Bienvenue"}, "Bienvenue", None),
        ({"external_id": "crm-2"}, "Welcome (copy)", "crm-2"),
        ({"name": "Bienvenue", "external_id": "crm-2"}, "Bienvenue", "crm-2"),
        ({"external_id": None, "extra": 1}, "Welcome (copy)", None),
    ],
)
def test_the_copy_has_what_the_body_gives_it(client: APIClient, body: Any, name: str, external_id: str | None) -> None:
    source = make_campaign(external_id="crm-1", description="The first week.", steps=2, status="active")
    answer = client.post(campaign_url(source, "/duplicate"), body)
    shown = answer.json()
    assert answer.status_code == 201
    assert (shown["name"], shown["external_id"], shown["description"]) == (name, external_id, "The first week.")
    assert (shown["status"], shown["step_count"]) == ("draft", 2)
    own = {"name": name} if external_id is None else {"name": name, "external_id": external_id}
    (entry,) = history_of(Campaign.objects.get(pk=shown["id"]))
    assert entry["after"] == {**own, "duplicate_of": str(source.id), "steps": 2}


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded", "x"]
)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}, {"Prefer": "handling=strict"}])
def test_no_body_is_an_empty_object_whatever_its_type(
    client: APIClient, content_type: str, headers: dict[str, str]
) -> None:
    source = make_campaign()
    answer = client.generic("POST", campaign_url(source, "/duplicate"), "", content_type, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "Welcome (copy)")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": None}, [("name", "null")]),
        ({"name": " ", "external_id": ""}, [("name", "blank"), ("external_id", "blank")]),
        ({"name": "a" * 201}, [("name", "max_length")]),
        ([], [("", "invalid_type")]),
        ({"external_id": "crm-1"}, [("external_id", "unique")]),
    ],
)
def test_a_faulty_body_makes_no_copy(client: APIClient, body: Any, expected: list[tuple[str, str]]) -> None:
    source = make_campaign(external_id="crm-1", steps=1)
    before = stored()
    answer = client.post(campaign_url(source, "/duplicate"), body)
    assert faults(answer) == expected
    assert stored() == before


def test_the_holder_of_the_external_id_is_named(client: APIClient) -> None:
    source = make_campaign(external_id="crm-1")
    answer = client.post(campaign_url(source, "/duplicate"), {"external_id": "crm-1"})
    assert answer.json()["details"]["campaign_id"] == str(source.id)


def test_a_body_that_is_there_is_read(client: APIClient) -> None:
    address = campaign_url(make_campaign(), "/duplicate")
    assert client.post(address, "{", content_type="application/json").json()["error"] == "parse_error"
    assert client.post(address, "a=1", content_type="text/plain").json()["error"] == "unsupported_media_type"


UNDECODED = "This server doesn't take Transfer-Encoding: send the body with a Content-Length."


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, UNDECODED),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "0"}, UNDECODED),
        ({"CONTENT_LENGTH": "-1"}, "Content-Length must be a number of bytes."),
        ({"CONTENT_LENGTH": "ten"}, "Content-Length must be a number of bytes."),
    ],
)
def test_a_body_whose_end_the_server_does_not_know_does_not_count_as_none(
    client: APIClient, environ: dict[str, Any], message: str
) -> None:
    address = campaign_url(make_campaign(), "/duplicate")
    before = stored()
    answer = client.generic("POST", address, **environ)
    assert (answer.status_code, answer.json()) == (400, {"error": "parse_error", "message": message})
    assert stored() == before
