"""A status is one row of statuses.py; whatever else it needs is named here when it is missing."""

import re
from pathlib import Path

import pytest
from django.utils.text import get_text_list

from campaigns.admin.history_page import VERBS
from campaigns.models import Action
from campaigns.statuses import STATUSES, Status, sources
from campaigns.views import CampaignViewSet

APP = Path(__file__).parents[1]
CSS = (APP / "static" / "campaigns" / "campaigns.css").read_text()
API = (APP.parent / "docs" / "api.md").read_text()
VERB = {status: row.verb.lower() for status, row in STATUSES.items()}
REACHED = sorted({target for row in STATUSES.values() for target in row.targets})


def test_each_status_has_a_row_and_each_row_leads_to_statuses() -> None:
    assert list(STATUSES) == list(Status)
    assert all(target in STATUSES for row in STATUSES.values() for target in row.targets)


@pytest.mark.parametrize("status", REACHED)
def test_a_status_that_a_campaign_can_take_has_all_that_tells_of_it(status: str) -> None:
    row = STATUSES[status]
    action = VERB[status]
    places = {
        f"statuses.py: a verb, what was done, and consequences for {status}": row.verb
        and row.done
        and row.consequences,
        f"models.Action: {row.action or status}": row.action in Action.values,
        f"admin/history_page.py, VERBS: {row.action or status}": row.action in VERBS,
        f"views.CampaignViewSet: the action {action}": hasattr(CampaignViewSet, action),
        f"views.CampaignViewSet.operation_ids: {action}Campaign": (
            CampaignViewSet.operation_ids.get(action) == f"{action}Campaign"
        ),
    }
    missing = [place for place, is_there in places.items() if not is_there]
    assert missing == [], "\n".join(missing)  # pytest alone would show the first


def test_what_is_written_of_the_transitions_has_them_all() -> None:
    drawn = {status: row.targets for status, row in STATUSES.items() if row.targets}
    found = re.findall(r"^ +(\w+) +──> (.+)$", str(Status.__doc__), re.MULTILINE)
    assert {status: tuple(targets.split(", ")) for status, targets in found} == drawn, "statuses.py: Status's docstring"
    rows = {it: rf"/{VERB[it]}` \| from {get_text_list(sources(it))}(?! or |, \w+ or )" for it in REACHED}
    lacking = [target for target, row in rows.items() if not re.search(row, API)]
    assert lacking == [], "docs/api.md: from where its row says that they are reached"


@pytest.mark.parametrize("status", Status.values)
def test_a_status_has_a_badge(status: str) -> None:
    assert re.search(rf"\.badge-{status}\b", CSS), f"static/campaigns/campaigns.css: .badge-{status}"


def test_each_action_of_the_history_has_words_for_staff() -> None:
    assert [action for action in Action.values if action not in VERBS] == []
