"""`make lint`: the static checks. Each runs even if an earlier one failed."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from scripts.pins import missing_extras

BIN = Path(sys.executable).parent
SETTINGS = Path(__file__).parent.parent / "docs" / "settings.md"
MANAGE = [sys.executable, "manage.py"]


def main() -> None:
    production = settings_of_production()
    results = {
        "style": run(BIN / "ruff", "check"),
        "format": run(BIN / "ruff", "format", "--check"),
        "types": run(BIN / "mypy", "."),
        "migrations": run(*MANAGE, "makemigrations", "--check", "--dry-run"),
        "deployment": run(*MANAGE, "check", "--deploy", "--fail-level=WARNING", variables=production),
        "requirements": requirements_match(),
        "extras": extras_are_pinned(),
    }
    if failed := [name for name, passed in results.items() if not passed]:
        sys.exit(f"make lint failed: {', '.join(failed)}")


def run(*command: str | Path, variables: dict[str, str] | None = None) -> bool:
    environment = without_project_settings() | (variables or {})
    return subprocess.run(command, env=environment, check=False).returncode == 0


def without_project_settings() -> dict[str, str]:
    """The environment without a developer's settings for project and Django: checks judge the working copy."""
    ours = re.findall(r"^\| `(\w+)` ", SETTINGS.read_text(), re.MULTILINE)
    return {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("DJANGO_")}


def settings_of_production() -> dict[str, str]:
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
        "DJANGO_ALLOWED_HOSTS": "messaging.example.com",
        "DATABASE_URL": "postgres://messaging@localhost/messaging",
        "JWT_ISSUER": "https://identity.example.com/",
        "JWT_JWKS_URL": "https://identity.example.com/jwks.json",
    }


def requirements_match() -> bool:
    """Whether the installed packages satisfy requirements*.in. Doesn't use the network."""
    command = [str(BIN / "uv"), "pip", "install", "--dry-run", "--offline", "--no-config", f"--python={sys.executable}"]
    answer = subprocess.run(
        [*command, "--requirement=requirements.in", "--requirement=requirements-dev.in"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Would make no changes" in answer.stderr:
        return True
    print(f"{answer.stderr}requirements*.in and what is installed differ: run `make requirements`", file=sys.stderr)
    return False


def extras_are_pinned() -> bool:
    """Whether each compiled file pins every package with the extras that the others ask of it."""
    faults = [fault for name in ("requirements.txt", "requirements-dev.txt") for fault in missing_extras(Path(name))]
    if faults:
        print(*faults, sep="\n", file=sys.stderr)
    return not faults


if __name__ == "__main__":
    main()
