"""One request as the generator's line says it."""

import re
from dataclasses import dataclass

LINE = re.compile(rb"\d+(?:,[0-9.-]*){9},\d+,\d+,[01],[a-z]+,[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A request's times in milliseconds, None where unknown, and its outcome."""

    sent: float
    """Since the run's begin."""
    wait: float
    connect: float
    client: float
    application: float | None
    pool: float
    database_connect: float
    database: float
    status: int
    """0: no answer."""
    error: int
    good: bool
    kind: str
    trace: str
    """Low half of the trace id, and id of the client's span."""

    @property
    def total(self) -> float:
        """What whoever sent it waited since it was due."""
        return self.wait + self.client

    @property
    def web(self) -> float | None:
        """The web tier's share, the network's included."""
        return None if self.application is None else self.client - self.application

    @property
    def application_own(self) -> float | None:
        """The application's share, its getting a connection to the database included."""
        return None if self.application is None else self.application - self.database


def parse(line: bytes) -> Sample:
    """The sample in a line that LINE matches."""
    field = line.decode("ascii").split(",")
    return Sample(
        sent=float(field[2]),
        wait=float(field[3]),
        connect=float(field[4]),
        client=float(field[5]),
        application=float(field[6]) if field[6] else None,
        pool=float(field[7] or 0),
        database_connect=float(field[8] or 0),
        database=float(field[9] or 0),
        status=int(field[10]),
        error=int(field[11]),
        good=field[12] == "1",
        kind=field[13],
        trace=field[14],
    )
