"""schemathesis calls every operation of the OpenAPI document, as it allows and as it forbids, with all checks on.

Each call finds the same rows. The examples are the same in every run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.core import signals
from django.core.management import call_command
from django.db import close_old_connections, transaction
from hypothesis import settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.schemas import OpenApiSchema

from campaigns.models import Campaign
from campaigns.tests.factories import new_step
from messaging_project.wsgi import application

CAMPAIGN_IDS = {status: UUID(f"0199b3a0-5f0e-7a31-8c64-1d2f7b9e4a1{n}") for n, status in enumerate(Campaign.Status)}
STEP_IDS = [UUID(f"0199b3a0-6b52-7c0d-b1f5-90ab3c4d5e6{n}") for n in range(len(CAMPAIGN_IDS))]

REFUSALS_OF_VALID_REQUESTS = [
    "304",  # If-None-Match names the current entity tag
    "404",  # no such campaign or step
    "409",  # another request with the same Idempotency-Key is being answered
    "412",  # the campaign's state or an If-Match forbids it: which steps a campaign has is no matter of a schema
    "413",  # a body has a limit in bytes
    "422",  # the Idempotency-Key was used for another request
]
# Valid by schema and still a 400, for what JSON Schema can't say: cursors that were given out, time zones that exist,
# a free external id, steps of this campaign and no other, positions that differ, and the size of `variables`.
FAULTS_BEYOND_SCHEMA = ["listCampaigns", "listSteps", "listEvents", "listRevisions", "getTimeline", "createCampaign",
                        "changeCampaign", "addStep", "addSteps", "changeStep", "replaceSteps",
                        "reorderSteps"]  # fmt: skip

OUTLIVES_THE_CAMPAIGN = {"use_after_free": {"enabled": False}}


def access_token() -> str:
    printed = StringIO()
    call_command("issue_token", stdout=printed)
    return printed.getvalue().strip()


def accepting(*statuses: str) -> dict[str, Any]:
    return {"positive_data_acceptance": {"expected-statuses": ["2xx", *REFUSALS_OF_VALID_REQUESTS, *statuses]}}


def document(generation: dict[str, Any], parameters: dict[str, Any]) -> OpenApiSchema:
    config = {
        "auth": {"openapi": {"accessToken": {"bearer": access_token()}}},
        "generation": {"deterministic": True, **generation},
        "checks": accepting(),
        "operations": [
            {"include-operation-id": FAULTS_BEYOND_SCHEMA, "checks": accepting("400")},
            # The history of a campaign outlives it.
            {
                "include-operation-id": "listHistory",
                "checks": accepting("400") | {"use_after_free": {"enabled": False}},
            },
        ],
        "dictionaries": {
            "campaigns": {"values": list(map(str, CAMPAIGN_IDS.values()))},
            "steps": {"values": list(map(str, STEP_IDS))},
        },
        "parameters": parameters,
    }
    path = "/v1/messaging/schema?format=json"
    return schemathesis.openapi.from_wsgi(path, application, config=SchemathesisConfig.from_dict(config))


# Most calls are for something that exists; the others find out what strange ids do.
SINGLE_CALLS = document(
    {"max-examples": 10},
    {
        "path.id": {"dictionary": "campaigns", "probability": 0.8},
        "path.step_id": {"dictionary": "steps", "probability": 0.8},
    },
)
# A series begins with a campaign that exists, and goes on with what the answers give.
SERIES = document({"mode": "positive"}, {"path.id": {"dictionary": "campaigns"}})


@pytest.fixture(autouse=True)
def rows(db: None) -> Iterator[None]:
    """A campaign of each status, with one step."""
    for (status, campaign_id), step_id in zip(CAMPAIGN_IDS.items(), STEP_IDS, strict=True):
        campaign = Campaign.objects.create(id=campaign_id, name="Welcome", status=status)
        new_step(campaign, 0, id=step_id).save(force_insert=True)
    # Django's own test client does the same: the end of a request would close the connection of this transaction.
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@contextmanager
def undone() -> Iterator[None]:
    """What is written inside is gone afterwards."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@SINGLE_CALLS.parametrize()
def test_each_operation_keeps_to_the_document(case: Any) -> None:
    with undone():
        case.call_and_validate()


def test_series_of_calls_keep_to_the_document() -> None:
    """Calls with what earlier answers gave: what was created is there, and what was deleted is gone."""

    class Series(SERIES.as_state_machine()):  # type: ignore[misc]  # a class that is made at runtime
        def setup(self) -> None:
            self.undone = undone()
            self.undone.__enter__()

        def teardown(self) -> None:
            self.undone.__exit__(None, None, None)

    Series.run(settings=settings(max_examples=30, stateful_step_count=8, derandomize=True, deadline=None))
