"""A field of a step is one row of STEP_FIELDS; each other place that names it is named here when it lacks it."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings

from campaigns.changes import PlacedStep
from campaigns.models import CampaignStep, RevisionStep
from campaigns.revisions import CONTENT
from campaigns.rules import STEP_FIELDS, StepFields
from campaigns.services import FrozenStep

pytestmark = pytest.mark.any_database
PAGES = "templates/admin/campaigns/campaign"
CSS = "campaigns/static/campaigns/campaigns.css"
LATER = tuple(STEP_FIELDS)[5:]  # than the first release
MODELS: dict[str, type[CampaignStep | RevisionStep]] = {
    "models.CampaignStep": CampaignStep,
    "models.RevisionStep": RevisionStep,
}


def text(path: str) -> str:
    return (Path(settings.BASE_DIR) / path).read_text()


def named_in(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text(path)))


def columns(model: type[CampaignStep | RevisionStep], *, only_filled: bool = False) -> list[str]:
    """The columns; those that the database fills where a statement, as of the release before, leaves them out."""
    return [it.attname for it in model._meta.concrete_fields if it.has_db_default() or not only_filled]


def test_each_field_of_a_step_is_in_each_place_that_names_it() -> None:
    places: list[tuple[str, Iterable[str], Iterable[str]]] = [
        ("rules.StepFields", STEP_FIELDS, StepFields._fields),
        ("rules.StepFields, with a default", LATER, StepFields._field_defaults),
        ("models.CampaignStep", STEP_FIELDS, columns(CampaignStep)),
        ("models.RevisionStep", CONTENT, columns(RevisionStep)),
        *((f"{name}, with a db_default", LATER, columns(it, only_filled=True)) for name, it in MODELS.items()),
        ("changes.PlacedStep", CONTENT, PlacedStep._fields),
        ("services.FrozenStep", CONTENT, FrozenStep.__annotations__),
        (f"{PAGES}/step_row.html", STEP_FIELDS, named_in(f"{PAGES}/step_row.html", r"\{\{ form\.(\w+) \}\}")),
        *(
            (f"{PAGES}/{page}.html", CONTENT, named_in(f"{PAGES}/{page}.html", r"\{\{ step\.(\w+)"))
            for page in ("step_table", "revision")
        ),
        *(
            (f"docs/{page}.md, in a table", STEP_FIELDS, named_in(f"docs/{page}.md", r"(?<=[|,] )`(\w+)`(?=,| \|)"))
            for page in ("api", "seeding")
        ),
    ]
    missing = [f"{place}: {name}" for place, wanted, known in places for name in wanted if name not in known]
    assert missing == [], "\n".join(missing)  # pytest alone would show the first


def test_what_takes_the_values_in_the_order_of_the_fields_has_that_order() -> None:
    assert StepFields._fields == tuple(STEP_FIELDS)
    assert PlacedStep._fields[2:] == tuple(FrozenStep.__annotations__)[2:] == CONTENT


def test_no_field_may_be_null_which_a_digest_would_leave_out() -> None:
    assert [name for name, field in STEP_FIELDS.items() if field.may_be_null] == []


def test_a_row_of_the_page_has_a_head_and_a_column_for_each_field_a_handle_and_its_buttons() -> None:
    heads = re.search(r'class="step-head".*', text(f"{PAGES}/step_rows.html"))
    grid = re.search(r"\.step-head, \.step-fields \{[^}]*grid-template-columns: (.+);", text(CSS))
    assert heads
    assert grid
    found = {"heads": heads[0].count("<span>"), "columns": len(re.sub(r"\([^)]*\)", "", grid[1]).split())}
    assert found == dict.fromkeys(("heads", "columns"), len(STEP_FIELDS) + 2), f"{PAGES}/step_rows.html and {CSS}"
