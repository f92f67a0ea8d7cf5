"""Any series of writes to any campaigns leaves each sequence as a plain Python list model has it.

The series go through the API, refusals included, and hypothesis writes them. The examples are the same in every run.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from campaigns.models import CampaignStep
from campaigns.rules import MAX_INTEGER

Step = dict[str, Any]
URL = "/v1/messaging/campaigns"
OUTSIDER = "0199b3a0-5f0e-7a31-8c64-1d2f7b9e4a10"  # no campaign has a step with this id

POSITIONS = st.one_of(st.integers(0, 5), st.integers(MAX_INTEGER - 2, MAX_INTEGER))
VARIABLES: tuple[Step, ...] = ({}, {"n": 1}, {"a.b's": ['"\\%é\U0001f600', None, True, -1.5, 2**70, {"$": []}]})
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "position": POSITIONS,
    "template_id": st.sampled_from(["t1", "t2"]),
    "template_version_id": st.sampled_from(["v1", "v2"]),
    "delay_minutes": st.sampled_from([0, 1, 2, 3, MAX_INTEGER]),
    "variables": st.sampled_from(VARIABLES),
}
STEP = st.fixed_dictionaries(FIELDS)
DISTINCT_STEPS = st.lists(STEP, min_size=1, max_size=4, unique_by=lambda step: step["position"])
STEPS = DISTINCT_STEPS | st.lists(STEP, min_size=2, max_size=3)
CHANGES = st.fixed_dictionaries({}, optional=FIELDS)
WHICH = st.integers(0, 9)


class Refused(Exception):
    """What the model refuses: the status, and what names the reason."""


@dataclass
class Model:
    """A campaign as a list of steps. Each method changes it as the call of the API must, or raises Refused.

    It returns what the answer has to show. Steps are new until they have an id.
    """

    status: str = "draft"
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step, *, shift: bool) -> list[Step]:
        self.require_editable()
        if shift:
            run = self.run_from(step["position"])
            if run and run[-1]["position"] == MAX_INTEGER:
                raise Refused(412, "no_room")
            for moved in run:
                moved["position"] += 1
        self.require_free(step["position"])
        self.put([*self.steps, step])
        return [step]

    def add_many(self, steps: list[Step]) -> list[Step]:
        require_distinct([step["position"] for step in steps], "repeated")
        self.require_editable()
        for step in steps:
            self.require_free(step["position"])
        self.put([*self.steps, *steps])
        return steps

    def change(self, step: Step, changes: Step) -> list[Step]:
        self.require_editable()
        if changes.get("position", step["position"]) != step["position"]:
            self.require_free(changes["position"])
        step.update(changes)
        self.put(self.steps)
        return [step]

    def remove(self, step: Step) -> None:
        self.require_editable()
        self.steps.remove(step)

    def reorder(self, step_ids: list[str]) -> list[Step]:
        self.require_known(step_ids)
        if len(step_ids) < len(self.steps):
            raise Refused(400, "missing")
        self.require_editable()
        by_id = {step["id"]: step for step in self.steps}
        self.put([{**by_id[step_id], "position": position} for position, step_id in enumerate(step_ids)])
        return self.steps

    def replace(self, steps: list[Step]) -> list[Step]:
        require_distinct([step["position"] for step in steps], "repeated")
        self.require_known([step["id"] for step in steps if "id" in step])
        self.require_editable()
        self.put(steps)
        return self.steps

    def activate(self) -> None:
        total = sum(step["delay_minutes"] for step in self.steps)
        if not self.steps or total > 10 * 365 * 24 * 60:
            raise Refused(412, "not_ready")
        self.status = "active"

    def pause(self) -> None:
        self.status = "paused"

    def put(self, steps: Iterable[Step]) -> None:
        self.steps = sorted(steps, key=lambda step: step["position"])
        assert len({step["position"] for step in self.steps}) == len(self.steps)

    def run_from(self, position: int) -> list[Step]:
        """The unbroken run of steps from `position` on."""
        run: list[Step] = []
        for step in self.steps:
            if step["position"] == position + len(run):
                run.append(step)
        return run

    def require_editable(self) -> None:
        if self.status == "active":
            raise Refused(412, "campaign_not_editable")

    def require_free(self, position: int) -> None:
        if run := self.run_from(position):
            after = run[-1]["position"] + 1
            raise Refused(412, "position_taken", position, run[0]["id"], after if after <= MAX_INTEGER else None)

    def require_known(self, step_ids: list[str]) -> None:
        if OUTSIDER in step_ids:
            raise Refused(400, "unknown")
        require_distinct(step_ids, "repeated")


def copies(steps: list[Step]) -> list[Step]:
    return [{**step} for step in steps]


def require_distinct(values: list[Any], code: str) -> None:
    if len(set(values)) < len(values):
        raise Refused(400, code)


def distinct(steps: Iterable[Step]) -> list[Step]:
    """The last step of each position."""
    return list({step["position"]: step for step in steps}.values())


def outcome(apply: Callable[[Model], list[Step] | None], model: Model) -> tuple[list[Step] | None, Refused | None]:
    try:
        return apply(model), None
    except Refused as refused:
        return None, refused


def refusal(response: Any) -> tuple[Any, ...]:
    """What Refused says of the same answer."""
    details = response.json()["details"]
    if response.status_code == 400:
        return 400, details["errors"][0]["code"]
    holder = [details[key] for key in ("position", "step_id", "next_position")] if "step_id" in details else []
    return response.status_code, details["reason"], *holder


class Sequences(RuleBasedStateMachine):
    """Writes to campaigns by the API and to their models alike, and compares all of them after each write."""

    campaigns: Bundle[str] = Bundle("campaigns")

    def __init__(self, client: APIClient) -> None:
        super().__init__()
        self.client = client
        self.models: dict[str, Model] = {}
        self.step_ids = {OUTSIDER}
        self.versions: dict[str, tuple[int, str]] = {}

    # --- What is done ------------------------------------------------------------------------------------------------

    @initialize(target=campaigns, first=DISTINCT_STEPS, second=DISTINCT_STEPS)
    def begin(self, first: list[Step], second: list[Step]) -> Any:
        campaigns = [self.created(self.client.post(URL, {"name": "N", "steps": it}), it) for it in (first, second)]
        self.activate_or_pause(campaigns[0])
        return multiple(*campaigns)

    @rule(target=campaigns, campaign=campaigns)
    def duplicate(self, campaign: str) -> str:
        steps = [{name: step[name] for name in FIELDS} for step in self.models[campaign].steps]
        return self.created(self.client.post(f"{URL}/{campaign}/duplicate"), steps)

    @rule(campaign=campaigns, step=STEP, shift=st.booleans())
    def add(self, campaign: str, step: Step, shift: bool) -> None:
        query = "?on_conflict=shift" if shift else ""
        self.write("post", campaign, f"/steps{query}", step, lambda model: model.add({**step}, shift=shift))

    @rule(campaign=campaigns, steps=STEPS)
    def add_many(self, campaign: str, steps: list[Step]) -> None:
        self.write("post", campaign, "/steps/bulk", {"steps": steps}, lambda model: model.add_many(copies(steps)))

    @rule(campaign=campaigns, which=WHICH, changes=CHANGES)
    def change(self, campaign: str, which: int, changes: Step) -> None:
        if step := self.step(campaign, which):
            self.write("patch", campaign, f"/steps/{step['id']}", changes, lambda model: model.change(step, changes))

    @rule(campaign=campaigns, which=WHICH)
    def remove(self, campaign: str, which: int) -> None:
        if step := self.step(campaign, which):
            self.write("delete", campaign, f"/steps/{step['id']}", None, lambda model: model.remove(step))

    @rule(campaign=campaigns, data=st.data(), flaw=st.sampled_from(["", "", "missing", "repeated", "unknown"]))
    def reorder(self, campaign: str, data: st.DataObject, flaw: str) -> None:
        ids = data.draw(st.permutations([step["id"] for step in self.models[campaign].steps]))
        flawed = {"missing": ids[1:], "repeated": ids + ids[:1], "unknown": [*ids, OUTSIDER]}
        given = flawed.get(flaw, ids)
        self.write("put", campaign, "/steps/order", {"step_ids": given}, lambda model: model.reorder(given))

    @rule(campaign=campaigns, new=STEPS, data=st.data(), flaw=st.sampled_from(["", "", "repeated", "unknown"]))
    def replace(self, campaign: str, new: list[Step], data: st.DataObject, flaw: str) -> None:
        current = data.draw(st.permutations(self.models[campaign].steps))
        kept = current[: data.draw(st.integers(0, len(current)))]
        changed = [{**step, "id": old["id"]} for step, old in zip(new, current[len(kept) :], strict=False)]
        steps = [*distinct([*kept, *changed]), *new[len(changed) :]]
        if flaw:
            steps.append({**new[0], "position": 10, "id": steps[0].get("id", OUTSIDER)})
            steps[-1]["id"] = OUTSIDER if flaw == "unknown" else steps[-1]["id"]
        self.write("put", campaign, "/steps", {"steps": steps}, lambda model: model.replace(copies(steps)))

    @rule(campaign=campaigns)
    def activate_or_pause(self, campaign: str) -> None:
        active = self.models[campaign].status == "active"
        path, apply = ("/pause", Model.pause) if active else ("/activate", Model.activate)
        self.write("post", campaign, path, None, apply)

    # --- What must come of it ----------------------------------------------------------------------------------------

    def write(
        self, method: str, campaign: str, path: str, body: Any, apply: Callable[[Model], list[Step] | None]
    ) -> None:
        """Make a call and the same change of the model: both refuse it alike, or the answer shows what it did."""
        response = getattr(self.client, method)(f"{URL}/{campaign}{path}", body)
        expected, refused = outcome(apply, self.models[campaign])
        if refused:
            assert response.status_code >= 400, f"{refused.args} was expected"
            assert refusal(response) == refused.args
        else:
            assert response.status_code < 300, response.json()
            self.adopt_ids(campaign)
            if expected is not None:
                answer = response.json()
                assert self.without_campaign(campaign, answer.get("results", [answer])) == expected
        self.compare()

    def created(self, response: Any, steps: list[Step]) -> str:
        """The id of a campaign that has just been created with `steps`."""
        campaign: str = response.json()["id"]
        self.models[campaign] = Model()
        self.models[campaign].put(copies(steps))
        self.adopt_ids(campaign)
        self.compare()
        return campaign

    def adopt_ids(self, campaign: str) -> None:
        """Give the model's new steps the ids that they were stored with, which nothing had before."""
        for step, found in zip(self.models[campaign].steps, self.stored()[campaign], strict=True):
            if "id" not in step:
                assert found["id"] not in self.step_ids
                self.step_ids.add(found["id"])
                step["id"] = found["id"]

    def compare(self) -> None:
        """Every campaign has its model's steps, and a step has another version than before exactly where it changed."""
        for campaign, steps in self.stored().items():
            versions = [step.pop("version") for step in steps]
            assert steps == self.models[campaign].steps
            for step, version in zip(steps, versions, strict=True):
                snapshot = json.dumps(step, sort_keys=True)
                before = self.versions.get(step["id"], (version, snapshot))
                assert (version == before[0]) == (snapshot == before[1])
                self.versions[step["id"]] = version, snapshot

    def stored(self) -> dict[str, list[Step]]:
        """The steps of every campaign, in order, with their versions."""
        steps: dict[str, list[Step]] = {campaign: [] for campaign in self.models}
        for row in CampaignStep.objects.filter(campaign_id__in=self.models).order_by("position"):
            steps[str(row.campaign_id)].append({"id": str(row.id), **row.fields._asdict(), "version": row.version})
        return steps

    def without_campaign(self, campaign: str, steps: list[Step]) -> list[Step]:
        assert [step.pop("campaign_id") for step in steps] == [campaign] * len(steps)
        return steps

    def step(self, campaign: str, which: int) -> Step | None:
        """One of the model's steps, if there is any."""
        steps = self.models[campaign].steps
        return steps[which % len(steps)] if steps else None


@pytest.mark.django_db
def test_any_series_of_writes_equals_the_model(client: APIClient) -> None:
    thorough = settings(derandomize=True, max_examples=25, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(lambda: Sequences(client), settings=thorough)  # type: ignore[arg-type]
