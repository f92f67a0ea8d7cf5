"""Files of any shape do what a plain model in Python says, whichever way their rows take into the database."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.seeding import early, postgresql, staging
from campaigns.tests.factories import make_campaign, make_step, stored
from campaigns.tests.seed_files import csv_file, json_file, record, row, seed

STORED_NAME = "Welcome"
GIVEN_ID = "0190f3c2-7d6e-7a60-8f3e-2f5b8a1c9d04"


class Line(NamedTuple):
    """A row of the file; the template says what the step is, which is at fault without one. A blank line before it, if
    `gap`."""

    campaign: str
    position: int
    template: str = "t"
    name: str = STORED_NAME
    gap: bool = False


Faults = set[tuple[int, str, str]]
State = dict[str, tuple[str, dict[int, str]]]  # of each campaign its status, and the template at each position

lines = st.builds(
    Line,
    campaign=st.sampled_from("abc"),
    position=st.integers(0, 5),
    template=st.sampled_from(["t", "t", "u", ""]),
    name=st.sampled_from([STORED_NAME, STORED_NAME, "", "Other"]),
    gap=st.booleans(),
)
runs = st.builds(
    lambda campaign, length: [Line(campaign, position) for position in range(length)],
    st.sampled_from("abc"),
    st.integers(1, 5),
)
files = st.lists(lines, max_size=8) | st.lists(runs | lines.map(lambda line: [line]), max_size=4).map(
    lambda parts: [line for part in parts for line in part]
)
stored_states = st.dictionaries(
    st.sampled_from("ab"),
    st.tuples(
        st.sampled_from(["draft", "active"]), st.dictionaries(st.integers(0, 5), st.sampled_from("tu"), max_size=3)
    ),
    max_size=2,
)


def names_of(before: State, numbered: list[tuple[int, Line]]) -> dict[str, str]:
    said = {line.campaign: line.name for _, line in reversed(numbered) if line.name}
    return said | dict.fromkeys(before, STORED_NAME)


def model(before: State, numbered: list[tuple[int, Line]]) -> tuple[Faults, State]:
    """What is wrong with the rows, and what is stored when those without faults are loaded."""
    faults: Faults = {(number, "template_id", "required") for number, line in numbered if not line.template}
    names = names_of(before, numbered)
    seen: set[tuple[str, int]] = set()
    for number, line in numbered:
        if not line.template:
            continue
        status, steps = before.get(line.campaign, ("draft", {}))
        name = names.get(line.campaign)
        if name is None or line.name not in ("", name):
            faults.add((number, "campaign_name", "differs" if name else "required"))
        if (line.campaign, line.position) in seen:
            faults.add((number, "position", "repeated"))
        seen.add((line.campaign, line.position))
        if line.position in steps:
            if steps[line.position] != line.template:
                faults.add((number, "position", "position_taken"))
        elif status != "draft":
            faults.add((number, "campaign_id", "campaign_not_editable"))
    after = {campaign: (status, dict(steps)) for campaign, (status, steps) in before.items()}
    faulty = {number for number, _, _ in faults}
    for number, line in numbered:
        if number not in faulty:
            after.setdefault(line.campaign, ("draft", {}))[1][line.position] = line.template
    return faults, after


def stored_state() -> State:
    state: State = {str(campaign.external_id): (campaign.status, {}) for campaign in Campaign.objects.all()}
    for step in CampaignStep.objects.select_related("campaign"):
        state[str(step.campaign.external_id)][1][step.position] = step.template_id
    return state


@contextmanager
def batches_of(rows: int) -> Iterator[None]:
    """Handle small files as large ones are."""
    with (
        patch.object(staging, "BATCH_ROWS", rows),
        patch.object(postgresql, "MANY_ROWS", 2),
    ):
        yield


@pytest.mark.django_db
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(files, stored_states, st.booleans(), st.integers(1, 4))
@example([Line("a", 0), Line("a", 1), Line("b", 0), Line("a", 2)], {}, False, 2)  # a campaign comes back
@example([Line("a", 0), Line("a", 1), Line("b", 0), Line("a", 1)], {}, True, 4)  # and repeats a position
@example([Line("a", 0), Line("a", 1), Line("a", 2, gap=True)], {}, False, 2)  # its lines don't stand together
@example([Line("a", 1), Line("a", 0), Line("a", 1)], {}, True, 1)  # its positions don't ascend
@example([Line("a", 0), Line("a", 1, name="Other"), Line("a", 2, name="Other")], {}, True, 4)
@example(
    [Line("a", 0, template=""), Line("a", 1, name=""), Line("a", 2, name="")], {}, True, 4
)  # named by a faulty row
@example([Line("a", 0, template=""), Line("a", 1, name=""), Line("a", 2)], {}, True, 1)
@example([Line("a", 0), Line("a", 1), Line("b", 0)], {"a": ("draft", {0: "t", 1: "u"})}, True, 4)
@example([Line("a", 2), Line("b", 0), Line("a", 1)], {"a": ("draft", {1: "t"})}, False, 1)  # a stored one: likewise
@example([Line("a", 2), Line("b", 0), Line("a", 3, name="Other")], {"a": ("draft", {1: "t"})}, True, 1)
def test_a_file_does_what_the_model_says(file: list[Line], before: State, skip_invalid: bool, batch_rows: int) -> None:
    with transaction.atomic(), tempfile.TemporaryDirectory() as folder:
        for external_id, (status, steps) in before.items():
            campaign = make_campaign(external_id=external_id, name=STORED_NAME, status=status)
            for position, template in steps.items():
                make_step(campaign, position, template_id=template, template_version_id=f"{template}-v1")
        entries = HistoryEntry.objects.count()

        texts: list[str] = []
        numbered: list[tuple[int, Line]] = []
        for line in file:
            texts += [""] if line.gap else []
            texts.append(row(line.position, line.campaign, line.template, name=line.name))
            numbered.append((len(texts) + 1, line))
        faults, after = model(before, numbered)
        after = after if skip_invalid or not faults else before

        with batches_of(batch_rows):
            said = seed(csv_file(Path(folder) / "steps.csv", *texts), skip_invalid=skip_invalid, allow_empty=True)
        assert (said.code, set(said.faults)) == (int(bool(faults)), faults)
        assert stored_state() == after
        changed = [campaign for campaign in after if after[campaign] != before.get(campaign)]
        assert HistoryEntry.objects.count() - entries == len(changed)
        transaction.set_rollback(True)


@pytest.mark.django_db
@pytest.mark.parametrize("batch_rows", [1, 2, 10])
def test_faults_found_at_the_end_name_each_line_of_their_campaign(batch_rows: int, tmp_path: Path) -> None:
    year = 365 * 24 * 60
    texts = [f"a,Welcome,active,{position},t,v,{4 * year}" for position in range(4)]
    file = csv_file(
        tmp_path / "steps.csv",
        *(texts[0], texts[1], "", texts[2], texts[3]),
        header="external_id,campaign_name,campaign_status,position,template_id,template_version_id,delay_minutes",
    )
    with batches_of(batch_rows):
        said = seed(file, restore_status=True)
    assert said.faults == [(line, "campaign_status", "not_ready") for line in (2, 3, 5, 6)]
    assert stored_state() == {}


@pytest.mark.django_db
@pytest.mark.parametrize("batch_rows", [1, 2, 10])
@pytest.mark.parametrize(
    ("later", "found"),
    [
        ({"campaign_description": "Later"}, ("c", None, "Later", "draft")),
        ({"campaign_status": "paused"}, ("c", None, "", "paused")),
        ({"campaign_id": GIVEN_ID}, ("c", GIVEN_ID, "", "draft")),
        ({"campaign_id": GIVEN_ID, "campaign_status": "paused"}, ("c", GIVEN_ID, "", "paused")),
    ],
    ids=["description", "status", "id", "id and status"],
)
def test_what_only_a_later_row_says_of_a_new_campaign_counts(
    later: dict[str, str], found: tuple[Any, ...], batch_rows: int, tmp_path: Path
) -> None:
    rows = [record(0, variables={"a": 1}), record(1), record(2, **later), record(3)]
    with batches_of(batch_rows):
        said = seed(json_file(tmp_path / "steps.jsonl", *rows), restore_status=True)
    assert (said.code, said.faults) == (0, [])
    (campaign,) = Campaign.objects.all()
    given_id = str(campaign.id) if found[1] else None
    assert (campaign.external_id, given_id, campaign.description, campaign.status) == found
    steps = [(step.position, step.template_id, step.variables) for step in campaign.steps.order_by("position")]
    assert steps == [(0, "t", {"a": 1}), (1, "t", {}), (2, "t", {}), (3, "t", {})]


@pytest.mark.django_db
@pytest.mark.parametrize("batch_rows", [1, 2, 10])
@pytest.mark.parametrize("first", [0, 1])
def test_rows_may_call_a_stored_campaign_by_either_of_its_names(first: int, batch_rows: int, tmp_path: Path) -> None:
    campaign = make_campaign(external_id="c")
    make_step(campaign, 0)
    rows = [record(position) for position in (1, 1, 2, 3)]
    for named in rows[first::2]:
        del named["external_id"]
        named["campaign_id"] = str(campaign.id)
    with batches_of(batch_rows):
        said = seed(json_file(tmp_path / "steps.jsonl", *rows), skip_invalid=True)
    assert (said.code, said.faults) == (1, [(2, "position", "repeated")])
    assert list(campaign.steps.order_by("position").values_list("position", flat=True)) == [0, 1, 2, 3]


@pytest.mark.django_db
@pytest.mark.postgresql
def test_a_step_that_was_committed_just_before_its_campaign_was_locked_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    campaign = make_campaign(external_id="c")
    make_step(campaign, 0, template_id="other")
    # The statement that locks began before the step was committed: it sees none.
    monkeypatch.setattr(early, "BEGIN", early.BEGIN.replace("< c.position", "< c.position OR TRUE", 1))
    assert seed(csv_file(tmp_path / "steps.csv", row(0))).faults == [(2, "position", "position_taken")]


@pytest.mark.django_db
@pytest.mark.postgresql
def test_a_load_that_changes_nothing_locks_no_campaign(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "steps.csv", row(0), row(1))
    seed(file)
    lockers = []
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute("SELECT xmax::text FROM campaigns_campaign")
            lockers += cursor.fetchall()
        assert seed(file).code == 0
    assert lockers[0] == lockers[1]


rows_with_statuses = st.builds(
    record,
    st.integers(0, 3),
    st.sampled_from("ab"),
    st.sampled_from("tu"),
    campaign_status=st.sampled_from(["draft", "active", "paused"]),
)


FATES = ["steps_added", "steps_updated", "steps_unchanged", "steps_skipped", "rows_without_step", "refused"]


def reported(file: Path, **options: Any) -> dict[str, Any]:
    """What a load says in its report."""
    report = Path(f"{file}.report")
    seed(file, report=str(report), **options)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.mark.django_db
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(rows_with_statuses, min_size=1, max_size=6),
    st.sampled_from(["error", "skip", "update"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
@example([record(0, campaign_status="draft"), record(1, campaign_status="paused")], "error", True, True, 4)
def test_a_second_run_changes_nothing_with_any_options(
    rows: list[Any], on_conflict: str, skip_invalid: bool, restore_status: bool, batch_rows: int
) -> None:
    options = {"on_conflict": on_conflict, "skip_invalid": skip_invalid, "restore_status": restore_status}
    with transaction.atomic(), tempfile.TemporaryDirectory() as folder, batches_of(batch_rows):
        file = json_file(Path(folder) / "steps.jsonl", *rows)
        first = reported(file, **options)
        before = stored()
        second = reported(file, **options)
        assert stored() == before
        assert second["exit_code"] == first["exit_code"]
        for report in (first, second):
            if report["written"]:
                assert report["rows"] == sum(report[name] for name in FATES) == len(rows)
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_row_without_a_step_counts_once_beside_a_fault(tmp_path: Path) -> None:
    file = csv_file(tmp_path / "steps.csv", "c,Welcome,,,,,", row(0, "c"), row(0, "d"), row(0, "d"))
    report = reported(file, skip_invalid=True)
    assert {name: report[name] for name in FATES if report[name]} == {
        "steps_added": 2,
        "rows_without_step": 1,
        "refused": 1,
    }
    assert [entry.after["steps_added"] for entry in HistoryEntry.objects.all()] == [1, 1]  # type: ignore[index]


@pytest.mark.django_db
@pytest.mark.postgresql
def test_a_large_load_keeps_autovacuum_from_calling_its_table_empty(tmp_path: Path) -> None:
    with batches_of(1):
        seed(csv_file(tmp_path / "steps.csv", *(row(position) for position in range(3))))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reltuples, l.mode FROM pg_class c JOIN pg_locks l ON l.relation = c.oid "
            "WHERE c.relname = 'campaigns_campaign' AND l.pid = pg_backend_pid() AND l.mode LIKE 'ShareUpdate%'"
        )
        assert cursor.fetchall() == [(1, "ShareUpdateExclusiveLock")]
