"""The WSGI entry point reads no more of a body than any view would take."""

import gc
import io
import json
import weakref
from typing import Any
from wsgiref.util import setup_testing_defaults

import asgiref.local
import pytest
from django.conf import settings
from django.core.signals import request_finished
from pytest_django import Settings

from messaging_project.api import errors
from messaging_project.tests.identity_provider import claims, hs256, hs256_settings
from messaging_project.wsgi import application

pytestmark = pytest.mark.django_db  # a request begins with a look at the database's connection
EIGHT_MEBIBYTES = 8 * 1024 * 1024
BULK = "/v1/messaging/campaigns/0190c2ab-1111-7abc-8def-0123456789ab/steps/bulk"


@pytest.fixture(autouse=True)
def _tokens(settings: Settings) -> None:
    settings.ACCESS_TOKENS = hs256_settings()


NOWHERE = "/v1/messaging/campaigns/none"


def post(body: io.BytesIO, **environ: Any) -> tuple[str, Any]:
    """Status line and JSON of a POST of many steps."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": BULK,
        "HTTP_HOST": settings.ALLOWED_HOSTS[0],
        "HTTP_AUTHORIZATION": f"Bearer {hs256(claims())}",
        "CONTENT_TYPE": "application/json",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": body,
    } | environ
    setup_testing_defaults(environ)
    statuses: list[str] = []
    answer = b"".join(application(environ, lambda status, headers: statuses.append(status)))
    return statuses[0], json.loads(answer)


def test_a_body_of_unknown_length_is_read_to_one_byte_beyond_the_limit() -> None:
    body = io.BytesIO(b"[" * (2 * EIGHT_MEBIBYTES))

    status, answer = post(body, **{"wsgi.input_terminated": True})

    assert (status, answer["error"]) == ("413 Request Entity Too Large", "payload_too_large")
    assert answer["message"] == "The body is larger than 8,388,608 bytes. Add the steps by several calls."
    assert body.tell() == EIGHT_MEBIBYTES + 1


def test_a_body_whose_end_the_server_does_not_mark_is_not_read() -> None:
    """Reading it could wait for ever (PEP 3333)."""
    body = io.BytesIO(b'{"steps": []}')

    status, answer = post(body)

    assert (status, answer["error"]) == ("400 Bad Request", "parse_error")
    assert body.tell() == 0


@pytest.mark.parametrize("token", [None, hs256(claims(aud="another"))], ids=["no token", "another audience"])
def test_a_body_is_not_touched_before_the_token_holds(token: str | None) -> None:
    body = io.BytesIO(b'{"steps": []}')
    authorization = {"HTTP_AUTHORIZATION": f"Bearer {token}" if token else ""}

    status, answer = post(body, **{"wsgi.input_terminated": True}, **authorization)

    assert (status, answer["error"], body.tell()) == ("401 Unauthorized", "unauthenticated", 0)


def test_a_body_is_not_touched_before_the_scopes_suffice(settings: Settings) -> None:
    settings.REQUIRED_SCOPES = ["addSteps=campaigns:write"]
    body = io.BytesIO(b'{"steps": []}')

    status, answer = post(body, **{"wsgi.input_terminated": True})

    assert (status, answer["error"], body.tell()) == ("403 Forbidden", "insufficient_scope", 0)


def test_a_body_of_unknown_length_may_turn_out_empty() -> None:
    status, answer = post(io.BytesIO(), **{"wsgi.input_terminated": True})

    assert (status, answer["message"]) == ("400 Bad Request", "The body is empty: send a JSON object.")


def test_a_request_without_length_and_coding_has_no_body() -> None:
    """Clients send a POST without a body so (RFC 9112, 6.3)."""
    body = io.BytesIO(b'{"steps": []}')

    status, answer = post(body, HTTP_TRANSFER_ENCODING="", **{"wsgi.input_terminated": True})

    assert (status, answer["message"]) == ("400 Bad Request", "The body is empty: send a JSON object.")
    assert body.tell() == 0


@pytest.mark.parametrize("parameter", ["x*=bogus''a", "x*=idna''%FF", "x*0=a;x*=b", f"x*{'9' * 5_000}=a"])
def test_parameters_that_no_media_type_has_are_left_out(parameter: str) -> None:
    """Django fails at them, for a body's media type before it looks at the address."""
    headers = {"CONTENT_TYPE": f"application/json;{parameter}", "HTTP_ACCEPT": f"application/json;{parameter};q=0, */*"}

    status, answer = post(io.BytesIO(), HTTP_TRANSFER_ENCODING="", **headers)
    assert (status, answer["error"]) == ("406 Not Acceptable", "not_acceptable")

    status, answer = post(io.BytesIO(), HTTP_TRANSFER_ENCODING="", **headers | {"HTTP_ACCEPT": "*/*"})
    assert (status, answer["message"]) == ("400 Bad Request", "The body is empty: send a JSON object.")


@pytest.mark.parametrize(("method", "named"), [("post", "post"), ("Post", "Post"), ("p" * 100, "p" * 64 + "…")])
def test_a_method_in_lower_case_is_no_method(method: str, named: str) -> None:
    """RFC 9110, 9.1. Django reads it in upper case."""
    status, answer = post(io.BytesIO(), REQUEST_METHOD=method)

    assert (status, answer["error"]) == ("405 Method Not Allowed", "method_not_allowed")
    assert answer["message"] == (
        f'Method "{named}" not allowed: methods are case-sensitive (RFC 9110, 9.1). '
        "The Allow header lists the methods that are."
    )


@pytest.mark.parametrize("charset", ["utf-16", "undefined", "hex"])
def test_a_query_string_is_utf8_whatever_the_body_is_said_to_be(charset: str) -> None:
    _, (answer,) = get("/v1/messaging/campaigns", QUERY_STRING="limit=00", CONTENT_TYPE=f"a/b; charset={charset}")

    assert json.loads(answer)["details"]["errors"][0]["field"] == "limit"


def get(path: str, **environ: str) -> tuple[Any, Any]:
    """Headers and whole answer to a GET, as the application gives it."""
    environ = {
        "PATH_INFO": path,
        "HTTP_HOST": settings.ALLOWED_HOSTS[0],
        "HTTP_AUTHORIZATION": f"Bearer {hs256(claims())}",
    } | environ
    setup_testing_defaults(environ)
    given: dict[str, str] = {}
    return given, application(environ, lambda status, headers: given.update(headers))


def test_an_answer_is_there_as_a_whole_and_what_it_needed_is_given_back() -> None:
    finished: list[Any] = []
    request_finished.connect(lambda **about: finished.append(about), weak=False, dispatch_uid="test")
    try:
        headers, answer = get(NOWHERE)
    finally:
        request_finished.disconnect(dispatch_uid="test")
    (content,) = answer
    assert type(answer) is list
    assert (json.loads(content)["error"], headers["Content-Length"]) == ("not_found", str(len(content)))
    assert len(finished) == 1


def test_a_stream_is_not_read_before_it_is_asked_for() -> None:
    _, answer = get("/static/admin/css/base.css")
    assert type(answer) is not list
    assert b"".join(answer).startswith(b"/*")
    answer.close()


def test_a_request_looks_for_no_event_loop_to_find_what_belongs_to_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise AssertionError("looked at")

    monkeypatch.setattr(asgiref.local._ThreadCriticalLocal, "_get_storage", fail)
    monkeypatch.setattr(asgiref.local._DefaultLocal, "__getattr__", fail)
    _, answer = get(NOWHERE)
    assert json.loads(b"".join(answer))["details"] == {"resource": "campaign", "id": "none"}


def test_what_an_answer_was_made_of_needs_no_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    class Envelope(dict[str, Any]):
        """A dictionary that can be referred to weakly."""

    made: list[weakref.ref[Envelope]] = []

    def envelope(error: str, message: str, details: Any) -> Envelope:
        found = Envelope(error=error, message=message, details=details)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(errors, "envelope", envelope)
    gc.disable()
    try:
        get(NOWHERE)
        assert [reference() for reference in made] == [None]
    finally:
        gc.enable()


def test_requests_do_not_wait_for_the_garbage_collector() -> None:
    get(NOWHERE)
    gc.collect()
    before = gc.get_stats()[0]["collections"]
    for _ in range(10):
        get(NOWHERE)
    assert gc.get_stats()[0]["collections"] == before
