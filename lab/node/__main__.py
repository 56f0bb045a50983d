"""Run the node agent: `python -m lab.node`, inside the lab's network namespace."""

from __future__ import annotations

import signal
from threading import Event

from lab.config import Lab
from lab.node.agent import Agent


def main() -> None:
    """Run until SIGTERM or SIGINT; guests run on."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    Agent(Lab.from_environment()).run(stopping)


if __name__ == "__main__":
    main()
