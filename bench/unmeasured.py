"""The application without attribution, to measure what attribution costs: no clock, no header. Runs in a guest."""

from types import SimpleNamespace
from typing import Any

import server  # type: ignore[import-not-found]

server.time = SimpleNamespace(perf_counter=lambda: 0.0)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve as `server.application` does, unmeasured."""
    if scope["type"] == "http":
        scope["timings"] = {"db": 0.0}
    await server.service(scope, receive, send)
