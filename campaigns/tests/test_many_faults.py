"""Beyond the first hundred, faults are counted exactly and never built."""

import random
from difflib import get_close_matches
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.test import APIClient

from campaigns import rule_fields, rules, serializers
from campaigns.exceptions import StepSetMismatch
from campaigns.many_steps import reorder_steps
from campaigns.rules import STEP_FIELDS, Fault, RuleViolation
from campaigns.serializers import CampaignStepSerializer, ReplacingStepSerializer, SequenceSerializer
from campaigns.tests.api import campaign_url, faults
from campaigns.tests.factories import ACTOR, make_campaign, step_body
from messaging_project.api import query_parameters
from messaging_project.api.errors import as_api_error, flatten

LISTED = 100
STRICT = {"Prefer": "handling=strict"}


class Built:
    """Counts the faults that are built."""

    def __init__(self) -> None:
        self.number = 0

    def fault(self, *parts: Any) -> Fault:
        self.number += 1
        return Fault(*parts)

    def detail(self, *parts: Any) -> ErrorDetail:
        self.number += 1
        return ErrorDetail(*parts)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    reverse("landing")  # imports the views, whose examples have faults of their own
    counted = Built()
    monkeypatch.setattr(rules, "Fault", counted.fault)
    for module in (rule_fields, serializers, query_parameters):
        monkeypatch.setattr(module, "ErrorDetail", counted.detail)
    return counted


def put(client: APIClient, steps: list[Any], **headers: str) -> Any:
    return client.put(campaign_url(make_campaign(), "/steps"), {"steps": steps}, headers=headers)


@pytest.mark.django_db
def test_faulty_strings_in_one_object(client: APIClient, built: Built) -> None:
    answer = client.post(campaign_url(make_campaign(), "/steps"), step_body(variables={"a": ["\x00"] * 50_000}))

    assert len(faults(answer)) == LISTED
    assert answer.json()["details"]["total"] == 50_000
    assert built.number == 2 * LISTED  # each as a rule has it and as DRF does


@pytest.mark.django_db
def test_faulty_strings_in_many_steps(client: APIClient, built: Built) -> None:
    answer = put(client, [step_body(index, variables={"a": ["\x00"] * 50}) for index in range(1_000)])

    assert len(faults(answer)) == LISTED
    assert answer.json()["details"]["total"] == 50_000
    assert built.number == 2 * LISTED


@pytest.mark.django_db
def test_near_names_are_looked_for_only_among_the_listed(
    client: APIClient, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def noting(name: str, *rest: Any, **more: Any) -> list[str]:
        compared.append(name)
        return get_close_matches(name, *rest, **more)

    monkeypatch.setattr(query_parameters, "get_close_matches", noting)
    body = step_body() | {f"x{index:05}": 1 for index in range(55_000)}

    answer = client.post(campaign_url(make_campaign(), "/steps"), body, headers=STRICT)

    assert faults(answer) == [(f"x{index:05}", "unknown") for index in range(LISTED)]
    assert answer.json()["details"]["total"] == 55_000
    assert compared == [f"x{index:05}" for index in range(LISTED)]
    assert built.number == LISTED


@pytest.mark.django_db
def test_ids_that_are_no_strings(client: APIClient, built: Built) -> None:
    answer = client.put(campaign_url(make_campaign(), "/steps/order"), {"step_ids": [1] * 10_000})

    assert faults(answer) == [(f"step_ids[{index}]", "invalid_type") for index in range(LISTED)]
    assert answer.json()["details"]["total"] == 10_000
    assert built.number == 2 * LISTED


@pytest.mark.django_db
def test_ids_of_no_step(client: APIClient) -> None:
    campaign = make_campaign(steps=3)

    answer = client.put(campaign_url(campaign, "/steps/order"), {"step_ids": [f"x{n}" for n in range(9_000)]})

    assert faults(answer) == [(f"step_ids[{index}]", "unknown") for index in range(LISTED)]
    assert answer.json()["details"]["total"] == 9_003  # with those that are missing
    with pytest.raises(StepSetMismatch) as mismatch:
        reorder_steps(campaign.id, ["x"] * 300 + [f"x{n}" for n in range(300)], actor=ACTOR)
    assert (len(mismatch.value.unknown), len(mismatch.value.repeated), mismatch.value.total) == (100, 100, 603)


FAULTY_VALUES: tuple[Any, ...] = (None, True, -1, 2.5, 3, "x", "", "\x00", [], {}, {"a\x00": ["\x00", {}]}, 2**40)
NAMES = ("id", *STEP_FIELDS, "campaign_id", "colour")


def messy_steps(chance: random.Random) -> list[Any]:
    def step() -> Any:
        if chance.random() < 0.1:
            return chance.choice(FAULTY_VALUES)
        return {name: chance.choice(FAULTY_VALUES) for name in NAMES if chance.random() < 0.7}

    return [step() for _ in range(200)]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_total_is_that_of_the_steps_one_by_one(seed: int, strict: bool) -> None:
    steps = messy_steps(random.Random(seed))
    context = {"strict": strict}
    whole = SequenceSerializer(data={"steps": steps}, context=context)
    expected = 0
    for index, step in enumerate(steps):
        fields = {field for field, _ in faults_of(ReplacingStepSerializer(data=step, context=context))}
        expected += len(faults_of(ReplacingStepSerializer(data=step, context=context)))
        expected += index in rules.repeated_positions(steps) and "position" not in fields

    with pytest.raises(ValidationError) as error:
        whole.is_valid(raise_exception=True)
    details = as_api_error(error.value).details

    assert details is not None
    assert (len(details["errors"]), details["total"]) == (LISTED, expected)


def faults_of(serializer: CampaignStepSerializer) -> list[tuple[str, ErrorDetail]]:
    return [] if serializer.is_valid() else list(flatten(serializer.errors))


@pytest.mark.parametrize("seed", range(20))
def test_the_total_inside_an_object_is_that_of_its_parts_one_by_one(seed: int) -> None:
    chance = random.Random(seed)

    def value(depth: int) -> Any:
        kind = chance.random()
        if depth == 23 or kind < 0.3:
            return chance.choice(["\x00", "x", 1, True, None, float("inf")])
        if kind < 0.6:
            return [value(depth + 1) for _ in range(3 if depth < 6 else 1)]
        return {chance.choice(["a", "b\x00", "c", "d\ud800"]): value(depth + 1) for _ in range(3 if depth < 6 else 1)}

    whole = {"sure": ["\x00"] * 100, "more": [value(3) for _ in range(20)]}

    with pytest.raises(RuleViolation) as violation:
        STEP_FIELDS["variables"].rule(whole)

    assert (len(violation.value.faults), violation.value.total) == (LISTED, faults_inside(whole, 1))


def faults_inside(value: Any, depth: int) -> int:
    """By plain recursion."""
    if isinstance(value, dict | list):
        if depth > 20:
            return 1
        names = sum(name[-1] in "\x00\ud800" for name in value) if isinstance(value, dict) else 0
        inside = value.values() if isinstance(value, dict) else value
        return names + sum(faults_inside(item, depth + 1) for item in inside)
    return value in ("\x00", float("inf"))
