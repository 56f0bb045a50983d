"""The ledger finds every update that the database's books lack, and every one that they shouldn't have."""

from __future__ import annotations

from collections import Counter

from faults.ledger import ACCOUNTS, FIRST_ACCOUNT, HOT_ACCOUNT, Ledger, Standing, Update

Books = list[tuple[str, int, int]]


def sent(ledger: Ledger, *standings: Standing) -> list[Update]:
    """Send an update for each standing that it then gets."""
    updates = [ledger.next() for _ in standings]
    for update, standing in zip(updates, standings, strict=True):
        ledger.record(update, standing)
    return updates


def books(*made: Update) -> Books:
    """Return the books of a database that made these updates."""
    sums = Counter(dict.fromkeys(range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS), 0))
    for update in made:
        sums[update.account] += update.delta
    history = [("history", update.account, update.delta) for update in made]
    return history + [("balance", account, balance) for account, balance in sums.items()]


def test_books_with_all_acknowledged_updates_and_some_in_doubt_are_right() -> None:
    ledger = Ledger()
    acknowledged, made, _, _ = sent(
        ledger, Standing.ACKNOWLEDGED, Standing.IN_DOUBT, Standing.IN_DOUBT, Standing.REFUSED
    )
    audit = ledger.audit(books(acknowledged, made))
    assert (audit.lost, audit.unexpected, audit.unbalanced) == (frozenset(), frozenset(), frozenset())


def test_an_acknowledged_update_that_is_missing_is_lost() -> None:
    ledger = Ledger()
    first, second = sent(ledger, Standing.ACKNOWLEDGED, Standing.ACKNOWLEDGED)
    assert ledger.audit(books(first)).lost == {second}


def test_an_update_that_was_refused_or_made_twice_or_that_nobody_sent_is_unexpected() -> None:
    ledger = Ledger()
    twice, refused = sent(ledger, Standing.ACKNOWLEDGED, Standing.REFUSED)
    stranger = Update(FIRST_ACCOUNT, 4711)
    assert ledger.audit(books(twice, twice, refused, stranger)).unexpected == {twice, refused, stranger}


def test_a_balance_that_is_not_the_sum_of_its_history_is_found_and_so_is_a_missing_account() -> None:
    ledger = Ledger()
    (update,) = sent(ledger, Standing.ACKNOWLEDGED)
    wrong = [
        row for row in books(update) if row[:2] not in (("balance", update.account), ("balance", FIRST_ACCOUNT + 1))
    ]
    wrong.append(("balance", update.account, update.delta + 1))
    assert ledger.audit(wrong).unbalanced == {update.account, FIRST_ACCOUNT + 1}


def test_an_update_is_in_doubt_until_its_outcome_is_known() -> None:
    ledger = Ledger()
    update = ledger.next()
    assert ledger.count(Standing.IN_DOUBT) == 1
    assert ledger.audit(books()).lost == frozenset()
    ledger.record(update, Standing.ACKNOWLEDGED)
    assert ledger.audit(books()).lost == {update}


def test_no_two_updates_are_the_same_one_in_four_is_of_the_hot_account_and_balances_stay_small() -> None:
    ledger = Ledger()
    updates = [ledger.next() for _ in range(20_000)]
    assert len(set(updates)) == 20_000
    assert Counter(update.account for update in updates)[HOT_ACCOUNT] == 5_000
    assert {update.account for update in updates} == set(range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS))
    balances: Counter[int] = Counter()
    for update in updates:
        balances[update.account] += update.delta
    assert max(map(abs, balances.values())) < 2**31 / 100
