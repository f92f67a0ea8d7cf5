"""The table of bad input, and what no client library would send, against the real server."""

import http.client
import re
import socket
from typing import Any

import pytest

from campaigns.tests.bad_input import CASES, GOOD, STEPS, TEN_MEGABYTES, Case, outcome
from campaigns.tests.factories import make_campaign, positions, step_body, stored
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
    answer = server.send(raw_post(server, campaign.id, "Transfer-Encoding: Chunked\r\n", chunked(GOOD)))
    assert (answer.status, answer.json()["position"], positions(campaign)) == (201, 0, [0])


def test_a_body_with_another_transfer_coding_is_not_taken_as_it_is(server: Server) -> None:
    """RFC 9112, 6.1."""
    campaign = make_campaign()
    codings = ["gzip, chunked", "identity, chunked", "chunked, chunked", "gzip\r\nTransfer-Encoding: chunked"]
    for coding in codings:
        answer = server.send(raw_post(server, campaign.id, f"Transfer-Encoding: {coding}\r\n", chunked(GOOD)))
        message = "Transfer-Encoding must be chunked, once and alone, or absent."
        assert (answer.status, answer.json()) == (400, {"error": "parse_error", "message": message}), coding
    assert positions(campaign) == []


@pytest.mark.parametrize("body", [TEN_MEGABYTES, b"[" * 1_048_577], ids=["ten megabytes", "a mebibyte and one"])
def test_a_chunked_body_beyond_the_limit_is_too_large(server: Server, body: bytes) -> None:
    before = stored()
    campaign = make_campaign()
    answer = server.send(raw_post(server, campaign.id, "Transfer-Encoding: chunked\r\n", chunked(body)))
    assert answer.status == 413
    message = "The body is larger than 1,048,576 bytes. To add many steps at once, use addSteps: POST …/steps/bulk."
    assert answer.json() == {"error": "payload_too_large", "message": message}
    campaign.delete()
    assert stored() == before


def test_a_body_longer_than_its_length_is_cut_there(server: Server) -> None:
    campaign = make_campaign()
    answer = server.send(raw_post(server, campaign.id, f"Content-Length: {len(GOOD) - 1}\r\n", GOOD))
    assert (answer.status, answer.json()["error"], positions(campaign)) == (400, "parse_error", [])


@pytest.mark.parametrize(
    "headers",
    ["Content-Length: -1\r\n", "Content-Length: ten\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n"],
    ids=["negative", "a word", "two"],
)
def test_a_length_that_is_none_is_a_bad_request(server: Server, headers: str) -> None:
    campaign = make_campaign()
    answer = server.send(raw_post(server, campaign.id, headers, GOOD))
    assert (answer.status, positions(campaign)) == (400, [])


def test_a_body_that_ends_before_its_length_is_no_body(server: Server) -> None:
    campaign = make_campaign()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(raw_post(server, campaign.id, f"Content-Length: {len(GOOD) + 1}\r\n", GOOD))
        client.shutdown(socket.SHUT_WR)
        client.recv(CHUNK)  # until the server has given up
    answer = server.post(STEPS.replace("{id}", str(campaign.id)), step_body(1))
    assert (answer.status, positions(campaign)) == (201, [1])
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("body", [b"zz\r\n", b""], ids=["a broken first chunk", "the client went away"])
def test_an_optional_chunked_body_that_breaks_off_does_not_count_as_none(server: Server, body: bytes) -> None:
    campaign = make_campaign()
    before = stored()
    raw = raw_post(server, campaign.id, "Transfer-Encoding: chunked\r\n", body).replace(b"/steps ", b"/duplicate ")
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        while client.recv(CHUNK):  # until the server has answered, or given up
            pass
    assert stored() == before
    assert "Traceback" not in server.log.read_text()


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    """As `100-continue` asks it; a client that has begun to send would lose the answer."""
    campaign = make_campaign()
    headers = "Expect: 100-continue\r\nContent-Length: 1073741824\r\n"
    assert server.send(raw_post(server, campaign.id, headers, b"")).status == 413


def test_http_2_is_left_to_the_proxy(server: Server) -> None:
    """granian would send a body to a HEAD there, which is a protocol error."""
    no_settings = b"\0\0\0\4\0\0\0\0\0"
    with pytest.raises(http.client.RemoteDisconnected):
        server.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + no_settings)


def test_each_request_is_one_line_of_the_log_with_the_id_of_its_answer(server: Server) -> None:
    forged = "/v1/x%0A2026-11-25%20DELETE%20/v1/y%1B%5B31m%00%C2%85"
    answer = server.request("get", forged, headers={"X-Request-ID": "find-me-7"})
    (line,) = [line for line in server.log.read_text().split("\n") if "find-me-7" in line]
    assert answer.headers["x-request-id"] == "find-me-7"
    _, told = line.split(" INFO messaging.request [find-me-7] ")
    shown = r"get /v1/x\x0a2026-11-25 DELETE /v1/y\x1b[31m\x00\x85"
    assert re.fullmatch(rf"{re.escape(shown)} operation=unmatched status=404 ms=[0-9.]+ subject=-", told)
