"""What holds for all management commands of the project."""

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from campaigns.management.commands.seed_campaigns import Command as SeedCampaigns

pytestmark = pytest.mark.any_database
SYNTHETIC = {"campaigns": 1, "steps": 1}
# As usual: what can't be written is noticed late.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def test_every_number_that_a_command_takes_has_bounds() -> None:
    ours = [(app, name) for name, app in get_commands().items() if app in ("campaigns", "messaging_project.api")]
    parsers = {name: load_command_class(app, name).create_parser("manage.py", name) for app, name in ours}
    actions = [(name, action) for name, parser in parsers.items() for action in parser._actions]
    # -v is Django's
    assert [(name, action.dest) for name, action in actions if action.type is int and action.dest != "verbosity"] == []


@pytest.mark.parametrize(
    ("option", "value", "bounds"),
    [
        ("commit_every", "0", "1 to 2147483647"),
        ("commit_every", "1_0", "1 to 2147483647"),
        ("max_faults", "-1", "0 to 2147483647"),
        ("campaigns", "0", "1 to 2147483647"),
        ("seed", "9" * 5_000, "0 to 2147483647"),
    ],
)
def test_a_number_beyond_its_bounds_ends_with_2_and_names_them(
    option: str, value: str, bounds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"--{option.replace('_', '-')}"
    command = SeedCampaigns()
    command._called_from_command_line = True  # type: ignore[attr-defined]  # as run_from_argv() does
    with pytest.raises(SystemExit) as ended:
        command.create_parser("manage.py", "seed_campaigns").parse_args([f"{name}={value}"])
    told = f"{name}: '{value}' is not a whole number from {bounds}."
    assert (ended.value.code, told in capsys.readouterr().err) == (2, True)
    with pytest.raises(CommandError) as refused:
        call_command("seed_campaigns", **SYNTHETIC | {option: value})
    assert (refused.value.returncode, str(refused.value)) == (2, told)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("issue_token > /dev/full", "CommandError: standard output: No space left on device.\n"),
        ("issue_token >&-", "CommandError: standard output is closed.\n"),
        ("seed_campaigns - --format csv <&-", "CommandError: standard input is closed.\n"),
        ("seed_campaigns - --format csv <&- 2>&-", ""),
    ],
)
def test_a_stream_that_cannot_be_used_is_one_sentence_and_exit_code_2(command: str, said: str) -> None:
    shell = ["sh", "-c", f'exec "$0" manage.py {command}', sys.executable]
    done = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False, env=BUFFERED)
    assert (done.returncode, done.stderr) == (2, said)


def test_a_reader_who_has_enough_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    command, said = [sys.executable, "manage.py", "issue_token"], subprocess.PIPE
    done = subprocess.run(command, stdout=write, stderr=said, check=False, env=BUFFERED)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
