"""The queue that workers share."""

import time
from threading import Thread

from lab.node.work_queue import WorkQueue


def test_a_key_that_is_added_several_times_is_worked_on_once() -> None:
    queue = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    taken = []
    for _ in range(2):
        with queue.next() as key:
            taken.append(key)
    assert taken == ["a", "b"]
    assert queue._ready() is None


def test_a_key_that_is_added_while_it_is_worked_on_waits_until_that_ends() -> None:
    queue, order = WorkQueue(), []

    def work() -> None:
        with queue.next():
            order.append("second")

    queue.add("a")
    with queue.next() as key:
        queue.add(key)
        worker = Thread(target=work)
        worker.start()
        worker.join(0.05)
        order.append("first")
    worker.join(5)
    assert order == ["first", "second"]


def test_a_delayed_key_waits_and_others_go_before_it() -> None:
    queue, begun = WorkQueue(), time.monotonic()
    queue.add("late", 0.05)
    queue.add("now")
    with queue.next() as key:
        assert key == "now"
    with queue.next() as key:
        assert key == "late"
    assert time.monotonic() - begun >= 0.05
