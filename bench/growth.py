"""What grows with the data, and what doesn't: `python -m scripts.postgresql python -m bench.growth`.

It calls the WSGI application itself, and prints the median milliseconds of each call beside each number of rows.
"""

import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES, CALLS = (10, 1_000, 10_000, 100_000), 15
ROOT = "/v1/messaging/campaigns"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")


def main() -> None:
    from messaging_project.wsgi import application

    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)
    token = subprocess.run(
        [sys.executable, "manage.py", "issue_token"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    caller = Caller(application, token)
    table = {size: {**of_one_campaign(caller, size), **of_many_campaigns(caller, size)} for size in SIZES}
    print(f"| ms (median of {CALLS}) | {' | '.join(f'{size:,}' for size in SIZES)} |\n| --- |{' --- |' * len(SIZES)}")
    for name in table[SIZES[0]]:
        print(f"| {name} | {' | '.join(cell(table[size].get(name)) for size in SIZES)} |")


def cell(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:,.1f}"


class Caller:
    """Calls the application in this process."""

    def __init__(self, application: Callable[..., Any], token: str) -> None:
        self._application, self._token = application, token

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

    def median_ms(self, method: str, addresses: Callable[[], str], body: Callable[[], Any] = lambda: None) -> float:
        times = []
        for _ in range(CALLS + 2):  # two to warm up
            address, sent = addresses(), body()
            start = time.perf_counter()
            self(method, address, sent)
            times.append((time.perf_counter() - start) * 1_000)
        return statistics.median(times[2:])


def of_one_campaign(caller: Caller, size: int) -> dict[str, float]:
    """Calls of a campaign with `size` steps."""
    campaign = f"{ROOT}/{filled(size)}"
    ends = itertools.count(size)
    middle = page_in_the_middle(caller, f"{campaign}/steps?limit=100", size // 200)
    found = {
        "add a step at the end": caller.median_ms("POST", lambda: f"{campaign}/steps", lambda: step(next(ends))),
        "first page of steps": caller.median_ms("GET", lambda: f"{campaign}/steps"),
        "page in the middle of steps": caller.median_ms("GET", lambda: middle),
        "get the campaign": caller.median_ms("GET", lambda: campaign),
        "readiness": caller.median_ms("GET", lambda: f"{campaign}/readiness"),
        "timeline": caller.median_ms("GET", lambda: f"{campaign}/timeline"),
    }
    if size <= 10_000:
        shift = f"{campaign}/steps?on_conflict=shift"
        found["add a step at the front, all shift"] = caller.median_ms("POST", lambda: shift, lambda: step(0))
    return found


def of_many_campaigns(caller: Caller, size: int) -> dict[str, float]:
    """Calls of the list of `size` campaigns with a step each, beside those that are there already."""
    from django.core.management import call_command

    call_command("seed_campaigns", campaigns=size, steps=1, verbosity=0)
    middle = page_in_the_middle(caller, f"{ROOT}?limit=100", size // 200)
    return {
        "first page of campaigns": caller.median_ms("GET", lambda: ROOT),
        "page in the middle of campaigns": caller.median_ms("GET", lambda: middle),
        "search, found at once": caller.median_ms("GET", lambda: f"{ROOT}?search=a"),
        "search, found nowhere": caller.median_ms("GET", lambda: f"{ROOT}?search=zzzzqqqq"),
    }


def filled(size: int) -> Any:
    from campaigns.models import Campaign, CampaignStep

    campaign = Campaign.objects.create(name=f"Of {size} steps")
    steps = (CampaignStep(campaign=campaign, **step(position)) for position in range(size))
    while batch := list(itertools.islice(steps, 10_000)):
        CampaignStep.objects.bulk_create(batch)
    return campaign.id


def page_in_the_middle(caller: Caller, address: str, pages: int) -> str:
    """The address of a page so many pages further on, and of the last one if there are fewer."""
    for _ in range(pages):
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
