"""Two campaigns and a staff account to try things with, and the lines to paste."""

import json
import os
import secrets
import sys
from argparse import ArgumentParser
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import transaction

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.management import command
from campaigns.models import ActorType, Campaign
from campaigns.rules import StepFields
from campaigns.steps import first_free_position

USERNAME = "demo"
TOKEN_SECONDS = 30 * 24 * 3_600
HOUR, DAY = 60, 24 * 60  # in minutes, as delays are
LOADER = Actor(ActorType.COMMAND, "load_demo", "load_demo")

DRAFT: dict[str, Any] = {
    "external_id": "demo-welcome-series",
    "name": "Welcome series",
    "description": "A new customer's first week: a greeting, a first success, an offer of help.",
}
DRAFT_STEPS = (
    StepFields(0, "tmpl_welcome", "tmpl_welcome_v3", 0, {"headline": "Welcome aboard", "sender": "Ada"}),
    StepFields(
        1, "tmpl_first_project", "tmpl_first_project_v1", DAY, {"guide_url": "https://example.com/first-project"}
    ),
    StepFields(2, "tmpl_offer_help", "tmpl_offer_help_v2", 3 * DAY, {"sender": "Ada", "reply_within_hours": 4}),
)
ACTIVE: dict[str, Any] = {
    "external_id": "demo-trial-ending",
    "name": "Trial ending",
    "description": "From three days before a trial ends until the day after.",
}
ACTIVE_STEPS = (
    StepFields(0, "tmpl_trial_reminder", "tmpl_trial_reminder_v5", 0, {"days_left": 3}),
    StepFields(1, "tmpl_trial_offer", "tmpl_trial_offer_v2", 2 * DAY, {"days_left": 1, "discount": {"percent": 20}}),
    StepFields(2, "tmpl_trial_ended", "tmpl_trial_ended_v1", DAY + 2 * HOUR, {}),
)
NEW_STEP = {
    "template_id": "tmpl_survey",
    "template_version_id": "tmpl_survey_v1",
    "delay_minutes": 2 * DAY,
    "variables": {"question": "How was your first week?"},
}


class Command(command.Command):
    help = (
        "Load a draft, an active campaign and a staff account to try things with, and print how. "
        "What is there already stays as it is. Writes only with the local SQLite file, or where DEMO=1 is set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the server is (default: %(default)s)")

    def handle(self, *, url: str, **options: Any) -> None:
        if settings.DEMO:
            load_campaigns()
            account = demo_account()
            lines = [*token_lines(), *request_lines(url)]
        else:
            account = f"make an account: {manage('createsuperuser')}"
            lines = [
                "No demo data: this isn't the local SQLite file (DEMO=1 loads it all the same).",
                f"Access tokens come from your identity provider, or from: {manage('issue_token')}",
                "",
            ]
        self.stdout.write("\n".join(["", *lines, f"Docs:  {url}/docs", f"Admin: {url}/admin/ - {account}", ""]))


def manage(command: str) -> str:
    """A management command as it is typed in the project's folder, without the virtual environment being activated."""
    python = Path(sys.executable)
    if python.is_relative_to(settings.BASE_DIR):
        python = python.relative_to(settings.BASE_DIR)
    return f"{python} manage.py {command}"


# --- Data ------------------------------------------------------------------------------------------------------------


def load_campaigns() -> None:
    """Each campaign whole or not at all; one that exists is left alone, whatever has become of it."""
    for fields, steps, target in ((DRAFT, DRAFT_STEPS, None), (ACTIVE, ACTIVE_STEPS, Campaign.Status.ACTIVE)):
        if Campaign.objects.filter(external_id=fields["external_id"]).exists():
            continue
        with transaction.atomic():
            campaign = lifecycle.create_campaign(**fields, steps=steps, actor=LOADER)
            if target:
                lifecycle.change_status(campaign.id, target, actor=LOADER)


def demo_account() -> str:
    """The staff account as a phrase for people. Made once; a password that was changed since stays as it is."""
    users = get_user_model().objects
    password = demo_password(settings.BASE_DIR / ".local" / "demo-password")
    user = users.filter(username=USERNAME).first()
    if user is None:
        with transaction.atomic():
            user = users.create_user(USERNAME, password=password, is_staff=True)
            user.user_permissions.set(Permission.objects.filter(content_type__app_label="campaigns"))
    if user.check_password(password):
        return f"user {USERNAME}, password {password}"
    return f"user {USERNAME}; its password was changed, {manage(f'changepassword {USERNAME}')} sets a new one"


def demo_password(path: Path) -> str:
    """The password that this working copy gives its demo account: random, in a file that only its owner can read."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(12))
    return path.read_text()


# --- Lines to paste --------------------------------------------------------------------------------------------------


def token_lines() -> list[str]:
    # With every scope that some operation asks for, so that the requests below are never refused for one.
    scopes = sorted({scope for word in settings.REQUIRED_SCOPES for scope in word.partition("=")[2].split()})
    token = StringIO()
    arguments = [f"--subject={USERNAME}", f"--expires-in={TOKEN_SECONDS}", f"--scope={' '.join(scopes)}"]
    try:
        call_command("issue_token", *arguments, stdout=token)
    except CommandError as error:
        return [f"# No access token: {error}", ""]
    return [
        "# In another terminal, take an access token for 30 days:",
        f"export ACCESS_TOKEN={token.getvalue().strip()}",
        "",
    ]


def request_lines(url: str) -> list[str]:
    """A request that the API grants and one that it refuses, as things stand now."""
    campaigns = Campaign.objects.filter(external_id__in=[DRAFT["external_id"], ACTIVE["external_id"]]).order_by("id")
    lines = []
    if editable := campaigns.filter(status__in=Campaign.EDITABLE).first():
        lines += [f'# Add a step to "{editable.name}" ({editable.status}): 201 Created', *curl(url, editable)]
    else:
        lines += ["# Neither demo campaign can be changed now. Pause one, or delete one and start again.", ""]
    if closed := campaigns.exclude(status__in=Campaign.EDITABLE).first():
        lines += [f'# Add one to "{closed.name}" ({closed.status}): 412 Precondition Failed', *curl(url, closed)]
    return lines


def curl(url: str, campaign: Campaign) -> list[str]:
    body = {"position": first_free_position(campaign.id, 0), **NEW_STEP}
    return [
        f"curl -i -X POST {url}/v1/messaging/campaigns/{campaign.id}/steps \\",
        '  -H "Authorization: Bearer $ACCESS_TOKEN" \\',
        '  -H "Content-Type: application/json" \\',
        f"  -d '{json.dumps(body)}'",
        "",
    ]
