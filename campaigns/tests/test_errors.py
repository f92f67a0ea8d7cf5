"""Every error, from every URL of the API, is the envelope {error, message, details?}; elsewhere it is a page."""

import logging
import re
from typing import Any

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from psycopg_pool import PoolTimeout
from pytest_django import Settings
from rest_framework import exceptions
from rest_framework.test import APIClient
from rest_framework.views import APIView

from campaigns.tests.api import NO_ID, campaign_url
from messaging_project.tests.outages import outages
from messaging_project.urls import handler400, handler403, handler404, handler500  # noqa: F401 - this is a URLconf, too
from messaging_project.watchdog import Refused

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SECRET = "correct horse battery staple"
OURS = "Something went wrong on our side. It is not your fault; if it persists, tell us the request id."
RAISED: dict[str, Exception] = {
    "value": ValueError(SECRET),
    "integrity": IntegrityError(SECRET),
    "framework": exceptions.APIException(SECRET),
    "denied": PermissionDenied(SECRET),
    "suspicious": SuspiciousOperation(SECRET),
    "big": RequestDataTooBig(SECRET),
    "throttled": exceptions.Throttled(wait=7.2),
    "away": OperationalError("away"),
    "gone": Http404(SECRET),
}


class RaisingView(APIView):
    """An API view that meets what nobody foresaw."""

    def get(self, request: Any, what: str) -> None:
        raise RAISED[what]

    post = get


def raising_page(request: HttpRequest, what: str) -> HttpResponse:
    raise RAISED[what]


urlpatterns = [
    path("v1/raise/<what>", RaisingView.as_view()),
    path("v1/raise-outside-drf/<what>", raising_page),
    path("raise/<what>", raising_page),
    path("", include("messaging_project.urls")),
]


@pytest.fixture
def raising_client(client: APIClient, settings: Settings) -> APIClient:
    """A client of a server that has views which raise, and that sees the answer, not the exception."""
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    return client


# --- Addresses, methods, media types ---------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize(
    "unknown",
    ["/v1", "/v1/", "/v1/x", "/v1/messaging/", campaign_url(NO_ID, "/activat"), "/v1/é/%00"],
)
def test_an_unknown_address_of_the_api_is_not_found(
    client: APIClient, settings: Settings, unknown: str, method: str, debug: bool
) -> None:
    settings.DEBUG = debug
    answer = getattr(client, method)(unknown)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json() == {
        "error": "not_found",
        "message": "There is nothing at this address.",
        "details": {"resource": "url", "id": unknown.replace("%00", "\x00")},
    }
    assert UUID7.fullmatch(answer["X-Request-ID"])


def test_an_address_with_a_slash_too_many_in_front_is_not_found(client: APIClient) -> None:
    answer = client.post("/", PATH_INFO="//v1/messaging/campaigns")  # the client's own reading takes v1 for a host
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json()["details"] == {"resource": "url", "id": "//v1/messaging/campaigns"}


def test_an_unknown_address_needs_no_token() -> None:
    assert APIClient().get("/v1/x").status_code == 404


@pytest.mark.parametrize("unknown", ["/x", "/v10", "/v10/", "/x/v1/", "/admin-x"])
def test_elsewhere_it_is_a_page(client: APIClient, unknown: str) -> None:
    answer = client.get(unknown)
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("delete", "campaigns", "GET, POST, HEAD"),
        ("options", "campaigns", "GET, POST, HEAD"),
        ("get", "campaigns/0190c2ab-1111-7abc-8def-0123456789ab/activate", "POST"),
    ],
)
def test_a_method_that_is_none_names_the_allowed_ones(
    client: APIClient, method: str, address: str, allowed: str
) -> None:
    answer = getattr(client, method)(f"/v1/messaging/{address}")
    assert answer.status_code == 405
    assert answer.json() == {
        "error": "method_not_allowed",
        "message": f'Method "{method.upper()}" not allowed. The Allow header lists the methods that are.',
    }
    assert answer["Allow"] == allowed


@pytest.mark.django_db
@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "application/jsonx",
        "image/*",
        "application/json;q=0",
        "*/*;q=0",
        "*/*, application/json; q=0.000",
        "application/*;q=0, */*",
    ],
)
def test_answers_are_json_and_nothing_else(client: APIClient, accept: str) -> None:
    answer = client.get("/v1/messaging/campaigns", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (406, "application/json")
    assert answer.json() == {
        "error": "not_acceptable",
        "message": "Answers are application/json only; change the Accept header.",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["", "*/*", "application/*", "*/*;q=0, application/json;q=0.1"])
def test_whoever_takes_json_gets_it(client: APIClient, accept: str) -> None:
    answer = client.get("/v1/messaging/campaigns", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_without_a_token_the_error_says_how_to_send_one() -> None:
    answer = APIClient().get("/v1/messaging/campaigns")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="messaging"')
    assert answer.json() == {
        "error": "unauthenticated",
        "message": "Send an access token: Authorization: Bearer <token>.",
    }


# --- What nobody foresaw ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("address", ["/v1/raise/value", "/v1/raise/integrity", "/v1/raise/framework"])
def test_what_nobody_foresaw_is_a_500_with_the_id_under_which_it_was_logged(
    raising_client: APIClient, settings: Settings, caplog: pytest.LogCaptureFixture, address: str, debug: bool
) -> None:
    settings.DEBUG = debug
    answer = raising_client.get(address, headers={"X-Request-ID": "case-7"})
    assert (answer.status_code, answer["Content-Type"], answer["X-Request-ID"]) == (500, "application/json", "case-7")
    assert answer.json() == {"error": "server_error", "message": OURS, "details": {"request_id": "case-7"}}

    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == f"GET {address}: server_error: {SECRET}"
    assert record.exc_info is not None
    assert SECRET in str(record.exc_info[1])


def test_a_view_outside_the_framework_fails_in_json_too(raising_client: APIClient) -> None:
    answer = raising_client.get("/v1/raise-outside-drf/value", headers={"X-Request-ID": "case-7"})
    assert (answer.status_code, answer["Content-Type"], answer["X-Request-ID"]) == (500, "application/json", "case-7")
    assert answer.json() == {"error": "server_error", "message": OURS, "details": {"request_id": "case-7"}}


@pytest.mark.parametrize("prefix", ["/v1/raise", "/v1/raise-outside-drf"])
@pytest.mark.parametrize(
    ("what", "status", "body"),
    [
        ("denied", 403, {"error": "permission_denied", "message": "You are not allowed to do this."}),
        (
            "suspicious",
            400,
            {
                "error": "bad_request",
                "message": "The request can't be understood; check its headers and address.",
            },
        ),
        ("big", 413, {"error": "payload_too_large", "message": "The body is too large."}),
    ],
)
def test_djangos_own_refusals_are_envelopes_too(
    raising_client: APIClient, prefix: str, what: str, status: int, body: Any
) -> None:
    answer = raising_client.get(f"{prefix}/{what}")
    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(("prefix", "id"), [("/v1/raise", ""), ("/v1/raise-outside-drf", "/v1/raise-outside-drf/gone")])
def test_what_a_view_does_not_find_is_an_envelope_too(raising_client: APIClient, prefix: str, id: str) -> None:
    answer = raising_client.get(f"{prefix}/gone")
    message, details = "There is nothing at this address.", {"resource": "url", "id": id}
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found", "message": message, "details": details})


@pytest.mark.django_db
@pytest.mark.parametrize("prefix", ["/v1/raise", "/v1/raise-outside-drf", "/raise"])
def test_a_database_that_is_away_is_a_503_everywhere_and_counted(raising_client: APIClient, prefix: str) -> None:
    before = outages("database")
    answer = raising_client.get(f"{prefix}/away")
    assert (answer.status_code, answer["Retry-After"], outages("database") - before) == (503, "5", 1)
    if prefix == "/raise":
        assert "The database doesn't answer right now." in answer.content.decode()
    else:
        message = "The database can't answer right now. Try again in 5 seconds."
        assert answer.json() == {"error": "unavailable", "message": message}


@pytest.mark.django_db
@pytest.mark.parametrize("hidden", [False, True])
def test_only_a_write_whose_connection_was_lost_is_called_one_that_may_have_happened(
    raising_client: APIClient, monkeypatch: pytest.MonkeyPatch, hidden: bool
) -> None:
    lost = OperationalError("lost")
    lost.__cause__ = psycopg.OperationalError("server closed the connection unexpectedly")
    error = OperationalError("refused") if hidden else lost
    if hidden:  # by what Django met when it ended the transaction
        error.__cause__ = Refused()
        error.__cause__.__context__ = lost
    monkeypatch.setitem(RAISED, "away", error)
    message = "The database can't answer right now. Try again in 5 seconds."
    assert raising_client.get("/v1/raise/away").json()["message"] == message
    may_have_happened = f"{message} A write may have happened: repeat it with the same Idempotency-Key."
    assert raising_client.post("/v1/raise/away").json()["message"] == may_have_happened
    error.__cause__ = PoolTimeout()  # nothing was sent
    error.__cause__.__context__ = None
    assert raising_client.post("/v1/raise/away").json()["message"] == message


@pytest.mark.parametrize("what", ["value", "denied", "suspicious"])
def test_elsewhere_an_error_is_a_page_without_its_cause(raising_client: APIClient, what: str) -> None:
    answer = raising_client.get(f"/raise/{what}")
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert SECRET not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


def test_a_throttled_caller_is_told_when_to_come_back(raising_client: APIClient) -> None:
    answer = raising_client.get("/v1/raise/throttled")
    assert (answer.status_code, answer["Retry-After"], answer.json()["error"]) == (429, "8", "throttled")


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "127.0.0.1:x"])
@pytest.mark.parametrize("address", ["/v1/messaging/campaigns", "/v1/x"])
def test_a_host_that_is_not_ours_is_refused_in_json(
    client: APIClient, settings: Settings, address: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    client.raise_request_exception = False
    answer = client.get(address, HTTP_HOST=host)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json() == {
        "error": "bad_request",
        "message": "The request can't be understood; check its headers and address.",
    }


# --- Request ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["a", "retry-1", "A.b_c:d-9", "x" * 128])
def test_a_well_formed_request_id_is_kept(client: APIClient, given: str) -> None:
    assert client.get("/v1/x", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\nb", "a;b", "é", "<script>", "a\x00", "a\n"])
def test_any_other_is_replaced(client: APIClient, given: str) -> None:
    assert UUID7.fullmatch(client.get("/v1/x", headers={"X-Request-ID": given})["X-Request-ID"])


def test_pages_have_one_too(client: APIClient) -> None:
    assert UUID7.fullmatch(client.get("/x")["X-Request-ID"])
