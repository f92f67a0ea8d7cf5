"""The API answers what the OpenAPI document shows."""

from typing import Any, NamedTuple

import pytest
from rest_framework.test import APIClient

from campaigns import history
from campaigns.models import Action
from campaigns.revisions import freeze_all
from campaigns.tests.documented import DOCUMENTED, OF_ONE, WITH_BODY, Documented, assert_as_documented, each
from campaigns.tests.factories import ACTOR, make_campaign, step_body


@pytest.mark.django_db
@each(DOCUMENTED.values())
def test_without_a_token(operation: Documented) -> None:
    assert_as_documented(operation, operation.call(APIClient()), 401)


@pytest.mark.django_db
@each(DOCUMENTED.values())
def test_for_another_media_type(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client, headers={"accept": "image/png"}), 406)


@pytest.mark.django_db
@each(OF_ONE)
def test_of_nothing(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client, headers=STRICT), 404)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_that_is_no_json(operation: Documented, client: APIClient) -> None:
    response = operation.call(client, body="{", content_type="application/json")
    assert_as_documented(operation, response, 400)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_of_another_type(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client, body="a", content_type="text/plain"), 415)
    response = operation.call(client, body="{", content_type="application/json", headers={"content-encoding": "gzip"})
    assert_as_documented(operation, response, 415)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_that_is_too_large(operation: Documented, client: APIClient) -> None:
    response = operation.call(client, body=" " * (8 * 1024 * 1024 + 1), content_type="application/json")
    assert_as_documented(operation, response, 413)


@pytest.mark.django_db
@each(it for it in DOCUMENTED.values() if any(p["name"] == "limit" for p in it.description.get("parameters", ())))
def test_a_page_of_an_impossible_size(operation: Documented, client: APIClient) -> None:
    campaign = make_campaign()
    assert_as_documented(operation, operation.call(client, campaign.id, body={"limit": 0}, content_type=None), 400)


class Case(NamedTuple):
    """A call and the status that it ends in; `status` and `steps` are of the campaign that it is about."""

    id: str
    ends_in: int
    status: str = "draft"
    steps: int = 2
    body: Any = None
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - of a tuple, and never changed


STRICT = {"prefer": "handling=strict"}
STALE = {"if-match": '"stale"'}
NO_KEY = {"idempotency-key": " "}
CASES = [
    Case("listCampaigns", 200),
    Case("listCampaigns", 400, query="?status=running"),
    Case("createCampaign", 201),
    Case("createCampaign", 400, body={"name": 5, "external_id": ""}),
    Case("createCampaign", 400, body={"name": "Again", "external_id": "crm-1"}),
    Case("getCampaign", 200),
    Case("getCampaign", 304, headers={"if-none-match": "*"}),
    Case("changeCampaign", 200),
    Case("changeCampaign", 400, body={"name": ""}),
    Case("changeCampaign", 412, headers=STALE),
    Case("deleteCampaign", 204),
    Case("deleteCampaign", 412, status="paused"),
    Case("deleteCampaign", 412, headers=STALE),
    Case("duplicateCampaign", 201, status="archived"),
    Case("duplicateCampaign", 400, headers=NO_KEY),
    Case("duplicateCampaign", 412, headers=STALE),
    Case("listSteps", 200),
    Case("listSteps", 304, headers={"if-none-match": "*"}),
    Case("addStep", 201, steps=1),
    Case("addStep", 400, body={"position": -1}),
    Case("addStep", 400, query="?on_conflict=ask"),
    Case("addStep", 412, status="active"),
    Case("addStep", 412, headers=STALE),
    Case("addStep", 412),
    Case("addSteps", 201, steps=0, query="?include=list_etag"),
    Case("addSteps", 400, body={"steps": [step_body(7), step_body(7)]}),
    Case("addSteps", 412, status="active"),
    Case("addSteps", 412, headers=STALE),
    Case("addSteps", 412),
    Case("replaceSteps", 200, body={"steps": [step_body(7)]}),
    Case("replaceSteps", 400, steps=0),
    Case("replaceSteps", 412, status="completed", body={"steps": []}),
    Case("replaceSteps", 412, body={"steps": []}, headers=STALE),
    Case("reorderSteps", 200, steps=0, body={"step_ids": []}),
    Case("reorderSteps", 400),
    Case("reorderSteps", 412, status="active", steps=0, body={"step_ids": []}),
    Case("reorderSteps", 412, steps=0, body={"step_ids": []}, headers=STALE),
    Case("getStep", 200),
    Case("getStep", 304, headers={"if-none-match": "*"}),
    Case("changeStep", 200),
    Case("changeStep", 400, body={"variables": []}),
    Case("changeStep", 412, body={"position": 1}),
    Case("changeStep", 412, status="active"),
    Case("changeStep", 412, headers=STALE),
    Case("deleteStep", 204),
    Case("deleteStep", 412, status="active"),
    Case("deleteStep", 412, headers=STALE),
    Case("activateCampaign", 200),
    Case("activateCampaign", 400, headers=NO_KEY),
    Case("activateCampaign", 412, steps=0),
    Case("activateCampaign", 412, status="archived"),
    Case("activateCampaign", 412, headers=STALE),
    Case("pauseCampaign", 200, status="active"),
    Case("pauseCampaign", 412),
    Case("completeCampaign", 200, status="paused"),
    Case("completeCampaign", 412),
    Case("archiveCampaign", 200),
    Case("archiveCampaign", 412, status="active"),
    Case("getReadiness", 200, steps=0),
    Case("getTimeline", 200, query="?tz=Europe/Berlin"),
    Case("getTimeline", 400, query="?tz=Mars"),
    Case("listHistory", 200),
    Case("listRevisions", 200),
    Case("getRevision", 200, status="active"),
    Case("getRevision", 304, status="active", headers={"if-none-match": "*"}),
    Case("getChanges", 200),
    Case("listEvents", 200),
    Case("listEvents", 400, query="?types=step.moved"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda it: f"{it.id} {it.ends_in}")
def test_a_call(case: Case, client: APIClient) -> None:
    documented = DOCUMENTED[case.id]
    campaign = make_campaign(status=case.status, steps=case.steps, external_id="crm-1")
    history.record(ACTOR, Action.CAMPAIGN_CREATED, campaign.id, after={"name": "Welcome"})
    list(freeze_all())
    operation = documented._replace(path=documented.path + case.query)
    first = campaign.steps.order_by("position").first()
    response = operation.call(client, campaign.id, first and first.id, case.body, headers=case.headers | STRICT)
    assert_as_documented(operation, response, case.ends_in)


@pytest.mark.django_db
def test_a_key_of_another_request(client: APIClient) -> None:
    create, key = DOCUMENTED["createCampaign"], {"idempotency-key": "one"}
    assert_as_documented(create, create.call(client, headers=key), 201)
    assert_as_documented(create, create.call(client, headers=key), 201)
    response = create.call(client, body={"name": "Other"}, headers=key)
    assert_as_documented(create, response, 422)


def test_every_success_and_every_kind_of_412_is_among_the_calls() -> None:
    documented = {(it.id, int(status)) for it in DOCUMENTED.values() for status in it.description["responses"]}
    tried = {(it.id, it.ends_in) for it in CASES}
    assert {it for it in documented if it[1] < 400 or it[1] == 412} - tried == set()
