"""A client that others' generator makes from docs/openapi.yaml works with the real server, without a word by hand."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from campaigns.tests.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "generated_messaging_client"


class Generated:
    """The generated package, and a client of the running server."""

    def __init__(self, server: Server) -> None:
        self.models: Any = import_module(f"{NAME}.models")
        client_class = import_module(f"{NAME}.client").AuthenticatedClient
        self.client = client_class(
            base_url=f"http://127.0.0.1:{server.port}",
            token=server.token,
            raise_on_unexpected_status=True,
            httpx_args={"trust_env": False},  # this machine has no use for a proxy
        )

    def call(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """What an operation answers; `operation` is a tag and an operation id, as the package spells them."""
        module: ModuleType = import_module(f"{NAME}.api.{operation}")
        return module.sync(*arguments, client=self.client, **options)

    def step(self, position: int) -> Any:
        return self.models.CampaignStepRequest(position, f"t{position}", f"t{position}-v1")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """Generates the package, and gives what the generator had to say."""
    folder = tmp_path_factory.mktemp("generated")
    document = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
    options = ConfigFile(post_hooks=[])
    config = Config.from_sources(options, MetaType.NONE, document, "utf-8", False, folder / NAME)
    warnings = list(generate(config=config))
    sys.path.insert(0, str(folder))
    yield warnings
    sys.path.remove(str(folder))


@pytest.fixture
def generated(package: list[Any], server: Server) -> Generated:
    return Generated(server)


def test_the_generator_understands_the_whole_document(package: list[Any]) -> None:
    assert [warning.header for warning in package] == []


def test_a_step_is_added_listed_and_in_the_way_of_another(generated: Generated) -> None:
    models = generated.models
    campaign = generated.call("campaigns.create_campaign", body=models.CampaignRequest("Welcome"))
    added = generated.call("steps.add_step", campaign.id, body=generated.step(0))
    assert isinstance(added, models.CampaignStep)
    assert (added.campaign_id, added.position, added.variables.to_dict()) == (campaign.id, 0, {})
    assert [step.id for step in generated.call("steps.list_steps", campaign.id).results] == [added.id]

    refused = generated.call("steps.add_step", campaign.id, body=generated.step(0))
    assert isinstance(refused, models.Error)
    assert refused.details["reason"] == models.BadStateReason.POSITION_TAKEN
    assert refused.details["step_id"] == added.id

    shift = models.AddStepOnConflict.SHIFT
    assert generated.call("steps.add_step", campaign.id, body=generated.step(0), on_conflict=shift).position == 0
    assert [step.position for step in generated.call("steps.list_steps", campaign.id).results] == [0, 1]


def test_refusals_have_their_reasons_as_types(generated: Generated) -> None:
    models = generated.models
    campaign = generated.call("campaigns.create_campaign", body=models.CampaignRequest("Welcome"))
    refused = generated.call("campaigns.pause_campaign", campaign.id)
    assert isinstance(refused, models.StateError)
    assert refused.details.reason is models.BadStateReason.INVALID_TRANSITION
    assert refused.details.allowed_targets == [models.CampaignStatus.ACTIVE, models.CampaignStatus.ARCHIVED]
    stale = generated.call("campaigns.archive_campaign", campaign.id, if_match='"0-0-0"')
    assert stale.details.etag == '"1-0-0"'
    assert not stale.details.reason


def test_pages_are_followed_and_filters_repeat(generated: Generated) -> None:
    models = generated.models
    created = []
    for number in range(5):
        body = models.CampaignRequest(f"c{number}", external_id=f"crm-{number}")
        created.append(generated.call("campaigns.create_campaign", body=body).id)
    generated.call("campaigns.archive_campaign", created[0])
    draft, active = models.ListCampaignsStatusItem.DRAFT, models.ListCampaignsStatusItem.ACTIVE
    found: list[str] = []
    options: dict[str, Any] = {}
    while True:
        page = generated.call("campaigns.list_campaigns", status=[draft, active], limit=2, **options)
        found += [campaign.id for campaign in page.results]
        if page.next_ is None:
            break
        options["cursor"] = parse_qs(urlsplit(page.next_).query)["cursor"][0]
    assert found == created[1:]
    by_key = generated.call("campaigns.list_campaigns", external_id=["crm-3", "crm-1"])
    assert [campaign.id for campaign in by_key.results] == [created[1], created[3]]


def test_what_is_included_and_what_happened_have_types_too(generated: Generated) -> None:
    models = generated.models
    body = models.CampaignRequest("Welcome", steps=[generated.step(2), generated.step(1)])
    include = [models.CreateCampaignIncludeItem.STEPS, models.CreateCampaignIncludeItem.ETAG]
    campaign = generated.call("campaigns.create_campaign", body=body, include=include)
    assert [(step.position, step.etag) for step in campaign.steps.results] == [(1, '"1"'), (2, '"1"')]
    assert campaign.etag == '"1-2-0"'
    (entry,) = generated.call("insight.list_history", campaign.id).results
    assert (entry.action, entry.before) == (models.HistoryAction.CAMPAIGN_CREATED, None)
    assert (entry.after.name, entry.after.steps) == ("Welcome", 2)
