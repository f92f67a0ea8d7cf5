"""What README.md says is so: its tables are complete, its links lead somewhere, and its request has its answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns.models import Campaign

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
SETTING = re.compile(r'\benv\.(?:text|flag|integer|words|choice)\(\s*"([A-Z0-9_]+)"')
SOURCES = ("messaging_project/settings.py", "messaging_project/api/token_settings.py")
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = README.partition(f"{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_setting_is_in_the_table_once() -> None:
    read = {name for source in SOURCES for name in SETTING.findall((ROOT / source).read_text())}
    assert sorted(row[0] for row in rows("## Settings")) == sorted(f"`{name}`" for name in read)


def test_every_operation_is_in_the_table_once() -> None:
    documented = [(f"`{it['operationId']}`", f"`{method} {path}`") for method, path, it in OPERATIONS]
    assert sorted((row[0], row[1]) for row in rows("## API")) == sorted(documented)


def test_every_documented_error_is_in_the_table() -> None:
    shown = set()
    for _, _, operation in OPERATIONS:
        for status, answer in operation["responses"].items():
            shared = DOCUMENT["components"]["responses"].get(answer.get("$ref", "").rpartition("/")[2], answer)
            examples = shared.get("content", {}).get("application/json", {}).get("examples", {})
            shown |= {(status, f"`{it['value']['error']}`") for it in examples.values() if "error" in it["value"]}
    assert shown - {(row[0], row[1]) for row in rows("### Errors")} == set()


def test_every_reason_of_a_412_is_in_the_table() -> None:
    text = json.dumps(DOCUMENT, default=str)
    reasons = set(re.findall(r'"reason": "(\w+)"', text))
    named = next(row[2] for row in rows("### Errors") if row[1] == "`bad_state`")
    assert {f"`{reason}`" for reason in reasons} <= set(re.findall(r"`\w+`", named))


def test_its_links_and_files_exist() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    layout = [name for row in rows("## How the code is laid out") for name in re.findall(r"`([\w./]+)`", row[0])]
    folder = Path()
    files = []
    for name in layout:
        folder = Path(name).parent if "/" in name.rstrip("/") else folder
        files.append(Path(name) if "/" in name or (ROOT / name).exists() else folder / name)
    assert [str(name) for name in [*links, *files] if not (ROOT / name).exists()] == []


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


def test_the_pages_it_names_are_there() -> None:
    assert [path for path in ("/docs", "/v1/messaging/schema") if Client().get(path).status_code != 200] == []


class Caller:
    issuer = "https://issuer.example/"
    subject = "reader"
    is_authenticated = True
