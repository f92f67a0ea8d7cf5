"""What grows with the data, and what doesn't: `python -m scripts.postgresql python -m bench.growth`.

It calls the WSGI application itself, and prints the least milliseconds that each call took beside each number of rows.
"""

import argparse
import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.wsgi import get_wsgi_application

from bench.growth_report import plot, written

SIZES = (10, 1_000, 10_000, 100_000)
RENUMBERED = 10_000  # the longest campaign in which all steps move
ROOT = "/v1/messaging/campaigns"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")


def main() -> None:
    chosen = arguments()
    # Without the watchdog: to fill tables keeps this process busy for longer than it lets a database be silent.
    application = get_wsgi_application()
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)
    token = subprocess.run(
        [sys.executable, "manage.py", "issue_token"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    caller = Caller(application, token, chosen.calls)
    table = {size: of_one_campaign(caller, size) | of_many_campaigns(caller, size) for size in chosen.sizes}
    print(written(table, chosen.calls))
    if chosen.plot:
        chosen.plot.write_text(plot(table))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows; %(default)s without this")
    parser.add_argument("--calls", type=int, default=15, help="of each kind; %(default)s without this")
    parser.add_argument("--plot", type=Path, help="a file for an SVG of the table")
    return parser.parse_args()


class Caller:
    """Calls the application in this process."""

    def __init__(self, application: Callable[..., Any], token: str, calls: int) -> None:
        self._application, self._token, self._calls = application, token, calls

    def __call__(self, method: str, address: str, body: Any = None) -> Any:
        path, _, query = address.partition("?")
        sent = b"" if body is None else json.dumps(body).encode()
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Bearer {self._token}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        response = self._application(environ, lambda status, headers, *_: statuses.append(status))
        answer = json.loads(b"".join(response) or b"null")
        response.close()
        if not statuses[0].startswith("2"):
            raise RuntimeError(f"{method} {address}: {statuses[0]} {answer}")
        return answer

    def least_ms(self, method: str, addresses: Callable[[], str], body: Callable[[], Any] = lambda: None) -> float:
        times = []
        for _ in range(self._calls + 2):  # two to warm up
            address, sent = addresses(), body()
            start = time.perf_counter()
            self(method, address, sent)
            times.append((time.perf_counter() - start) * 1_000)
        return min(times[2:])


def of_one_campaign(caller: Caller, size: int) -> dict[str, float]:
    """Calls of a campaign with `size` steps."""
    campaign = f"{ROOT}/{filled(size)}"
    ends = itertools.count(size)
    far = far_page(caller, f"{campaign}/steps?limit=100")
    found = {
        "add a step at the end": caller.least_ms("POST", lambda: f"{campaign}/steps", lambda: step(next(ends))),
        "first page of steps": caller.least_ms("GET", lambda: f"{campaign}/steps"),
        "page 1,000 of steps": caller.least_ms("GET", lambda: far),
        "get the campaign": caller.least_ms("GET", lambda: campaign),
        "readiness": caller.least_ms("GET", lambda: f"{campaign}/readiness"),
        "timeline": caller.least_ms("GET", lambda: f"{campaign}/timeline"),
    }
    if size <= RENUMBERED:
        shift, order = f"{campaign}/steps?on_conflict=shift", f"{campaign}/steps/order"
        found["add a step at the front, all shift"] = caller.least_ms("POST", lambda: shift, lambda: step(0))
        found["reorder all"] = caller.least_ms("PUT", lambda: order, lambda: reversed_ids(campaign))
    return found


def of_many_campaigns(caller: Caller, size: int) -> dict[str, float]:
    """Calls of the list of `size` campaigns with a step each, beside those that are there already."""
    from django.core.management import call_command

    call_command("seed_campaigns", campaigns=size, steps=1, verbosity=0)
    far = far_page(caller, f"{ROOT}?limit=100")
    return {
        "first page of campaigns": caller.least_ms("GET", lambda: ROOT),
        "page 1,000 of campaigns": caller.least_ms("GET", lambda: far),
        "search, found at once": caller.least_ms("GET", lambda: f"{ROOT}?search=a"),
        "search, found nowhere": caller.least_ms("GET", lambda: f"{ROOT}?search=zzzzqqqq"),
    }


def reversed_ids(campaign: str) -> dict[str, list[str]]:
    """The order that moves every step."""
    from campaigns.models import CampaignStep

    steps = CampaignStep.objects.filter(campaign_id=campaign.rpartition("/")[2]).order_by("-position")
    return {"step_ids": [str(step_id) for step_id in steps.values_list("id", flat=True)]}


def filled(size: int) -> Any:
    from campaigns.models import Campaign, CampaignStep

    campaign = Campaign.objects.create(name=f"Of {size} steps")
    steps = (CampaignStep(campaign=campaign, **step(position)) for position in range(size))
    while batch := list(itertools.islice(steps, 10_000)):
        CampaignStep.objects.bulk_create(batch)
    return campaign.id


def far_page(caller: Caller, address: str) -> str:
    """The address of the page number 1,000, and of the last one if there are fewer."""
    for _ in range(999):
        following = caller("GET", address.replace("http://127.0.0.1", ""))["next"]
        if following is None:
            break
        address = following
    return address.replace("http://127.0.0.1", "")


def step(position: int) -> dict[str, Any]:
    variables = {"first_name": "Ada", "plan": "team"}
    return {
        "position": position,
        "template_id": "tmpl_welcome",
        "template_version_id": f"tmpl_welcome_v{position % 7}",
        "delay_minutes": 5,
        "variables": variables,
    }


if __name__ == "__main__":
    main()
