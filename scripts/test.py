"""`make test`: the whole suite on SQLite and on PostgreSQL, browser included, with their combined coverage."""

import json
import subprocess
import sys
from pathlib import Path

from scripts.lint import without_project_settings
from scripts.machine import chromium, curl, nginx
from scripts.postgresql import database_url, ending_on_signals, run

# A worker per core. More than four cost more for their test databases than they save.
PYTEST = [sys.executable, "-m", "pytest", "--browser", "--numprocesses=auto", "--maxprocesses=4", "--cov-report="]
COVERAGE = [sys.executable, "-m", "coverage"]
FLOOR = 95  # per cent of lines and branches that the two runs must cover together


def main() -> None:
    curl()
    nginx()
    environment = without_project_settings() | {"CHROMIUM": str(chromium())}
    subprocess.run([*COVERAGE, "erase"], check=True)
    # The server starts first, so that a machine without PostgreSQL says so at once.
    with ending_on_signals(), database_url() as url:
        # The package index knows nothing of databases, so one of the two runs asks it.
        faults = suite("SQLite", environment, "--package-index")
        faults += suite("PostgreSQL", environment | {"DATABASE_URL": url})
    subprocess.run([*COVERAGE, "combine", "--quiet"], check=True)
    covered = run([*COVERAGE, "report", f"--fail-under={FLOOR}"], environment) == 0
    if faults:
        sys.exit("\n".join(["", "make test failed:", *faults]))
    if not covered:
        sys.exit(f"make test failed: less than {FLOOR} % of the code is covered")
    print("make test passed on SQLite and on PostgreSQL")


def suite(database: str, environment: dict[str, str], *more: str) -> list[str]:
    """Run every test that fits the database; a line for each one that failed."""
    print(f"\n=== {database}", flush=True)
    cache = Path(".pytest_cache") / database.lower()
    failed = cache / "v" / "cache" / "lastfailed"
    failed.unlink(missing_ok=True)
    options = [f"--override-ini=cache_dir={cache}", "--cov", *more]
    code = run([*PYTEST, *options], environment | {"COVERAGE_FILE": f".coverage.{database.lower()}"})
    if code == 0:
        return []
    tests = json.loads(failed.read_text()) if failed.exists() else []
    return [f"  {database}: {test}" for test in tests] or [f"  {database}: pytest ended with exit code {code}"]


if __name__ == "__main__":
    main()
