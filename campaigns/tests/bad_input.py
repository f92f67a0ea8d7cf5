"""Requests that must be refused: the table that test_bad_input.py and test_bad_input_over_a_socket.py run through."""

import json
from dataclasses import dataclass
from typing import Any

from campaigns.tests.factories import step_body

STEPS = "/v1/messaging/campaigns/{id}/steps"  # {id} is a draft's
UNKNOWN = "/v1/messaging/campaigns/0190c2ab-1111-7abc-8def-0123456789ab/steps"
LONG = "a" * 5_000
TEN_MEGABYTES = json.dumps({**step_body(), "variables": {"text": "a" * 10_000_000}}).encode()


@dataclass(frozen=True)
class Case:
    """One request and its refusal. `faults` are the (field, code) pairs in details.errors, in their order."""

    name: str
    body: bytes | None
    status: int = 400
    error: str = "validation_error"
    faults: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    path: str = STEPS
    content_type: str = "application/json"

    @property
    def expected(self) -> dict[str, Any]:
        return {"status": self.status, "error": self.error, "faults": list(self.faults)}


def outcome(status: int, content: bytes) -> dict[str, Any]:
    """What a case expects of an answer, whose body must be the envelope."""
    body = json.loads(content)
    assert set(body) <= {"error", "message", "details"}
    assert body["message"]
    errors = body.get("details", {}).get("errors", [])
    assert all(error["message"] for error in errors)
    return {"status": status, "error": body["error"], "faults": [(error["field"], error["code"]) for error in errors]}


def fields(name: str, body: dict[str, Any], *faults: tuple[str, str], **case: Any) -> Case:
    return Case(name, json.dumps(body).encode(), faults=faults, **case)


def value(name: str, text: str, *codes: str) -> Case:
    """A step whose field `name` is the JSON `text`, which breaks the rules `codes`."""
    body = json.dumps({**step_body(), name: "<>"}).replace('"<>"', text)
    return Case(f"{name}: {text[:40]}", body.encode(), faults=tuple((name, code) for code in codes))


def inside(text: str, place: str, code: str) -> Case:
    """A step whose variables are the JSON `text`, faulty at `place`."""
    body = json.dumps({**step_body(), "variables": "<>"}).replace('"<>"', text)
    return Case(f"inside variables: {text[:40]}", body.encode(), faults=((place, code),))


def without(name: str) -> Case:
    body = step_body()
    del body[name]
    return fields(f"no {name}", body, (name, "required"))


def unparsable(name: str, body: bytes | None) -> Case:
    return Case(name, body, error="parse_error")


def elsewhere(name: str, id: str, status: int = 404, error: str = "not_found") -> Case:
    """A good step for a campaign that can't exist."""
    path = f"/v1/messaging/campaigns/{id}/steps"
    return Case(f"path id: {name}", json.dumps(step_body()).encode(), status, error, path=path)


GOOD = json.dumps(step_body()).encode()
INTEGERS = ("position", "delay_minutes")
IDS = ("template_id", "template_version_id")

CASES = [
    # Bodies that are no JSON
    unparsable("no body", None),
    unparsable("an empty body", b""),
    unparsable("white space", b" \n"),
    unparsable("half an object", b'{"position": 0'),
    unparsable("something after the object", GOOD + b"{}"),
    unparsable("a trailing comma", b'{"position": 0,}'),
    unparsable("single quotes", b"{'position': 0}"),
    unparsable("a byte order mark", b"\xef\xbb\xbf" + GOOD),
    unparsable("invalid UTF-8", b'{"template_id": "\xff"}'),
    unparsable("a surrogate in UTF-8", b'{"template_id": "\xed\xa0\x80"}'),
    unparsable("UTF-16", GOOD.decode().encode("utf-16")),
    unparsable("a line break in a string", b'{"template_id": "a\nb"}'),
    unparsable("NaN", b'{"position": NaN}'),
    unparsable("Infinity", b'{"variables": {"a": [Infinity]}}'),
    unparsable("-Infinity", b'{"delay_minutes": -Infinity}'),
    unparsable("a leading zero", b'{"position": 01}'),
    unparsable("a name twice", b'{"position": 0, "position": 1, "template_id": "t", "template_version_id": "v"}'),
    unparsable("a name twice, spelled differently", b'{"position": 0, "posit\\u0069on": 0}'),
    unparsable("a name twice deep inside", GOOD[:-1] + b', "variables": {"a": [{"b": 1, "b": 1}]}}'),
    unparsable("a surrogate twice", b'{"\\ud800": 0, "\\ud800": 0}'),
    unparsable("arrays nested 100,000 deep", b"[" * 100_000),
    unparsable("objects nested 100,000 deep", b'{"a":' * 100_000 + b"0" + b"}" * 100_000),
    unparsable("variables nested 100,000 deep", b'{"variables": ' + b'{"a":' * 100_000 + b"0" + b"}" * 100_001),
    # JSON that is no object
    Case("a list", b"[]", faults=(("", "invalid_type"),)),
    Case("a list of steps", b"[" + GOOD + b"]", faults=(("", "invalid_type"),)),
    Case("a string", b'"step"', faults=(("", "invalid_type"),)),
    Case("a number", b"5", faults=(("", "invalid_type"),)),
    Case("a huge number", b"5" * 5_000, faults=(("", "invalid_type"),)),
    Case("true", b"true", faults=(("", "invalid_type"),)),
    Case("null", b"null", faults=(("", "invalid_type"),)),
    # Too large, the media type, the method, the address
    Case("a body of ten megabytes", TEN_MEGABYTES, 413, "payload_too_large"),
    Case("ten megabytes that are no JSON", b"[" * 10_000_000, 413, "payload_too_large"),
    Case("one byte more than a mebibyte", b" " * 1024 * 1024 + b"1", 413, "payload_too_large"),
    *(
        Case(f"the media type {content_type!r}", GOOD, 415, "unsupported_media_type", content_type=content_type)
        for content_type in (
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/jsonx",
            "application/merge-patch+json",
            "application/*",
            "*/*",
            "json",
            ";",
        )
    ),
    Case("no body of a wrong type", None, 415, "unsupported_media_type", content_type="text/plain"),
    *(
        Case(f"the method {method}", GOOD, 405, "method_not_allowed", method=method)
        for method in ("PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
    ),
    *(
        Case(f"the address {path}", GOOD, 404, "not_found", path=path)
        for path in (
            "/v1/",
            "/v1/messaging",
            "/v1/messaging/campaign/{id}/steps",
            "/v1/messaging/campaigns/{id}/step",
            "/v1/messaging/campaigns/{id}/steps//",
            "/v1/messaging/campaigns/{id}/steps.json",
            "/v1/messaging/campaigns/{id}/steps%0A",
            "/v1/messaging/campaigns//steps",
            "/v1//messaging/campaigns/{id}/steps",
            "/v1/messaging/campaigns/{id}/steps/%ff%00%0A/more",
        )
    ),
    # Fields
    *(without(name) for name in ("position", *IDS)),
    *(value(name, "null", "null") for name in (*INTEGERS, *IDS, "variables")),
    *(
        value(name, text, "invalid_type")
        for name in INTEGERS
        for text in ('"3"', '""', "true", "false", "2.5", "-0.5", "1e-1", "[]", "[1]", "{}")
    ),
    *(value(name, text, "min_value") for name in INTEGERS for text in ("-1", "-1.0", "-1e400", "-" + "9" * 5_000)),
    *(
        value(name, text, "max_value")
        for name in INTEGERS
        for text in ("2147483648", "2147483648.0", "1e10", "9223372036854775808", "1e400", "1" + "0" * 5_000)
    ),
    *(value(name, text, "invalid_type") for name in IDS for text in ("5", "1e400", "true", "[]", '["t"]', "{}")),
    *(value(name, text, "blank") for name in IDS for text in ('""', '" "', '"\\u00a0\\u2003\\u3000"')),
    *(value(name, f'"{"é" * 256}"', "max_length") for name in IDS),
    *(
        value(name, f'"a{escape}"', "control_character")
        for name in IDS
        for escape in ("\\u0000", "\\n", "\\t", "\\u001f", "\\u007f", "\\u0085", "\\u009f")
    ),
    *(value(name, f'"{escape}"', "surrogate") for name in IDS for escape in ("\\ud800", "a\\udfffb", "\\ude00\\ud83d")),
    *(value("variables", text, "invalid_type") for text in ("[]", "5", '""', '"{}"', "false", "1e400")),
    # Variables
    value("variables", json.dumps({"text": "a" * (64 * 1024 - len('{"text":""}') + 1)}), "too_large"),
    value("variables", json.dumps({"text": "é" * 32_768}, ensure_ascii=False), "too_large"),
    value("variables", json.dumps({"numbers": [1e300] * 217}), "too_large"),  # 64 KiB when written out
    inside('{"a": "\\u0000"}', "variables.a", "null_character"),
    inside('{"a": {"b": [0, "x\\u0000"]}}', "variables.a.b[1]", "null_character"),
    inside('{"\\u0000": 0}', 'variables["\x00"]', "null_character"),
    inside('{"a": "\\ud800"}', "variables.a", "surrogate"),
    inside('{"a": [{"x \\udfff": 0}]}', 'variables.a[0]["x \\udfff"]', "surrogate"),
    inside('{"a": 1e400}', "variables.a", "out_of_range"),
    inside('{"a": [-1e400]}', "variables.a[0]", "out_of_range"),
    inside(f'{{"a": 1{"0" * 5_000}}}', "variables.a", "number_too_long"),
    inside(f'{{"a": [-{"9" * 4_301}]}}', "variables.a[0]", "number_too_long"),
    inside('{"a":' * 20 + "{}" + "}" * 20, "variables" + ".a" * 20, "too_deep"),
    inside('{"a": ' + "[" * 500 + "]" * 500 + "}", "variables.a" + "[0]" * 19, "too_deep"),
    # Several at once, in the order of the fields
    fields(
        "every field wrong",
        {
            "variables": {"b": "\x00", "a": {"\ud800": 1}},
            "delay_minutes": 1.5,
            "template_version_id": "",
            "template_id": 5,
            "position": -1,
        },
        ("position", "min_value"),
        ("template_id", "invalid_type"),
        ("template_version_id", "blank"),
        ("delay_minutes", "invalid_type"),
        ("variables.b", "null_character"),
        ('variables.a["\\ud800"]', "surrogate"),
    ),
    fields(
        "an empty object",
        {},
        ("position", "required"),
        ("template_id", "required"),
        ("template_version_id", "required"),
    ),
    fields(
        "150 faults",
        {"variables": {"list": ["\x00"] * 149}},
        ("position", "required"),
        ("template_id", "required"),
        ("template_version_id", "required"),
        *((f"variables.list[{index}]", "null_character") for index in range(97)),
    ),
    # The query
    *(
        fields(f"on_conflict={given}", step_body(), ("on_conflict", "invalid"), path=f"{STEPS}?on_conflict={given}")
        for given in ("", "Shift", "replace", "shift%00")
    ),
    fields("a query that is not UTF-8", step_body(), ("on_conflict", "not_utf8"), path=f"{STEPS}?on_conflict=%ff"),
    fields(
        "a wrong field and a wrong query",
        step_body(-1),
        ("position", "min_value"),
        ("on_conflict", "invalid"),
        path=f"{STEPS}?on_conflict=x",
    ),
    # Ids that no campaign has: 404, before any fault of the fields
    elsewhere("a word", "welcome"),
    elsewhere("a number", "1"),
    elsewhere("beyond 64 bits", "9223372036854775808"),
    elsewhere("negative", "-1"),
    elsewhere("a UUID without hyphens", "0190c2ab11117abc8def0123456789ab"),
    elsewhere("a UUID in braces", "%7B0190c2ab-1111-7abc-8def-0123456789ab%7D"),
    elsewhere("a UUID as a URN", "urn:uuid:0190c2ab-1111-7abc-8def-0123456789ab"),
    elsewhere("a UUID and a line break", "0190c2ab-1111-7abc-8def-0123456789ab%0A"),
    elsewhere("a UUID in other digits", "%D9%A00190c2ab-1111-7abc-8def-0123456789a"),
    elsewhere("a null character", "a%00b"),
    elsewhere("only a null character", "%00"),
    elsewhere("a slash", "a%2Fb"),
    elsewhere("no UTF-8", "%ff"),
    elsewhere("a surrogate", "%ED%A0%80"),
    elsewhere("a broken escape", "%zz"),
    elsewhere("a space", "%20"),
    elsewhere("dots", "%2E%2E"),
    elsewhere("an emoji", "%F0%9F%98%80"),
    elsewhere("5,000 characters", LONG),
    elsewhere("a quote and SQL", "'%20OR%20'1'='1"),
    Case("an unknown campaign", GOOD, 404, "not_found", path=UNKNOWN),
    Case("an unknown campaign and an empty object", b"{}", 404, "not_found", path=UNKNOWN),
    Case("an unknown campaign and a list", b"[]", 404, "not_found", path=UNKNOWN),
    Case("an unknown campaign and a wrong query", GOOD, 404, "not_found", path=f"{UNKNOWN}?on_conflict=x"),
    Case("an unknown campaign and no JSON", b"{", 400, "parse_error", path=UNKNOWN),
    Case("an impossible id and an empty object", b"{}", 404, "not_found", path="/v1/messaging/campaigns/5/steps"),
]
