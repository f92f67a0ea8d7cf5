"""`make test`: the whole suite on SQLite and on PostgreSQL, browser included. `make coverage`: what it reaches, too."""

import json
import subprocess
import sys
from pathlib import Path

from scripts.lint import without_project_settings
from scripts.machine import chromium, curl, nginx
from scripts.postgresql import database_url, ending_on_signals, run

# A worker per core. More than four cost more for their test databases than they save.
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "--browser",
    "--numprocesses=auto",
    "--maxprocesses=4",
    "--dist=worksteal",
    "-rs",
]
COVERAGE = [sys.executable, "-m", "coverage"]
FLOOR = 95  # per cent of lines and branches that the two runs must cover together


def main() -> None:
    curl()
    environment = without_project_settings() | {"CHROMIUM": str(chromium())}
    environment["PATH"] += f":{nginx().parent}"
    measured = ["--cov", "--cov-report="] if "--coverage" in sys.argv else []
    # The server starts first, so that a machine without PostgreSQL says so at once.
    with ending_on_signals(), database_url() as url:
        # What no database can change is asked once.
        faults = suite("SQLite", environment, "--package-index", *measured)
        faults += suite("PostgreSQL", environment | {"DATABASE_URL": url}, "--second-database", *measured)
    if measured:
        faults += uncovered(environment)
    if faults:
        sys.exit("\n".join(["", "make test failed:", *faults]))
    print("make test passed on SQLite and on PostgreSQL")


def suite(database: str, environment: dict[str, str], *more: str) -> list[str]:
    """Run every test that fits the database; a line for each one that failed."""
    print(f"\n=== {database}", flush=True)
    cache = Path(".pytest_cache") / database.lower()
    failed = cache / "v" / "cache" / "lastfailed"
    failed.unlink(missing_ok=True)
    options = [f"--override-ini=cache_dir={cache}", *more]
    code = run([*PYTEST, *options], environment | {"COVERAGE_FILE": f".coverage.{database.lower()}"})
    if code == 0:
        return []
    tests = json.loads(failed.read_text()) if failed.exists() else []
    return [f"  {database}: {test}" for test in tests] or [f"  {database}: pytest ended with exit code {code}"]


def uncovered(environment: dict[str, str]) -> list[str]:
    """Report what the runs reached together; a line if that is too little."""
    subprocess.run([*COVERAGE, "combine", "--quiet"], check=True)
    if run([*COVERAGE, "report", f"--fail-under={FLOOR}"], environment) == 0:
        return []
    return [f"  less than {FLOOR} % of the code is covered"]


if __name__ == "__main__":
    main()
