"""The application's SQL statements; the tables are pgbench's."""

from dataclasses import dataclass

ACCOUNTS_A_BRANCH = 100_000


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement.

    Attributes:
        text: The SQL.
        operation: The operation's name in traces.
        table: The table's name in traces.
    """

    text: str
    operation: str
    table: str = ""


ALIVE = Statement("SELECT 1", "SELECT")

# The balance of account $1.
BALANCE = Statement("SELECT abalance FROM pgbench_accounts WHERE aid = $1", "SELECT", "pgbench_accounts")

# Changes the balance of account $1 by $2: pgbench's simple update in one round trip, with any teller of the branch.
CHANGE = Statement(
    "WITH changed AS ("
    "UPDATE pgbench_accounts SET abalance = abalance + $2 WHERE aid = $1 RETURNING aid, bid, abalance"
    "), history AS ("
    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) "
    "SELECT 10 * (bid - 1) + 1 + floor(10 * random()), bid, aid, $2, now() FROM changed"
    ") SELECT abalance FROM changed",
    "UPDATE",
    "pgbench_accounts",
)

# The sum over a branch, by the range of its accounts.
BRANCH = Statement(
    "SELECT count(*) AS accounts, sum(abalance) AS balance FROM pgbench_accounts WHERE aid BETWEEN $1 AND $2",
    "SELECT",
    "pgbench_accounts",
)

# The newest benchmark results of the data disk.
STORAGE = Statement(
    "SELECT measured, seconds, jobs FROM storage_figures ORDER BY measured DESC LIMIT 1", "SELECT", "storage_figures"
)
