"""The load generator's samples, as tests read and write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cloudinit.sample_columns import COLUMNS

_WHOLE = {"number", "status", "error", "good"}
_TEXT = {"kind", "trace"}


@dataclass(frozen=True, slots=True)
class Row:
    """A sample; times in milliseconds, None where unknown."""

    number: int
    due: float
    sent: float
    wait: float
    client_connect: float
    client: float
    app: float | None
    pool: float | None
    database_connect: float | None
    db: float | None
    status: int
    error: int
    good: int
    kind: str
    trace: str

    @property
    def total(self) -> float:
        return max(0.0, self.sent - self.due) + self.client


def rows(text: str) -> list[Row]:
    """Return the samples among the lines of a text, ordered by number."""
    lines = [line.split(",") for line in text.splitlines() if line[:1].isdigit()]
    return sorted((_row(texts) for texts in lines), key=lambda row: row.number)


def _row(texts: Iterable[str]) -> Row:
    def value(column: str, text: str) -> Any:
        if column in _TEXT:
            return text
        if column in _WHOLE:
            return int(text)
        return float(text) if text else None

    return Row(**{column: value(column, text) for column, text in zip(COLUMNS, texts, strict=True)})


def line(number: int = 0, *, kind: str = "random", status: int = 200, trace: str = "00000000ffffffff") -> str:
    """Return a sample's line: 2 ms of wait, 1 ms of lateness, and 8 ms in the client, 5 of them in the application."""
    times = f"{number * 10}.000,{number * 10 + 3}.000,2.000,0.100,8.000,5.000,1.000,0.500,2.000"
    return f"{number},{times},{status},0,{int(status == 200)},{kind},{trace}"
