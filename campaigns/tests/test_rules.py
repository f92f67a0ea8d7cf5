"""The field rules, directly: their limits, and that no JSON text gets past them or breaks them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import rules
from campaigns.canonical_json import canonical
from campaigns.serializers import CampaignStepSerializer
from campaigns.tests.factories import step_body
from messaging_project.api.json import render
from messaging_project.field_paths import place
from messaging_project.strict_json import JSONError, loads

INTEGER = rules.STEP_FIELDS["delay_minutes"].rule
OPAQUE_ID = rules.STEP_FIELDS["template_id"].rule
NAME = rules.CAMPAIGN_FIELDS["name"].rule
DESCRIPTION = rules.CAMPAIGN_FIELDS["description"].rule
VARIABLES = rules.STEP_FIELDS["variables"].rule


def faults(rule: rules.Rule, value: object) -> list[tuple[rules.Path, str]]:
    """Where and how `value` breaks the rule."""
    with pytest.raises(rules.RuleViolation) as violation:
        rule(value)
    return [(fault.path, fault.code) for fault in violation.value.faults]


def nested(levels: int, innermost: Any = None) -> Any:
    """`levels` objects inside each other, the innermost one empty or holding a value."""
    value: Any = {} if innermost is None else {"a": innermost}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


# --- One value at a time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "taken"), [(0, 0), (3.0, 3), (-0.0, 0), (2**31 - 1, 2**31 - 1), (Decimal(7), 7)])
def test_integers_are_taken_as_integers(given: Any, taken: int) -> None:
    found = INTEGER(given)
    assert (found, type(found)) == (taken, int)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "invalid_type"),
        (True, "invalid_type"),
        ("3", "invalid_type"),
        ([], "invalid_type"),
        ({}, "invalid_type"),
        (2.5, "invalid_type"),
        (-1, "min_value"),
        (float("-inf"), "min_value"),
        (Decimal("-" + "9" * 5_000), "min_value"),
        (2**31, "max_value"),
        (float("inf"), "max_value"),
        (Decimal("9" * 5_000), "max_value"),
    ],
)
def test_what_is_no_integer_in_range_is_refused(value: Any, code: str) -> None:
    assert faults(INTEGER, value) == [((), code)]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (OPAQUE_ID, "é" * 255),
        (OPAQUE_ID, " a "),
        (OPAQUE_ID, "\u200b"),
        (NAME, "é" * 200),
        (NAME, "👩‍👩‍👧"),
        (DESCRIPTION, ""),
        (DESCRIPTION, " "),
        (DESCRIPTION, "a\tb\r\nc"),
        (DESCRIPTION, "é" * 10_000),
    ],
)
def test_strings_are_taken_unchanged(rule: rules.Rule, value: str) -> None:
    assert rule(value) == value


@pytest.mark.parametrize(
    ("rule", "value", "code"),
    [
        (OPAQUE_ID, 5, "invalid_type"),
        (OPAQUE_ID, None, "invalid_type"),
        (OPAQUE_ID, "", "blank"),
        (OPAQUE_ID, "\u3000 ", "blank"),
        (OPAQUE_ID, "a" * 256, "max_length"),
        (OPAQUE_ID, "a\tb", "control_character"),
        (OPAQUE_ID, "a\x7f", "control_character"),
        (OPAQUE_ID, "a\x9f", "control_character"),
        (OPAQUE_ID, "\udc00", "surrogate"),
        (NAME, "a" * 201, "max_length"),
        (NAME, "a\nb", "control_character"),
        (NAME, "\n", "control_character"),
        (DESCRIPTION, "a" * 10_001, "max_length"),
        (DESCRIPTION, "a\x00", "control_character"),
        (DESCRIPTION, "a\x0b", "control_character"),
        (DESCRIPTION, "\ud83d", "surrogate"),
        (DESCRIPTION, None, "invalid_type"),
    ],
)
def test_strings_that_break_a_rule_are_refused(rule: rules.Rule, value: Any, code: str) -> None:
    assert faults(rule, value) == [((), code)]


@pytest.mark.parametrize(
    "value",
    [
        {},
        nested(20),
        {"a": [1, -1, 1.5, None, True, "x", 10**4_299, -(10**4_299), {"": {" ": []}}]},
        {"text": "a" * (64 * 1024 - len('{"text":""}'))},
        {"text": "日" * ((64 * 1024 - len('{"text":""}')) // 3)},
    ],
    ids=["empty", "20 levels", "every kind", "64 KiB", "64 KiB in other scripts"],
)
def test_variables_are_taken_unchanged(value: dict[str, Any]) -> None:
    assert VARIABLES(value) is value


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], [((), "invalid_type")]),
        (None, [((), "invalid_type")]),
        (nested(21), [(("a",) * 20, "too_deep")]),
        (nested(20, []), [(("a",) * 20, "too_deep")]),
        ({"text": "a" * (64 * 1024 - len('{"text":""}') + 1)}, [((), "too_large")]),
        ({"a": {1, 2}}, [(("a",), "invalid_type")]),
        ({5: 0}, [((), "invalid_type")]),
        ({"a": float("nan")}, [(("a",), "out_of_range")]),
        ({"a": 10**4_300}, [(("a",), "number_too_long")]),
        ({"a": -(10**4_300)}, [(("a",), "number_too_long")]),
        ({"a": Decimal("9" * 4_301)}, [(("a",), "number_too_long")]),
        (
            {"b": "\x00", "a": [{"\ud800": "\x00"}, float("inf")], "\x00": 1},
            [
                (("\x00",), "null_character"),
                (("b",), "null_character"),
                (("a", 0, "\ud800"), "surrogate"),
                (("a", 0, "\ud800"), "null_character"),
                (("a", 1), "out_of_range"),
            ],
        ),
    ],
)
def test_every_fault_in_variables_is_found_where_it_is(value: Any, found: list[tuple[rules.Path, str]]) -> None:
    assert faults(VARIABLES, value) == found


@pytest.mark.parametrize(
    ("path", "keys", "expected"),
    [
        ("variables", (), "variables"),
        ("variables", ("name",), "variables.name"),
        ("", ("steps", 3, "variables", "a b"), 'steps[3].variables["a b"]'),
        ("v", ("",), 'v[""]'),
        ("v", ('a"b\\',), 'v["a\\"b\\\\"]'),
        ("v", ("\ud800",), 'v["\\ud800"]'),
        ("v", ("a" * 64,), f"v.{'a' * 64}"),
        ("v", ("a" * 65,), f'v["{"a" * 64}…"]'),
    ],
)
def test_a_place_is_written_as_a_path(path: str, keys: tuple[str | int, ...], expected: str) -> None:
    assert place(path, keys) == expected


@pytest.mark.parametrize(
    ("rule", "given", "taken"),
    [
        (rules.Items(2, minimum=1), [0], [0]),
        (rules.Items(2, minimum=1), [0, 0], [0, 0]),
        (rules.StepIds(), ["A"], ["a"]),
        (rules.OneOf(("yes", "no")), "no", "no"),
    ],
)
def test_a_rule_returns_what_it_takes(rule: rules.Rule, given: Any, taken: Any) -> None:
    assert rule(given) == taken


BATCH = rules.Items(3, minimum=1, remedy="Add the others by further calls.")
MESSAGES: list[tuple[rules.Rule, Any, str]] = [
    (INTEGER, True, "Must be an integer, not a boolean."),
    (INTEGER, 2.5, "Must be a whole number."),
    (INTEGER, -1, "Must be 0 or more."),
    (INTEGER, 2**31, "Must be at most 2147483647."),
    (NAME, 5, "Must be a string, not a number."),
    (NAME, "é" * 1_201, "Must have at most 200 characters; it has 1,201."),
    (NAME, "a\nb", "Must not contain control characters."),
    (NAME, "\ud800", "Must not contain half of a surrogate pair."),
    (NAME, " ", "Must not be empty or only white space."),
    (VARIABLES, [], "Must be an object, not an array."),
    (
        VARIABLES,
        {"n": [1e300, 1e-7], "text": "a" * (64 * 1024)},
        "Must take at most 65,536 bytes as compact JSON, numbers written out in full; it takes 65,865.",
    ),
    (VARIABLES, nested(21), "Must be nested at most 20 levels deep."),
    (VARIABLES, {5: 0}, "Must have strings as names."),
    (VARIABLES, {"\x00": 0}, "Its name must not contain the character U+0000."),
    (VARIABLES, {"\ud800": 0}, "Its name must not contain half of a surrogate pair."),
    (VARIABLES, {"a": "x\x00y"}, "Must not contain the character U+0000."),
    (VARIABLES, {"a": "\ud800"}, "Must not contain half of a surrogate pair."),
    (VARIABLES, {"a": 10**4_300}, "Must have at most 4,300 digits."),
    (VARIABLES, {"a": Decimal(7)}, "Must have at most 4,300 digits."),
    (VARIABLES, {"a": float("inf")}, "Must be a number that a 64-bit float can hold."),
    (VARIABLES, {"a": {1}}, "Must be a JSON value."),
    (BATCH, {}, "Must be an array, not an object."),
    (BATCH, [], "Must have at least 1 item."),
    (rules.Items(3, minimum=2), [0], "Must have at least 2 items."),
    (BATCH, [0] * 1_001, "Must have at most 3 items; it has 1,001. Add the others by further calls."),
    (rules.Items(1_000), [0] * 1_001, "Must have at most 1,000 items; it has 1,001."),
    (rules.StepId(), None, "Must be a string, not null."),
    (rules.StepId(), "first", "Must be the id of a step of this campaign."),
    (rules.StepIds(), "a", "Must be an array, not a string."),
    (rules.StepIds(), ["a", {}], "Must be a string, not an object."),
    (rules.OneOf(("yes", "no")), "maybe", "Must be one of: yes, no."),
]


@pytest.mark.parametrize(
    ("rule", "value", "message"), MESSAGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fault_says_what_must_be(rule: rules.Rule, value: Any, message: str) -> None:
    with pytest.raises(rules.RuleViolation) as violation:
        rule(value)
    assert [fault.message for fault in violation.value.faults] == [message]


# --- Any JSON at all -------------------------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text
json_values = st.recursive(
    scalars, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(any_text, inside, max_size=4), max_leaves=20
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "position": st.integers(-5, 2**33) | json_values,
        "template_id": any_text | json_values,
        "template_version_id": any_text | json_values,
        "delay_minutes": st.floats(0, 10).map(round) | json_values,
        "variables": st.dictionaries(any_text, json_values, max_size=4) | json_values,
        "other": json_values,
    },
)
good_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
good_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | good_names,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(good_names, inside, max_size=4),
    max_leaves=15,
)


def judged(text: str) -> CampaignStepSerializer | None:
    """The serializer's judgement of a JSON text; None for a text that is none."""
    try:
        serializer = CampaignStepSerializer(data=loads(text))
    except JSONError:
        return None
    serializer.is_valid()
    return serializer


@given(bodies | json_values)
def test_any_json_is_accepted_or_refused_and_never_breaks_anything(value: Any) -> None:
    serializer = judged(json.dumps(value))
    if serializer is not None:
        assert render(serializer.errors or serializer.validated_data)


@given(st.text() | st.text('[]{}",:0123456789.eE+-tfnrualsINy\\ '))
def test_any_text_is_json_or_a_parse_error(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=pytest.fail)
    except (ValueError, pytest.fail.Exception):
        with pytest.raises(JSONError):
            loads(text)
    else:
        assert loads(text) == expected


@given(st.dictionaries(good_names, good_values, max_size=5))
def test_good_variables_come_back_as_they_went_in(variables: dict[str, Any]) -> None:
    serializer = judged(json.dumps(step_body(variables=variables)))
    assert serializer is not None
    assert serializer.is_valid(), serializer.errors
    assert canonical(json.loads(render(serializer.validated_data["variables"]))) == canonical(variables)


@given(st.integers())
def test_an_integer_is_taken_exactly_or_refused(value: int) -> None:
    serializer = judged(json.dumps(step_body(value)))
    assert serializer is not None
    assert serializer.is_valid() is (0 <= value <= 2_147_483_647)
    assert serializer.errors or serializer.validated_data["position"] == value


@given(any_text)
def test_an_id_is_taken_exactly_or_refused(value: str) -> None:
    serializer = judged(json.dumps(step_body(template_id=value)))
    assert serializer is not None
    allowed = (
        len(value) <= 255
        and not value.isspace()
        and value != ""
        and not any(character < " " or "\x7f" <= character <= "\x9f" for character in value)
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )
    assert serializer.is_valid() is allowed
    assert serializer.errors or serializer.validated_data["template_id"] == value
