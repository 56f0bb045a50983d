"""Run the node agent inside the lab's network namespace: `python -m lab.node`."""

from __future__ import annotations

import logging
import signal
import sys
import time
from threading import Event

from lab.config import Lab
from lab.node.agent import Agent
from lab.node.simulation import SimulatedNode


def main() -> None:
    """Run until SIGTERM or SIGINT; guests keep running."""
    logging.Formatter.converter = time.gmtime
    line = "%(asctime)s.%(msecs)03d %(message)s"
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=line, datefmt="%H:%M:%S")
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    lab = Lab.from_environment()
    node = SimulatedNode(lab) if lab.simulated else Agent(lab)
    node.run(stopping)


if __name__ == "__main__":
    main()
