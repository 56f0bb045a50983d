"""A trend is found despite outliers; a figure that only fills a cache, or varies, has none."""

from __future__ import annotations

import random

from faults.trends import Bound, slope, trend

TIMES = [float(second) for second in range(0, 1800, 10)]
HALF = 900.0
BOUND = Bound(least=8.0)


def test_the_slope_is_that_of_the_points_however_wild_a_quarter_of_them_is() -> None:
    values = [3.0 * time + 5 for time in TIMES]
    wild = [value if number % 4 else 1e6 for number, value in enumerate(values)]
    assert slope(TIMES, values) == 3
    assert abs(slope(TIMES, wild) - 3) < 0.5


def test_steady_growth_breaks_the_bound() -> None:
    found = trend(TIMES, [100 + time / 60 for time in TIMES], BOUND, HALF)  # 1 a minute
    assert found
    assert found.grows
    assert round(found.growth) == 15


def test_growth_that_ends_in_the_first_half_is_no_trend() -> None:
    found = trend(TIMES, [min(time, 800.0) for time in TIMES], BOUND, HALF)
    assert found
    assert (found.growth, found.grows) == (0, False)


def test_a_figure_that_varies_or_shrinks_is_no_trend() -> None:
    noise = random.Random(1)
    for drift in (0.0, -0.1):
        found = trend(TIMES, [100 + drift * time + noise.uniform(-20, 20) for time in TIMES], BOUND, HALF)
        assert found
        assert not found.grows


def test_the_bound_of_a_large_figure_is_a_share_of_it() -> None:
    values = [1000 + time / 60 for time in TIMES]
    for share, grows in ((0.01, True), (0.1, False)):
        found = trend(TIMES, values, Bound(least=8.0, share=share), HALF)
        assert found
        assert found.grows is grows


def test_too_few_points_are_no_measurement() -> None:
    assert trend([], [], BOUND, HALF) is None
    assert trend(TIMES[:93], [1.0] * 93, BOUND, HALF) is None
    assert trend(TIMES[:94], [1.0] * 94, BOUND, HALF)
