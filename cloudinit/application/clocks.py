"""The clocks of one request: when each of its parts began and ended."""

import time

from .statements import Statement

APP = "app"
"""The whole request, until its answer begins."""
ACQUIRE = "acquire"
"""Getting a connection from the pool, with the connect where one was needed."""
CONNECT = "connect"
QUERY = "query"

Interval = tuple[int, int]


class Clocks:
    """Begin and end of each part that happened, in nanoseconds of time.perf_counter_ns.

    Attributes:
        intervals: Begin and end of a part.
        failures: The class of the error that a part ended with.
        statement: What the query asked.
    """

    __slots__ = ("_begun", "_since_epoch", "failures", "intervals", "statement")

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._since_epoch: int | None = None
        self.intervals: dict[str, Interval] = {}
        self.failures: dict[str, str] = {}
        self.statement: Statement | None = None

    def begin(self, part: str) -> None:
        """A part begins; what begins again (a connect to a second address) began the first time."""
        self._begun.setdefault(part, time.perf_counter_ns())

    def end(self, part: str) -> None:
        """A part ends, unless it ended before or never began."""
        if part in self._begun and part not in self.intervals:
            self.intervals[part] = (self._begun[part], time.perf_counter_ns())

    def nanoseconds(self, part: str) -> int:
        """How long a part took; 0 for one that did not happen."""
        begin, end = self.intervals.get(part, (0, 0))
        return end - begin

    def unix_nanoseconds(self, reading: int) -> int:
        """The time of day of a reading; within one request exactly as far apart as the readings are."""
        if self._since_epoch is None:
            self._since_epoch = time.time_ns() - time.perf_counter_ns()
        return self._since_epoch + reading

    def server_timing(self) -> dict[str, float]:
        """The parts as Server-Timing names them, in ms; `pool` is the wait for a connection without the connect.

        Each is cut to a microsecond, not rounded: so the parts never sum to more than `app`.
        """
        parts: dict[str, int] = {}
        if ACQUIRE in self.intervals:
            parts["pool"] = self.nanoseconds(ACQUIRE) - self.nanoseconds(CONNECT)
        if CONNECT in self.intervals:
            parts["connect"] = self.nanoseconds(CONNECT)
        if QUERY in self.intervals:
            parts["db"] = self.nanoseconds(QUERY)
        if APP in self.intervals:
            parts["app"] = self.nanoseconds(APP)
        return {name: nanoseconds // 1000 / 1000 for name, nanoseconds in parts.items()}
