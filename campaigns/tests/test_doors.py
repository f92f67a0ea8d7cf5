"""Every door holds each field to the limit of its row in rules.py: the limit passes, one more is refused.

A door that forgets a rule, or repeats a limit of its own, fails here for the field by name.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns import rules
from campaigns.models import Campaign, CampaignStep
from campaigns.tests.admin.pages import opened, save, with_new_row
from campaigns.tests.admin.pages import row as form_row
from campaigns.tests.api import ROOT, campaign_url, step_url
from campaigns.tests.factories import make_campaign, make_step, step_body
from campaigns.tests.seed_files import csv_file, csv_row, json_file, seed

pytestmark = pytest.mark.django_db

# Whether the value got through the door, for a step's or a campaign's field of this name.
Door = Callable[[str, Any, Path], bool]


def around(rule: Any) -> tuple[Any, Any]:
    """The largest value that a rule allows, and the next one."""
    match rule:
        case rules.Integer(maximum=maximum):
            return maximum, maximum + 1
        case rules.Text(max_length=length):
            return "a" * length, "a" * (length + 1)
        case rules.JSONObject(max_bytes=size):
            return {"a": "b" * (size - 8)}, {"a": "b" * (size - 7)}
    raise AssertionError(f"say here what the limit of {rule} is")


def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.get_or_create(username="ada")[0])
    return client


def staff() -> Client:
    client = Client()
    client.force_login(User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)[0])
    return client


def got_through(answer: Any) -> bool:
    assert answer.status_code in (200, 201, 400), answer.content
    return bool(answer.status_code != 400)


# --- Steps -----------------------------------------------------------------------------------------------------------


def add_one(name: str, value: Any, _: Path) -> bool:
    return got_through(api().post(campaign_url(make_campaign(), "/steps"), {**step_body(), name: value}))


def add_many(name: str, value: Any, _: Path) -> bool:
    steps = [step_body(1), {**step_body(), name: value}]
    return got_through(api().post(campaign_url(make_campaign(), "/steps/bulk"), {"steps": steps}))


def create_with_steps(name: str, value: Any, _: Path) -> bool:
    return got_through(api().post(ROOT, {"name": "Welcome", "steps": [{**step_body(), name: value}]}))


def replace(name: str, value: Any, _: Path) -> bool:
    steps = [{**step_body(), name: value}]
    return got_through(api().put(campaign_url(make_campaign(steps=1), "/steps"), {"steps": steps}))


def change(name: str, value: Any, _: Path) -> bool:
    return got_through(api().patch(step_url(make_step(make_campaign())), {name: value}))


def in_a_form(name: str, value: Any) -> dict[str, Any]:
    if name == "delay_minutes":
        return {"delay_minutes_minutes": value}
    return {name: json.dumps(value) if isinstance(value, dict) else value}


def campaign_page(name: str, value: Any, _: Path) -> bool:
    campaign, client = make_campaign(), staff()
    form = with_new_row(opened(client, campaign), **{**step_body(), **in_a_form(name, value)})
    return save(client, campaign, form).status_code == 302


def campaign_page_changing(name: str, value: Any, _: Path) -> bool:
    campaign, client = make_campaign(steps=1), staff()
    form = opened(client, campaign) | form_row(0, **in_a_form(name, value))
    return save(client, campaign, form).status_code == 302


def step_page(name: str, value: Any, _: Path) -> bool:
    form = {"campaign": str(make_campaign().pk), **step_body(), **in_a_form(name, value)}
    return staff().post(reverse("admin:campaigns_campaignstep_add"), form).status_code == 302


def model_validation(name: str, value: Any, _: Path) -> bool:
    return is_valid(CampaignStep(campaign=make_campaign(), **{**step_body(), name: value}))


def is_valid(row: Campaign | CampaignStep) -> bool:
    try:
        row.full_clean()
    except ValidationError:
        return False
    return True


def a_csv_file(name: str, value: Any, folder: Path) -> bool:
    record = file_record(name, value)
    cells = [json.dumps(cell) if isinstance(cell, dict) else cell for cell in record.values()]
    return seed(csv_file(folder / "a.csv", csv_row(*cells), header=",".join(record))).code == 0


def json_lines(name: str, value: Any, folder: Path) -> bool:
    return seed(json_file(folder / "a.jsonl", file_record(name, value))).code == 0


def json_lines_read_one_by_one(name: str, value: Any, folder: Path) -> bool:
    """A blank line sends its whole block the long way."""
    file = json_file(folder / "a.jsonl", file_record(name, value))
    file.write_text(f"{file.read_text()}\n")
    return seed(file).code == 0


def json_lines_in_a_dry_run(name: str, value: Any, folder: Path) -> bool:
    return seed(json_file(folder / "a.jsonl", file_record(name, value)), dry_run=True).code == 0


def file_record(name: str, value: Any) -> dict[str, Any]:
    return {"external_id": "c", "campaign_name": "Welcome", **step_body(), name: value}


STEP_DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (
        *(add_one, add_many, create_with_steps, replace, change),
        *(campaign_page, campaign_page_changing, step_page, model_validation),
        *(a_csv_file, json_lines, json_lines_read_one_by_one, json_lines_in_a_dry_run),
    )
}


@pytest.mark.parametrize("door", STEP_DOORS)
@pytest.mark.parametrize("name", rules.STEP_FIELDS)
def test_each_door_holds_a_step_to_the_limits_of_its_fields(name: str, door: str, tmp_path: Path) -> None:
    largest, too_large = around(rules.STEP_FIELDS[name].rule)
    assert not STEP_DOORS[door](name, too_large, tmp_path)
    assert STEP_DOORS[door](name, largest, tmp_path)
    if "dry_run" not in door and door != "model_validation":
        assert largest in CampaignStep.objects.values_list(name, flat=True)


# --- Campaigns -------------------------------------------------------------------------------------------------------


def create(name: str, value: Any, _: Path) -> bool:
    return got_through(api().post(ROOT, {"name": "Welcome", name: value}))


def change_campaign(name: str, value: Any, _: Path) -> bool:
    return got_through(api().patch(campaign_url(make_campaign()), {name: value}))


def page_of_a_campaign(name: str, value: Any, _: Path) -> bool:
    campaign, client = make_campaign(), staff()
    return save(client, campaign, opened(client, campaign) | {name: value}).status_code == 302


def validation_of_a_campaign(name: str, value: Any, _: Path) -> bool:
    return is_valid(Campaign(**{"name": "Welcome", name: value}))


COLUMNS = {"name": "campaign_name", "external_id": "external_id", "description": "campaign_description"}


def campaign_in_json_lines(name: str, value: Any, folder: Path) -> bool:
    return seed(json_file(folder / "a.jsonl", file_record(COLUMNS[name], value))).code == 0


def campaign_in_csv(name: str, value: Any, folder: Path) -> bool:
    record = file_record(COLUMNS[name], value)
    return seed(csv_file(folder / "a.csv", csv_row(*record.values()), header=",".join(record))).code == 0


CAMPAIGN_DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (
        *(create, change_campaign, page_of_a_campaign, validation_of_a_campaign),
        *(campaign_in_json_lines, campaign_in_csv),
    )
}


@pytest.mark.parametrize("door", CAMPAIGN_DOORS)
@pytest.mark.parametrize("name", rules.CAMPAIGN_FIELDS)
def test_each_door_holds_a_campaign_to_the_limits_of_its_fields(name: str, door: str, tmp_path: Path) -> None:
    largest, too_large = around(rules.CAMPAIGN_FIELDS[name].rule)
    assert not CAMPAIGN_DOORS[door](name, too_large, tmp_path)
    assert CAMPAIGN_DOORS[door](name, largest, tmp_path)


# --- What stands behind all doors ------------------------------------------------------------------------------------

# The last value that the database takes, where a constraint holds the field; a position's leaves room for parking.
# No constraint measures variables: the canonical spelling that their limit counts isn't what a column could measure.
IN_THE_DATABASE: dict[str, Callable[[Any], Any]] = {
    "position": lambda largest: 2 * largest + 1,
    "template_id": lambda largest: largest,
    "template_version_id": lambda largest: largest,
    "delay_minutes": lambda largest: largest,
    "name": lambda largest: largest,
    "external_id": lambda largest: largest,
    "description": lambda largest: largest,
}
UNHELD = {"variables"}


def row_with(name: str, value: Any) -> Campaign | CampaignStep:
    if name in rules.CAMPAIGN_FIELDS:
        return Campaign(**{"name": "Welcome", name: value})
    return CampaignStep(campaign=make_campaign(), **{**step_body(), name: value})


@pytest.mark.parametrize("name", [*rules.CAMPAIGN_FIELDS, *rules.STEP_FIELDS])
def test_the_database_holds_each_field_to_its_limit(name: str) -> None:
    if name in UNHELD:
        return
    field = rules.CAMPAIGN_FIELDS.get(name) or rules.STEP_FIELDS[name]
    largest = IN_THE_DATABASE[name](around(field.rule)[0])
    too_large = largest + 1 if isinstance(largest, int) else f"{largest}a"
    row_with(name, largest).save(force_insert=True)
    refused = row_with(name, too_large)
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        refused.save(force_insert=True)


@pytest.mark.parametrize("component", ["CampaignStepRequest", "ReplacingStepRequest", "PatchedCampaignStepRequest"])
def test_the_document_gives_each_rule_of_a_step(component: str) -> None:
    properties = document()["components"]["schemas"][component]["properties"]
    for name, field in rules.STEP_FIELDS.items():
        assert field.rule.schema.items() <= properties[name].items()


@pytest.mark.parametrize("component", ["CampaignRequest", "PatchedCampaignChangesRequest"])
def test_the_document_gives_each_rule_of_a_campaign(component: str) -> None:
    properties = document()["components"]["schemas"][component]["properties"]
    for name, field in rules.CAMPAIGN_FIELDS.items():
        assert field.rule.schema.items() <= properties[name].items()


def document() -> dict[str, Any]:
    answer = api().get("/v1/messaging/schema")
    found: dict[str, Any] = yaml.safe_load(answer.content)
    return found


def test_the_values_of_a_step_are_those_of_the_table() -> None:
    assert rules.StepFields._fields == tuple(rules.STEP_FIELDS)
    columns = {field.name for field in CampaignStep._meta.get_fields()}
    assert set(rules.STEP_FIELDS) <= columns, "models.CampaignStep lacks a column for a field of rules.STEP_FIELDS"
