"""The worker: in order, one at a time; the later of two requests that mean the same takes the earlier one's place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from coigan_aug.studio.worker import MOST_WAITING, Busy, Superseded, Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def _held(worker: Worker) -> threading.Event:
    """Keep the worker busy until the event is set."""
    begun, gate = threading.Event(), threading.Event()
    worker.submit(("", "gate"), lambda: (begun.set(), gate.wait(20)))
    assert begun.wait(20)
    return gate


def test_of_one_client_and_slot_only_the_last_waiting_request_is_done(worker: Worker) -> None:
    gate, ran = _held(worker), list[int]()
    futures = [worker.submit(("a", "draw"), lambda k=k: ran.append(k) or k) for k in range(4)]  # type: ignore[misc]
    other = worker.submit(("b", "draw"), lambda: 9)
    gate.set()
    assert futures[-1].result(20) == 3
    assert other.result(20) == 9
    assert ran == [3]
    for future in futures[:-1]:
        with pytest.raises(Superseded):
            future.result(20)


def test_too_much_that_waits_is_refused_and_the_rest_is_done(worker: Worker) -> None:
    gate = _held(worker)
    futures = [worker.submit((str(k), ""), lambda k=k: k) for k in range(MOST_WAITING)]  # type: ignore[misc]
    with pytest.raises(Busy):
        worker.submit(("one more", ""), lambda: 0)
    gate.set()
    assert [future.result(20) for future in futures] == list(range(MOST_WAITING))


def test_an_error_reaches_who_asked_and_the_worker_lives_on(worker: Worker) -> None:
    def fails() -> None:
        raise MemoryError("too large")

    with pytest.raises(MemoryError):
        worker.submit(("a", ""), fails).result(20)
    assert worker.submit(("a", ""), lambda: 1).result(20) == 1


def test_one_who_has_gone_is_passed_over_and_closing_gives_up_what_waits() -> None:
    worker = Worker()
    gate = _held(worker)
    gone, waits = worker.submit(("a", ""), lambda: 1), worker.submit(("b", ""), lambda: 2)
    assert gone.cancel()
    worker.submit(("a", ""), lambda: 3)
    closing = threading.Thread(target=worker.close)
    closing.start()
    with pytest.raises(Superseded):
        waits.result(20)
    gate.set()
    closing.join(20)
    assert not closing.is_alive()
    with pytest.raises(Busy):
        worker.submit(("a", ""), lambda: 1)
