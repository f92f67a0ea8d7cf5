"""`manage.py export_campaigns`: what it writes, and that seed_campaigns reads it back to the same bytes."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from campaigns import lifecycle
from campaigns.models import Campaign
from campaigns.tests.factories import ACTOR, make_campaign, make_step, stored
from campaigns.tests.seed_files import export, seed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug")]

AWKWARD = [
    "=1+1", "@SUM(A1)", "-5", "+x", 'say "hi"', "a,b", "a;b", "'", "\\", "\\.", "\\N", "NULL", "é 😀 \u2028",
    " leading", "trailing ", "{}", "%s %(x)s", "\ufeffx", "\u200b.",
]  # fmt: skip
VARIABLES: list[dict[str, Any]] = [
    {},
    {"a": None, "b": True, "c": [1, [2, {"d": {}}]], "": ""},
    {"big": 12345678901234567890123, "float": 0.1, "exponent": 1e25, "negative": -0.5, "zero": -0.0},
    {"text": 'line\nbreak\r\n\t"quoted" \\ \u2028 é 😀 \x7f', "ключ:": "a:b"},
    {"url": "https://example.org/?a=1&b={{ name }}"},
]


def make_catalogue() -> None:
    """Campaigns of every status, with and without steps, and everything that is awkward in a cell."""
    for number, status in enumerate(Campaign.Status.values):
        campaign = make_campaign(status=status, name=f"Number {number}", external_id=f"number-{number}")
        for position, variables in enumerate(VARIABLES):
            make_step(campaign, position * 3, delay_minutes=position, variables=variables)
    make_campaign(name="No steps", description='Tabs\t, lines\r\nand "quotes"', status="paused")
    campaign = make_campaign(name="Awkward", description=" ")
    for position, text in enumerate(AWKWARD):
        make_step(campaign, position, template_id=text, template_version_id=text, variables={text: text})
        make_campaign(name=text, external_id=text, description=text)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_read_into_an_empty_database_exports_the_same_bytes(format: str, tmp_path: Path) -> None:
    make_catalogue()
    first = tmp_path / f"first.{format}"
    export("-o", str(first))
    before = export(format=format)
    campaigns = list(Campaign.objects.order_by("id").values("id", "external_id", "name", "description", "status"))
    Campaign.objects.all().delete()
    said = seed(first, restore_status=True)
    assert (said.code, said.err) == (0, "")
    assert export(format=format) == before == first.read_bytes().decode()
    assert (
        list(Campaign.objects.order_by("id").values("id", "external_id", "name", "description", "status")) == campaigns
    )


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_read_into_its_own_database_changes_nothing(format: str, tmp_path: Path) -> None:
    make_catalogue()
    before = stored()
    file = tmp_path / f"export.{format}"
    export("-o", str(file))
    assert seed(file, restore_status=True).code == 0
    assert stored() == before


def test_csv_has_a_row_per_step_and_one_for_a_campaign_without() -> None:
    one = make_campaign(name="One", external_id="one")
    make_step(one, 1, variables={"a": 'say "hi"'})
    make_step(one, 0, delay_minutes=60)
    two = make_campaign(name="Two", description="No steps", status="archived")
    rows = list(csv.reader(io.StringIO(export())))
    assert rows == [
        [
            "campaign_id", "external_id", "campaign_name", "campaign_description", "campaign_status",
            "position", "template_id", "template_version_id", "delay_minutes", "variables",
        ],
        [str(one.id), "one", "One", "", "draft", "0", "t0", "t0-v1", "60", "{}"],
        [str(one.id), "one", "One", "", "draft", "1", "t1", "t1-v1", "0", '{"a": "say \\"hi\\""}'],
        [str(two.id), "", "Two", "No steps", "archived", "", "", "", "", ""],
    ]  # fmt: skip


def test_json_lines_leave_out_what_is_not_there() -> None:
    one = make_campaign(name="One", external_id="one", description="First")
    make_step(one, 0, variables={"a": [None, 1]})
    two = make_campaign(name="Two")
    assert [json.loads(line) for line in export(format="jsonl").splitlines()] == [
        {
            "campaign_id": str(one.id), "external_id": "one", "campaign_name": "One", "campaign_description": "First",
            "campaign_status": "draft", "position": 0, "template_id": "t0", "template_version_id": "t0-v1",
            "delay_minutes": 0, "variables": {"a": [None, 1]},
        },
        {"campaign_id": str(two.id), "campaign_name": "Two", "campaign_status": "draft"},
    ]  # fmt: skip


def names(text: str) -> list[str]:
    return [row["campaign_name"] for row in csv.DictReader(io.StringIO(text))]


def test_campaigns_are_chosen_by_status_id_and_external_id() -> None:
    a = make_campaign(name="A", status="draft")
    make_campaign(name="B", external_id="b", status="paused")
    make_campaign(name="C", status="active")
    assert names(export(status="paused")) == ["B"]
    assert names(export("--status", "paused", "--status", "active")) == ["B", "C"]
    assert names(export(campaign=["b", str(a.id)])) == ["A", "B"]
    assert names(export(campaign="b", status="draft")) == []


def test_an_unknown_campaign_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    with pytest.raises(CommandError, match=r"No campaign has the id or external id 'nowhere'") as raised:
        export("-o", str(file), campaign=["nowhere"])
    assert raised.value.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(CommandError, match=r"/nowhere/out\.csv: No such file or directory\.") as raised:
        export("-o", "/nowhere/out.csv")
    assert raised.value.returncode == 2


def test_a_name_that_ends_in_gz_is_compressed_the_same_each_time(tmp_path: Path) -> None:
    make_catalogue()
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        export("-o", str(tmp_path / name))
    first = (tmp_path / "a.jsonl.gz").read_bytes()
    assert first == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress(first).decode() == export(format="jsonl")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_revision_is_exported_as_it_was_frozen_and_can_be_loaded(format: str, tmp_path: Path) -> None:
    campaign, draft = make_campaign(external_id="crm-1"), make_campaign(steps=1)
    for position, variables in enumerate(VARIABLES):
        make_step(campaign, position, variables=variables)
    first = export(format=format, campaign=str(campaign.id)).replace("draft", "paused")
    lifecycle.change_status(campaign.id, "active", actor=ACTOR)
    lifecycle.change_status(campaign.id, "paused", actor=ACTOR)
    campaign.steps.filter(position=0).delete()
    lifecycle.change_status(campaign.id, "active", actor=ACTOR)
    lifecycle.change_status(campaign.id, "paused", actor=ACTOR)
    campaign.steps.all().delete()

    assert export("--revision", "1", format=format) == first
    latest = export("--revision", "latest", format=format, stderr=(err := io.StringIO()))
    assert latest == export("--revision", "2", format=format, stderr=err)
    assert err.getvalue().splitlines() == [
        "Campaigns left out, without a revision: 1.",
        "Campaigns left out, without revision 2: 1.",
    ]
    assert (latest.count("t4-v1"), latest.count("t0-v1"), str(draft.id) in latest) == (1, 0, False)
    (tmp_path / f"first.{format}").write_text(first, newline="")
    assert seed(tmp_path / f"first.{format}").code == 0
    assert export(format=format, campaign=str(campaign.id)) == first


def test_a_campaign_that_is_named_must_have_the_revision(tmp_path: Path) -> None:
    run, paused, draft = make_campaign(steps=1), make_campaign(external_id="b", status="paused"), make_campaign()
    lifecycle.change_status(run.id, "active", actor=ACTOR)
    named = [str(run.id), "b", str(draft.id)]
    with pytest.raises(CommandError, match=f"There is no revision 1 of 'b', '{draft.id}'\\.") as refused:
        export("-o", str(tmp_path / "out.csv"), "--revision", "1", campaign=named)
    assert (refused.value.returncode, list(tmp_path.iterdir())) == (2, [])
    with pytest.raises(CommandError, match=r"There is no revision of 'b'\."):
        export("--revision", "latest", campaign=named, status=paused.status)
    assert str(run.id) in export("--revision", "1", campaign=named, status="active")


def test_a_revision_has_a_number() -> None:
    with pytest.raises(CommandError, match="'first' is neither a revision's number nor latest"):
        export("--revision", "first")
