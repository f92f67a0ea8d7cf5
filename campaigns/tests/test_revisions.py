"""Revisions: what an activation freezes, and GET …/revisions and …/changes."""

import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns import lifecycle, rules, services, steps
from campaigns.frozen import FrozenError
from campaigns.models import Campaign, CampaignStep, HistoryEntry, Revision, RevisionStep
from campaigns.tests.api import NO_ID, campaign_url, not_found, step_url
from campaigns.tests.changes import WRITER
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_body
from campaigns.tests.races import at_once, caller, in_line
from campaigns.tests.seed_files import json_file, seed

pytestmark = pytest.mark.django_db
COMMAND = {"type": "command", "issuer": "", "id": "tests", "name": "tests"}
CONTENT = ("template_id", "template_version_id", "delay_minutes", "variables")


def get(client: APIClient, campaign: Campaign, path: str) -> Any:
    answer = client.get(campaign_url(campaign, path))
    assert answer.status_code == 200, answer.content
    return answer.json()


def take(campaign: Campaign, *targets: str) -> None:
    for target in targets:
        lifecycle.change_status(campaign.id, target, actor=ACTOR)


def running(**fields: Any) -> Campaign:
    """An active campaign with the steps a, b and c, whose positions have gaps."""
    campaign = make_campaign(**fields)
    for index, name in enumerate("abc"):
        make_step(campaign, 5 * index + 1, template_id=name, variables={"n": 1, "a": ["ü"]})
    take(campaign, "active")
    return campaign


def step(campaign: Campaign, template_id: str) -> CampaignStep:
    return campaign.steps.get(template_id=template_id)


# --- Freezing --------------------------------------------------------------------------------------------------------


def test_an_activation_freezes_the_steps_in_order(client: APIClient) -> None:
    campaign = running()
    stored = Revision.objects.get()
    assert get(client, campaign, "/revisions/1") == {
        "campaign_id": str(campaign.id),
        "number": 1,
        "digest": stored.digest,
        "step_count": 3,
        "created_at": stored.created_at.isoformat().replace("+00:00", "Z"),
        "created_by": COMMAND,
        "steps": [
            {
                "ordinal": index,
                "id": str(step(campaign, name).id),
                "template_id": name,
                "template_version_id": f"t{5 * index + 1}-v1",
                "delay_minutes": 0,
                "variables": {"n": 1, "a": ["ü"]},
            }
            for index, name in enumerate("abc")
        ],
    }


def test_a_digest_is_the_same_on_every_database() -> None:
    campaign = make_campaign()
    for number, variables in enumerate([{}, {"long name": 1e30, "b": [None, True, "ü\n\u2028"], "a": {"x": 1.50}}]):
        step_id = f"0199b3a0-5f0e-7a31-8c64-1d2f7b9e4a1{number}"
        make_step(campaign, number, id=step_id, template_id="ä:1", delay_minutes=number, variables=variables)
    take(campaign, "active")
    assert Revision.objects.get().digest == ("268323849ea13c684856979992105a20a23747362c30ce159d4290ce3eabb8ba")


def test_unchanged_steps_make_no_new_revision_and_others_do(client: APIClient) -> None:
    campaign = running()
    take(campaign, "paused", "active", "paused")
    assert get(client, campaign, "")["revision"] == 1

    CampaignStep.objects.filter(template_id="c").update(position=99)  # in the same order
    take(campaign, "active", "paused")
    client.patch(step_url(step(campaign, "b")), {"variables": {"n": 101}})
    client.post(campaign_url(campaign, "/activate"))
    assert [(it["number"], it["created_by"]) for it in get(client, campaign, "/revisions")["results"]] == [
        (2, WRITER),
        (1, COMMAND),
    ]
    assert [it["variables"]["n"] for it in get(client, campaign, "/revisions/1")["steps"]] == [1, 1, 1]
    assert [it["variables"]["n"] for it in get(client, campaign, "/revisions/latest")["steps"]] == [1, 101, 1]


OTHERS: dict[type, Any] = {rules.Integer: 7, rules.Text: "other", rules.JSONObject: {"other": [1]}}


@pytest.mark.parametrize("name", [name for name in rules.STEP_FIELDS if name != "position"])
def test_each_field_alone_is_told_as_a_change_and_makes_a_revision(client: APIClient, name: str) -> None:
    campaign = running()
    take(campaign, "paused")
    old, new = getattr(step(campaign, "b"), name), OTHERS[type(rules.STEP_FIELDS[name].rule)]
    changed = steps.change_step(campaign.id, step(campaign, "b").id, {name: new}, actor=ACTOR)
    assert get(client, campaign, "/changes")["changed"] == [
        {"ordinal": 1, "id": str(changed.id), "before": {name: old}, "after": {name: new}}
    ]
    take(campaign, "active")
    frozen = [services.get_revision(campaign.id, number).steps[1] for number in (1, 2)]
    assert [getattr(it, name) for it in frozen] == [old, new]


def test_campaign_history_and_feed_name_the_revision(client: APIClient) -> None:
    campaign = running()
    take(campaign, "paused")
    client.post(campaign_url(campaign, "/steps"), step_body(20))
    take(campaign, "active", "completed")
    told = [("activated", 1), ("paused", 1), ("added", None), ("activated", 2), ("completed", 2)]
    entries = get(client, campaign, "/history")["results"][::-1]
    events = client.get("/v1/messaging/events").json()["results"]
    assert [(entry["action"].partition(".")[2], entry["revision"]) for entry in entries] == told
    assert [(event["type"].partition(".")[2], event["revision"]) for event in events] == told
    assert get(client, campaign, "")["revision"] == 2
    assert [it["revision"] for it in client.get("/v1/messaging/campaigns").json()["results"]] == [2]


def test_a_refused_activation_freezes_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    assert client.post(campaign_url(campaign, "/activate")).status_code == 412
    assert not Revision.objects.exists()


@pytest.mark.any_database
@pytest.mark.parametrize("model", [Revision, RevisionStep])
def test_nothing_changes_or_deletes_a_revision(model: Any) -> None:
    running()
    before = list(model.objects.values())
    row = model.objects.first()
    for door in (
        row.save, row.delete, row.save_base, model.objects.all().delete,
        lambda: model.objects.update(ordinal=5), lambda: model.objects.bulk_update([row], ["step_count"]),
        model.objects.create, lambda: model.objects.bulk_create([row]),
        lambda: model.objects.get_or_create(number=9), lambda: model.objects.update_or_create(number=9),
    ):  # fmt: skip
        with pytest.raises(FrozenError):
            door()
    with pytest.raises(ProtectedError):
        Campaign.objects.all().delete()
    assert list(model.objects.values()) == before


# --- Meeting other calls ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_activations_at_once_one_makes_the_revision() -> None:
    campaign = make_campaign(steps=2)
    statuses = at_once([lambda: caller().post(campaign_url(campaign, "/activate")).status_code] * 2)
    assert sorted(statuses) == [200, 412]
    assert [it.step_count for it in Revision.objects.all()] == [2]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["add", "activate"])
def test_a_step_added_beside_an_activation_is_in_the_revision_or_refused(first: str) -> None:
    campaign = make_campaign(steps=2)

    def add() -> int:
        return caller().post(campaign_url(campaign, "/steps"), step_body(2)).status_code

    def activate() -> int:
        return caller().post(campaign_url(campaign, "/activate")).status_code

    with in_line(campaign) as start:
        futures = [start(call) for call in ((add, activate) if first == "add" else (activate, add))]
    answers = [future.result() for future in futures]
    assert answers == ([201, 200] if first == "add" else [200, 412])
    frozen = RevisionStep.objects.order_by("ordinal").values_list("step_id", flat=True)
    assert list(frozen) == list(campaign.steps.order_by("position").values_list("id", flat=True))


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_a_revision_is_kept_for_ever_by_its_digest(client: APIClient) -> None:
    campaign = running()
    digest = Revision.objects.get().digest
    answer = client.get(campaign_url(campaign, "/revisions/1"))
    assert (answer["ETag"], answer["Cache-Control"]) == (f'"{digest}"', "private, max-age=31536000, immutable")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        again = client.get(campaign_url(campaign, "/revisions/1"), headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["Cache-Control"]) == (304, b"", answer["Cache-Control"])
    assert [query["sql"] for query in queries if "revisionstep" in query["sql"]] == []
    assert len(queries) == 1


def test_latest_is_another_one_after_steps_were_changed_back(client: APIClient) -> None:
    campaign, tags = running(), []
    for delay in (0, 5, 0):
        client.post(campaign_url(campaign, "/pause"))
        client.patch(step_url(step(campaign, "a")), {"delay_minutes": delay})
        client.post(campaign_url(campaign, "/activate"))
        answer = client.get(campaign_url(campaign, "/revisions/latest"))
        tags.append(answer["ETag"])
    assert (answer.json()["number"], answer["Cache-Control"], len(set(tags))) == (3, "private, no-cache", 3)


def test_revisions_come_newest_first_in_pages(client: APIClient) -> None:
    campaign, seen = running(), []
    for delay in (1, 2):
        take(campaign, "paused")
        client.patch(step_url(step(campaign, "a")), {"delay_minutes": delay})
        take(campaign, "active")
    address = campaign_url(campaign, "/revisions?limit=2")
    while address:
        page = client.get(address).json()
        seen.append([it["number"] for it in page["results"]])
        address = page["next"]
    assert seen == [[3, 2], [1]]


@pytest.mark.parametrize("number", ["2", "0", "01", "-1", "first", "9" * 30])
def test_an_unknown_revision_is_not_found(client: APIClient, number: str) -> None:
    answer = client.get(campaign_url(running(), f"/revisions/{number}"))
    assert (answer.status_code, answer.json()) == (404, not_found("revision", number))


@pytest.mark.parametrize("path", ["/revisions", "/revisions/1", "/revisions/latest", "/revisions/x", "/changes"])
def test_without_a_campaign_there_is_none(client: APIClient, path: str) -> None:
    answer = client.get(campaign_url(NO_ID, path))
    assert (answer.status_code, answer.json()) == (404, not_found("campaign", NO_ID))


def test_a_draft_has_none(client: APIClient) -> None:
    campaign = make_campaign(steps=1)
    assert get(client, campaign, "/revisions")["results"] == []
    answer = client.get(campaign_url(campaign, "/revisions/latest"))
    assert (answer.status_code, answer.json()) == (404, not_found("revision", "latest"))


# --- Changes ---------------------------------------------------------------------------------------------------------

NOTHING: dict[str, Any] = {"added": [], "removed": [], "moved": [], "changed": []}


def test_changes_are_added_removed_moved_and_changed_steps(client: APIClient) -> None:
    campaign = running()
    assert get(client, campaign, "/changes") == {"revision": 1, **NOTHING}
    take(campaign, "paused")
    a, b, c = (step(campaign, name) for name in "abc")
    client.delete(step_url(b))
    client.patch(step_url(a), {"position": 50, "delay_minutes": 7, "variables": {"n": 1.0, "a": ["u"]}})
    added = client.post(campaign_url(campaign, "/steps"), step_body(3, template_id="d")).json()
    assert get(client, campaign, "/changes") == {
        "revision": 1,
        "added": [{"ordinal": 0, "id": added["id"], **{name: added[name] for name in CONTENT}}],
        "removed": [{"ordinal": 1, "id": str(b.id), **{name: getattr(b, name) for name in CONTENT}}],
        "moved": [{"id": str(c.id), "before": 2, "after": 1}],
        "changed": [
            {
                "ordinal": 2,
                "id": str(a.id),
                "before": {"delay_minutes": 0, "variables": {"n": 1, "a": ["ü"]}},
                "after": {"delay_minutes": 7, "variables": {"n": 1, "a": ["u"]}},
            }
        ],
    }
    take(campaign, "active")
    assert get(client, campaign, "/changes") == {"revision": 2, **NOTHING}


def test_a_step_in_front_moves_no_other_and_variables_alone_are_a_change(client: APIClient) -> None:
    campaign = running()
    take(campaign, "paused")
    client.post(campaign_url(campaign, "/steps"), step_body(0))
    client.patch(step_url(step(campaign, "b")), {"delay_minutes": 5})
    client.patch(step_url(step(campaign, "c")), {"variables": {"n": True, "a": ["ü"]}})
    found = get(client, campaign, "/changes")
    assert ([it["ordinal"] for it in found["added"]], found["removed"], found["moved"]) == ([0], [], [])
    assert [(it["before"], it["after"]) for it in found["changed"]] == [
        ({"delay_minutes": 0}, {"delay_minutes": 5}),
        ({"variables": {"n": 1, "a": ["ü"]}}, {"variables": {"n": True, "a": ["ü"]}}),
    ]


def test_as_few_steps_as_possible_have_moved(client: APIClient) -> None:
    campaign = make_campaign(steps=6)
    take(campaign, "active", "paused")
    ids = [str(it.id) for it in campaign.steps.order_by("position")]
    order = [ids[index] for index in (0, 4, 1, 2, 5, 3)]
    client.put(campaign_url(campaign, "/steps/order"), {"step_ids": order})
    moved = get(client, campaign, "/changes")["moved"]
    assert moved == [{"id": ids[4], "before": 4, "after": 1}, {"id": ids[5], "before": 5, "after": 4}]


def test_without_a_revision_all_steps_are_added(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    found = get(client, campaign, "/changes")
    assert (found | {"added": len(found["added"])}) == {"revision": None, **NOTHING, "added": 2}


# --- Commands --------------------------------------------------------------------------------------------------------


def test_seeding_with_statuses_makes_revision_1_of_what_has_run(client: APIClient, tmp_path: Path) -> None:
    statuses = ["draft", "active", "paused", "completed", "archived"]
    rows = [
        {"external_id": status, "campaign_name": status, "campaign_status": status, **step_body(position)}
        for status in statuses
        for position in (0, 1)
    ]
    assert seed(json_file(tmp_path / "rows.jsonl", *rows), restore_status=True).code == 0
    found = {
        campaign.external_id: (
            [(it.number, it.step_count, it.steps.count()) for it in campaign.revisions.all()],
            HistoryEntry.objects.get(campaign_id=campaign.id).revision,
        )
        for campaign in Campaign.objects.all()
    }
    made = ([(1, 2, 2)], 1)
    assert found == {"draft": ([], None), "active": made, "paused": made, "completed": made, "archived": ([], None)}
    assert get(client, Campaign.objects.get(external_id="active"), "/changes") == {"revision": 1, **NOTHING}


def freeze_revisions() -> str:
    out = io.StringIO()
    call_command("freeze_revisions", stdout=out)
    return out.getvalue()


def test_a_command_makes_the_revisions_that_an_older_version_did_not(client: APIClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("campaigns.revisions.BATCH", 2)
    by_status: dict[str, Campaign] = {status: make_campaign(status=status, steps=2) for status in Campaign.Status}
    empty = make_campaign(status="paused")
    assert freeze_revisions() == (
        "4 revisions made\n2 of them are of paused campaigns: they may hold edits that were made since those ran.\n"
    )
    assert {it.campaign_id for it in Revision.objects.all()} == {
        empty.id, *(by_status[status].id for status in ("active", "paused", "completed"))
    }  # fmt: skip
    shown = get(client, by_status["active"], "/revisions/latest")
    assert (shown["number"], shown["created_by"], len(shown["steps"])) == (
        1,
        {"type": "command", "issuer": "", "id": "migration", "name": "migration"},
        2,
    )
    assert empty.revisions.get().digest == sha256().hexdigest()
    before = list(Revision.objects.values())
    assert freeze_revisions() == "0 revisions made\n"
    assert list(Revision.objects.values()) == before
