"""The identity provider's keys: which one counts, rotation, and what a flood of made-up key ids costs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from messaging_project.tests import identity_provider as idp
from messaging_project.tests.clock import FIVE_MINUTES, PAUSE, Clock
from messaging_project.tests.identity_provider import IdentityProvider, claims, es256, rs256
from messaging_project.tests.refusals import UNKNOWN_KEY, assert_refused

Ask = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("configured")


# --- Which key -------------------------------------------------------------------------------------------------------


def test_the_keys_are_fetched_once_for_many_tokens(whoami: Ask, provider: IdentityProvider) -> None:
    statuses = [whoami(sign(claims())).status_code for sign in (rs256, es256) * 5]

    assert statuses == [200] * 10
    assert provider.requests == 1


def test_without_a_key_id_the_only_key_for_the_algorithm_counts(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    assert whoami(rs256(claims(), kid=None)).status_code == 200

    provider.jwks.append(idp.rsa_jwk(idp.rsa_key("second"), kid="rsa-2", alg="RS256"))
    clock.advance(FIVE_MINUTES + 1)
    assert_refused(whoami(rs256(claims(), kid=None)), UNKNOWN_KEY)


def test_a_published_key_without_an_id_serves_tokens_without_one(whoami: Ask, provider: IdentityProvider) -> None:
    provider.jwks = [idp.rsa_jwk(idp.rsa_key("first"))]

    assert whoami(rs256(claims(), kid=None)).status_code == 200
    assert_refused(whoami(rs256(claims(), kid="rsa")), UNKNOWN_KEY)


def test_an_algorithm_that_is_not_in_the_settings(whoami: Ask, provider: IdentityProvider, settings: Settings) -> None:
    settings.ACCESS_TOKENS = provider.settings(ALGORITHMS=["ES256"])

    response = whoami(rs256(claims()))

    assert response.status_code == 401
    assert 'error_description="its algorithm is not accepted here"' in response["WWW-Authenticate"]


def test_a_key_that_names_no_algorithm_serves_those_of_its_type(
    whoami: Ask, provider: IdentityProvider, settings: Settings
) -> None:
    settings.ACCESS_TOKENS = provider.settings(ALGORITHMS=["RS256", "PS256", "ES256", "ES384"])
    provider.jwks = [idp.rsa_jwk(idp.rsa_key("first"), kid="rsa"), idp.ec_jwk(idp.ec_key("first"), kid="ec")]

    def pss(kid: str) -> str:
        return jwt.encode(claims(), idp.rsa_key("first"), "PS256", {"kid": kid})

    assert whoami(rs256(claims())).status_code == 200
    assert whoami(pss("rsa")).status_code == 200
    assert whoami(es256(claims())).status_code == 200
    assert_refused(whoami(pss("ec")), UNKNOWN_KEY)


def test_a_key_that_names_its_algorithm_serves_no_other(
    whoami: Ask, provider: IdentityProvider, settings: Settings
) -> None:
    settings.ACCESS_TOKENS = provider.settings(ALGORITHMS=["RS256", "PS256"])

    assert_refused(whoami(jwt.encode(claims(), idp.rsa_key("first"), "PS256", {"kid": "rsa"})), UNKNOWN_KEY)


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(idp.rsa_jwk(idp.rsa_key("first"), kid="rsa", use="enc"), id="for encryption"),
        pytest.param(idp.rsa_jwk(idp.rsa_key("short", 1024), kid="rsa"), id="1024 bits"),
        pytest.param(idp.rsa_jwk(idp.rsa_key("first"), kid="rsa", n="!"), id="broken"),
        pytest.param({"kid": "rsa", "kty": "RSA"}, id="empty"),
        pytest.param({"kid": "rsa", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, id="shared key"),
        pytest.param(
            idp.ec_jwk(ec.generate_private_key(ec.SECP384R1()), kid="rsa"),
            id="another curve",
        ),
    ],
)
def test_a_key_that_cannot_be_used_does_not_spoil_the_others(
    whoami: Ask, provider: IdentityProvider, jwk: dict[str, Any]
) -> None:
    provider.jwks[0] = jwk

    assert whoami(es256(claims())).status_code == 200
    assert_refused(whoami(rs256(claims())), UNKNOWN_KEY)


# --- Rotation --------------------------------------------------------------------------------------------------------


def test_a_new_key_is_found_when_its_first_token_comes(whoami: Ask, provider: IdentityProvider, clock: Clock) -> None:
    assert whoami(rs256(claims())).status_code == 200

    provider.jwks.append(idp.rsa_jwk(idp.rsa_key("second"), kid="rsa-2", alg="RS256"))
    clock.advance(PAUSE)

    assert whoami(rs256(claims(), kid="rsa-2", key="second")).status_code == 200
    assert whoami(rs256(claims())).status_code == 200
    assert provider.requests == 2


def test_a_withdrawn_key_is_refused_once_the_keys_are_old(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    assert whoami(rs256(claims())).status_code == 200

    provider.jwks = provider.jwks[1:]
    clock.advance(FIVE_MINUTES + 1)

    assert_refused(whoami(rs256(claims())), UNKNOWN_KEY)


def test_made_up_key_ids_cost_one_fetch_per_pause(whoami: Ask, provider: IdentityProvider, clock: Clock) -> None:
    for number in range(40):
        assert_refused(whoami(rs256(claims(), kid=f"made-up-{number}")), UNKNOWN_KEY)
    assert provider.requests == 1

    clock.advance(PAUSE)
    for number in range(40):
        assert_refused(whoami(rs256(claims(), kid=f"made-up-{number}")), UNKNOWN_KEY)
    assert provider.requests == 2


def test_requests_that_come_together_share_one_fetch(whoami: Ask, provider: IdentityProvider) -> None:
    provider.may_answer.clear()
    token = rs256(claims())
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(whoami, token) for _ in range(8)]
        assert provider.asked.wait(10)
        provider.may_answer.set()
        statuses = [answer.result(timeout=10).status_code for answer in answers]

    assert statuses == [200] * 8
    assert provider.requests == 1


def test_while_one_request_renews_old_keys_the_others_go_on_with_them(
    whoami: Ask, provider: IdentityProvider, clock: Clock
) -> None:
    token = rs256(claims())
    assert whoami(token).status_code == 200
    clock.advance(FIVE_MINUTES + 1)
    provider.asked.clear()
    provider.may_answer.clear()

    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(whoami, token)
        assert provider.asked.wait(10)
        assert whoami(token).status_code == 200
        assert not renewing.done()
        provider.may_answer.set()
        assert renewing.result(timeout=10).status_code == 200
    assert provider.requests == 2
