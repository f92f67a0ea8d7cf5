"""Runs a command on PostgreSQL: `python -m scripts.postgresql pytest -k races`.

The command finds the server in DATABASE_URL. It is TEST_DATABASE_URL's, or a temporary one that is removed afterwards.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from scripts.machine import postgresql_binaries

# Thrown-away data needs no durability. The connections suffice for the pools of all workers at once.
SERVER_OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300"


def main() -> None:
    with ending_on_signals(), database_url() as url:
        code = run(sys.argv[1:], os.environ | {"DATABASE_URL": url})
    sys.exit(code)


@contextmanager
def database_url() -> Iterator[str]:
    """The address of a server on which the tests may create databases."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
    else:
        with temporary_cluster(postgresql_binaries()) as url:
            yield url


@contextmanager
def temporary_cluster(binaries: Path, options: str = SERVER_OPTIONS) -> Iterator[str]:
    """A server that only this user can reach, by a socket in its own folder. It is always removed at the end."""
    owner = unprivileged_user()
    # A short path: a socket's takes at most 107 bytes. Not in root's TMPDIR, which the owner may not be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if owner else None))  # noqa: S108 - a new folder, mode 0700
    # Start elsewhere than in root's folder, which may be closed to the owner.
    ctl = [*as_user(owner), str(binaries / "pg_ctl"), f"--pgdata={folder / 'data'}", "--silent"]
    try:
        if owner:
            shutil.chown(folder, owner)
        _checked([*as_user(owner), str(binaries / "initdb"), f"--pgdata={folder / 'data'}", "--username=postgres",
                  "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"], folder)  # fmt: skip
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' {options}"
        _checked([*ctl, f"--log={folder / 'log'}", f"--options={options}", "--wait", "start"], folder)
        yield f"postgres://postgres@{quote(str(folder), safe='')}/postgres"
    finally:
        with _on_signals(signal.SIG_IGN):  # a second signal must not leave the server behind
            if (folder / "data" / "postmaster.pid").exists():
                subprocess.run([*ctl, "--mode=immediate", "stop"], cwd=folder, check=False)
            shutil.rmtree(folder)


def run(command: list[str], environment: dict[str, str]) -> int:
    """The command's exit code. After a signal, wait for the command to end, then exit.

    Ctrl-C reaches the command from the terminal; other signals are passed on as SIGTERM.
    """
    child = subprocess.Popen(command, env=environment)
    received: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        if number != signal.SIGINT:
            child.terminate()

    with _on_signals(pass_on):
        code = child.wait()
    if received:
        sys.exit(128 + received[0])
    return code if code >= 0 else 128 - code


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the block like any exit, so that it cleans up."""
    with _on_signals(lambda number, _frame: sys.exit(128 + number)):
        yield


@contextmanager
def _on_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> Iterator[None]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def unprivileged_user() -> str | None:
    """The user to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def as_user(user: str | None) -> list[str]:
    return ["runuser", "-u", user, "--"] if user else []


def _checked(command: list[str], folder: Path) -> None:
    answer = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if answer.returncode:
        log = folder / "log"
        sys.exit(f"PostgreSQL didn't start:\n{answer.stdout}{log.read_text() if log.exists() else ''}")


if __name__ == "__main__":
    main()
