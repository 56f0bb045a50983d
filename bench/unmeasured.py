"""The application without attribution, to measure what attribution costs: no clock, no header. Runs in a guest."""

from typing import Any

from application import server  # type: ignore[import-not-found]


class Stopped:
    """Clocks that tell no time."""

    statement = None

    def begin(self, part: str) -> None:
        """Do nothing."""

    def end(self, part: str) -> None:
        """Do nothing."""

    def server_timing(self) -> dict[str, float]:
        """Return what an answer's body needs."""
        return {"db": 0.0}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve as `server.application` does, unmeasured."""
    if scope["type"] == "http":
        scope["clocks"] = Stopped()
    await server.service(scope, receive, send)
