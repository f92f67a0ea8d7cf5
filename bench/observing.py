"""What metrics, JSON lines and throttles cost a POST of a step: the same application with each of them, in turns.

`python -m scripts.postgresql python -m bench.observing 2>/dev/null`, about a minute. Without a server, whose share
would make the ratios smaller; in CPU time of the thread, since a shared machine's clock tells little.
"""

import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

CALLS = 3_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Set for all variants: which of it is used is then a matter of the middleware.
        os.environ |= {"PROMETHEUS_MULTIPROC_DIR": folder, "LOG_FORMAT": "json"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "messaging_project.settings"
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)
        compare()


def compare() -> None:
    import django

    django.setup()
    variants = {name: partial(call, *of) for name, of in applications().items()}
    token = subprocess.run([sys.executable, "manage.py", "issue_token"], stdout=subprocess.PIPE, text=True, check=True)
    campaign = json.loads(post(variants["nothing"], "", {"name": "Benchmark"}, token.stdout.strip()))["id"]
    costs: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(CALLS):
        # Another order each time: what one leaves in the caches, the next one finds.
        for place, name in enumerate(random.sample(sorted(variants), len(variants))):
            body = {"position": number * len(variants) + place, "template_id": "t", "template_version_id": "v"}
            start = time.thread_time()
            post(variants[name], f"/{campaign}/steps", body, token.stdout.strip())
            costs[name].append(time.thread_time() - start)
    base = statistics.median(costs["nothing"])
    for name, values in costs.items():
        cost = statistics.median(values)
        print(f"{name:20} {cost * 1e6:6.0f} µs of CPU, {cost / base:.3f} x")


def applications() -> dict[str, tuple[Any, list[type]]]:
    """By name: the application, and the throttles that its views have."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    from messaging_project.api.throttle_settings import Rate
    from messaging_project.api.throttles import OperationThrottle

    settings.API_THROTTLES = {"*": Rate(999_999_999, "day")}
    observed = WSGIHandler()
    directory, settings.METRICS_DIRECTORY = settings.METRICS_DIRECTORY, ""
    logged = WSGIHandler()
    settings.METRICS_DIRECTORY, settings.LOG_FORMAT = directory, "text"
    counted = WSGIHandler()
    settings.MIDDLEWARE.remove("messaging_project.observe.observe")
    plain = WSGIHandler()
    return {
        "nothing": (plain, []),
        "metrics": (counted, []),
        "JSON lines": (logged, []),
        "metrics, JSON lines": (observed, []),
        "throttles": (plain, [OperationThrottle]),
    }


def call(application: Any, throttles: list[type], environ: dict[str, Any]) -> bytes:
    from campaigns.views import CampaignViewSet

    CampaignViewSet.throttle_classes = throttles
    status: list[str] = []
    body = b"".join(application(environ, lambda line, _: status.append(line)))
    if status != ["201 Created"]:
        raise RuntimeError(f"{status} {body!r}")
    return body


def post(variant: Callable[[dict[str, Any]], bytes], path: str, body: dict[str, Any], token: str) -> bytes:
    sent = json.dumps(body).encode()
    return variant(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/v1/messaging/campaigns{path}",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": sys.stderr,
        }
    )


if __name__ == "__main__":
    main()
