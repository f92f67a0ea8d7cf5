"""`make run`: migrate, load the demo, print what to try, and serve.

HOST, PORT and DATABASE_URL override the defaults: 127.0.0.1, 8000 and the SQLite file. CATALOGUE=demo plugs in a
template catalogue that knows the demo's templates.
"""

import errno
import os
import re
import socket
import subprocess
import sys

# As docs/production.md has it. More threads than four only wait for Python's lock.
HEALTH = "--static-path-route /healthz --static-path-mount messaging_project/healthz --static-path-dir-to-file"
SERVER = (
    "granian --interface wsgi --http 1 --blocking-threads 4 --no-ws --respawn-failed-workers "
    f"{HEALTH} index.html --static-path-expires 0"
)


def main() -> None:
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if refusal := why_not(host, port):
        sys.exit(refusal)
    os.environ |= catalogue(os.environ.get("CATALOGUE", ""))
    manage("migrate", "--verbosity=0")
    manage("load_demo", f"--url={address(host, port)}")
    # In this process's place, so that a signal to make ends the server and nothing is left behind.
    # The timeout ends a worker that missed a Ctrl-C.
    options = ["--workers-kill-timeout", "5", "--host", host, "--port", port, "messaging_project.wsgi:application"]
    os.execv(sys.executable, [sys.executable, "-m", *SERVER.split(), *options])


def manage(*command: str) -> None:
    """Run a management command. If it fails, show what went wrong, without the traceback."""
    answer = subprocess.run([sys.executable, "manage.py", *command], stderr=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        # A line that begins with a class has the last exception of a traceback, or Django's CommandError.
        *_, message = re.split(r"^(?=[\w.]+: )", answer.stderr, flags=re.MULTILINE)
        remedy = "\nSet DATABASE_URL to a database that answers." if "OperationalError" in message else ""
        sys.exit(message.strip() + remedy)
    sys.stderr.write(answer.stderr)


def catalogue(name: str) -> dict[str, str]:
    """The variables that plug in the template catalogue of this name."""
    if name not in ("", "demo"):
        sys.exit(f"CATALOGUE is {name!r}: set it to demo, or set TEMPLATE_CATALOGUE (docs/templates.md).")
    return {"TEMPLATE_CATALOGUE": "campaigns.catalogue.memory.demo"} if name else {}


def why_not(host: str, port: str) -> str | None:
    """Why this address can't be served, with the remedy; None if it can."""
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return f"PORT is {port!r}: set it to a number from 1 to 65535."
    try:
        family, _, _, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    except OSError:
        return f"HOST is {host!r}, which isn't an address of this machine: set it to 127.0.0.1, or 0.0.0.0 for all."
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As for the server itself, connections that have just been closed don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"Port {port} is in use: run `make run PORT={int(port) % 65535 + 1}`, or stop what listens there."
                )
            return f"{host} port {port} can't be used ({error.strerror}): set HOST or PORT to another one."
    return None


def address(host: str, port: str) -> str:
    """The address to show: a server that listens everywhere is reached at the loopback address."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
