"""The identity provider's keys out of reach: waits are bounded, known keys stay, and it ends by itself."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest
from pytest_django import Settings

from messaging_project.api import key_server, limited_fetch
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.clock import FIVE_MINUTES, HOUR, PAUSE, Clock
from messaging_project.tests.identity_provider import IdentityProvider, claims, rs256
from messaging_project.tests.outages import outages
from messaging_project.tests.refusals import UNKNOWN_KEY, assert_refused, assert_unavailable

Ask = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("configured")


def test_an_outage_before_the_first_token_and_the_recovery_from_it(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    provider.stop()
    assert_unavailable(whoami(rs256(claims())))

    provider.start()
    assert_unavailable(whoami(rs256(claims())))  # what it promised: not before the pause is over
    clock.advance(PAUSE)
    assert whoami(rs256(claims())).status_code == 200
    assert_refused(whoami(rs256(claims(), kid="made-up")), UNKNOWN_KEY)


def test_a_key_server_that_hangs(whoami: Ask, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited_fetch, "WAIT_SECONDS", 0.05)
    provider.may_answer.clear()

    assert_unavailable(whoami(rs256(claims())))
    assert_unavailable(whoami(rs256(claims())))
    assert provider.requests == 1


def test_a_fetch_waits_three_seconds_at_most_for_each_answer(
    whoami: Ask, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts = []
    connect = socket.create_connection

    def noting(address: Any, timeout: float, *rest: Any) -> socket.socket:
        timeouts.append(timeout)
        return connect(address, timeout, *rest)

    monkeypatch.setattr(socket, "create_connection", noting)

    assert whoami(rs256(claims())).status_code == 200
    assert timeouts == [3]


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n{"], ids=["headers", "body"])
def test_a_fetch_that_always_gets_one_more_byte_ends_all_the_same(
    whoami: Ask, settings: Settings, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(limited_fetch, "TOTAL_SECONDS", 0.3)
    with dripping(begin) as (url, ended):
        settings.ACCESS_TOKENS = idp.hs256_settings(HS256_KEY="", JWKS_URL=url)
        key_server.key_server.cache_clear()

        assert_unavailable(whoami(rs256(claims())))
        assert ended.wait(10)


@contextmanager
def dripping(begin: bytes) -> Iterator[tuple[str, Event]]:
    """A server that sends a byte every 10 ms for ever, and the event of its client's going away."""
    ended = Event()

    def drip(listener: socket.socket) -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            client.recv(65_536)
            client.sendall(begin)
            while not ended.wait(0.01):
                client.sendall(b" ")
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=drip, args=[listener], daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jwks", ended
        ended.set()


def test_an_answer_of_more_than_a_mebibyte_is_not_read(whoami: Ask, provider: IdentityProvider) -> None:
    provider.answer = json.dumps({"keys": provider.jwks}).encode() + b" " * 1024 * 1024

    assert_unavailable(whoami(rs256(claims())))


def test_nobody_waits_for_a_fetch_longer_than_three_seconds(
    whoami: Ask, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert key_server.WAIT_SECONDS == 3
    monkeypatch.setattr(key_server, "WAIT_SECONDS", 0.05)
    provider.may_answer.clear()

    assert_unavailable(whoami(rs256(claims())))
    provider.may_answer.set()
    assert key_server.key_server(provider.settings()["JWKS_URL"], ("RS256", "ES256"))._idle.wait(10)
    assert whoami(rs256(claims())).status_code == 200


def test_after_a_failure_one_request_waits_for_the_next_fetch_and_the_others_do_not(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    provider.status = 500
    assert_unavailable(whoami(rs256(claims())))
    provider.asked.clear()
    provider.may_answer.clear()
    clock.advance(PAUSE)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(whoami, rs256(claims()))
        assert provider.asked.wait(10)
        assert_unavailable(whoami(rs256(claims())))
        assert not waiting.done()
        provider.may_answer.set()
        assert_unavailable(waiting.result(timeout=10))


def test_known_keys_outlive_an_outage_of_less_than_an_hour(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    assert whoami(rs256(claims())).status_code == 200
    provider.stop()

    clock.advance(HOUR)
    assert whoami(rs256(claims())).status_code == 200
    clock.advance(1)
    assert_unavailable(whoami(rs256(claims())))

    provider.start()
    clock.advance(PAUSE)
    assert whoami(rs256(claims())).status_code == 200


def test_an_unknown_key_id_in_an_outage_may_be_a_new_key(whoami: Ask, provider: IdentityProvider, clock: Clock) -> None:
    assert whoami(rs256(claims())).status_code == 200
    provider.stop()
    clock.advance(PAUSE)

    assert_unavailable(whoami(rs256(claims(), kid="rsa-2", key="second")))
    assert whoami(rs256(claims())).status_code == 200


def test_a_token_that_needs_no_key_to_be_refused_is_refused_in_an_outage(
    whoami: Ask, provider: IdentityProvider
) -> None:
    provider.stop()

    assert whoami("abc").status_code == 401
    assert whoami(idp.hs256(claims())).status_code == 401
    assert whoami().status_code == 401


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>Bad gateway</html>", id="HTML"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[" * 100_000, id="nested deeply"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no keys"),
        pytest.param(b'{"keys": null}', id="keys null"),
        pytest.param(b'{"keys": "rsa"}', id="keys text"),
        pytest.param(b'{"keys": {"kid": "rsa"}}', id="keys object"),
        pytest.param(b'{"keys": []}', id="keys empty"),
        pytest.param(b'{"keys": [null, 1, "rsa"]}', id="keys no objects"),
        pytest.param(b'{"keys": [{"kty": "RSA", "kid": "rsa", "alg": []}]}', id="alg list"),
        pytest.param(b'{"keys": [{"kty": [], "kid": {}, "n": 1, "e": []}]}', id="members of other types"),
        pytest.param(json.dumps({"keys": [idp.rsa_jwk(idp.rsa_key("first"), kid=[1])]}).encode(), id="kid list"),
    ],
)
def test_an_answer_without_keys_is_an_outage(whoami: Ask, provider: IdentityProvider, answer: bytes) -> None:
    provider.answer = answer

    assert_unavailable(whoami(rs256(claims())))


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_of_the_key_server_is_an_outage(whoami: Ask, provider: IdentityProvider, status: int) -> None:
    provider.status, before = status, outages("identity provider")

    assert_unavailable(whoami(rs256(claims())))
    assert outages("identity provider") - before == 1


def test_a_redirect_is_not_followed(whoami: Ask, provider: IdentityProvider) -> None:
    provider.status, provider.headers = 302, {"Location": provider.settings()["JWKS_URL"]}

    assert_unavailable(whoami(rs256(claims())))
    assert provider.requests == 1


def test_a_bad_answer_does_not_replace_good_keys(whoami: Ask, provider: IdentityProvider, clock: Clock) -> None:
    assert whoami(rs256(claims())).status_code == 200
    provider.answer = b'{"keys": []}'
    clock.advance(FIVE_MINUTES + 1)

    assert whoami(rs256(claims())).status_code == 200
    assert provider.requests == 2


def test_an_outage_is_logged_with_its_cause(
    whoami: Ask, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.stop()
    whoami(rs256(claims()))

    messages = [record.getMessage() for record in caplog.records if record.name == key_server.__name__]
    assert len(messages) == 1
    assert messages[0].startswith("The keys of JWT_JWKS_URL can't be fetched: URLError")
    assert "Connection refused" in messages[0]
