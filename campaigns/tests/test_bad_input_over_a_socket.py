"""The table of bad input, and what no client library would send, against the real server."""

from typing import Any

import pytest

from campaigns.tests.bad_input import CASES, GOOD, STEPS, TEN_MEGABYTES, Case, outcome
from campaigns.tests.factories import make_campaign, positions, stored
from campaigns.tests.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = 65_536


def answer_to(server: Server, case: Case, campaign_id: str) -> dict[str, Any]:
    headers = {"Content-Type": case.content_type} if case.content_type else {}
    answer = server.request(case.method, case.path.replace("{id}", campaign_id), case.body, headers)
    if (answer.headers["content-type"], "x-request-id" in answer.headers) != ("application/json", True):
        return {"status": answer.status, "headers": answer.headers}
    return outcome(answer.status, answer.content)


def test_the_real_server_refuses_bad_input_and_writes_nothing(server: Server) -> None:
    campaign = make_campaign(steps=1)
    before = stored()
    answers = {case.name: answer_to(server, case, str(campaign.id)) for case in CASES}
    assert answers == {case.name: case.expected for case in CASES}
    assert stored() == before
    assert "Traceback" not in server.log.read_text()


def chunked(body: bytes) -> bytes:
    pieces = (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def raw_post(server: Server, campaign_id: object, headers: str, body: bytes) -> bytes:
    path = STEPS.replace("{id}", str(campaign_id))
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\n{headers}\r\n"
    ).encode() + body


def test_a_chunked_body_is_read_like_any_other(server: Server) -> None:
    campaign = make_campaign()
    answer = server.send(raw_post(server, campaign.id, "Transfer-Encoding: chunked\r\n", chunked(GOOD)))
    assert (answer.status, answer.json()["position"], positions(campaign)) == (201, 0, [0])


@pytest.mark.parametrize("body", [TEN_MEGABYTES, b"[" * 1_048_577], ids=["ten megabytes", "a mebibyte and one"])
def test_a_chunked_body_beyond_the_limit_is_too_large(server: Server, body: bytes) -> None:
    before = stored()
    campaign = make_campaign()
    answer = server.send(raw_post(server, campaign.id, "Transfer-Encoding: chunked\r\n", chunked(body)))
    assert answer.status == 413
    assert answer.json() == {"error": "payload_too_large", "message": "The body is larger than 1,048,576 bytes."}
    campaign.delete()
    assert stored() == before
