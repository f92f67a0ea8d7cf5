"""The canonical spelling of JSON values is PostgreSQL's own, and loses nothing."""

import json
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.canonical_json import canonical

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
HARD = [
    [1e300, 1e-7, 5e-324, 0.1 + 0.2, -0.0, 0.0, 1.0, 1e15, 1e16, 1e21, 1e22, -1e-5, 2**63, 10**4299],
    {"ü": '\u2028\u2029\x7f\x1f\\"/\u00ad😀', "b": 1, "aa": 2, "a": {}, "": [], "z": None, "y": True, "x": False},
]


@given(values | st.sampled_from(HARD))
def test_it_reads_back_as_an_equal_value(value: Any) -> None:
    """All numbers as floats: 1e16 comes back as the integer of its digits, which is the same number."""
    assert json.loads(canonical(value), parse_int=float) == json.loads(json.dumps(value), parse_int=float)


def test_numbers_are_written_out_in_full() -> None:
    assert canonical([1e300, 1e-7, -0.0, 1.0]) == f"[1{'0' * 300}, 0.0000001, 0.0, 1.0]"


@given(values)
def test_spelling_what_was_read_changes_nothing(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text


@pytest.mark.postgresql
@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values | st.sampled_from(HARD))
def test_it_is_how_postgresql_prints_jsonb(value: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(value)])
        assert cursor.fetchone()[0] == canonical(value)
