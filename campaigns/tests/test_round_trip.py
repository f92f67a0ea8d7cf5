"""What went in by one door comes out of every other as an equal value, spelled alike on both databases."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns.canonical_json import canonical
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.tests.admin.pages import opened, save, with_new_row
from campaigns.tests.api import ROOT, campaign_url, faults, step_url
from campaigns.tests.factories import history_of, make_campaign, make_step, new_step, step_body
from campaigns.tests.seed_files import csv_file, csv_row, export, json_file, record, row, seed

pytestmark = pytest.mark.django_db

VALUES: dict[str, Any] = {
    "huge": 1e300,
    "small": 1e-7,
    "least": 5e-324,
    "sum": 0.1 + 0.2,
    "turn": 1e16,
    "zero": [0, 0.0, -0.0],
    "long": 2**63,
    "digits": 10**4300 - 1,
    "ü": ["ü", "\u2028", "\U0001f600", '"\\/\x7f\t'],
    "a": {"zz": None, "b": True, "": {}},
}
# By PostgreSQL's manual (8.14): names by length, then by bytes; numbers in full.
SPELLED = (
    f'{{"a": {{"": {{}}, "b": true, "zz": null}}, "ü": ["ü", "\u2028", "😀", "\\"\\\\/\x7f\\t"], '
    f'"sum": 0.30000000000000004, "huge": 1{"0" * 300}, "long": 9223372036854775808, "turn": 10000000000000000, '
    f'"zero": [0, 0.0, 0.0], "least": 0.{"0" * 323}5, "small": 0.0000001, "digits": {"9" * 4300}}}'
)
MANY = [1e300] * 216  # almost 64 KiB, written out


def sent(variables: Any = None) -> dict[str, Any]:
    return step_body(0, variables=VALUES if variables is None else variables)


def stored_variables() -> list[str]:
    """The text of each step's variables as it is in the database."""
    return stored_text("campaigns_campaignstep", "variables")


def stored_text(table: str, column: str) -> list[str]:
    text = f"{column}::text" if connection.vendor == "postgresql" else column
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text} FROM {table} WHERE {column} IS NOT NULL ORDER BY id")  # noqa: S608
        return [value for (value,) in cursor.fetchall()]


# --- The doors: each brings a campaign's first step ------------------------------------------------------------------


def add(client: APIClient, folder: Path) -> None:
    client.post(campaign_url(make_campaign(), "/steps"), sent())


def add_with_a_shift(client: APIClient, folder: Path) -> None:
    client.post(campaign_url(make_campaign(), "/steps?on_conflict=shift"), sent())


def add_with_a_key(client: APIClient, folder: Path) -> None:
    client.post(campaign_url(make_campaign(), "/steps"), sent(), headers={"Idempotency-Key": "k"})


def add_many(client: APIClient, folder: Path) -> None:
    client.post(campaign_url(make_campaign(), "/steps/bulk"), {"steps": [sent()]})


def create(client: APIClient, folder: Path) -> None:
    client.post(ROOT, {"name": "N", "steps": [sent()]})


def replace(client: APIClient, folder: Path) -> None:
    client.put(campaign_url(make_campaign(steps=2), "/steps"), {"steps": [sent()]})


def change(client: APIClient, folder: Path) -> None:
    client.patch(step_url(make_step(make_campaign())), {"variables": VALUES})


def duplicate(client: APIClient, folder: Path) -> None:
    campaign = make_campaign()
    make_step(campaign, variables=VALUES)
    client.post(campaign_url(campaign, "/duplicate"))
    CampaignStep.objects.filter(campaign=campaign).delete()


def save_checked(client: APIClient, folder: Path) -> None:
    step = new_step(make_campaign(), 0, variables=VALUES)
    step.full_clean()
    step.save()


def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


def typed() -> dict[str, str]:
    return {"template_id": "t", "template_version_id": "v", "variables": json.dumps(VALUES, ensure_ascii=False)}


def step_page(client: APIClient, folder: Path) -> None:
    staff().post(
        reverse("admin:campaigns_campaignstep_add"), {"campaign": make_campaign().pk, "position": "0", **typed()}
    )


def campaign_page(client: APIClient, folder: Path) -> None:
    editor, campaign = staff(), make_campaign()
    save(editor, campaign, with_new_row(opened(editor, campaign), position=0, **typed()))


def csv_seed(client: APIClient, folder: Path) -> None:
    seed(csv_file(folder / "a.csv", row(0, variables=json.dumps(VALUES))))


def json_seed(client: APIClient, folder: Path) -> None:
    seed(json_file(folder / "a.jsonl", record(0, variables=VALUES)))


DOORS = [
    add, add_with_a_shift, add_with_a_key, add_many, create, replace, change, duplicate, save_checked, step_page,
    campaign_page, csv_seed, json_seed,
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_value_is_stored_in_the_canonical_spelling_and_goes_round(
    client: APIClient, tmp_path: Path, door: Callable[[APIClient, Path], None]
) -> None:
    door(client, tmp_path)
    assert canonical(VALUES) == SPELLED
    assert stored_variables() == [SPELLED]
    step = CampaignStep.objects.get()
    answer = client.get(step_url(step))
    assert canonical(answer.json()["variables"]) == SPELLED
    before = history_of(step.campaign)
    steps = client.get(campaign_url(step.campaign, "/steps")).json()["results"]
    again = client.put(campaign_url(step.campaign, "/steps"), {"steps": steps})
    assert (again.status_code, again.json()["results"]) == (200, steps)
    assert client.patch(step_url(step), {"variables": VALUES})["ETag"] == answer["ETag"]
    assert history_of(step.campaign) == before  # nothing was changed


@pytest.mark.parametrize("query", ["", "?on_conflict=shift"])
def test_the_answer_that_made_a_step_shows_its_numbers_as_the_later_ones_do(client: APIClient, query: str) -> None:
    answer = client.post(campaign_url(make_campaign(), f"/steps{query}"), sent())
    assert answer.json() == client.get(answer["Location"]).json()
    assert answer["ETag"] == client.get(answer["Location"])["ETag"]


def test_history_keeps_the_values_before_and_after(client: APIClient) -> None:
    step = make_step(make_campaign())
    client.patch(step_url(step), {"variables": VALUES})
    client.delete(step_url(step))
    assert stored_text("campaigns_historyentry", "before") == ['{"variables": {}}', deleted_step()]
    assert stored_text("campaigns_historyentry", "after") == [f'{{"variables": {SPELLED}}}']
    told = client.get(campaign_url(str(step.campaign_id), "/history")).json()["results"]
    assert [canonical(entry["after"]) for entry in told] == ["null", f'{{"variables": {SPELLED}}}']


def deleted_step() -> str:
    return (
        f'{{"position": 0, "variables": {SPELLED}, "template_id": "t0", "delay_minutes": 0, '
        '"template_version_id": "t0-v1"}'
    )


def test_the_history_of_a_load_has_the_canonical_spelling_too(tmp_path: Path) -> None:
    seed(csv_file(tmp_path / "ü.csv", row(0)))
    (entry,) = HistoryEntry.objects.all()
    assert stored_text("campaigns_historyentry", "after") == [canonical(entry.after)]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_loads_and_exports_again_to_the_same_bytes(format: str, tmp_path: Path) -> None:
    campaign = make_campaign(external_id="c")
    make_step(campaign, 0, variables=VALUES)
    make_step(campaign, 1, variables={"n": MANY})
    first = export(format=format)
    (file := tmp_path / f"first.{format}").write_text(first)
    Campaign.objects.all().delete()
    assert seed(file, restore_status=True).code == 0
    assert export(format=format) == first
    assert stored_variables() == [SPELLED, canonical({"n": MANY})]
    assert seed(file).out.count("unchanged") == 1


def test_equal_values_are_equal_for_the_database(client: APIClient, tmp_path: Path) -> None:
    campaign = make_campaign()
    make_step(campaign, 0, variables={"b": 1e300, "aa": "ü"})
    client.post(campaign_url(campaign, "/steps/bulk"), {"steps": [step_body(1, variables={"aa": "ü", "b": 10**300})]})
    assert CampaignStep.objects.filter(variables={"aa": "ü", "b": 1e300}).count() == 2
    assert CampaignStep.objects.values("variables").distinct().count() == 1


# --- What is accepted isn't longer when it is read -------------------------------------------------------------------


def test_numbers_count_as_they_are_written_out(client: APIClient, tmp_path: Path) -> None:
    campaign = make_campaign(external_id="c")
    fits, exceeds = {"n": MANY}, {"n": [*MANY, 1e300]}
    for variables in (fits, {"n": [5e-324] * 200}):
        answer = client.post(campaign_url(campaign, "/steps"), sent(variables))
        read = client.get(answer["Location"])
        assert len(json.dumps(read.json()["variables"], separators=(",", ":"))) <= 64 * 1024
        assert client.patch(answer["Location"], {"variables": read.json()["variables"]}).status_code == 200
        client.delete(answer["Location"])
    refused = client.post(campaign_url(campaign, "/steps"), sent(exceeds))
    assert faults(refused) == [("variables", "too_large")]
    size = len('{"n":[]}') + 217 * 301 + 216
    message = f"Must take at most 65,536 bytes as compact JSON, numbers written out in full; it takes {size:,}."
    assert refused.json()["details"]["errors"][0]["message"] == message


@pytest.mark.parametrize("number", ["1e308", "1E+308", "-1.5e300", "5e-324", "1e-300"])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_file_is_held_to_the_same_limit(format: str, number: str, tmp_path: Path) -> None:
    text = f'{{"n": [{", ".join([number] * 220)}]}}'
    file = tmp_path / f"a.{format}"
    if format == "csv":
        csv_file(file, row(0, variables="{}"), csv_row("c", "Welcome", 1, "t", "v", 0, text))
    else:
        file.write_text(f"{json.dumps(record(0))}\n{json.dumps(record(1, variables='<>'))}\n".replace('"<>"', text))
    assert seed(file).faults == [(3 if format == "csv" else 2, "variables", "too_large")]


def test_a_body_is_held_to_its_limit_as_it_is_written_out(client: APIClient) -> None:
    campaign = make_campaign()
    many = {"steps": [step_body(position, variables={"n": [1e300] * 210}) for position in range(150)]}
    answer = client.post(campaign_url(campaign, "/steps/bulk"), many)
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "payload_too_large",
        "message": "With its numbers written out in full (1e300 takes 301 digits), the body is larger than "
        "8,388,608 bytes.",
    }
    assert client.post(campaign_url(campaign, "/steps/bulk"), {"steps": many["steps"][:120]}).status_code == 201


def test_text_that_looks_like_a_number_counts_as_text(client: APIClient) -> None:
    text = ",1e300" * 10_000
    answer = client.post(campaign_url(make_campaign(), "/steps"), sent({"text": text}))
    assert client.get(answer["Location"]).json()["variables"] == {"text": text}
