"""SQLite and PostgreSQL give the same answers, ids and times aside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from campaigns.tests.series import told_of

CALLS = 500


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seeds", [range(first, first + 5) for first in range(0, 20, 5)], ids=str)
def test_random_series_of_calls_are_answered_alike_on_both_databases(seeds: range, tmp_path: Path) -> None:
    sqlite = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "campaigns.tests.series", str(CALLS), *map(str, seeds)]
    with subprocess.Popen(command, env=sqlite, stdout=subprocess.PIPE, text=True) as process:
        here = [told_of(seed, CALLS) for seed in seeds]
        there = [json.loads(line) for line in process.communicate()[0].splitlines()]
    assert process.returncode == 0
    for seed, ours, theirs in zip(seeds, here, there, strict=True):
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            assert our == their, f"series {seed}, call {number}"
