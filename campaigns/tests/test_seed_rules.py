"""A seed file's rows are judged by the rules of the API, and the short ways of reading them change no verdict."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaigns import rules
from campaigns.seeding.csv_lines import read_csv
from campaigns.seeding.json_lines import read_json_lines
from campaigns.seeding.rows import CSV_RULES, JSON_RULES, Head, RowRefused, check_step
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


plain = st.fixed_dictionaries(
    {
        "position": st.integers(0, 9).map(str),
        "template_id": st.sampled_from(["t", "u"]),
        "template_version_id": st.just("v"),
        "delay_minutes": st.sampled_from(["", "5"]),
        "variables": st.sampled_from(["", "{}", '{"a": 1}', '{"a": ":", "b": true}', '{"a": -0.5}', '{"a:": "-0"}']),
    }
)
GOOD_CELLS = {"position": "0", "template_id": "t", "template_version_id": "v", "delay_minutes": "", "variables": "{}"}


def pieces(*variables: str) -> list[dict[str, str]]:
    """Rows whose variables are JSON only when they are put together."""
    return [GOOD_CELLS | {"variables": text} for text in variables]


@unhurried
@given(st.lists(plain, min_size=1, max_size=4) | st.lists(plain | st.fixed_dictionaries(cells), min_size=1, max_size=4))
@example(pieces('{"a": 1', "}", "{}{}"))
@example(pieces("{}", "{}{}", " "))
@example(pieces("{}{}"))
@example(pieces('{"a": "}', '"}{}'))
@example(pieces('{"a": 1, "a": 1}', '{"b:": 1}'))
@example(pieces('{"a": [1, 2.5, {"b": 0.1}]}', '{"a": {"b": {"c": null}}}'))
@example(pieces('{"a": {}', "{}}"))
@example(pieces('{"a": {}', ', "b": {}}', "{}{}"))
@example(pieces('{"a": 1, "a": "\\u003a"}'))
@example(pieces('{"a": 1, "a": "\\u003A"}'))
@example(pieces('{"a": 1, "\\u0061": ":"}'))
@example(pieces('{"a": "\\u0000"}'))
@example(pieces('{"a": "\\ud800"}', '{"a": "\\ud83d\\ude00"}'))
@example(pieces('{"a": "\\n\\"\\\\}", "b": "\\u00fc"}', '{"a": "\\"}'))
@example(pieces('{"a": [{}', "{}]}", "{}{}"))
@example(pieces('{"a": {"b": 1, "b": 1}, "c": 1.0}'))
@example(pieces('{"a": 0.1000000000000000055}', '{"a": 1e400}'))
@example(pieces('{"a": ' + "[" * 20 + "]" * 20 + "}", '{"a": ' + "[" * 19 + "]" * 19 + "}"))
@example(pieces('{"a": ' + "[" * 2_000 + "]" * 2_000 + "}"))
@example([GOOD_CELLS | {"position": "0,1"}, GOOD_CELLS | {"template_id": 'a "b"\n'}, GOOD_CELLS])
def test_blocks_of_csv_are_accepted_and_refused_as_the_rules_do(steps: list[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["external_id", *cells])
    expected: dict[int, Any] = {}
    line = 2
    for step in steps:
        given = {column: as_read(step[column]) for column in cells if step[column]}
        expected[line] = verdict(check_step, line, Head(None, "c", None, None, None), given, CSV_RULES)
        writer.writerow(["c", *(given.get(column, "") for column in cells)])
        line = 1 + len(io.StringIO(text.getvalue(), newline="").readlines())

    assert read_all(read_csv, text.getvalue().encode("utf-8", "surrogateescape")) == expected


def read_all(read: Any, content: bytes) -> dict[int, Any]:
    """The verdict on each row of a file, by line."""
    found: dict[int, Any] = {}

    def refuse(row: RowRefused) -> None:
        found[row.faults[0].line] = ("refused", row.faults)

    for rows in read(io.BufferedReader(io.BytesIO(content)), refuse):
        found |= {row[0]: verdict(tuple, row) for row in rows}
    return found


def as_read(cell: str) -> str:
    """What a cell is after it was written to a file and read."""
    return cell.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


@st.composite
def json_lines(draw: st.DrawFn) -> bytes:
    fields = st.dictionaries(
        st.sampled_from([*rules.STEP_FIELDS, "position", "template_id"]), values | st.integers(0, 9) | st.just("t")
    )
    step = draw(st.just({"position": 0, "template_id": "t", "template_version_id": "v"}) | fields)
    line = json.dumps({"external_id": "c", **step}, **draw(spellings.filter(lambda spelling: "indent" not in spelling)))
    if "variables" not in step and draw(st.booleans()):
        line = f'{line[:-1]}, "variables": {draw(json_objects(scalars) | json_objects())}}}'
    return line.replace("\n", " ").encode("utf-8", "surrogatepass").strip()


STEP = b'{"external_id": "c", "position": 0, "template_id": "t", "template_version_id": "v"'


@unhurried
@given(st.lists(json_lines(), min_size=1, max_size=4))
@example([STEP + b"}", STEP + b', "variables": {"a": ":"}}'])
@example([STEP + b', "variables": {}', STEP + b"}}"])
@example([STEP + b', "variables": {}', b', "delay_minutes": 1}', STEP + b"}" + STEP + b"}"])
@example([STEP + b', "variables":', b"{}}", STEP + b"}" + STEP + b"}"])
@example([STEP + b"}" + STEP + b"}"])
@example([STEP + b', "position": 1}'])
@example([STEP + b', "variables": {"a": 1, "a": 2}}'])
@example([STEP + b', "variables": {"a": 1.0, "b": [0.1, {"c": {}}]}}'])
@example([STEP + b', "variables": {"a": {"b": 1, "b": 2}}}'])
@example([STEP + b', "variables": {"a": 1e400}}'])
@example([STEP + rb', "variables": {"a": 1, "a": "\u003a"}}'])
@example([STEP + rb', "variables": {"a": "\u0000"}}'])
@example([STEP + rb', "variables": {"a": "\ud800"}}'])
@example([STEP + rb', "variables": {"a": "\n\"\u00fc}"}}'])
@example([STEP.replace(b'"t"', rb'"\u0074\u0000"') + b"}"])
@example([STEP.replace(b'"t"', rb'"t\n"') + b"}"])
@example([STEP + b', "variables": {"a": 1' + b"0" * 4_400 + b"}}"])
@example([STEP + b', "variables": {"a": {}', b"{}}}"])
@example([STEP + b', "variables": {"a": ' + b"[" * 20 + b"]" * 20 + b"}}"])
@example([STEP + b', "variables": {"a": ' + b"[" * 2_000 + b"]" * 2_000 + b"}}"])
@example([STEP.replace(b"0", b"true") + b"}", STEP.replace(b"0", b"1.0") + b"}"])
def test_blocks_of_json_lines_are_accepted_and_refused_as_the_rules_do(lines: list[bytes]) -> None:
    expected: dict[int, Any] = {}
    for line, text in enumerate(lines, 1):
        try:
            fields = loads(text.decode())
        except ValueError:
            expected[line] = "no JSON"
        else:
            expected[line] = verdict(check_step, line, Head(None, "c", None, None, None), fields, JSON_RULES)
    found = read_all(read_json_lines, b"\n".join(lines))
    for line, (kind, faults) in found.items():
        if kind == "refused" and faults[0].field == "row":
            found[line] = "no JSON"
    assert found == expected


@unhurried
@given(st.dictionaries(st.sampled_from(list(rules.STEP_FIELDS)), values | st.integers(0, 9) | st.just("t")))
def test_the_rules_of_a_row_are_those_of_a_step(step: dict[str, Any]) -> None:
    broken = set()
    for name, field in rules.STEP_FIELDS.items():
        try:
            if name in step:
                field.rule(step[name])
            elif field.is_required:
                broken.add(name)
        except rules.RuleViolation:
            broken.add(name)
    kind, found = verdict(check_step, 1, Head(None, "c", None, None, None), step, JSON_RULES)
    if step:
        assert {fault.field.partition(".")[0].partition("[")[0] for fault in found if kind == "refused"} == broken


def test_the_header_used_here_is_known() -> None:
    assert CsvChecker(HEADER.split(",")).check(1, ["c", "Welcome", "0", "t", "v", "", ""])[2:] == (
        0, "t", "v", 0, "{}",
    )  # fmt: skip
