"""On SQLite those who write wait in turn: nobody starves, and nobody waits for ever."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.db import OperationalError, connection, transaction

from campaigns.tests.races import threads
from messaging_project.database_errors import is_unavailable
from messaging_project.sqlite.queue import Queue


def test_turns_are_given_in_the_order_of_arrival() -> None:
    queue, served = Queue(), []
    assert queue.enter(0)

    def serve(number: int) -> None:
        assert queue.enter(30)
        served.append(number)
        queue.leave()

    with ThreadPoolExecutor(8) as pool:
        waiting = []
        for number in range(8):
            waiting.append(pool.submit(serve, number))
            while len(queue) <= number:  # until it has come
                wait(waiting, timeout=0.001)
        queue.leave()
    assert served == [*range(8)]
    assert [future.result() for future in waiting] == [None] * 8


def test_whoever_gives_up_keeps_nobody_waiting() -> None:
    queue = Queue()
    assert queue.enter(0)
    assert not queue.enter(0.001)
    queue.leave()
    assert queue.enter(0)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_writer_whose_turn_does_not_come_is_told_so_and_the_next_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)

    def write() -> bool:
        try:
            with transaction.atomic():
                return True
        except OperationalError as error:
            return not is_unavailable(error)

    with threads() as start:
        with transaction.atomic():
            assert start(write).result() is False
        assert start(write).result() is True


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_closed_within_a_transaction_gives_its_turn_on() -> None:
    with transaction.atomic():
        connection.close()
        with threads() as start:
            assert start(begin_and_end).result(timeout=10)


def begin_and_end() -> bool:
    with transaction.atomic():
        return True
