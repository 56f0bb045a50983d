"""The ledger of balance updates: what became of each one, as the client was told, compared with the database's books.

Every update adds a line to pgbench's history in the same statement. No two updates of an account have the same delta,
so that each line of the history is one known update.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

# Beyond every account that the load generator requests, those that don't exist included.
FIRST_ACCOUNT = 2_000_000_000
ACCOUNTS = 100
HOT_ACCOUNT = FIRST_ACCOUNT
_HOT = 4  # one update in so many changes the hot account

# The accounts as a new ledger needs them, also in a database that has those of an earlier one.
PREPARE = f"""
DELETE FROM pgbench_history WHERE aid >= {FIRST_ACCOUNT};
DELETE FROM pgbench_accounts WHERE aid >= {FIRST_ACCOUNT};
INSERT INTO pgbench_accounts (aid, bid, abalance, filler)
    SELECT {FIRST_ACCOUNT} + number, 1, 0, '' FROM generate_series(0, {ACCOUNTS - 1}) AS number;
"""  # noqa: S608 - constants
# One statement, so that both are of the same moment.
BOOKS = f"""
SELECT 'history', aid, delta FROM pgbench_history WHERE aid >= {FIRST_ACCOUNT}
UNION ALL SELECT 'balance', aid, abalance FROM pgbench_accounts WHERE aid >= {FIRST_ACCOUNT}
"""  # noqa: S608


class Standing(StrEnum):
    """What a client knows about an update."""

    ACKNOWLEDGED = "acknowledged"
    IN_DOUBT = "in doubt"
    REFUSED = "refused"


class Update(NamedTuple):
    """A change of an account's balance."""

    account: int
    delta: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What the database's books say about a ledger.

    Attributes:
        lost: Acknowledged updates that are missing.
        unexpected: Updates that were made twice, that were made although they were refused, or that nobody sent.
        unbalanced: Accounts whose balance is not the sum of their history.
    """

    lost: frozenset[Update]
    unexpected: frozenset[Update]
    unbalanced: frozenset[int]


class Ledger:
    """All updates since the accounts were prepared; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._standings: dict[Update, Standing] = {}

    def next(self) -> Update:
        """Return a new update. It is in doubt until its outcome is recorded."""
        with self._lock:
            number = len(self._standings)
            account = HOT_ACCOUNT if number % _HOT == 0 else FIRST_ACCOUNT + 1 + number % (ACCOUNTS - 1)
            # Of both signs, so that no balance leaves its 32 bits.
            delta = (number + 1) * (-1 if number // _HOT % 2 else 1)
            update = Update(account, delta)
            self._standings[update] = Standing.IN_DOUBT
            return update

    def record(self, update: Update, standing: Standing) -> None:
        """Record the outcome of an update."""
        with self._lock:
            self._standings[update] = standing

    def count(self, standing: Standing) -> int:
        """Return the number of updates with a standing."""
        with self._lock:
            return list(self._standings.values()).count(standing)

    def audit(self, books: Iterable[tuple[str, int, int]]) -> Audit:
        """Compare the ledger with the database's books: the rows of `BOOKS`."""
        made: Counter[Update] = Counter()
        balances: dict[int, int] = {}
        for kind, account, amount in books:
            if kind == "history":
                made[Update(account, amount)] += 1
            else:
                balances[account] = amount
        sums: dict[int, int] = defaultdict(int)
        for (account, delta), times in made.items():
            sums[account] += delta * times
        with self._lock:
            standings = dict(self._standings)
        possible = (Standing.ACKNOWLEDGED, Standing.IN_DOUBT)
        return Audit(
            lost=frozenset(
                update for update, one in standings.items() if one is Standing.ACKNOWLEDGED and not made[update]
            ),
            unexpected=frozenset(
                update for update, times in made.items() if times > 1 or standings.get(update) not in possible
            ),
            unbalanced=frozenset(
                account
                for account in range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS)
                if balances.get(account) != sums[account]
            ),
        )
