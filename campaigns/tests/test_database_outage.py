"""A database that can't answer is a 503, never a 500, and the service recovers without a restart."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.models import Campaign
from campaigns.tests.factories import make_campaign, positions
from campaigns.tests.proxy import Proxy
from campaigns.tests.races import wait_until_connected
from campaigns.tests.server import Answer, Server, add_step, running_server, url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)
UNAVAILABLE = {"error": "unavailable", "message": "The database can't answer right now. Try again in 5 seconds."}


def summary(answer: Answer) -> Any:
    """A 503 whole, of others the status."""
    return (503, answer.headers["retry-after"], answer.json()) if answer.status == 503 else answer.status


def wait_until_known(server: Server, campaign: Campaign, position: int) -> None:
    """Add a step as soon as the server knows that the outage has ended, which takes a second or so."""
    deadline = time.monotonic() + 3
    while (answer := summary(add_step(server, campaign, position))) == REFUSED and time.monotonic() < deadline:
        pass
    assert answer == 201


REFUSED = (503, "5", UNAVAILABLE)


@pytest.fixture
def proxied(proxy: Proxy, tmp_path: Path) -> Iterator[Server]:
    """A server whose way to PostgreSQL can be cut. It waits two seconds for a connection, and has two."""
    url = f"{proxy.url}?application_name=proxied"
    with running_server(tmp_path / "log", url, DATABASE_POOL_TIMEOUT_SECONDS="2", DATABASE_POOL_MAX_SIZE="2") as server:
        yield server


def fill_pool(server: Server, campaign: Campaign) -> None:
    """A connection on its way into the pool would be found broken by a request, and not by a check of the pool."""
    assert server.get(f"/v1/messaging/campaigns/{campaign.id}").status == 200
    wait_until_connected(2, "proxied")
    assert server.get(f"/v1/messaging/campaigns/{campaign.id}").status == 200


@pytest.mark.postgresql
def test_after_a_long_outage_every_request_succeeds_once_its_end_is_known(proxied: Server, proxy: Proxy) -> None:
    campaign = make_campaign()
    assert add_step(proxied, campaign, 0).status == 201
    proxy.cut()
    # Long enough for a pool that waits ever longer between its attempts to miss the end.
    assert [summary(add_step(proxied, campaign, 1)) for _ in range(5)] == [REFUSED] * 5
    proxy.mend()
    wait_until_known(proxied, campaign, 1)
    assert [summary(add_step(proxied, campaign, position)) for position in range(2, 5)] == [201] * 3
    assert positions(campaign) == [0, 1, 2, 3, 4]


@pytest.mark.postgresql
def test_sessions_that_ended_while_nobody_used_them_cost_no_request(proxied: Server, proxy: Proxy) -> None:
    campaign = make_campaign()
    fill_pool(proxied, campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'proxied'"
        )
    assert [summary(add_step(proxied, campaign, position)) for position in range(3)] == [201] * 3
    fill_pool(proxied, campaign)
    proxy.cut()
    proxy.mend()
    assert [summary(add_step(proxied, campaign, position)) for position in range(3, 6)] == [201] * 3
    assert positions(campaign) == [0, 1, 2, 3, 4, 5]


@pytest.mark.postgresql
def test_a_fail_over_costs_one_request(proxy: Proxy, tmp_path: Path) -> None:
    """A session that began while its server was read-only stays so: like one to the primary of before a fail-over."""
    campaign = make_campaign()
    database = f"DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER {database} SET default_transaction_read_only = on")
        try:
            url = f"{proxy.url}?application_name=old-primary"
            with running_server(tmp_path / "log", url, DATABASE_POOL_MAX_SIZE="2") as server:
                assert server.get(f"/v1/messaging/campaigns/{campaign.id}").status == 200
                wait_until_connected(2, "old-primary")
                cursor.execute(f"ALTER {database} RESET default_transaction_read_only")
                answers = [summary(add_step(server, campaign, position)) for position in range(5)]
        finally:
            cursor.execute(f"ALTER {database} RESET default_transaction_read_only")
    assert answers == [REFUSED, 201, 201, 201, 201]
    assert positions(campaign) == [1, 2, 3, 4]


@pytest.mark.postgresql
def test_the_service_starts_without_its_database(proxy: Proxy, tmp_path: Path) -> None:
    campaign = make_campaign()
    proxy.cut()
    with running_server(tmp_path / "log", proxy.url, DATABASE_POOL_TIMEOUT_SECONDS="2") as server:
        assert summary(add_step(server, campaign, 0)) == REFUSED
        proxy.mend()
        wait_until_known(server, campaign, 0)
        assert summary(add_step(server, campaign, 1)) == 201


def test_a_write_whose_turn_does_not_come_in_time_is_a_503(transactional_db: None, tmp_path: Path) -> None:
    campaign = make_campaign()
    with running_server(tmp_path / "log", url_of_test_database(), DATABASE_BUSY_TIMEOUT_SECONDS="1") as server:
        with transaction.atomic():  # holds SQLite's one write lock
            Campaign.objects.select_for_update().get()  # and here the row
            assert summary(add_step(server, campaign, 0)) == REFUSED
            assert server.get(f"/v1/messaging/campaigns/{campaign.id}").status == 200
        assert summary(add_step(server, campaign, 0)) == 201
    assert positions(campaign) == [0]
