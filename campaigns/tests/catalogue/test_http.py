"""The catalogue behind HTTP, asked of a real server that answers well, badly, too much or never."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from pytest_django import Settings

from campaigns.catalogue import Answer, Template, TemplateVersion, asking
from campaigns.catalogue.asking import asker

VERSION = TemplateVersion("welcome", "welcome-v1")
ITEM: dict[str, Any] = {**VERSION._asdict(), "exists": True}


class Service:
    """Gives `answer`, once it may, with `status`; keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Any = {"versions": []}
        self.status = 200
        self.asked: list[tuple[str, Any, str | None]] = []
        self.may_answer = Event()
        self.may_answer.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/catalogue"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                service.asked.append((self.path, json.loads(body or "null"), self.headers["Authorization"]))
                self.send_response(service.status)
                self.send_header("Location", f"{service.url}/elsewhere")
                self.end_headers()
                self.wfile.flush()
                service.may_answer.wait(10)
                answer = service.answer
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            do_POST = do_GET  # noqa: N815 - as http.server calls it

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    service = Service()
    settings.TEMPLATE_CATALOGUE = "campaigns.catalogue.http.HTTPCatalogue"
    settings.TEMPLATE_CATALOGUE_URL = f"{service.url}/"
    settings.TEMPLATE_CATALOGUE_TOKEN = "secret"
    settings.TEMPLATE_CATALOGUE_TIMEOUT_MS = 5_000
    asking._asker.cache_clear()
    yield service
    service.may_answer.set()
    service.server.shutdown()
    service.server.server_close()
    asking._asker.cache_clear()


def test_versions_are_looked_up_by_one_post(service: Service) -> None:
    declared = {
        "variables": [{"name": "a", "required": True}, {"name": "b", "required": False}],
        "newest": "welcome-v2",
    }
    service.answer = {"versions": [ITEM | declared]}

    assert asker().ask([VERSION]) == {VERSION: Answer(True, {"a": True, "b": False}, "welcome-v2")}
    assert service.asked == [("/catalogue/lookup", {"versions": [VERSION._asdict()]}, "Bearer secret")]


def test_what_is_not_known_may_be_left_out(service: Service) -> None:
    service.answer = {"versions": [ITEM | {"exists": False, "variables": None}]}
    assert asker().ask([VERSION]) == {VERSION: Answer(False)}


def test_templates_are_searched_by_a_get(service: Service) -> None:
    service.answer = {"templates": [{"template_id": "welcome", "versions": ["welcome-v1"]}]}

    assert asker().suggest("wel & more") == [Template("welcome", ["welcome-v1"])]
    assert service.asked == [("/catalogue/search?prefix=wel+%26+more&limit=20", None, "Bearer secret")]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(500, {"versions": [ITEM]}, id="failing"),
        pytest.param(302, {"versions": [ITEM]}, id="a redirect"),
        pytest.param(200, b"<html>", id="not JSON"),
        pytest.param(200, b"[" * 100_000, id="nested deeply"),
        pytest.param(200, json.dumps({"versions": [ITEM]}).encode() + b" " * 1024 * 1024, id="too large"),
        pytest.param(200, [ITEM], id="a list"),
        pytest.param(200, {"versions": [ITEM | {"exists": "yes"}]}, id="exists is a text"),
        pytest.param(200, {"versions": [ITEM | {"variables": {"name": True}}]}, id="variables are an object"),
        pytest.param(200, {"versions": [ITEM | {"variables": [{"name": "x"}]}]}, id="a variable lacks a member"),
        pytest.param(200, {"versions": [ITEM | {"newest": 2}]}, id="newest is a number"),
        pytest.param(200, {"versions": [None]}, id="null in the list"),
    ],
)
def test_any_other_answer_means_that_it_could_not_be_asked(
    service: Service, status: int, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service.status, service.answer = status, answer

    assert asker().ask([VERSION]) == {}
    assert len(service.asked) == 1
    assert [record.getMessage()[:38] for record in caplog.records] == ["The template catalogue can't be asked:"]


def test_a_service_that_hangs_after_its_headers_is_waited_for_as_long_as_set(
    service: Service, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TEMPLATE_CATALOGUE_TIMEOUT_MS = 100
    service.may_answer.clear()

    assert asker().ask([VERSION]) == {}
    assert len(service.asked) == 1
    assert "The template catalogue can't be asked" in caplog.text
