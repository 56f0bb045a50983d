"""The clocks of one request: when each of its parts began and ended."""

from time import perf_counter_ns, time_ns

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
        self._begun.setdefault(part, perf_counter_ns())

    def end(self, part: str) -> None:
        """A part ends, unless it ended before or never began."""
        if part in self._begun and part not in self.intervals:
            self.intervals[part] = (self._begun[part], perf_counter_ns())

    def nanoseconds(self, part: str) -> int:
        """How long a part took; 0 for one that did not happen."""
        begin, end = self.intervals.get(part, (0, 0))
        return end - begin

    def milliseconds(self, part: str) -> float:
        """How long a part took, as Server-Timing tells it."""
        return self.nanoseconds(part) // 1000 / 1000

    def unix_nanoseconds(self, reading: int) -> int:
        """The time of day of a reading; within one request exactly as far apart as the readings are."""
        if self._since_epoch is None:
            self._since_epoch = time_ns() - perf_counter_ns()
        return self._since_epoch + reading

    def server_timing(self) -> str:
        """The parts as the header Server-Timing tells them, in ms; `pool` is the wait without the connect.

        Each is cut to a microsecond, not rounded: so the parts never sum to more than `app`.
        """
        # Once for each answer: written out, since a loop would cost three times as much.
        text = ""
        if ACQUIRE in self.intervals:
            connect = self.nanoseconds(CONNECT)
            text = f"pool;dur={(self.nanoseconds(ACQUIRE) - connect) // 1000 / 1000:.3f}, "
            if connect:
                text += f"connect;dur={connect // 1000 / 1000:.3f}, "
            if QUERY in self.intervals:
                text += f"db;dur={self.milliseconds(QUERY):.3f}, "
        return f"{text}app;dur={self.milliseconds(APP):.3f}"
