"""What the documents say is so: tables are complete, links and commands lead somewhere, a request has its answer."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns.models import Campaign
from scripts.lint import without_project_settings

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")])
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
SETTING = re.compile(r'\benv\.\w+\(\s*"([A-Z0-9_]+)"')
SOURCES = ("messaging_project/settings.py", "messaging_project/api/token_settings.py", "messaging_project/telemetry.py")
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = text.partition(f"{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_setting_is_in_the_table_once() -> None:
    read = {name for source in SOURCES for name in SETTING.findall((ROOT / source).read_text())}
    assert sorted(row[0] for row in rows(SETTINGS, "# Settings")) == sorted(f"`{name}`" for name in read)


def test_checks_run_without_any_setting_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    before = without_project_settings()
    for row in rows(SETTINGS, "# Settings"):
        monkeypatch.setenv(row[0].strip("`"), "of a developer")
    assert without_project_settings() == before
    assert before["PATH"]


def test_every_operation_is_in_the_table_once() -> None:
    documented = [(f"`{it['operationId']}`", f"`{method} {path}`") for method, path, it in OPERATIONS]
    assert sorted((row[0], row[1]) for row in rows(API, "## Operations")) == sorted(documented)


def test_every_documented_error_is_in_the_table() -> None:
    shown = set()
    for _, _, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            shared = DOCUMENT["components"]["responses"].get(answer.get("$ref", "").rpartition("/")[2], answer)
            examples = shared.get("content", {}).get("application/json", {}).get("examples", {})
            shown |= {(status, f"`{it['value']['error']}`") for it in examples.values() if "error" in it["value"]}
    assert shown - {(row[0], row[1]) for row in rows(API, "## Errors")} == set()


def test_every_reason_of_a_412_is_in_the_table() -> None:
    text = json.dumps(DOCUMENT, default=str)
    reasons = set(re.findall(r'"reason": "(\w+)"', text))
    named = next(row[2] for row in rows(API, "## Errors") if row[1] == "`bad_state`")
    assert {f"`{reason}`" for reason in reasons} <= set(re.findall(r"`\w+`", named))


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@every_document
def test_its_links_lead_somewhere(document: Path) -> None:
    lost = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text()):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@every_document
def test_the_files_it_names_exist(document: Path) -> None:
    """A path in backquotes, from the root of the project or from the app."""
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|toml|ini|in))`", document.read_text())
    places = (ROOT, ROOT / "campaigns", document.parent)
    made_here = (".local/", ".venv/")
    assert [name for name in named if name not in made_here and not any((at / name).exists() for at in places)] == []


@every_document
def test_the_commands_it_names_exist(document: Path) -> None:
    text = document.read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)", text)) <= {*targets, "…"}
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= {*get_commands()}
    modules = set(re.findall(r"python -m ([\w.]+)", text)) - {"pytest"}
    assert [name for name in modules if find_spec(name) is None] == []


@every_document
def test_the_tests_it_names_exist(document: Path) -> None:
    named = re.findall(r"\bpytest (?:--?\w+ )*([\w/]+\.py)", document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_what_imports_the_shared_api_is_what_contributors_are_told() -> None:
    told = re.search(
        r"`messaging_project\.api` is for (.*?) alone\.", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    assert told
    known = re.findall(r"`([\w/.]+)`", told[1])
    app = ROOT / "campaigns"
    importing = {
        str(path.relative_to(app))
        for path in app.rglob("*.py")
        if "tests" not in path.parts and "messaging_project.api" in path.read_text()
    }
    assert sorted(path for path in importing if not path.startswith(tuple(known))) == []
    assert [name for name in known if not any(path.startswith(name) for path in importing)] == []


@pytest.mark.django_db
def test_the_request_has_the_answer_shown() -> None:
    body, shown = re.search(r"-d '(.+)'\n", README), re.search(r'^\{"id":.+$', README, re.MULTILINE)
    assert body
    assert shown
    campaign = Campaign.objects.create(name="Welcome series")
    client = APIClient()
    client.force_authenticate(Caller())  # type: ignore[arg-type]  # its stubs know only Django users
    response = client.post(f"/v1/messaging/campaigns/{campaign.id}/steps", json.loads(body[1]), format="json")
    answer = json.loads(shown[0])
    assert response.status_code == 201
    assert response.json() == {**answer, "id": response.json()["id"], "campaign_id": str(campaign.id)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("document", "block"), [("README.md", r"<<'END'\n(.+?)END\n"), ("docs/seeding.md", r"```csv\n(.+?)```")]
)
def test_the_file_to_load_is_loaded(document: str, block: str, tmp_path: Path) -> None:
    text = (ROOT / document).read_text()
    shown = re.search(block, text, re.DOTALL)
    assert shown
    assert "seed_campaigns spring.csv" in text
    file = tmp_path / "spring.csv"
    file.write_text(shown[1])
    for _ in range(2):
        call_command("seed_campaigns", str(file), verbosity=0)
    assert [*Campaign.objects.get(external_id="spring").steps.values_list("position", flat=True)] == [0, 1]


def test_the_pages_that_the_documents_name_are_there() -> None:
    assert [path for path in ("/docs", "/v1/messaging/schema") if Client().get(path).status_code != 200] == []


class Caller:
    issuer = "https://issuer.example/"
    subject = "reader"
    is_authenticated = True
