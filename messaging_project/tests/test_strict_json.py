"""JSON that two readers could read differently is refused by the name that makes it so."""

import pytest

from messaging_project.strict_json import JSONError, loads


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a": 1, "b": 2, "b": 3}', "b"),
        ('{"a": 1, "b": 2, "c": 3, "b": 4, "c": 5}', "b"),
        ('{"a": 1, "b": 2, "c": 3, "c": 4, "b": 5}', "c"),
        ('{"a": {"b": 1}, "b": [{"c": 1, "d": 2, "d": 3}]}', "d"),
        (f'{{"a": 1, "{"x" * 65}": 2, "{"x" * 65}": 3}}', "x" * 64 + "…"),
        ('{"ü\\ud800": 1, "ü\\ud800": 2}', "ü\\ud800"),
    ],
    ids=["the last", "the first of two to come again", "the other", "deep inside", "cut at 64 characters", "no text"],
)
def test_the_name_that_comes_twice_is_named(text: str, name: str) -> None:
    with pytest.raises(JSONError) as refusal:
        loads(text, subject="The body")

    assert str(refusal.value) == f'The body has the name "{name}" twice in one object.'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("\ufeff{}", "It begins with a byte order mark at line 1 column 1"),
        ('{"a": "\x01"}', "Invalid control character at line 1 column 8"),
        ("{,}", "Expecting property name enclosed in double quotes at line 1 column 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, what: str) -> None:
    with pytest.raises(JSONError) as refusal:
        loads(text, subject="The body")

    assert str(refusal.value) == f"The body is not valid JSON: {what}."


def test_the_same_name_in_two_objects_is_no_fault() -> None:
    assert loads('[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]
