"""What the tests need besides Python: found on the machine, or installed from Debian if that is allowed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def postgresql_binaries() -> Path:
    """The folder of initdb and pg_ctl, of the newest version if there are several. Exits if it isn't installed."""
    return _found_or_installed(_find_postgresql, "postgresql", "Set TEST_DATABASE_URL to a server, or install one")


def chromium() -> Path:
    """Chromium or Chrome: what the variable CHROMIUM names, or the first on PATH. Exits if it isn't installed."""
    if named := os.environ.get("CHROMIUM"):
        if shutil.which(named):
            return Path(named)
        sys.exit(f"CHROMIUM is {named!r}, which can't be run: set it to the path of Chromium or Chrome.")
    return _found_or_installed(partial(_find_program, *BROWSERS), "chromium", "Set CHROMIUM to its path, or install it")


def curl() -> None:
    """Ensures that curl is there, for the test of docs/guide.md. Exits if it isn't."""
    _found_or_installed(partial(_find_program, "curl"), "curl", "Install it")


def nginx() -> Path:
    """The path of nginx, for the tests of deploy/nginx.conf. Exits if it isn't installed."""
    return _found_or_installed(partial(_find_program, "nginx"), "nginx", "Install it")


def pgbouncer() -> str:
    """The path of PgBouncer. Exits if it isn't installed."""
    return str(_found_or_installed(partial(_find_program, "pgbouncer"), "pgbouncer", "Install it"))


def _find_postgresql() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).parent if found else None


def _find_program(*names: str) -> Path | None:
    """The first of these programs that there is. Debian keeps some where not every user's PATH leads."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    return next((Path(found) for name in names if (found := shutil.which(name, path=path))), None)


def _found_or_installed(find: Callable[[], Path | None], package: str, remedy: str) -> Path:
    if found := find():
        return found
    _install(package)
    if found := find():
        return found
    sys.exit(f"The tests need {package}. {remedy}: apt-get install {package}")


def _install(package: str) -> None:
    """Install a Debian package, if this user can do so without a password."""
    apt_get = shutil.which("apt-get")
    root = os.geteuid() == 0
    if not apt_get or not (root or _succeeds(["sudo", "-n", "true"])):
        return
    command = [*([] if root else ["sudo", "-n"]), "env", "DEBIAN_FRONTEND=noninteractive", apt_get, "-qq"]
    print(f"Installing Debian's {package}", flush=True)
    install = [*command, "install", "--yes", "--no-install-recommends", package]
    # A fresh container has no package lists.
    if not _succeeds(install):
        _succeeds([*command, "update"])
        _succeeds(install)


def _succeeds(command: list[str]) -> bool:
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
        )
    except FileNotFoundError:
        return False
    return answer.returncode == 0
