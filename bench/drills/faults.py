"""What goes wrong in each drill. Each returns when the cause has ended; drills that need more say so."""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from bench.drills.load import CAMPAIGNS, Connection, Load
from bench.drills.postgresql import PostgreSQL
from bench.drills.service import Service


@dataclass
class Scene:
    database: PostgreSQL
    service: Service
    load: Load


def kill_a_worker(scene: Scene) -> None:
    os.kill(scene.service.worker(1), signal.SIGKILL)


def kill_all_workers(scene: Scene) -> None:
    for process in [scene.service.worker(number) for number in (1, 2)]:
        os.kill(process, signal.SIGKILL)


def kill_a_worker_twice(scene: Scene) -> None:
    """granian ends itself then, and is started again."""
    first = scene.service.worker(1)
    os.kill(first, signal.SIGKILL)
    while scene.service.worker(1) == first:
        time.sleep(0.05)
    time.sleep(1)
    os.kill(scene.service.worker(1), signal.SIGKILL)


def kill_the_postmaster(scene: Scene) -> None:
    """Its children end when they notice; the database's own supervisor starts it again."""
    os.kill(scene.database.postmaster, signal.SIGKILL)
    time.sleep(3)
    scene.database.control("start")


def stop_at_once_three_times(scene: Scene) -> None:
    for _ in range(3):
        scene.database.control("--mode=immediate", "restart")
        time.sleep(2)


def away(scene: Scene, seconds: float = 25) -> None:
    scene.database.control("--mode=fast", "stop")
    time.sleep(seconds)
    scene.database.control("start")


def hung(scene: Scene, seconds: float = 20) -> None:
    scene.database.send_all(signal.SIGSTOP)
    time.sleep(seconds)
    scene.database.send_all(signal.SIGCONT)


def read_only(scene: Scene) -> None:
    scene.database.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    scene.database.execute("SELECT pg_reload_conf()")
    time.sleep(5)
    with psycopg.connect(scene.database.url, autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute("ALTER SYSTEM RESET default_transaction_read_only")
        session.execute("SELECT pg_reload_conf()")


def connection_limit(scene: Scene) -> None:
    """Others take every connection that is left, and the service's own are ended."""
    with ExitStack() as stack:
        taken = 0
        while taken < 60:
            try:
                stack.enter_context(psycopg.connect(scene.database.url.replace("postgres@", "greedy@")))
                taken += 1
            except psycopg.OperationalError:
                break
        scene.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'postgres' AND pid <> pg_backend_pid()"
        )
        time.sleep(5)


def locked_table(scene: Scene) -> None:
    with psycopg.connect(scene.database.url) as session:
        session.execute("LOCK TABLE campaigns_campaignstep IN ACCESS EXCLUSIVE MODE")
        time.sleep(8)


def disk_full(scene: Scene) -> None:
    filler = scene.database.folder / "small" / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(65_536))
                file.flush()
        except OSError:
            pass
    time.sleep(8)
    filler.unlink()


def restart_the_service(scene: Scene) -> None:
    """SIGTERM with requests in flight; then it is started again."""
    scene.service.process.send_signal(signal.SIGTERM)
    scene.service.process.wait(60)
    scene.service.wait_until_it_listens()


def rolling_restart(scene: Scene) -> None:
    """SIGHUP: granian replaces one worker after the other."""
    scene.service.process.send_signal(signal.SIGHUP)
    time.sleep(10)


def slow_sockets(scene: Scene) -> None:
    """Chunked and without a token: they never finish. Those with a token are nginx's to wait for: see test_deploy."""
    head = f"POST {CAMPAIGNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n"
    with ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", scene.service.port)))
            client.sendall(head.encode())
        time.sleep(8)


def largest_bodies(scene: Scene) -> None:
    """8 MiB each, with more faults than can be named."""
    campaign = scene.load.ask(Connection(scene.load.port), "POST", CAMPAIGNS, {"name": "Large"})[1]["id"]
    body = {
        "steps": [{"position": 0, "template_id": "t", "template_version_id": "v", "variables": {"a": ["\0"] * 750_000}}]
    }
    for _ in range(8):
        kind, answer, _ = scene.load.ask(Connection(scene.load.port), "PUT", f"{CAMPAIGNS}/{campaign}/steps", body)
        if kind != "400" or answer["details"]["total"] != 750_000:
            raise RuntimeError(f"{kind} {answer}")


FAULTS: dict[str, Callable[[Scene], None]] = {
    "one worker killed": kill_a_worker,
    "all workers killed at once": kill_all_workers,
    "the same worker killed twice": kill_a_worker_twice,
    "postmaster killed, back after 3 s": kill_the_postmaster,
    "immediate stop, three times": stop_at_once_three_times,
    "database away for 25 s": away,
    "database hung for 20 s": hung,
    "database read-only for 5 s": read_only,
    "disk full for 8 s": disk_full,
    "no connection left for 5 s": connection_limit,
    "steps locked for 8 s": locked_table,
    "SIGTERM with requests in flight": restart_the_service,
    "rolling restart (SIGHUP)": rolling_restart,
    "200 slow sockets": slow_sockets,
    "the largest bodies": largest_bodies,
}
