"""A load that meets other writers on a campaign of its file."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from campaigns.models import Campaign
from campaigns.seeding.early import EarlyCampaigns
from campaigns.seeding.staging import Ascent
from campaigns.tests.api import campaign_url
from campaigns.tests.factories import history_of, make_campaign, positions
from campaigns.tests.races import caller, in_line
from campaigns.tests.seed_files import csv_file, row, seed

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("position", "options"), [(5, {}), (0, {"on_conflict": "update"})])
def test_a_campaign_that_is_deleted_before_the_load_is_made_anew(
    tmp_path: Path, position: int, options: dict[str, str]
) -> None:
    campaign = make_campaign(external_id="c", steps=1)
    file = csv_file(tmp_path / "steps.csv", row(position, template="new"))
    with in_line(campaign) as start:
        deleted = start(lambda: caller().delete(campaign_url(campaign)))
        loaded = start(lambda: seed(file, **options))
    assert (deleted.result().status_code, loaded.result().code) == (204, 0)
    made = Campaign.objects.get(external_id="c")
    assert positions(made) == [position]
    assert [entry["action"] for entry in history_of(campaign)] == ["campaign.deleted"]


def test_only_for_a_file_are_stored_campaigns_locked_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[UUID, Ascent]] = []
    begin = EarlyCampaigns.begin

    def watched(early: EarlyCampaigns, campaigns: str) -> Any:
        begun.append(begin(early, campaigns))
        return begun[-1]

    monkeypatch.setattr(EarlyCampaigns, "begin", watched)
    campaign = make_campaign(external_id="c", steps=1)
    assert seed(csv_file(tmp_path / "steps.csv", row(1))).code == 0
    assert [ascent.id for ascents in begun for ascent in ascents.values()] == [campaign.id]
    begun.clear()
    with csv_file(tmp_path / "piped.csv", row(2), row(0, campaign="new")).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert seed("-", format="csv").code == 0
    assert [ascent.is_new for ascents in begun for ascent in ascents.values()] == [True]
    assert positions(campaign) == [0, 1, 2]
