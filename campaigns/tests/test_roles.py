"""The roles of docs/operations.md do their work with the rights that they have there, and with no more."""

import re
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import Campaign, HistoryEntry
from campaigns.tests.admin.pages import opened, save
from campaigns.tests.factories import make_campaign
from campaigns.tests.seed_files import csv_file, row, seed, steps_of
from campaigns.tests.test_operations_by_status import OPERATIONS
from campaigns.tests.test_prune import make_entry
from messaging_project.health import _require_set_up, database_faults

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]
DOCUMENTED = Path(settings.BASE_DIR) / "docs" / "operations.md"
(STATEMENTS,) = re.findall(r"^```sql\n(.*?)^```", DOCUMENTED.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _roles() -> None:
    execute(STATEMENTS.replace("messaging_", "tried_"))  # the server may have the others


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_the_role_of_the_service_does_all_that_callers_and_staff_ask_for(client: APIClient) -> None:
    execute("SET LOCAL ROLE tried_web")
    answers = {}
    for name, operation in OPERATIONS.items():
        campaign = make_campaign(status=operation.allowed[0], steps=2)
        answers[name] = operation.call(client, campaign, **{"Idempotency-Key": str(campaign.pk)}).status_code
    assert answers == {name: operation.code for name, operation in OPERATIONS.items()}
    assert len(client.get("/v1/messaging/events").json()["results"]) == HistoryEntry.objects.count() > 0
    staff, campaign = Client(), make_campaign()
    assert staff.post("/admin/login/", {"username": "ada", "password": "guessed"}).status_code == 200
    staff.force_login(User.objects.create_superuser("ada"))
    assert save(staff, campaign, opened(staff, campaign) | {"name": "Renamed"}).status_code == 302
    assert Campaign.objects.get(pk=campaign.pk).name == "Renamed"


def test_the_role_of_the_service_is_ready_and_cannot_take_the_history_back() -> None:
    execute("SET LOCAL ROLE tried_web")
    _require_set_up.cache_clear()
    assert [fault for fault in database_faults() if "tried_web lacks" in fault] == []
    for forbidden in ("DELETE FROM campaigns_historyentry", "UPDATE campaigns_revision SET digest = ''"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            execute(forbidden)


def test_the_role_of_the_commands_loads_and_prunes(csv_path: Path) -> None:
    execute("SET LOCAL ROLE tried_jobs")
    make_entry(timezone.now() - timedelta(days=30))
    assert seed(csv_file(csv_path, row(0), row(1))).code == 0
    assert seed(csv_file(csv_path, row(0, template="other")), on_conflict="update").code == 0
    assert [step[1] for step in steps_of("c")] == ["other", "t"]
    said = StringIO()
    for command in (["prune", "--history-older-than=20"], ["check_steps"], ["freeze_revisions"], ["export_campaigns"]):
        call_command(*command, stdout=said)
    assert "1 history entries deleted" in said.getvalue()


def test_both_may_use_the_tables_of_later_migrations() -> None:
    execute("CREATE TABLE later (id int)")
    use = "INSERT INTO later VALUES (1); UPDATE later SET id = 2; DELETE FROM later"
    for role in ("tried_web", "tried_jobs"):
        execute(f"SET LOCAL ROLE {role}; {use}; RESET ROLE")
