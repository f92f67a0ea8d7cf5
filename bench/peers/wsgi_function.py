"""A bare WSGI function with psycopg: no framework, prepared statements, one statement for each call."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import orjson
from psycopg_pool import ConnectionPool

from bench.peers import tokens
from bench.peers.shared import CAMPAIGN_KEYS, EDITABLE, LIMIT, STEP_KEYS, envelope, page

pool = ConnectionPool(min_size=2, max_size=10, kwargs={"autocommit": True, "prepare_threshold": 0}, open=True)
PATH = re.compile(r"/v1/messaging/campaigns(?:/(?P<id>[0-9a-f-]{36})(?P<steps>/steps)?)?")

ADD = f"""
WITH campaign AS (SELECT id, status FROM campaigns_campaign WHERE id = %s FOR SHARE), added AS (
    INSERT INTO campaigns_campaignstep
        (id, campaign_id, position, template_id, template_version_id, delay_minutes, variables, version)
    SELECT %s, id, %s::bigint, %s, %s, %s::integer, %s, 1 FROM campaign WHERE status IN {EDITABLE}
    ON CONFLICT DO NOTHING RETURNING id
)
SELECT campaign.status, added.id FROM campaign LEFT JOIN added ON TRUE
"""  # noqa: S608 - put together from this project's own words
STEPS = f"""
SELECT {", ".join(STEP_KEYS)}::text FROM campaigns_campaignstep WHERE campaign_id = %s ORDER BY position LIMIT {LIMIT}
"""  # noqa: S608
WITH_TOTALS = f"""
SELECT {", ".join(f"c.{name}" for name in CAMPAIGN_KEYS)}, count(s.id), coalesce(sum(s.delay_minutes), 0)::bigint
FROM (SELECT * FROM campaigns_campaign {{}}) c LEFT JOIN campaigns_campaignstep s ON s.campaign_id = c.id
GROUP BY {", ".join(f"c.{name}" for name in CAMPAIGN_KEYS)} ORDER BY c.id
"""  # noqa: S608
ONE, MANY = WITH_TOTALS.format("WHERE id = %s"), WITH_TOTALS.format(f"ORDER BY id LIMIT {LIMIT}")
Answer = tuple[str, Any]
NOT_FOUND: Answer = ("404 Not Found", envelope("not_found", "There is nothing here."))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        tokens.subject(environ.get("HTTP_AUTHORIZATION"))
        status, body = answer(environ)
    except tokens.Unauthorized:
        status, body = "401 Unauthorized", envelope("unauthenticated", "Send an access token.")
    text = orjson.dumps(body)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


def answer(environ: dict[str, Any]) -> Answer:
    match = PATH.fullmatch(environ["PATH_INFO"])
    if match is None:
        return NOT_FOUND
    if environ["REQUEST_METHOD"] == "POST":
        return add_step(UUID(match["id"]), orjson.loads(environ["wsgi.input"].read()))
    if match["steps"]:
        rows = [(*row[:-1], orjson.Fragment(row[-1])) for row in read(STEPS, match["id"])]
        return "200 OK", page([dict(zip(STEP_KEYS, row, strict=True)) for row in rows])
    names = (*CAMPAIGN_KEYS, "step_count", "total_delay_minutes")
    rows = read(ONE, match["id"]) if match["id"] else read(MANY)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    if match["id"]:
        return ("200 OK", found[0]) if found else NOT_FOUND
    return "200 OK", page(found)


def read(sql: str, *parameters: Any) -> list[Any]:
    with pool.connection() as connection:
        return connection.execute(sql, parameters).fetchall()


def add_step(campaign_id: UUID, body: dict[str, Any]) -> Answer:
    step = {"delay_minutes": 0, "variables": {}, **body}
    if not valid(step):
        return "400 Bad Request", envelope("validation_error", "The step has faults.")
    step_id = uuid4()
    texts = (str(step["position"]), step["template_id"], step["template_version_id"], str(step["delay_minutes"]))
    with pool.connection() as connection:
        cursor = connection.execute(ADD, (campaign_id, step_id, *texts, orjson.dumps(step["variables"]).decode()))
        row = cursor.fetchone()
    if row is None:
        return NOT_FOUND
    if row[0] not in EDITABLE or row[1] is None:
        return "412 Precondition Failed", envelope("bad_state", "The step can't be added.", status=row[0])
    return "201 Created", {"id": step_id, "campaign_id": campaign_id, **{name: step[name] for name in STEP_KEYS[2:]}}


def valid(step: dict[str, Any]) -> bool:
    numbers, texts = ("position", "delay_minutes"), ("template_id", "template_version_id")
    return (
        all(type(step.get(name)) is int and 0 <= step[name] <= 2_147_483_647 for name in numbers)
        and all(isinstance(step.get(name), str) and 0 < len(step[name]) <= 255 for name in texts)
        and isinstance(step["variables"], dict)
    )
