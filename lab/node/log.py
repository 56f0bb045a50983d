"""The agent's log: one line an event, on standard output, which `python -m lab logs node-agent` shows."""

from __future__ import annotations

import datetime
import sys


def log(text: str) -> None:
    """Write one line."""
    now = datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
    line = " ".join(text.split())
    sys.stdout.write(f"{now} {line}\n")
    sys.stdout.flush()
