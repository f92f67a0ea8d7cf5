"""Seed files and what the commands say to them."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from campaigns.models import Campaign, CampaignStep

HEADER = "external_id,campaign_name,position,template_id,template_version_id,delay_minutes,variables"


@dataclass
class Said:
    """What a command answered: its exit code, its output, and the faults as (line, field, code)."""

    code: int
    out: str
    err: str
    message: str
    faults: list[tuple[int, str, str]] = field(default_factory=list)


def seed(*arguments: Any, **options: Any) -> Said:
    """Run seed_campaigns in this process; its faults are read from --errors."""
    out, err = io.StringIO(), io.StringIO()
    code, message = 0, ""
    errors = Path(str(arguments[0]) + ".errors") if arguments and arguments[0] != "-" else None
    if errors:
        options.setdefault("errors", str(errors))
    try:
        call_command("seed_campaigns", *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        code, message = error.returncode, str(error)
    faults = []
    if errors and errors.exists():
        told = map(json.loads, errors.read_text().splitlines())
        faults = [(fault["line"], fault["field"], fault["code"]) for fault in told]
    return Said(code, out.getvalue(), err.getvalue(), message, faults)


def export(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("export_campaigns", *arguments, stdout=out, **options)
    return out.getvalue()


def csv_file(path: Path, *rows: str, header: str = HEADER) -> Path:
    """A file of these lines, as they are."""
    path.write_text("".join(f"{line}\n" for line in (header, *rows)), newline="")
    return path


def csv_row(*cells: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def row(position: object = 0, campaign: str = "c", template: str = "t", **more: Any) -> str:
    """A row under HEADER: a step of the campaign with this external id."""
    delay, variables = more.get("delay", ""), more.get("variables", "")
    return csv_row(campaign, more.get("name", "Welcome"), position, template, f"{template}-v1", delay, variables)


def json_file(path: Path, *records: object) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def record(position: object = 0, campaign: str = "c", template: str = "t", **more: Any) -> dict[str, Any]:
    """The same as row(), for JSON Lines."""
    return {
        "external_id": campaign,
        "campaign_name": "Welcome",
        "position": position,
        "template_id": template,
        "template_version_id": f"{template}-v1",
        **more,
    }


def steps_of(external_id: str) -> list[tuple[Any, ...]]:
    """Position, template, delay, variables and version of each stored step of a campaign."""
    names = ("position", "template_id", "delay_minutes", "variables", "version")
    steps = CampaignStep.objects.filter(campaign__external_id=external_id)
    return list(steps.order_by("position").values_list(*names))


def campaigns() -> list[tuple[Any, ...]]:
    """Every stored campaign as (external id, name, status, number of steps)."""
    return [
        (campaign.external_id, campaign.name, campaign.status, campaign.steps.count())
        for campaign in Campaign.objects.order_by("external_id")
    ]
