"""What the most expensive bodies cost: CPU seconds and memory for each MiB, each body in a process of its own.

`python -m bench.bodies`, on SQLite, a minute. The budget is 1 CPU second for each MiB, and 200 MiB in all.
"""

import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

MEBIBYTE = 1024 * 1024
STEP = {"position": 0, "template_id": "t", "template_version_id": "v"}


def one(variables: str) -> str:
    return json.dumps(STEP)[:-1] + f', "variables": {{"a": [{variables}]}}}}'


def filled(text: str, size: int) -> str:
    return ",".join([text] * (size // (len(text) + 1) - 50))


def sequence(*steps: str) -> str:
    return f'{{"steps": [{",".join(steps)}]}}'


NUL = '"\\u0000"'
NAMED = STEP | {f"x{number}": 1 for number in range(65)}
# By name: method and path of the operation below a campaign, and the body.
BODIES: dict[str, tuple[str, str, Callable[[], str]]] = {
    "1 MiB of faulty strings": ("POST", "/steps", lambda: one(filled(NUL, MEBIBYTE))),
    "1 MiB of too large numbers": ("POST", "/steps", lambda: one(filled("1e999", MEBIBYTE))),
    "1 MiB of unknown names": ("POST", "/steps", lambda: json.dumps(STEP | {f"x{n:06}": 1 for n in range(70_000)})),
    "8 MiB of faulty strings": ("PUT", "/steps", lambda: sequence(one(filled(NUL, 8 * MEBIBYTE)))),
    "8 MiB of empty arrays": ("PUT", "/steps", lambda: sequence(one(filled("[]", 8 * MEBIBYTE)))),
    "10,000 empty steps": ("PUT", "/steps", lambda: sequence(*["{}"] * 10_000)),
    "10,000 steps of unknown names": ("PUT", "/steps", lambda: sequence(*[json.dumps(NAMED)] * 9_800)),
    "8 MiB of numbers for ids": ("PUT", "/steps/order", lambda: f'{{"step_ids": [{filled("1", 8 * MEBIBYTE)}]}}'),
    "8 MiB of unknown ids": (
        "PUT",
        "/steps/order",
        lambda: json.dumps({"step_ids": [f"x{n}" for n in range(760_000)]}),
    ),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "messaging_project.settings"}
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bodies.sqlite3")
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True)
        token = subprocess.run([sys.executable, "manage.py", "issue_token"], capture_output=True, text=True, check=True)
        for name in BODIES:
            child = multiprocessing.get_context("spawn").Process(target=measure, args=(name, token.stdout.strip()))
            child.start()
            child.join()


def measure(name: str, token: str) -> None:
    from messaging_project.wsgi import application

    method, path, make = BODIES[name]
    body = make().encode()
    campaign = call(application, "POST", "", b'{"name": "Bodies"}', token)["id"]
    call(application, method, f"/{campaign}{path}", b'{"steps": 1}', token)  # what is loaded once isn't counted
    idle, began = peak(), time.process_time()
    answer = call(application, method, f"/{campaign}{path}", body, token)
    seconds, size = time.process_time() - began, len(body) / MEBIBYTE
    faults = answer.get("details", {}).get("total", 0)
    print(
        f"{name:32} {size:4.1f} MiB, {faults:9,} faults: {seconds:5.2f} s of CPU, {peak() - idle:4.0f} MiB", flush=True
    )


def peak() -> float:
    """The most memory that the process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def call(application: Any, method: str, path: str, body: bytes, token: str) -> dict[str, Any]:
    answer = application(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": f"/v1/messaging/campaigns{path}",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "HTTP_PREFER": "handling=strict",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        },
        lambda *_: None,
    )
    found: dict[str, Any] = json.loads(b"".join(answer))
    return found


if __name__ == "__main__":
    main()
