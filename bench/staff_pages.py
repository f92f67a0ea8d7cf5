"""What the staff pages cost, in CPU of the server, time and queries, on a temporary PostgreSQL.

`python -m scripts.postgresql python -m bench.staff_pages`
"""

import os
import time
from collections.abc import Iterator
from typing import Any

import django
from django.db import connection

CAMPAIGNS = 100_000
ROUNDS = 7


MANY = """
WITH made AS (
    INSERT INTO campaigns_campaign (id, name, external_id, description, status, version)
    SELECT gen_random_uuid(), 'Campaign ' || number, 'crm-' || number, '', 'draft', 1
    FROM generate_series(1, %s) AS number
    RETURNING id
)
INSERT INTO campaigns_campaignstep
    (id, campaign_id, position, template_id, template_version_id, delay_minutes, variables, version)
SELECT gen_random_uuid(), id, 0, 't0', 't0-v1', 60, '{}', 1 FROM made
"""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    print(f"{connection.vendor}: least of {ROUNDS}")
    for name, url in urls().items():
        measure(client, name, url)


def urls() -> dict[str, str]:
    """The pages by what they show; makes what they need."""
    from campaigns.models import Campaign, CampaignStep

    with connection.cursor() as cursor:
        cursor.execute(MANY, [CAMPAIGNS])
    long = {count: Campaign.objects.create(name=f"{count} steps") for count in (300, 5_000)}
    for count, campaign in long.items():
        CampaignStep.objects.bulk_create(new_steps(campaign, count))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    change = "/admin/campaigns/campaign/{}/change/"
    return {
        f"list of {CAMPAIGNS:,} campaigns": "/admin/campaigns/campaign/",
        "the same, searched": "/admin/campaigns/campaign/?q=mpaign+9999",
        "list of steps": "/admin/campaigns/campaignstep/",
        **{f"page with {count:,} steps": change.format(campaign.pk) for count, campaign in long.items()},
        "search among 5,000 steps": change.format(long[5_000].pk) + "?q=t49",
    }


def new_steps(campaign: Any, count: int) -> Iterator[Any]:
    from campaigns.models import CampaignStep

    for position in range(count):
        ids = {"template_id": f"t{position}", "template_version_id": f"t{position}-v1"}
        variables = {"name": "Ada", "count": position}
        yield CampaignStep(campaign=campaign, position=position, **ids, variables=variables)


def measure(client: Any, name: str, url: str) -> None:
    from django.test.utils import CaptureQueriesContext

    cpu, wall = [], []
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
        count = len(queries)  # a later request empties the log
    for _ in range(ROUNDS):
        started, spent = time.perf_counter(), time.process_time()
        answer = client.get(url)
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - started)
    assert answer.status_code == 200, answer.status_code  # noqa: S101 - a measurement of an error page is none
    print(f"{name:32} {min(cpu) * 1000:6.0f} ms CPU {min(wall) * 1000:6.0f} ms {count:3} queries", flush=True)


if __name__ == "__main__":
    main()
