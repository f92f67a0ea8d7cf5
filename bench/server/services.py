"""What is measured: this project, the frameworks that people compare it with, and a server of each on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "bench" / "peers" / "requirements.txt"
GRANIAN = "-m granian --no-ws --http=1 --log-level=error --host=127.0.0.1 --port={port} --workers={workers}"
WSGI, ASGI = f"{GRANIAN} --interface=wsgi --blocking-threads=4", f"{GRANIAN} --interface=asgi"
GUNICORN = (
    "-m gunicorn --worker-class=gthread --threads=4 --keep-alive=30 --log-level=error --bind=127.0.0.1:{port} "
    "--workers={workers}"
)
PROJECT = "messaging_project.wsgi:application"


class Service(NamedTuple):
    """A command line for Python. `is_peer`: it runs in the peers' own virtual environment."""

    name: str
    command: str
    is_peer: bool = True


SERVICES = {
    "drf": Service("idiomatic Django REST Framework", f"{WSGI} bench.peers.drf:application"),
    "ninja": Service("django-ninja", f"{WSGI} bench.peers.ninja:application"),
    "fastapi": Service("FastAPI, SQLAlchemy, asyncpg", f"{ASGI} bench.peers.fastapi_sqlalchemy:app"),
    "before": Service("this project before", f"{WSGI} {PROJECT}", is_peer=False),
    "project": Service("**this project**", f"{WSGI} {PROJECT}", is_peer=False),
    "gunicorn": Service("this project on gunicorn", f"{GUNICORN} {PROJECT}", is_peer=False),
    "wsgi": Service("bare WSGI function, psycopg", f"{WSGI} bench.peers.wsgi_function:application"),
}


class Running(NamedTuple):
    name: str
    port: int
    pid: int


def environment_of_database() -> dict[str, str]:
    """The database as libpq's variables, which the peers read."""
    url = os.environ["DATABASE_URL"]
    if not url.startswith("postgres"):
        return {}
    found = conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {names[name]: str(value) for name, value in found.items() if name in names}


def peers_python(folder: Path) -> str:
    """The Python of the peers' virtual environment, which is made there if it isn't yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(REQUIREMENTS)]
        subprocess.run(pip, check=True)
    return str(python)


@contextmanager
def serving(
    key: str, *, workers: int, python: str, folder: Path = ROOT, variables: Mapping[str, str]
) -> Iterator[Running]:
    """A service that answers."""
    service = SERVICES[key]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [python, *service.command.format(port=port, workers=workers).split()]
    process = subprocess.Popen(command, cwd=folder, env=os.environ | dict(variables))
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{service.name} didn't start")
            time.sleep(0.1)
        yield Running(service.name, port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- CPU time and memory, from Linux's proc(5) -----------------------------------------------------------------------


def postgresql_pid() -> int | None:
    """The server's main process, if it is on this machine."""
    if not os.environ["DATABASE_URL"].startswith("postgres"):
        return None
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        backend = connection.info.backend_pid
        return _parent(backend) if Path(f"/proc/{backend}").exists() else None


def cpu_seconds(pid: int | None) -> float:
    """The CPU time so far of a process and of its children that live."""
    ticks = [fields for _, fields in _family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in ticks) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What the processes of a service use, each page of those that they share counted once."""
    kilobytes = 0
    for child, _ in _family(pid):
        for line in Path(f"/proc/{child}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1_024


def _family(pid: int | None) -> Iterator[tuple[int, list[str]]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # a process that has just ended
            continue
        if pid in (int(path.parent.name), int(fields[1])):
            yield int(path.parent.name), fields


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
