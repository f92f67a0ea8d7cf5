"""`manage.py seed_campaigns`: what a file does to what is stored."""

import re
from pathlib import Path
from typing import Any

import pytest

from campaigns.models import Campaign, CampaignStep, HistoryEntry, new_id
from campaigns.tests.factories import history_of, make_campaign, make_step, stored
from campaigns.tests.seed_files import campaigns, csv_file, csv_row, json_file, record, row, seed, steps_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug")]


# --- New campaigns ---------------------------------------------------------------------------------------------------


def test_a_csv_file_becomes_drafts_with_steps(csv_path: Path) -> None:
    said = seed(
        csv_file(
            csv_path,
            row(0, "a", "t1", delay=60, variables='{"n": 12345678901234567890, "x": [1.5, true]}'),
            row("3.0", "a", "t2"),
            row(2147483647, "b", "t3"),
            csv_row("empty", "Nothing yet", "", "", "", "", ""),
        )
    )
    assert (said.code, said.err) == (0, "")
    assert steps_of("a") == [(0, "t1", 60, {"n": 12345678901234567890, "x": [1.5, True]}, 1), (3, "t2", 0, {}, 1)]
    assert campaigns() == [
        ("a", "Welcome", "draft", 2),
        ("b", "Welcome", "draft", 1),
        ("empty", "Nothing yet", "draft", 0),
    ]


def test_json_lines_become_the_same(json_path: Path) -> None:
    given_id = new_id()
    said = seed(
        json_file(
            json_path,
            {"campaign_id": str(given_id), "campaign_name": "By id", "campaign_description": "Two\nlines"},
            {"campaign_id": str(given_id), "position": 5, "template_id": "t", "template_version_id": "v"},
            record(0, "a", variables={"n": 1}, delay_minutes=7),
            record(1.0, "a", variables={"deep": {"er": [None, "é:"]}}),
        )
    )
    assert said.code == 0
    by_id = Campaign.objects.get(pk=given_id)
    assert (by_id.name, by_id.description, by_id.external_id, by_id.status) == ("By id", "Two\nlines", None, "draft")
    assert [step.position for step in by_id.steps.all()] == [5]
    assert steps_of("a") == [(0, "t", 7, {"n": 1}, 1), (1, "t", 0, {"deep": {"er": [None, "é:"]}}, 1)]


def test_an_external_id_and_an_id_of_the_same_new_campaign_meet(json_path: Path) -> None:
    given_id = str(new_id())
    seed(json_file(json_path, record(0), record(1, campaign_id=given_id), record(2)))
    assert [(str(step.campaign_id), step.position) for step in CampaignStep.objects.all()] == [
        (given_id, 0),
        (given_id, 1),
        (given_id, 2),
    ]


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([csv_row("c", "", 0, "t", "v", "", "")], [(2, "campaign_name", "required")]),
        ([row(0), row(1, name="Other")], [(3, "campaign_name", "differs")]),
        ([row(0), row(1), row(0)], [(4, "position", "repeated")]),
        ([row(0), row(0, "d"), row(0)], [(4, "position", "repeated")]),
    ],
    ids=["no name", "two names", "a position twice", "a position twice, far apart"],
)
def test_rows_that_contradict_each_other_are_refused(
    rows: list[str], faults: list[tuple[int, str, str]], csv_path: Path
) -> None:
    said = seed(csv_file(csv_path, *rows))
    assert (said.code, said.faults) == (1, faults)
    assert stored() == []


def test_a_campaign_is_not_made_of_half_of_what_a_row_says_of_it(json_path: Path) -> None:
    nameless = {name: value for name, value in record(1).items() if name != "campaign_name"}
    said = seed(json_file(json_path, record(0, campaign_description="\0"), nameless), skip_invalid=True)
    assert said.faults == [(1, "campaign_description", "control_character"), (2, "campaign_name", "required")]
    assert stored() == []


def test_two_new_campaigns_cannot_share_an_external_id(json_path: Path) -> None:
    said = seed(json_file(json_path, record(0, campaign_id=str(new_id())), record(0, campaign_id=str(new_id()))))
    assert (said.code, said.faults) == (1, [(1, "external_id", "unique"), (2, "external_id", "unique")])
    assert stored() == []


def test_an_external_id_belongs_to_one_campaign(json_path: Path) -> None:
    make_campaign(external_id="c")
    before = stored()
    said = seed(json_file(json_path, record(0, campaign_id=str(new_id())), record(0, "d", campaign_id=str(new_id()))))
    assert (said.code, said.faults) == (1, [(1, "external_id", "unique")])
    assert stored() == before


# --- Stored campaigns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_second_run_changes_nothing_whatever_the_status_and_the_flag(
    status: str, on_conflict: str, csv_path: Path
) -> None:
    file = csv_file(csv_path, row(0, variables='{"a": 1, "b": [1.0, {}]}'), row(4, delay=5), row(0, "d"))
    seed(file)
    Campaign.objects.update(status=status)
    before = stored()
    said = seed(file, on_conflict=on_conflict)
    assert said.code == 0
    assert "0 campaigns created, 0 extended; 0 steps added, 0 updated, 3 unchanged, 0 skipped; 0 rows" in said.out
    assert stored() == before


@pytest.mark.parametrize(
    ("stored_text", "given", "same"),
    [
        ({"a": 1, "b": 2}, '{"b": 2, "a": 1}', True),
        ({"a": 1}, '{"a": 1.0}', True),
        ({"a": 100.0}, '{"a": 1e2}', True),
        ({"a": "é"}, '{"a": "\\u00e9"}', True),
        ({"a": [1, 2]}, '{"a": [2, 1]}', False),
        ({"a": True}, '{"a": 1}', False),
        ({"a": False}, '{"a": 0}', False),
        ({"a": None}, "{}", False),
        ({"a": 12345678901234567890}, '{"a": 12345678901234567891}', False),
        ({"a": {"b": [True]}}, '{"a": {"b": [1]}}', False),
    ],
)
def test_variables_are_compared_by_their_json_meaning(
    stored_text: dict[str, Any], given: str, same: bool, csv_path: Path
) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="t", template_version_id="t-v1", variables=stored_text)
    said = seed(csv_file(csv_path, row(0, variables=given)))
    assert said.faults == ([] if same else [(2, "position", "position_taken")])


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_stored_campaign_is_extended_only_while_editable(status: str, csv_path: Path) -> None:
    campaign = make_campaign(external_id="c", status=status)
    make_step(campaign, 0, template_id="t", template_version_id="t-v1")
    version = campaign.version
    said = seed(csv_file(csv_path, row(0), row(1)))
    campaign.refresh_from_db()
    editable = status in ("draft", "paused")
    assert said.faults == ([] if editable else [(3, "campaign_id", "campaign_not_editable")])
    assert [step.position for step in campaign.steps.all()] == ([0, 1] if editable else [0])
    assert (campaign.status, campaign.version) == (status, version)


@pytest.mark.parametrize(
    ("on_conflict", "code", "kept"),
    [
        ("error", 1, [(0, "old", 1)]),
        ("skip", 0, [(0, "old", 1), (1, "t", 1)]),
        ("update", 0, [(0, "t", 2), (1, "t", 1)]),
    ],
)
def test_a_position_that_holds_something_else(
    on_conflict: str, code: int, kept: list[tuple[int, str, int]], csv_path: Path
) -> None:
    campaign = make_campaign(external_id="c")
    step = make_step(campaign, 0, template_id="old")
    said = seed(csv_file(csv_path, row(0), row(1)), on_conflict=on_conflict)
    assert said.code == code
    assert said.faults == ([(2, "position", "position_taken")] if code else [])
    steps = list(campaign.steps.order_by("position").values_list("position", "template_id", "version"))
    assert steps == kept
    changed = CampaignStep.objects.get(pk=step.pk)
    assert changed.updated_at > step.updated_at if on_conflict == "update" else changed.updated_at == step.updated_at


def test_update_respects_the_status(csv_path: Path) -> None:
    make_step(make_campaign(external_id="c", status="active"), 0, template_id="old")
    before = stored()
    said = seed(csv_file(csv_path, row(0)), on_conflict="update")
    assert (said.code, said.faults) == (1, [(2, "campaign_id", "campaign_not_editable")])
    assert stored() == before


@pytest.mark.parametrize("field", ["campaign_name", "campaign_description", "external_id"])
def test_a_stored_campaign_itself_is_never_changed(field: str, json_path: Path) -> None:
    campaign = make_campaign(external_id="c")
    before = stored()
    said = seed(json_file(json_path, {**record(0), "campaign_id": str(campaign.id), field: "Other"}))
    assert (said.code, said.faults) == (1, [(1, field, "differs")])
    assert stored() == before


# --- History ---------------------------------------------------------------------------------------------------------


def test_each_touched_campaign_gets_one_entry(csv_path: Path) -> None:
    extended = make_campaign(external_id="c")
    make_step(extended, 0, template_id="old")
    untouched = make_campaign(external_id="same")
    make_step(untouched, 0, template_id="t", template_version_id="t-v1")
    file = csv_file(csv_path, row(0), row(1), row(2), row(0, "new"), row(0, "same"))
    seed(file, on_conflict="update")
    created = Campaign.objects.get(external_id="new")
    (entry,) = history_of(extended)
    after = entry.pop("after")
    assert entry == {
        "actor_type": "command", "actor_issuer": "", "actor_id": "seed_campaigns", "actor_name": after["operator"],
        "action": "campaign.seeded", "step_id": None, "before": None,
    }  # fmt: skip
    shared = {"run_id": after["run_id"], "sha256": after["sha256"], "source": str(file), "operator": after["operator"]}
    assert re.fullmatch("[0-9a-f]{64}", after["sha256"])
    assert after == {**shared, "campaign": "extended", "steps_added": 2, "steps_updated": 1}
    assert history_of(created)[0]["after"] == {**shared, "campaign": "created", "steps_added": 1, "steps_updated": 0}
    assert HistoryEntry.objects.count() == 2
