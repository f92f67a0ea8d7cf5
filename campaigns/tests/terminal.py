"""A command on a terminal of its own: what it says there, and what Ctrl-C and Ctrl-D do."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from django.conf import settings

from campaigns.tests.server import environment_of_test_database

CTRL_C, CTRL_D = b"\x03", b"\x04"
WAIT_SECONDS = 60
# A session's first process makes the terminal its own, so that Ctrl-C there is a signal to it.
IN_FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class Terminal:
    """A command that runs on a terminal. `pipe` is its standard input, where that isn't the terminal itself."""

    process: subprocess.Popen[bytes]
    pipe: IO[bytes] | None
    _master: int
    _shown: bytes = b""

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def wait_for(self, text: str) -> None:
        """Return once the terminal has shown `text`."""
        while text.encode() not in self._shown:
            assert self._read(), f"the command ended without {text!r}:\n{self._shown.decode()}"

    def end(self) -> tuple[int, list[str]]:
        """The exit code, and the lines that are left on the screen when the command has ended."""
        if self.pipe:
            self.pipe.close()
        while self._read():
            pass
        return self.process.wait(), [as_left(line) for line in self._shown.decode().split("\r\n") if as_left(line)]

    def _read(self) -> bytes:
        some = b""
        assert select.select([self._master], [], [], WAIT_SECONDS)[0], f"it went silent:\n{self._shown.decode()}"
        with suppress(OSError):  # EIO is how Linux says that nobody has the other end any more
            some = os.read(self._master, 65536)
        self._shown += some
        return some


def as_left(line: str) -> str:
    """A line as its last carriage return left it, since a bar overwrites itself; without colours."""
    return COLOUR.sub("", line).rpartition("\r")[2].strip()


@contextmanager
def on_a_terminal(command: str, *arguments: object, piped: bool = False) -> Iterator[Terminal]:
    """`manage.py command` on the test database, in the foreground of a new terminal."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 200))
    pipe = subprocess.PIPE if piped else slave
    process = subprocess.Popen(
        [sys.executable, "-c", IN_FOREGROUND, "manage.py", command, *map(str, arguments)],
        stdin=pipe,
        stdout=slave,
        stderr=slave,
        cwd=settings.BASE_DIR,
        env=environment_of_test_database(),
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, process.stdin, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
