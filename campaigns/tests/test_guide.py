"""docs/guide.md is true: its commands, run by bash and curl against the real server, give the answers that it shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings

from campaigns.tests.server import Server, access_token_variables

GUIDE = (Path(settings.BASE_DIR) / "docs" / "guide.md").read_text()
ADDRESS = "http://127.0.0.1:8000"  # the server's in the guide
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|(?<=cursor=)[^&\"]+"  # entity tags and cursors too
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
VARYING = re.compile(f"{ID}|{TIME}")
END = "\0\n"


class Step(NamedTuple):
    """A command of the guide, the answer that it shows (or none), and the line where it stands."""

    line: int
    command: str
    answer: str


def steps() -> list[Step]:
    found: list[Step] = []
    for fence in FENCE.finditer(GUIDE):
        language, text = fence.groups()
        if language == "bash":
            found.append(Step(GUIDE.count("\n", 0, fence.start()) + 1, text, ""))
        else:
            assert language == "http"
            assert not found[-1].answer
            found[-1] = found[-1]._replace(answer=text)
    return found


class Shell:
    """A bash that runs one command after the other, in the project's folder and with this Python first on its path."""

    def __init__(self, server: Server) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.address = f"http://127.0.0.1:{server.port}"
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=settings.BASE_DIR,
            env={**os.environ, **access_token_variables(), "PATH": path, "no_proxy": "*"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        """What the command prints, errors included."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command.replace(ADDRESS, self.address)}\nprintf '\\n\\0\\n'\n")
        self.process.stdin.flush()
        lines = list(iter(self.process.stdout.readline, END))
        return "".join(lines).removesuffix("\n").replace(self.address, ADDRESS)

    def close(self) -> None:
        self.process.communicate()


class Words:
    """The guide's ids and times for the real ones. An id is learned where it is first shown, and then is that one."""

    def __init__(self) -> None:
        self.real: dict[str, str] = {}  # by what the guide has

    def as_run(self, command: str) -> str:
        return VARYING.sub(lambda match: self.real.get(match[0], match[0]), command)

    def as_shown(self, real: str, shown: str) -> str:
        """A real answer in the guide's words; what is no id and no present time stays as it is."""
        expected = iter(VARYING.findall(shown))
        return VARYING.sub(lambda match: self._word(match[0], next(expected, "")), real)

    def _word(self, real: str, shown: str) -> str:
        if re.fullmatch(TIME, real):
            return shown if re.fullmatch(TIME, shown) and is_now(real) else real
        if shown not in self.real and real not in self.real.values() and len(shown) == len(real):
            self.real[shown] = real
        return shown if self.real.get(shown) == real else real


def is_now(time: str) -> bool:
    return abs(datetime.now(UTC) - datetime.fromisoformat(time)) < timedelta(minutes=10)


def read(answer: str, *, headers: set[str]) -> str:
    """An answer's status, its `headers` in alphabetical order, and its JSON in one form."""
    head, _, body = answer.partition("\n\n")
    status, *lines = head.splitlines()
    kept = sorted(line for line in lines if line.partition(":")[0].lower() in headers)
    return "\n".join([status.strip(), *kept, json.dumps(json.loads(body), indent=1, ensure_ascii=False)])


def header_names(answer: str) -> set[str]:
    return {line.partition(":")[0].lower() for line in answer.partition("\n\n")[0].splitlines()[1:]}


@pytest.fixture
def shell(transactional_db: None, server: Server) -> Iterator[Shell]:
    assert shutil.which("curl"), "The guide's commands need curl: apt-get install curl"
    shell = Shell(server)
    yield shell
    shell.close()


def test_every_command_gives_the_answer_shown(shell: Shell) -> None:
    words = Words()
    for step in steps():
        printed = shell.run(words.as_run(step.command))
        if step.answer:
            headers = header_names(step.answer)
            shown = read(step.answer, headers=headers)
            real = words.as_shown(read(printed, headers=headers), shown)
            assert real == shown, f"docs/guide.md, line {step.line}:\n{step.command}"
        else:
            assert printed == "", f"docs/guide.md, line {step.line}:\n{step.command}"


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", GUIDE)
    assert [link for link in links if not (Path(settings.BASE_DIR) / "docs" / link).exists()] == []
