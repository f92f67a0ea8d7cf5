"""What observing and guarding cost a POST of a step: the same application without and with each of them, in turns.

`python -m scripts.postgresql python -m bench.observing 2>/dev/null`, about a minute. Without a server, whose share
would make the ratios smaller; in CPU time of the thread, since a shared machine's clock tells little.
"""

import io
import itertools
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
from operator import truediv
from typing import Any, ClassVar, NamedTuple

TURNS, CALLS = 500, 6  # in a row, of which the least counts: a service doesn't change what it does at each call
NOTHING = "nothing"


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
    posts = {name: partial(post, partial(call, variant)) for name, variant in variants().items()}
    token = subprocess.check_output([sys.executable, "manage.py", "issue_token"], text=True).strip()
    campaign = json.loads(posts[NOTHING]("", {"name": "Benchmark"}, token))["id"]
    costs: dict[str, list[float]] = {name: [] for name in posts}
    positions = itertools.count()
    for _ in range(TURNS):
        for name in random.sample(sorted(posts), len(posts)):
            costs[name].append(min(cost(posts[name], campaign, next(positions), token) for _ in range(CALLS)))
    for name, values in costs.items():
        # Each turn is compared for itself: a shared machine is never the same for long.
        ratio = statistics.median(map(truediv, values, costs[NOTHING]))
        print(f"{name:20} {statistics.median(values) * 1e6:6.0f} µs of CPU, {ratio:.3f} x")


def cost(send: Callable[..., bytes], campaign: str, position: int, token: str) -> float:
    start = time.thread_time()
    send(f"/{campaign}/steps", {"position": position, "template_id": "t", "template_version_id": "v"}, token)
    return time.thread_time() - start


class Variant(NamedTuple):
    """An application, the throttles of its views, and the database backend that it reaches PostgreSQL by."""

    application: Any
    throttles: list[type]
    backend: type


def variants() -> dict[str, Variant]:
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    from messaging_project.api.throttle_settings import Rate
    from messaging_project.api.throttles import OperationThrottle
    from messaging_project.postgresql.base import DatabaseWrapper
    from messaging_project.watchdog import watchdog

    settings.API_THROTTLES = {"*": Rate(999_999_999, "day")}
    watchdog.start()
    observed = WSGIHandler()
    settings.METRICS_DIRECTORY = ""
    logged = WSGIHandler()
    settings.LOG_FORMAT = "text"
    told = WSGIHandler()
    settings.MIDDLEWARE.remove("messaging_project.observe.observe")
    plain, unguarded = WSGIHandler(), unguarded_backend()
    return {
        NOTHING: Variant(plain, [], unguarded),
        "text lines": Variant(told, [], unguarded),
        "JSON lines": Variant(logged, [], unguarded),
        "JSON lines, metrics": Variant(observed, [], unguarded),
        "breaker, timeouts": Variant(plain, [], DatabaseWrapper),
        "all of these": Variant(observed, [], DatabaseWrapper),
        "throttles alone": Variant(plain, [OperationThrottle], unguarded),
    }


def unguarded_backend() -> type:
    """The project's backend without watchdog and time limits, with a pool of its own."""
    from django.db.backends.postgresql import base

    from messaging_project.postgresql.base import with_time_loader

    class Unguarded(base.DatabaseWrapper):
        _connection_pools: ClassVar[dict[str, Any]] = {}

        def get_connection_params(self) -> dict[str, Any]:
            parameters = super().get_connection_params()
            return parameters | {"context": with_time_loader(parameters["context"])}

    return Unguarded


def call(variant: Variant, environ: dict[str, Any]) -> bytes:
    from django.db import connections

    from campaigns.views import CampaignViewSet

    connections["default"].__class__, CampaignViewSet.throttle_classes = variant.backend, variant.throttles
    status: list[str] = []
    response = variant.application(environ, lambda line, _: status.append(line))
    body = b"".join(response)
    response.close()  # which gives the connection back to its pool
    if status != ["201 Created"]:
        raise RuntimeError(f"{status} {body!r}")
    return body


def post(send: Callable[[dict[str, Any]], bytes], path: str, body: dict[str, Any], token: str) -> bytes:
    sent = json.dumps(body).encode()
    return send(
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
