"""One request, as a line of the generator reports it."""

import re
from dataclasses import dataclass

from ..sample_columns import COLUMNS, LINE

_LINE = re.compile(LINE.encode())
_STATUS = list(COLUMNS).index("status")


@dataclass(frozen=True, slots=True)
class Sample:
    """The times of a request in milliseconds, and its outcome.

    Attributes:
        due: When it was scheduled, since the start of the run.
        sent: The same for when it was sent.
        wait: From when the request was due until a connection was free.
        client_connect: Until the client was connected to the web tier; part of `client`.
        client: From sending the request to its response.
        app: The application's time; None without a response from it.
        db: The query's time, part of `app`.
        status: 0 without a response.
        error: k6's error code.
        good: Whether the status was the expected one.
        kind: Its key in the plan's mix.
        trace: Low half of the trace id, and id of the client's span.
    """

    due: float
    sent: float
    wait: float
    client_connect: float
    client: float
    app: float | None
    db: float
    status: int
    error: int
    good: bool
    kind: str
    trace: str

    @property
    def total(self) -> float:
        """Time from when the request was due to its response, whatever delayed it."""
        return max(0.0, self.sent - self.due) + self.client

    @property
    def generator(self) -> float:
        """The generator's own delay before it sent the request."""
        return max(0.0, self.sent - self.due - self.wait)

    @property
    def web(self) -> float | None:
        """The web tier's share, including the network."""
        return None if self.app is None else self.client - self.app

    @property
    def application(self) -> float | None:
        """The application's share, including its wait for a database connection."""
        return None if self.app is None else self.app - self.db


def is_sample(line: bytes) -> bool:
    """Return whether a line of k6's output is a sample."""
    return _LINE.fullmatch(line) is not None


def has_response(line: bytes) -> bool:
    """Return whether the request of a sample's line got a response."""
    return line.split(b",")[_STATUS] != b"0"


def parse(line: bytes) -> Sample:
    """Return the sample in a line for which `is_sample` holds."""
    values = dict(zip(COLUMNS, line.decode("ascii").split(","), strict=True))
    return Sample(
        due=float(values["due"]),
        sent=float(values["sent"]),
        wait=float(values["wait"]),
        client_connect=float(values["client_connect"]),
        client=float(values["client"]),
        app=float(values["app"]) if values["app"] else None,
        db=float(values["db"] or 0),
        status=int(values["status"]),
        error=int(values["error"]),
        good=values["good"] == "1",
        kind=values["kind"],
        trace=values["trace"],
    )
