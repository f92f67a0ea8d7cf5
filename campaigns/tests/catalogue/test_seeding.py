"""`seed_campaigns --check-templates`: no row with an unknown template version is loaded."""

from pathlib import Path

import pytest
from pytest_django import Settings

from campaigns.tests.catalogue.conftest import Recording
from campaigns.tests.factories import stored
from campaigns.tests.seed_files import campaigns, csv_file, row, seed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two good rows, one with an unknown version, which alone names the campaign, and one that breaks a rule."""
    rows = row(0, template="offer", name=""), row(1), row(2, template="welcome", name=""), row("x", name="")
    return csv_file(tmp_path / "steps.csv", *rows)


@pytest.mark.parametrize("options", [{}, {"commit_every": 1}, {"dry_run": True}], ids=["whole", "batches", "dry"])
def test_rows_with_unknown_versions_are_refused_by_line(
    file: Path, catalogue: Recording, options: dict[str, int]
) -> None:
    before = stored()
    said = seed(file, check_templates=True, **options)

    assert said.faults == [
        (5, "position", "invalid_type"),
        (3, "template_version_id", "unknown_version"),
    ]
    assert "steps.csv:3: template_version_id: The template catalogue has no version t-v1 of the template t." in said.err
    assert (said.code, stored()) == (1, before)
    assert catalogue.asked == [3]


@pytest.mark.parametrize("options", [{}, {"commit_every": 1}], ids=["whole", "batches"])
def test_the_others_can_be_loaded(file: Path, catalogue: Recording, options: dict[str, int]) -> None:
    said = seed(file, check_templates=True, skip_invalid=True, **options)

    assert (said.code, campaigns()) == (1, [("c", "Welcome", "draft", 2)])
    assert {fault[0] for fault in said.faults} == {3, 5}
    assert catalogue.asked == [3]  # once, also where the input is read twice


def test_a_catalogue_that_cannot_be_asked_ends_the_load(file: Path, catalogue: Recording) -> None:
    def fail() -> None:
        raise RuntimeError("down")

    catalogue.before = fail
    before = stored()
    said = seed(file, check_templates=True)

    assert (said.code, stored()) == (2, before)
    assert said.message == (
        "The template catalogue could not be asked about 3 template versions: try again later. Nothing was written."
    )


def test_without_a_catalogue_it_says_what_to_set(file: Path, settings: Settings) -> None:
    settings.TEMPLATE_CATALOGUE = ""
    said = seed(file, check_templates=True)

    assert (said.code, said.message) == (
        2,
        "--check-templates asks the template catalogue: set TEMPLATE_CATALOGUE.",
    )
