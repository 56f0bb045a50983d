"""Sample lines, and the parts of a request's latency."""

from __future__ import annotations

import math

import pytest

from measure.analysis.recording import SampleBuffer
from measure.analysis.samples import parse, part
from measure.failures import NotServingError
from tests.unit.measure.synthetic import LOST, ONE


def test_a_line_is_parsed() -> None:
    (sample,) = parse(ONE)
    assert (sample["number"], sample["status"]) == (7, 200)
    assert (sample["kind"], sample["trace"]) == (b"random", b"00000000000000ff")


def test_the_parts_follow_from_the_times() -> None:
    expected = {
        "total": 18, "client": 8, "wait": 10, "web": 3, "application": 3, "code": 1.5, "pool": 1,
        "database_connect": 0.5, "database": 2, "unattributed": 0, "client_connect": 0.5,
        "database response": 3.5, "application response": 5,
    }  # fmt: skip
    assert {name: part(parse(ONE), name)[0] for name in expected} == expected


def test_all_time_of_a_request_without_a_response_is_unattributed() -> None:
    lost = parse(LOST)
    assert part(lost, "total")[0] == part(lost, "unattributed")[0] == 10_000
    assert all(math.isnan(part(lost, name)[0]) for name in ("web", "application", "code", "database"))


@pytest.mark.parametrize("line", [b"1,2,3\n", ONE.replace(b"7,", b"seven,"), b"<html>\n"])
def test_anything_but_a_sample_is_refused(line: bytes) -> None:
    with pytest.raises(NotServingError, match="The samples can't be parsed"):
        parse(line)


def test_a_buffer_keeps_every_sample_as_it_grows_and_drops_the_oldest_half() -> None:
    buffer = SampleBuffer()
    for number in range(0, 9000, 300):
        buffer.append(b"".join(b"%d,%s" % (number + each, ONE.partition(b",")[2]) for each in range(300)))
    assert list(buffer.samples["number"]) == list(range(9000))
    buffer.drop_oldest_half()
    buffer.append(b"9000,%s" % ONE.partition(b",")[2])
    assert list(buffer.samples["number"]) == list(range(4500, 9001))
