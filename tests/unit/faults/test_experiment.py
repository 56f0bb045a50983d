"""An outcome says which bounds were broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faults import cluster
from faults.experiment import RECOVERY_BOUND, problems
from faults.fault import Fault
from faults.ledger import Audit, Update
from faults.recovery import Impact
from lab.cluster.stages import NAMES

FAULT = Fault("web-killed", "nginx is killed.", lambda _: None)
GOOD = Impact(requests=300, errors=5, slow=0, bound_s=0.25, unavailable_s=1.0, recovery_s=RECOVERY_BOUND)
RIGHT = Audit(lost=frozenset(), unexpected=frozenset(), unbalanced=frozenset())
UPDATE = frozenset({Update(1, 2)})


def test_errors_and_a_recovery_in_time_break_no_bound() -> None:
    assert problems(FAULT, GOOD, RIGHT) == []


def test_errors_break_the_bound_of_a_fault_that_nobody_may_notice() -> None:
    assert problems(replace(FAULT, tolerated=5), GOOD, RIGHT) == []
    assert problems(replace(FAULT, tolerated=0), GOOD, RIGHT) == ["5 requests failed instead of at most 0"]


@pytest.mark.parametrize(
    ("recovery", "words"),
    [
        (RECOVERY_BOUND + 1, "recovered 16 s after the fault's end instead of within 15 s"),
        (None, "not recovered 60 s after all was ready"),
    ],
)
def test_a_late_recovery_breaks_a_bound(recovery: int | None, words: str) -> None:
    assert problems(FAULT, replace(GOOD, recovery_s=recovery), RIGHT) == [words]


@pytest.mark.parametrize(
    ("audit", "words"),
    [
        (replace(RIGHT, lost=UPDATE), "1 acknowledged writes are lost"),
        (replace(RIGHT, unexpected=UPDATE), "1 writes were made though refused, or twice"),
        (replace(RIGHT, unbalanced=frozenset({1})), "1 balances are not the sum of their history"),
    ],
)
def test_books_that_are_not_right_break_a_bound(audit: Audit, words: str) -> None:
    assert problems(FAULT, GOOD, audit) == [words]


def test_every_component_that_a_fault_names_exists() -> None:
    assert {one.name.removesuffix("-away") for one in cluster.FAULTS if one.name.endswith("-away")} <= set(NAMES)
