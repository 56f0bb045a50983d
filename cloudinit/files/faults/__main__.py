"""Fault injection in a guest: `python3 -m faults` is the agent; `inject` and `undo` are commands of a fault's unit."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path

from .agent import Agent
from .effects import read_machine
from .injection import inject, undo
from .kubernetes import ApiObject, follow
from .records import Records


def main() -> int:
    """Run the command; return the exit code."""
    records = Records(Path(os.environ["RUNTIME_DIRECTORY"]))
    machine = read_machine(os.environ, socket.gethostname())
    if len(sys.argv) > 1:
        command, name = sys.argv[1:]
        return {"inject": inject, "undo": undo}[command](name, records, machine)
    logging.basicConfig(format="multi-tier faults: %(message)s", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    access = Path(os.environ["API_ACCESS"])
    plan, reports = (ApiObject(access, "configmaps", os.environ[name]) for name in ("FAULTS", "FAULT_REPORTS"))
    agent = Agent(machine, records, partial(_publish, reports))
    threading.Thread(target=follow, args=(plan, agent.take, agent.lose, stop), name="plan", daemon=True).start()
    agent.run(stop)
    return 0


def _publish(reports: ApiObject, text: str) -> None:
    """Publish a report under the machine's name."""
    reports.patch({socket.gethostname(): text})


if __name__ == "__main__":
    sys.exit(main())
