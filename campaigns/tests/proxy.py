"""A way to PostgreSQL that can be cut and mended: an outage as a client sees it, without stopping anyone's server."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from django.db import connection


class Proxy:
    """Hands TCP connections on to the test database's server, while it is up.

    Cut, it refuses new connections and has closed the old ones, as a server does that was stopped.
    """

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._accepting = threading.Thread()
        self._open: list[socket.socket] = []
        self.port = 0
        self._flowing = threading.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        database = connection.settings_dict
        user, password = (quote(str(database[name]), safe="") for name in ("USER", "PASSWORD"))
        return f"postgres://{user}:{password}@127.0.0.1:{self.port}/{database['NAME']}"

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=[self._listener], daemon=True)
        self._accepting.start()

    def hang(self) -> None:
        """Accept and take in everything from now on, and hand nothing on: as a stopped process does."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        self.resume()
        if self._listener:
            # Closing alone would leave the kernel accepting for as long as a thread waits in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self._accepting.join()  # or a connection that it has just accepted would outlive the others
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                server = _connect()
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=[source, target, self._flowing], daemon=True).start()


def _connect() -> socket.socket:
    database = connection.settings_dict
    host, port = str(database["HOST"]), int(database["PORT"] or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host or "127.0.0.1", port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return server


def _copy(source: socket.socket, target: socket.socket, flowing: threading.Event) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            flowing.wait()
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
