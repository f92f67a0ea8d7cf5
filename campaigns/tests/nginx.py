"""deploy/nginx.conf, run on this machine: other addresses and folders, and the rest as it stands there."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

CONFIGURATION = Path(settings.BASE_DIR) / "deploy" / "nginx.conf"
TLS = (
    "listen 443 ssl;",
    "ssl_certificate /etc/nginx/tls/fullchain.pem;",
    "ssl_certificate_key /etc/nginx/tls/privkey.pem;",
)


def local_configuration(folder: Path, port: int, service_port: int) -> Path:
    """The configuration, by HTTP on a port of the loopback address: its three lines about TLS are another's."""
    text = CONFIGURATION.read_text()
    for line, instead in zip(TLS, (f"listen 127.0.0.1:{port};", "", ""), strict=True):
        assert text.count(line) == 1
        text = text.replace(line, instead)
    text = text.replace("server service:8000;", f"server 127.0.0.1:{service_port};").replace("/tmp/", f"{folder}/")  # noqa: S108
    written = folder / "nginx.conf"
    written.write_text(text)
    return written


@contextmanager
def running_nginx(folder: Path, service_port: int) -> Iterator[int]:
    """The port on which nginx listens, in front of the service's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.chmod(0o755)  # its workers are another user, if this one is root
    configuration = local_configuration(folder, port, service_port)
    program = shutil.which("nginx")
    assert program
    process = subprocess.Popen([program, "-c", str(configuration), "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("nginx doesn't listen")
