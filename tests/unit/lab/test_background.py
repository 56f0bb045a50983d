"""Background work repeats while it is needed, and its failure is not lost."""

from __future__ import annotations

import threading

import pytest

from lab.background import repeating


def test_an_action_repeats_until_the_body_ends() -> None:
    calls = threading.Semaphore(0)
    with repeating(calls.release, 0.001):
        assert all(calls.acquire(timeout=5) for _ in range(3))
    while calls.acquire(blocking=False):
        pass
    assert not calls.acquire(timeout=0.05)


def test_its_exception_is_raised_at_the_end() -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), repeating(fail, 0.001):
        assert failed.wait(5)
