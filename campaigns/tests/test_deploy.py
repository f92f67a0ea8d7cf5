"""The files of deploy/ are right as far as this machine can tell, and what they start serves."""

import datetime
import json
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from prometheus_client.metrics import MetricWrapperBase

from campaigns.tests.factories import make_campaign, positions, step_body
from campaigns.tests.nginx import CONFIGURATION, running_nginx
from campaigns.tests.server import PRODUCTION, Server, running_server, url_of_test_database
from messaging_project import metrics

BASE = Path(settings.BASE_DIR)
DEPLOY = BASE / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
UNIT = (DEPLOY / "messaging.service").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SLOW = 200
pytestmark = pytest.mark.any_database


def start_commands() -> dict[str, list[str]]:
    (in_image,) = re.findall(r"^CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    (in_unit,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    program, *options = shlex.split(in_unit)
    return {"Containerfile": json.loads(in_image), "messaging.service": [Path(program).name, *options]}


def documented(file: str) -> list[str]:
    """The documented command; of a machine's own service, only a proxy there needs to reach it."""
    return [word.replace("0.0.0.0", "127.0.0.1") for word in PRODUCTION] if file == "messaging.service" else PRODUCTION  # noqa: S104


@pytest.fixture
def production() -> dict[str, str]:
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_TRUST_X_FORWARDED_PROTO": "1",
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file", start_commands())
def test_the_start_command_serves_from_what_the_image_has(
    file: str, production: dict[str, str], tmp_path: Path
) -> None:
    copy_what_the_image_has(tmp_path / "image")
    campaign = make_campaign()

    with running_server(
        tmp_path / "log",
        url_of_test_database(),
        workers=1,
        command=shlex.join(start_commands()[file]),
        folder=str(tmp_path / "image"),
        **production,
    ) as server:
        assert server.get("/healthz").content == b"ok\n"
        assert server.request("GET", "/static/site.css", headers={"X-Forwarded-Proto": "https"}).status == 200
        assert server.post(f"/v1/messaging/campaigns/{campaign.id}/steps", step_body(0)).status == 201

    assert positions(campaign) == [0]
    assert start_commands()[file] == documented(file)


def copy_what_the_image_has(image: Path) -> None:
    image.mkdir()
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", CONTAINERFILE, re.MULTILINE):
        if (BASE / source).is_dir():
            shutil.copytree(BASE / source, image / target)
        else:
            shutil.copy(BASE / source, image / target)


def test_the_unit_is_valid_and_starts_the_service_again_for_ever(tmp_path: Path) -> None:
    unit = tmp_path / "messaging.service"
    program = shutil.which("true")
    unit.write_text(re.sub("/opt/messaging/.venv/bin/granian", str(program), UNIT).replace("/opt/messaging", "/"))
    if analyze := shutil.which("systemd-analyze"):
        assert subprocess.run([analyze, "verify", str(unit)], check=True, stderr=subprocess.PIPE).stderr == b""
    lines = UNIT.splitlines()
    assert {"Restart=always", "RestartSec=1", "StartLimitIntervalSec=0"} <= set(lines)
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > int(PRODUCTION[PRODUCTION.index("--workers-kill-timeout") + 1])


def test_the_image_runs_as_nobody_in_particular_and_is_watched() -> None:
    *_, user = re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert user not in ("root", "0")
    assert "--require-hashes" in CONTAINERFILE
    (check,) = re.findall(r"^  CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    assert "/healthz" in json.loads(check)[-1]


@pytest.mark.django_db(transaction=True)
def test_the_health_check_of_the_image_succeeds_only_while_something_serves(server: Server) -> None:
    (found,) = re.findall(r"^  CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    _, *check = json.loads(found)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ports = [server.port, unused.getsockname()[1]]
        answers = [
            subprocess.run(
                [sys.executable, *(word.replace("8000", str(port)) for word in check)],
                check=False,
                stderr=subprocess.DEVNULL,
            ).returncode
            for port in ports
        ]
    assert answers == [0, 1]


def test_compose_starts_everything_again_and_sets_what_exists() -> None:
    services = COMPOSE["services"]
    known = set(re.findall(r"^\| `(\w+)` \|", (BASE / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert {name for name, service in services.items() if service["restart"] != "always"} == {"migrate"}
    assert set(services["service"]["environment"]) <= known
    assert services["service"]["read_only"]
    assert (DEPLOY / services["service"]["build"]["context"]).resolve() == BASE
    assert (BASE / services["service"]["build"]["dockerfile"]).read_text() == CONTAINERFILE
    assert all((DEPLOY / mount.split(":")[0]).exists() for mount in services["proxy"]["volumes"] if "tls" not in mount)


def test_images_have_the_names_that_everyone_uses() -> None:
    images = [service["image"] for service in COMPOSE["services"].values() if "image" in service]
    images += re.findall(r"^FROM (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert sorted(images) == ["nginx:stable", "postgres:17", "python:3.11-slim"]


@pytest.mark.nginx
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    text = CONFIGURATION.read_text().replace("/etc/nginx/tls/", f"{tmp_path}/").replace("/tmp/nginx", f"{tmp_path}/x")  # noqa: S108
    (tmp_path / "nginx.conf").write_text(text.replace("service:8000", "127.0.0.1:8000"))
    answer = subprocess.run(
        [str(shutil.which("nginx")), "-t", "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "[warn]" not in answer.stderr


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "messaging.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


# --- Behind nginx ----------------------------------------------------------------------------------------------------


@pytest.fixture
def fronted(transactional_db: None, production: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """The documented set-up: what is asked of it, nginx takes in first."""
    (tmp_path / "nginx").mkdir()
    with (
        running_server(tmp_path / "log", url_of_test_database(), workers=1, **production) as server,
        running_nginx(tmp_path / "nginx", server.port) as port,
    ):
        yield Server(port, server.token, server.log)


def slow_sockets(stack: ExitStack, server: Server, path: str, number: int) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    for _ in range(number):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        client.sendall(head.encode())


@pytest.mark.nginx
def test_200_slow_bodies_keep_nobody_else_waiting(fronted: Server) -> None:
    campaign = make_campaign()
    path = f"/v1/messaging/campaigns/{campaign.id}/steps"
    with ExitStack() as stack:
        slow_sockets(stack, fronted, path, SLOW)
        for position in range(3):
            began = time.monotonic()
            assert fronted.post(path, step_body(position)).status == 201
            assert time.monotonic() - began < 1
        assert fronted.get("/healthz").status == 200
    assert positions(campaign) == [0, 1, 2]


@pytest.mark.nginx
def test_only_the_login_is_held_to_64_kilobytes(fronted: Server) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    login = fronted.request("POST", "/admin/login/", b"username=" + b"x" * 70_000, form)
    assert (login.status, login.headers["Server"]) == (413, "nginx")
    campaign = make_campaign()
    steps = fronted.post(f"/v1/messaging/campaigns/{campaign.id}/steps", step_body(0, variables={"x": "y" * 70_000}))
    assert (steps.status, steps.json()["details"]["errors"][0]["code"]) == (400, "too_large")
    assert fronted.get("/readyz").status == 404


# --- What operators look at ------------------------------------------------------------------------------------------


def expressions() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "alarms.yaml").read_text())["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    return [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]


def test_alarms_and_dashboard_ask_for_metrics_and_labels_that_exist() -> None:
    labels: dict[str, set[str]] = {}
    for metric in (getattr(metrics, name) for name in dir(metrics) if name.isupper()):
        if isinstance(metric, MetricWrapperBase):
            names = {"counter": ["_total"], "histogram": ["_bucket"]}.get(str(metric._type), [""])
            labels |= {metric._name + ending: {*metric._labelnames, "le"} for ending in names}
    asked = set(re.findall(r"messaging_\w+", " ".join(expressions())))
    assert asked == set(labels)
    for expression in expressions():
        (name,) = re.findall(r"messaging_\w+", expression)
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        used = {label for group in grouped for label in group.split(", ")} | set(re.findall(r"(\w+)=", expression))
        assert used <= labels[name], expression
