"""The options of `manage.py seed_campaigns`: which rows it loads, and when it stops."""

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.tests.factories import make_campaign, make_step, stored
from campaigns.tests.seed_files import campaigns, csv_file, json_file, record, row, seed, steps_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug")]


@pytest.mark.parametrize(("restore", "status"), [(False, "draft"), (True, "paused")])
def test_new_campaigns_take_their_status_with_restore_status(restore: bool, status: str, json_path: Path) -> None:
    seed(json_file(json_path, record(0, campaign_status="paused")), restore_status=restore)
    assert campaigns() == [("c", "Welcome", status, 1)]


@pytest.mark.parametrize(
    "rows",
    [
        [{"external_id": "c", "campaign_name": "Welcome", "campaign_status": "active"}],
        [record(position, campaign_status="active", delay_minutes=2_147_483_647) for position in (0, 1)],
    ],
    ids=["no steps", "too long"],
)
def test_an_active_campaign_must_be_one_that_could_be_activated(rows: list[Any], json_path: Path) -> None:
    said = seed(json_file(json_path, *rows), restore_status=True)
    assert said.code == 1
    assert {fault[1:] for fault in said.faults} == {("campaign_status", "not_ready")}
    assert stored() == []


def test_skip_invalid_loads_the_rest_and_still_says_so(csv_path: Path) -> None:
    make_step(make_campaign(external_id="live", status="active"), 0)
    file = csv_file(csv_path, row(0), row(-1), row(1), row(1), row(5, "live", name="Welcome"), row(2, "new"))
    said = seed(file, skip_invalid=True)
    assert said.code == 1
    assert [(line, field) for line, field, _ in sorted(said.faults)] == [
        (3, "position"),
        (5, "position"),
        (6, "campaign_id"),
    ]
    assert [step[0] for step in steps_of("c")] == [0, 1]
    assert [step[0] for step in steps_of("new")] == [2]
    assert [step[0] for step in steps_of("live")] == [0]
    assert "3 rows refused" in said.out


def test_a_dry_run_counts_and_writes_nothing(csv_path: Path) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="old")
    before = stored()
    said = seed(csv_file(csv_path, row(0), row(1), row(2, "new"), row("x")), dry_run=True, on_conflict="update")
    assert said.code == 1
    assert "\nDry run, nothing written: 4 rows in " in said.out
    assert "1 campaign created, 1 extended; 2 steps added, 1 updated, 0 unchanged, 0 skipped; 0 rows" in said.out
    assert said.out.endswith("s. Only with --skip-invalid would the other rows be loaded.\n")
    assert stored() == before


def test_a_dry_run_shows_what_would_become_of_each_campaign(csv_path: Path, tmp_path: Path) -> None:
    stored_campaign = make_campaign(external_id="c")
    make_step(stored_campaign, 0, template_id="t", template_version_id="t-v1", delay_minutes=5)
    make_step(stored_campaign, 1, template_id="t", template_version_id="t-v1")
    file = csv_file(csv_path, row(0), row(1), row(2), row(0, "new"), row(-1), row(-1, "bad"))
    diff = tmp_path / "diff.jsonl"
    said = seed(file, dry_run=True, on_conflict="update", diff=str(diff))
    assert said.out.splitlines()[:3] == [
        "c: 1 added, 1 updated, 1 unchanged, 1 refused",
        "new (new): 1 added",
        "bad: 1 refused",
    ]
    assert [json.loads(line) for line in diff.read_text().splitlines()] == [
        {
            "line": 2, "external_id": "c", "campaign_id": str(stored_campaign.id), "position": 0, "outcome": "updated",
            "before": {"delay_minutes": 5}, "after": {"delay_minutes": 0},
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("on_conflict", "outcome"), [("error", "refused"), ("skip", "kept")])
def test_the_difference_says_what_would_become_of_the_step(
    on_conflict: str, outcome: str, csv_path: Path, tmp_path: Path
) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="t", template_version_id="t-v1", variables={"a": 1})
    diff = tmp_path / "diff.jsonl"
    seed(csv_file(csv_path, row(0, variables='{"a": 2}')), dry_run=True, on_conflict=on_conflict, diff=str(diff))
    told = json.loads(diff.read_text())
    assert (told["outcome"], told["before"], told["after"]) == (
        outcome,
        {"variables": {"a": 1}},
        {"variables": {"a": 2}},
    )


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [({"max_faults": 2}, 1, 2), ({"max_faults": 0}, 1, 3), ({"max_faults": 3}, 1, 3), ({"dry_run": True}, 1, 3)],
)
def test_reading_ends_after_as_many_faults_as_are_wanted(
    options: dict[str, Any], code: int, found: int, csv_path: Path
) -> None:
    said = seed(csv_file(csv_path, row(0), row(-1), row("x"), row(-2)), **options)
    assert (said.code, len(said.faults), stored()) == (code, found, [])


def test_faults_that_only_the_database_shows_count_towards_the_limit(csv_path: Path) -> None:
    said = seed(csv_file(csv_path, *(row(0) for _ in range(5))), max_faults=2)
    assert (said.code, said.faults) == (1, [(3, "position", "repeated"), (4, "position", "repeated")])
    assert said.message == "Stopped reading after 2 faults (--max-faults). Nothing was written."
