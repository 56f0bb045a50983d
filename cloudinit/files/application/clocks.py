"""The clocks of one request: when each of its parts started and ended."""

from time import perf_counter_ns, time_ns

from .statements import Statement

APP = "app"  # the whole request, until its response starts
ACQUIRE = "acquire"  # getting a connection from the pool, including the connect if one was needed
CONNECT = "connect"
QUERY = "query"

Interval = tuple[int, int]


class Clocks:
    """Start and end of each part that happened, as readings of time.perf_counter_ns.

    Attributes:
        intervals: Start and end of each part.
        failures: Class of the error that a part ended with.
        statement: The query's statement.
    """

    __slots__ = ("_since_epoch", "_started", "failures", "intervals", "statement")

    def __init__(self) -> None:
        self._started: dict[str, int] = {}
        self._since_epoch: int | None = None
        self.intervals: dict[str, Interval] = {}
        self.failures: dict[str, str] = {}
        self.statement: Statement | None = None

    def start(self, part: str) -> None:
        """Start a part; a second start (a connect to the next address) changes nothing."""
        self._started.setdefault(part, perf_counter_ns())

    def end(self, part: str) -> None:
        """End a part, unless it has ended already or never started."""
        if part in self._started and part not in self.intervals:
            self.intervals[part] = (self._started[part], perf_counter_ns())

    def nanoseconds(self, part: str) -> int:
        """Return how long a part took; 0 if it did not happen."""
        start, end = self.intervals.get(part, (0, 0))
        return end - start

    def milliseconds(self, part: str) -> float:
        """Return how long a part took, cut to a microsecond as in Server-Timing."""
        return self.nanoseconds(part) // 1000 / 1000

    def unix_nanoseconds(self, reading: int) -> int:
        """Return a reading as Unix time; differences within one request stay exact."""
        if self._since_epoch is None:
            self._since_epoch = time_ns() - perf_counter_ns()
        return self._since_epoch + reading

    def server_timing(self) -> str:
        """Return the value of the Server-Timing header, in ms; `pool` is the wait without the connect.

        Each part is cut to a microsecond, not rounded, so that the parts never add up to more than `app`.
        """
        # Written out: it runs for every response, and a loop would cost three times as much.
        text = ""
        if ACQUIRE in self.intervals:
            connect = self.nanoseconds(CONNECT)
            text = f"pool;dur={(self.nanoseconds(ACQUIRE) - connect) // 1000 / 1000:.3f}, "
            if connect:
                text += f"connect;dur={connect // 1000 / 1000:.3f}, "
            if QUERY in self.intervals:
                text += f"db;dur={self.milliseconds(QUERY):.3f}, "
        return f"{text}app;dur={self.milliseconds(APP):.3f}"


class StoppedClocks(Clocks):
    """Clocks that measure nothing, for an application without attribution."""

    __slots__ = ()

    def start(self, part: str) -> None:
        """Do nothing."""

    def end(self, part: str) -> None:
        """Do nothing."""

    def server_timing(self) -> str:
        """Return nothing: the response has no such header."""
        return ""


def clocks_class(attribution: str) -> type[Clocks]:
    """Return the class of each request's clocks, by the setting ATTRIBUTION.

    Raises:
        ValueError: The setting is neither `on` nor `off`.
    """
    if attribution not in ("on", "off"):
        raise ValueError(f"ATTRIBUTION must be on or off, not {attribution!r}")
    return Clocks if attribution == "on" else StoppedClocks
