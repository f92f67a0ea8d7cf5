"""A seed file's rows are judged by the rules of the API, and the short ways of reading them change no verdict."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaigns import rules
from campaigns.seeding.rows import CSV_RULES, JSON_RULES, Head, Row, RowRefused, check_step
from campaigns.seeding.sources import CsvChecker, JsonChecker, split_simple
from campaigns.tests.bad_input import CASES, GOOD, STEPS, Case
from campaigns.tests.factories import stored
from campaigns.tests.seed_files import HEADER, csv_file, csv_row, row, seed
from messaging_project.strict_json import loads

CAMPAIGN = b'{"external_id": "c", "campaign_name": "Welcome", '
# What HTTP alone can say, and what the format of a file makes into blank lines or several.
BODIES = [
    case
    for case in CASES
    if (case.method, case.path, case.content_type) == ("POST", STEPS, "application/json")
    and case.error in ("parse_error", "validation_error", "payload_too_large")
    and (case.body or b"").strip()
    and b"\n" not in case.body  # type: ignore[operator]
]


def as_line(body: bytes) -> bytes:
    """The body of a request as a line of a file: an object gets the keys that name its campaign."""
    if body == b"{}":
        body = b'{"delay_minutes": 0}'
    return CAMPAIGN + body[1:] if body.startswith(b"{") and body[1:2] != b"}" else body


@pytest.mark.django_db
@pytest.mark.parametrize("case", BODIES, ids=lambda case: case.name)
def test_what_the_api_refuses_is_refused_as_a_line_of_a_file(case: Case, tmp_path: Path) -> None:
    before = stored()
    file = tmp_path / "steps.jsonl"
    file.write_bytes(as_line(GOOD) + b"\n" + as_line(case.body or b"") + b"\n")
    said = seed(file)
    whole_row = case.error != "validation_error" or case.faults == (("", "invalid_type"),)
    if whole_row:
        assert [(line, field) for line, field, _ in said.faults] == [(2, "row")]
    else:
        assert said.faults[: len(case.faults)] == [(2, field, code) for field, code in case.faults]
        assert len(said.faults) == len(case.faults) or len(case.faults) == 100  # an answer of the API lists 100
    assert said.code == 1
    assert stored() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "faults"),
    [
        (csv_row("c", "Welcome", "x", "t", "v", "", ""), [("position", "invalid_type")]),
        *(
            (csv_row("c", "Welcome", text, "t", "v", "", ""), [("position", code)])
            for text, code in (
                ("-1", "min_value"),
                ("2147483648", "max_value"),
                ("1" + "0" * 5_000, "max_value"),
                ("1e400", "max_value"),
                ("2.5", "invalid_type"),
                ("007", "invalid_type"),
                ("+1", "invalid_type"),
                (" 1", "invalid_type"),
                ("1_0", "invalid_type"),
                ("٣", "invalid_type"),
                ("0x10", "invalid_type"),
                ("true", "invalid_type"),
                ('"3"', "invalid_type"),
                ("NaN", "invalid_type"),
            )
        ),
        (csv_row("c", "Welcome", "", "t", "v", "", ""), [("position", "required")]),
        (csv_row("c", "Welcome", "0", "", "v", "", ""), [("template_id", "required")]),
        (csv_row("c", "Welcome", "0", "t", "", "", ""), [("template_version_id", "required")]),
        (csv_row("c", "Welcome", "0", " ", "v", "", ""), [("template_id", "blank")]),
        (csv_row("c", "Welcome", "0", "t\tt", "v", "", ""), [("template_id", "control_character")]),
        (csv_row("c", "Welcome", "0", "t\x00", "v", "", ""), [("template_id", "control_character")]),
        (csv_row("c", "Welcome", "0", "é" * 256, "v", "", ""), [("template_id", "max_length")]),
        (csv_row("c", "Welcome", "0", "t", "v", "-5", ""), [("delay_minutes", "min_value")]),
        *(
            (csv_row("c", "Welcome", "0", "t", "v", "", text), [(field, code)])
            for text, field, code in (
                ("[]", "variables", "invalid_type"),
                ("null", "variables", "invalid_type"),
                ("{", "variables", "parse_error"),
                ("{'a': 1}", "variables", "parse_error"),
                ('{"a": NaN}', "variables", "parse_error"),
                ('{"a": 1, "a": 1}', "variables", "parse_error"),
                ('{"a": 1, "a": ":"}', "variables", "parse_error"),
                ('{"a:": 1, "b": {"c": 1, "c": 2}}', "variables", "parse_error"),
                ("[" * 100_000, "variables", "parse_error"),
                ('{"a":' * 100_000, "variables", "parse_error"),
                ('{"a": 1e400}', "variables.a", "out_of_range"),
                ('{"a": "\\u0000"}', "variables.a", "null_character"),
                ('{"a": "\\ud800"}', "variables.a", "surrogate"),
                ('{"a": 1' + "0" * 5_000 + "}", "variables.a", "number_too_long"),
                ('{"a": "' + "x" * 65_536 + '"}', "variables", "too_large"),
            )
        ),
        (csv_row("", "Welcome", "0", "t", "v", "", ""), [("campaign_id", "required")]),
        (csv_row(" ", "Welcome", "0", "t", "v", "", ""), [("external_id", "blank")]),
        (csv_row("c", "W" * 201, "0", "t", "v", "", ""), [("campaign_name", "max_length")]),
        (csv_row("c", "Welcome", "-1", "", "v\t", "x", "[]"), [
            ("position", "min_value"), ("template_id", "required"), ("template_version_id", "control_character"),
            ("delay_minutes", "invalid_type"), ("variables", "invalid_type"),
        ]),
        ("c,Welcome,0,t", [("row", "cells")]),
        ("c,Welcome,0,t,v,0,{},more", [("row", "cells")]),
        ('c,"Wel"come,0,t,v,0,{}', [("row", "malformed")]),
        ('c,Welcome,0,t,v,0,"{}', [("row", "malformed")]),
        ('c,Welcome,0,t,v,0,"' + "x" * 1_100_000 + '"', [("row", "malformed")]),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_faulty_row_of_csv_is_refused_with_every_fault_named(
    line: str, faults: list[tuple[str, str]], tmp_path: Path
) -> None:
    said = seed(csv_file(tmp_path / "steps.csv", row(7), line))
    assert said.faults == [(3, field, code) for field, code in faults]
    assert said.code == 1
    assert stored() == []


# --- The short ways --------------------------------------------------------------------------------------------------

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers() | st.floats() | st.integers(min_value=2**62, max_value=2**66)
scalars = st.none() | st.booleans() | numbers | texts | st.sampled_from(["\x00", "\ud800", ":", "a:b", "\\", '"', "é"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
spellings: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}]
)


@st.composite
def json_objects(draw: st.DrawFn, more: st.SearchStrategy[Any] = values) -> str:
    """Objects as texts, some with a name twice, some with a piece missing or too much."""
    members = draw(st.lists(st.tuples(texts | st.sampled_from(["a", "b"]), more), max_size=4))
    spelling = draw(spellings)
    inside = ", ".join(f"{json.dumps(name, **spelling)}: {json.dumps(value, **spelling)}" for name, value in members)
    return draw(st.sampled_from(["{%s}", "{%s}", "{%s}", " {%s}\n", "{%s", "{%s}x", "[%s]", '{%s, "a": -0}'])) % inside


cells = {
    "position": st.integers(-2, 2**31).map(str) | st.sampled_from(["", "01", "1.0", "1e2", "x", "9" * 5_000, "1 "]),
    "template_id": texts | st.sampled_from(["t", "t" * 256, " ", "\udc80"]),
    "template_version_id": texts,
    "delay_minutes": st.integers(-2, 2**31).map(str) | st.sampled_from(["", "1.5"]),
    "variables": json_objects() | st.just("") | texts,
}


def verdict(check: Any, *arguments: Any) -> tuple[str, Any]:
    """What came out: a row with its variables decoded, or the faults."""
    try:
        line, head, *step, variables = check(*arguments)
    except RowRefused as refused:
        return "refused", refused.faults
    return "accepted", (line, head, *step, json.loads(variables))


@unhurried
@given(st.fixed_dictionaries(cells))
@example({"position": "0", "template_id": "t", "template_version_id": "v", "delay_minutes": "", "variables": '{"a":1}'})
def test_the_short_way_of_csv_accepts_and_refuses_what_the_rules_do(step: dict[str, str]) -> None:
    def long_way(line: int) -> Row:
        return check_step(line, Head(None, "c", None, None, None), {k: v for k, v in step.items() if v}, CSV_RULES)

    checker = CsvChecker(["external_id", *step])
    assert verdict(checker.check, 1, ["c", *step.values()]) == verdict(long_way, 1)


@unhurried
@given(
    st.dictionaries(
        st.sampled_from([*rules.STEP_FIELDS, "position", "template_id"]), values | st.integers(0, 9) | st.just("t")
    ),
    json_objects(scalars) | json_objects(),
    spellings.filter(lambda spelling: "indent" not in spelling),
)
@example({"position": 0, "template_id": "t", "template_version_id": "v"}, '{"a": 1}', {})
@example({"position": True, "template_id": "t", "template_version_id": "v"}, '{"a": 1}', {})
def test_the_short_way_of_json_accepts_and_refuses_what_the_rules_do(
    step: dict[str, Any], variables: str, spelling: dict[str, Any]
) -> None:
    line = json.dumps({"external_id": "c", **step}, **spelling)[:-1] + f', "variables": {variables}}}'
    if "variables" in step:
        line = json.dumps({"external_id": "c", **step}, **spelling)
    text = line.replace("\n", " ").encode("utf-8", "surrogatepass")

    def long_way(number: int) -> Row:
        try:
            fields = loads(text.decode())
        except ValueError:
            raise RowRefused(number, []) from None
        return check_step(number, Head(None, "c", None, None, None), fields, JSON_RULES)

    found, expected = verdict(JsonChecker().check, 1, text), verdict(long_way, 1)
    assert found == expected or (found[0], expected) == ("refused", ("refused", []))


@unhurried
@given(st.dictionaries(st.sampled_from(rules.STEP_FIELDS), values | st.integers(0, 9) | st.just("t")))
def test_the_rules_of_a_row_are_those_of_a_step(step: dict[str, Any]) -> None:
    broken = set()
    for name, rule in rules.STEP_RULES.items():
        try:
            if name in step:
                rule(step[name])
            elif name in ("position", "template_id", "template_version_id"):
                broken.add(name)
        except rules.RuleViolation:
            broken.add(name)
    kind, found = verdict(check_step, 1, Head(None, "c", None, None, None), step, JSON_RULES)
    if step:
        assert {fault.field.partition(".")[0].partition("[")[0] for fault in found if kind == "refused"} == broken


@unhurried
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1), st.booleans())
@example(["a", '"', ""], True)
def test_lines_of_csv_split_in_short_have_the_cells_that_the_csv_module_finds(row: list[str], quoted: bool) -> None:
    line = csv_row(*row) if quoted else ",".join(row)
    split = split_simple(line + "\n")
    try:
        expected = next(csv.reader([line + "\n"], strict=True))
    except csv.Error:
        expected = None
    assert split is None or split == expected


def test_the_header_used_here_is_known() -> None:
    assert CsvChecker(HEADER.split(",")).check(1, ["c", "Welcome", "0", "t", "v", "", ""])[2:] == (
        0, "t", "v", 0, "{}",
    )  # fmt: skip
