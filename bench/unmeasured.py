"""The application without attribution, to measure what that costs: no clock, no Server-Timing. Runs in a guest."""

from application import measured, server  # type: ignore[import-not-found]


class Stopped:
    """Clocks that tell no time."""

    def __init__(self) -> None:
        self.statement = None
        self.failures: dict[str, str] = {}

    def begin(self, part: str) -> None:
        """Do nothing."""

    def end(self, part: str) -> None:
        """Do nothing."""

    def milliseconds(self, _: str) -> float:
        """Return what an answer's body needs."""
        return 0.0

    def server_timing(self) -> str:
        """Return nothing: there is no such header then."""
        return ""


measured.Clocks = Stopped
application = server.application
