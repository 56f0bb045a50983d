"""A figure has a value with its spread, or a reason why there is none."""

from __future__ import annotations

from rich.console import Console

from bench import figures


def test_a_figure_is_the_median_of_its_repeats_with_their_spread() -> None:
    assert figures.figure([3, 1, 2]) == {"value": 2, "spread": [1, 3], "repeats": 3}


def test_a_ratio_is_taken_repeat_by_repeat() -> None:
    assert figures.ratio([10, 40, 90], [10, 20, 30]) == {"value": 2, "spread": [1, 3], "repeats": 3}


def test_a_figure_without_a_repeat_says_so() -> None:
    assert figures.figure([]) == {"value": None, "reason": "not measured"}


def test_the_table_has_every_figure_by_its_name_and_the_reason_of_an_absent_one() -> None:
    section = {"quick": True, "speed": figures.figure([1.5, 1.25]), "peer": figures.missing("not installed")}
    console = Console(width=120)
    with console.capture() as printed:
        console.print(figures.table({"serving": section}))
    assert "serving.speed" in printed.get()
    assert "1.38 [1.25-1.5]" in printed.get()
    assert "serving.peer" in printed.get()
    assert "not installed" in printed.get()
