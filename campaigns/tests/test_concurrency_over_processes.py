"""Several server processes on one database: nobody's write is lost, and nobody is told of a locked database."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.factories import history_of, make_campaign, positions, step_body
from campaigns.tests.races import at_once
from campaigns.tests.server import Answer, Server, running_server, url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "log", url_of_test_database(), workers=3) as server:
        yield server


def test_many_writers_on_several_processes(processes: Server) -> None:
    shared, busy = make_campaign(), make_campaign(steps=1)
    steps = f"/v1/messaging/campaigns/{shared.id}/steps"

    def adders(number: int) -> list[Answer]:
        return [processes.post(steps, step_body(number * 100 + position)) for position in range(10)]

    def rival(_: int) -> list[Answer]:
        return [processes.post(steps, step_body(5_000))]

    def switcher(_: int) -> list[Answer]:
        verbs = ("activate", "pause") * 5
        return [processes.post(f"/v1/messaging/campaigns/{busy.id}/{verb}", {}) for verb in verbs]

    calls = [adders] * 8 + [rival] * 20 + [switcher] * 4
    found = at_once([partial(call, number) for number, call in enumerate(calls)])
    added, rivals, switched = (
        [answer for answers in part for answer in answers] for part in (found[:8], found[8:28], found[28:])
    )

    assert Counter(answer.status for answer in added) == {201: 80}
    assert Counter(answer.status for answer in rivals) == {201: 1, 412: 19}
    winner = CampaignStep.objects.get(position=5_000)
    assert {answer.json()["details"]["step_id"] for answer in rivals if answer.status == 412} == {str(winner.id)}
    expected = [number * 100 + position for number in range(8) for position in range(10)]
    assert positions(shared) == [*expected, 5_000]
    assert len(history_of(shared)) == 81

    assert {answer.status for answer in switched} <= {200, 412}
    changes = sum(answer.status == 200 for answer in switched)
    assert (Campaign.objects.get(pk=busy.pk).version, len(history_of(busy))) == (1 + changes, changes)
