"""A PostgreSQL that hangs or is away, but not one that is full: refused at once while that is known, back by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction

from campaigns.models import Campaign
from campaigns.tests.factories import make_campaign, positions
from campaigns.tests.proxy import Proxy
from campaigns.tests.races import wait_until_connected
from campaigns.tests.server import Answer, Server, add_step, running_server, url_of_test_database

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
CLIENTS = 60
CUT = (
    "The database can't answer right now. Try again in 5 seconds. "
    "A write may have happened: repeat it with the same Idempotency-Key."
)
OUTAGES: dict[str, tuple[Callable[[Proxy], None], Callable[[Proxy], None]]] = {
    "hangs": (Proxy.hang, Proxy.resume),
    "hangs in a transaction": (Proxy.hang, Proxy.resume),
    "is away": (Proxy.cut, Proxy.mend),
}


@pytest.fixture
def proxied(proxy: Proxy, tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "log", proxy.url) as server:
        yield server


def create(server: Server) -> Answer:
    return server.post("/v1/messaging/campaigns", {"name": "New"})


def seconds(function: Callable[[], object]) -> float:
    began = time.monotonic()
    function()
    return time.monotonic() - began


@pytest.mark.parametrize("how", OUTAGES)
def test_an_outage_is_refused_at_once_and_ends_by_itself(proxied: Server, proxy: Proxy, how: str) -> None:
    begin, end = OUTAGES[how]
    campaign = make_campaign()
    assert add_step(proxied, campaign, 0).status == 201
    begin(proxy)
    with ThreadPoolExecutor(CLIENTS) as clients:
        # The one session that there is waits for it.
        first = create(proxied) if how == "hangs in a transaction" else add_step(proxied, campaign, 1)
        assert first.status == 503
        if how != "is away":
            assert first.json()["message"] == CUT
        while "requests are refused" not in proxied.log.read_text():
            assert add_step(proxied, campaign, 9).status == 503
        known = [clients.submit(add_step, proxied, campaign, n) for n in range(CLIENTS)]
        assert {answer.result(timeout=1).status for answer in known} == {503}
        for path, status in (("/", 200), ("/readyz", 503)):
            began = time.monotonic()
            assert (proxied.get(path).status, time.monotonic() - began < 1) == (status, True)
    end(proxy)
    recovery = seconds(lambda: wait_until_added(proxied, campaign, 100))
    assert recovery < 3
    assert 100 in positions(campaign)
    assert "Traceback" not in proxied.log.read_text()


def wait_until_added(server: Server, campaign: Campaign, position: int) -> None:
    while add_step(server, campaign, position).status == 503:
        pass


def test_a_lock_that_is_held_too_long_is_no_outage(proxied: Server) -> None:
    campaign, other = make_campaign(), make_campaign()
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        with ThreadPoolExecutor(4) as clients:
            assert list(clients.map(lambda n: add_step(proxied, campaign, n).status, range(4))) == [503] * 4
        assert add_step(proxied, other, 0).status == 201
    assert add_step(proxied, campaign, 0).status == 201
    assert "requests are refused" not in proxied.log.read_text()


def test_a_server_that_takes_no_more_sessions_is_no_outage(tmp_path: Path) -> None:
    campaign = make_campaign()
    url = f"{url_of_test_database()}?application_name=pooled"
    with running_server(tmp_path / "log", url, DATABASE_POOL_MAX_SIZE="2", DATABASE_LOCK_TIMEOUT_MS="1500") as server:
        assert add_step(server, campaign, 0).status == 201
        wait_until_connected(1, "watchdog")
        wait_until_connected(2, "pooled")
        with no_new_sessions(), transaction.atomic():
            Campaign.objects.select_for_update().get(pk=campaign.pk)
            assert add_step(server, campaign, 1).status == 503  # after the watchdog has asked
        log = server.log.read_text()
    assert "requests are refused" not in log


@contextmanager
def no_new_sessions() -> Iterator[None]:
    """The test database refuses them, as a full server does, and has ended the watchdog's."""
    database = connection.settings_dict["NAME"]
    alter = psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format
    end_watchdog = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'watchdog'"
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    with psycopg.connect(**parameters, autocommit=True) as administrator:
        administrator.execute(alter(psycopg.sql.Identifier(database), psycopg.sql.SQL("false")))
        try:
            administrator.execute(f"{end_watchdog} AND datname = %s", [database])
            yield
        finally:
            administrator.execute(alter(psycopg.sql.Identifier(database), psycopg.sql.SQL("true")))
