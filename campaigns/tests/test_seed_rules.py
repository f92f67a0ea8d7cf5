"""A seed file's rows are judged by the rules of the API, and the short ways of reading them change no verdict."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from campaigns import rules
from campaigns.canonical_json import canonical
from campaigns.seeding import rows
from campaigns.seeding.csv_lines import read_csv
from campaigns.seeding.json_lines import read_json_lines
from campaigns.seeding.rows import RowRefused, csv_check
from campaigns.serializers import CampaignStepSerializer
from campaigns.tests.bad_input import CASES, GOOD, STEPS, Case
from campaigns.tests.factories import step_body, stored
from campaigns.tests.seed_files import HEADER, csv_file, csv_row, record, row, seed
from messaging_project.api.errors import as_api_error
from messaging_project.api.json import JSONParser
from messaging_project.strict_json import JSONError, loads

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
                ("null", "variables", "null"),
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


# --- One verdict on a value, whichever way it comes -----------------------------------------------------------------


def values_read(column: str, text: str) -> list[Any]:
    """What the JSON `text` is in a column to the API, in JSON Lines and in CSV: its value, or the code of its fault."""
    body = {"external_id": "c", **step_body(), column: "<>"}
    line = json.dumps(body).replace('"<>"', text)
    doubled = text.replace('"', '""')
    cell = f'"{doubled}"' if '"' in text else text
    table = f"{','.join(body)}\n{','.join(map(str, body.values()))}\n".replace("<>", cell)
    serializer = CampaignStepSerializer(data=JSONParser().parse(io.BytesIO(line.encode())))
    read = [serializer.validated_data[column] if serializer.is_valid() else serializer.errors[column][0].code]

    def refuse(row: RowRefused) -> None:
        read.extend(fault.code for fault in row.faults)

    place = rows.STEP_COLUMNS.index(column)
    for reader, file in ((read_json_lines, line), (read_csv, table)):
        stream = io.BufferedReader(io.BytesIO(file.encode()))
        read += [step[place] for _, _, step in reader(stream, refuse) if step]  # type: ignore[arg-type]  # as a file's
    return read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", 1),
        ("1." + "0" * 30, 1),
        ("100000000000000000000000e-23", 1),
        ("0e99999999999999999999", 0),
        ("1.0000000000000000000000001", "invalid_type"),
        ("2147483647.0000000001", "invalid_type"),
        ("0.99999999999999999999", "invalid_type"),
        ("1e-400", "invalid_type"),
        ("-1e-99999999999999999999", "invalid_type"),
    ],
)
def test_each_reader_judges_whether_a_number_is_whole_before_rounding_it(text: str, expected: Any) -> None:
    assert values_read("position", text) == [expected] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12345678901234567890", "12345678901234567890"),
        ("12345678901234567890.5", "12345678901234567000"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("1e22", "10000000000000000000000"),
        ("0e999", "0"),
        ("3e-324", "5e-324"),
        ("2e-324", "out_of_range"),
        ("-1e-400", "out_of_range"),
        ("1e400", "out_of_range"),
    ],
)
def test_each_reader_takes_the_nearest_float_unless_that_is_zero_or_infinite(text: str, expected: str) -> None:
    read = [it if it == "out_of_range" else as_decimal(it) for it in values_read("variables", f'{{"n": {text}}}')]
    assert read == [expected if expected == "out_of_range" else Decimal(expected)] * 3


def as_decimal(variables: Any) -> Any:
    """The number `n` in variables with all of its digits: an object of the API, or a text of a file's reader."""
    text = variables if isinstance(variables, str) else rows.json_text(variables)
    return json.loads(text, parse_float=Decimal)["n"]


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
def json_objects(draw: st.DrawFn) -> str:
    """Objects as texts, some with a name twice, some with a piece missing or too much."""
    members = draw(st.lists(st.tuples(texts | st.sampled_from(["a", "b"]), values), max_size=4))
    spelling = draw(spellings)
    inside = ", ".join(f"{json.dumps(name, **spelling)}: {json.dumps(value, **spelling)}" for name, value in members)
    return draw(st.sampled_from(["{%s}", "{%s}", "{%s}", " {%s}\n", "{%s", "{%s}x", "[%s]", '{%s, "a": -0}'])) % inside


def verdict(check: Any, value: Any) -> Any:
    """What came out, or the faults."""
    try:
        return check(value)
    except rules.RuleViolation as violation:
        return violation.faults


def by_the_rule(cell: str) -> Any:
    """What a cell of variables is by its rule alone."""
    try:
        return rules.STEP_FIELDS["variables"].rule(loads(cell))
    except JSONError as error:
        raise rules.RuleViolation(rules.Fault((), "parse_error", str(error))) from error


@unhurried
@given(json_objects().map(lambda text: text.encode("utf-8", "replace").decode()))
@example('{"a": 1, "a": 1}')
@example('{"a": {"b": 1, "b": 1}, "c": 1.0}')
@example('{"a": "\\u0000"}')
@example('{"\\ud800": 1}')
@example('{"a": "\\ud83d\\ude00"}')
@example('{"a": 1e400}')
@example('{"a": 1e300, "b": [1e308]}')
@example('{"a": 1.00000000000000000001, "b": -1e-400}')
@example('{"a": NaN}')
@example('{"a": ' + "[" * 20 + "]" * 20 + "}")
@example('{"a": ' + "[" * 19 + "]" * 19 + "}")
@example('{"a": "' + "[" * 30 + '"}')
@example('{"a": "' + "x" * 65_536 + '"}')
@example('{"a": [' + ", ".join(["5e-324"] * 145) + "]}")
@example("[]")
def test_the_short_way_through_variables_changes_no_verdict(cell: str) -> None:
    check = csv_check("variables")
    expected = verdict(by_the_rule, cell)
    if isinstance(expected, dict):
        assert canonical(json.loads(check(cell))) == canonical(expected)
    else:
        assert verdict(check, cell) == expected


def random_value(random: Random, depth: int = 0) -> Any:
    """Any JSON value, more often one that a rule has an opinion about."""
    kinds: list[Callable[[], Any]] = [
        lambda: random.choice([None, True, False, 0, -1, 1, 2.0, 2.5, -0.0, 1e16, 1e300, 2**31 - 1, 2**31, 10**40]),
        lambda: random.choice(["", " ", "t", "é", "\x00", "\t", "\x85", "\u2028", "3", "x" * 255, "x" * 256, "a\nb"]),
        lambda: "".join(random.choices('ab \x7f:\\"{}[]é😀', k=random.randrange(8))),
        lambda: random.randrange(-5, 2**33),
        lambda: random.uniform(-10, 10),
    ]
    if depth < 4:
        kinds += [
            lambda: [random_value(random, depth + 1) for _ in range(random.randrange(4))],
            lambda: {
                random.choice(["a", "b:", "", "\x00", "x y"]): random_value(random, depth + 1)
                for _ in range(random.randrange(4))
            },
        ] * 2
    return random.choice(kinds)()


Verdict = list[tuple[str, str, str]]  # field, code and message of each fault


def of_the_api(step: dict[str, Any]) -> Verdict:
    serializer = CampaignStepSerializer(data=step)
    if serializer.is_valid():
        return []
    details = as_api_error(ValidationError(serializer.errors)).details or {}
    return [(error["field"], error["code"], error["message"]) for error in details["errors"]]


def of_a_reader(read: Any, text: str) -> Verdict:
    refusals: list[RowRefused] = []
    rows = list(read(io.BufferedReader(io.BytesIO(text.encode())), refusals.append))
    assert len(rows) + len(refusals) == 1
    return [fault[1:] for row in refusals for fault in row.faults]


def as_cell(field: str, value: Any) -> str | None:
    """The cell that says this value; None where none does: CSV knows no types, and a line break in
    a short text is taken for a quote that isn't closed.
    """
    rule = rules.STEP_FIELDS[field].rule
    if isinstance(rule, rules.JSONObject):
        return json.dumps(value)
    if isinstance(rule, rules.Integer):
        return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return value if isinstance(value, str) and value and "\n" not in value else None


@pytest.mark.parametrize("field", rules.STEP_FIELDS)
def test_both_readers_and_the_api_say_the_same_of_a_value(field: str) -> None:
    random = Random(field)
    good = {"position": 0, "template_id": "t", "template_version_id": "v", "delay_minutes": 0, "variables": {}}
    for _ in range(2_000):
        value = random_value(random)
        step = good | {field: value}
        expected = of_the_api(step)
        assert of_a_reader(read_json_lines, json.dumps({"external_id": "c", **step})) == expected
        cell = as_cell(field, value)
        if cell is not None:
            cells = ["c", *(cell if name == field else as_cell(name, step[name]) for name in step)]
            file = f"{csv_row('external_id', *step)}\n{csv_row(*cells)}\n"
            assert of_a_reader(read_csv, file) == expected


@pytest.mark.parametrize("field", [name for name, field in rules.STEP_FIELDS.items() if not field.is_required])
def test_what_is_left_out_gets_the_default_of_the_table(field: str) -> None:
    default = rules.STEP_FIELDS[field].default
    ((_, _, step),) = read_csv(
        io.BufferedReader(io.BytesIO(b"external_id,position,template_id,template_version_id\nc,0,t,v\n")),
        lambda row: pytest.fail(str(row.faults)),
    )
    assert step
    value = step[list(rules.STEP_FIELDS).index(field)]
    assert value == default if isinstance(default, int) else json.loads(value) == default()


def test_a_faulty_campaign_does_not_hide_what_is_wrong_with_the_step() -> None:
    text = json.dumps({"external_id": "", "campaign_status": "x", "position": -1, "template_id": "t"})
    assert [(field, code) for field, code, _ in of_a_reader(read_json_lines, text)] == [
        ("external_id", "blank"), ("campaign_status", "invalid"), ("position", "min_value"),
        ("template_version_id", "required"),
    ]  # fmt: skip


# --- Lines -----------------------------------------------------------------------------------------------------------

GOOD_LINES = [row(position) for position in range(3)] + [csv_row("empty", "Nothing yet", "", "", "", "", "")]
FAULTY_LINES = [
    row(-1), row("x"), "c,Welcome,0", "c" * 300, '"c,Welcome,0,t,v,,', 'c,"Welcome,0,t,v,,', 'c,Welcome,0,"t,v,,',
    'c,Welcome,0,t,v,,"{}', 'c,Welcome,0,t,v,,"{""a"": ""b}', '"x"x', '",x', '""",', "\udcff",
]  # fmt: skip


@unhurried
@given(st.lists(st.sampled_from(GOOD_LINES + FAULTY_LINES), max_size=12))
def test_each_line_of_a_csv_file_is_a_row_or_refused(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in (HEADER, *lines)).encode("utf-8", "surrogateescape")
    refused_lines: list[int] = []
    stream: Any = io.BufferedReader(io.BytesIO(text))
    found = [line for line, _, _ in read_csv(stream, lambda row: refused_lines.append(row.faults[0].line))]
    assert [lines[number - 2] in GOOD_LINES for number in found] == [True] * len(found)
    assert sorted(found + refused_lines) == list(range(2, len(lines) + 2))


@pytest.mark.parametrize("read", [read_csv, read_json_lines])
def test_a_line_that_is_too_long_is_one_line(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE_LENGTH", 200)
    long = "x" * 1_000
    if read is read_csv:
        lines = [HEADER, row(0), row(1, template=long), row(-1), f'c,"{long}', row(2)]
    else:
        lines = ["", json.dumps(record(0)), json.dumps(record(1, template=long)), json.dumps(record(-1)), long]
        lines.append(json.dumps(record(2)))
    faults = []
    stream = io.BufferedReader(io.BytesIO("\n".join(lines).encode()))
    found = list(read(stream, lambda row: faults.extend(row.faults)))
    assert [line for line, _, _ in found] == [2, 6]
    assert [(line, code) for line, _, code, _ in faults] == [(3, "too_large"), (4, "min_value"), (5, "too_large")]
