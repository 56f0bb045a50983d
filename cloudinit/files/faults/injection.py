"""One fault, from the beginning to the certain end of its transient unit.

The unit's process puts the fault in force and waits; systemd ends the process at the fault's time (RuntimeMaxSec=), and
then runs a command of its own that undoes what is left (ExecStopPost=). Neither needs the agent.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from .commands import EffectError, attempt, run
from .effects import Machine, effect_of
from .fault_plan import Kind
from .records import Record, Records

END_SECONDS = 20  # until systemd kills a process that doesn't end
ENVIRONMENT_FILE = "/etc/virtwork/faults.env"
_PROPERTIES: Mapping[Kind, tuple[str, ...]] = {
    # Ahead of everything else, as work on the host would be.
    Kind.CPU: ("Nice=-20", "CPUWeight=10000"),
    # The first to be killed, so that lack of memory ends the fault and not the tier.
    Kind.MEMORY: ("OOMScoreAdjust=1000", "OOMPolicy=kill"),
}


def unit_of(name: str) -> str:
    """Return the unit of a fault."""
    return f"virtwork-fault-{name}.service"


def start(record: Record) -> None:
    """Have systemd run a fault from now until its end.

    Raises:
        EffectError: systemd refused.
    """
    python = [sys.executable, "-B", "-m", "faults"]
    properties = [
        "Type=exec",
        # From here on by the monotonic clock: a wall clock that is set meanwhile changes nothing.
        f"RuntimeMaxSec={max(0.1, record.until - time.time()):.3f}",
        f"TimeoutStopSec={END_SECONDS}",
        "KillMode=mixed",
        f"WorkingDirectory={os.getcwd()}",  # noqa: PTH109
        f"EnvironmentFile={ENVIRONMENT_FILE}",
        f"Environment=RUNTIME_DIRECTORY={os.environ['RUNTIME_DIRECTORY']}",
        f"ExecStopPost={' '.join(python)} undo {record.id}",
        *_PROPERTIES.get(record.fault.kind, ()),
    ]
    options = [f"--property={one}" for one in properties]
    run("systemd-run", "--quiet", "--collect", f"--unit={unit_of(record.id)}", *options, *python, "inject", record.id)


def stop(name: str) -> None:
    """End a fault before its time."""
    attempt("systemctl", "stop", "--no-block", unit_of(name))


def inject(name: str, records: Records, machine: Machine) -> int:
    """Put a fault in force until a signal ends it; return the exit code. Runs in the fault's unit."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    fault = records.read(name).fault
    try:
        effect = effect_of(fault, machine)
        means = effect.begin()
    except (EffectError, OSError) as error:
        records.ended(name, str(error))
        return 1
    records.began(name, means)
    if fault.duration:
        signal.sigwait(signals)
    # Network connections are replaced at leisure once nothing impairs them.
    records.ended(name)
    effect.end()
    return 0


def undo(name: str, records: Records, machine: Machine) -> int:
    """Undo what is left of a fault; return the exit code. Runs after the fault's process, however that has ended."""
    record = records.read(name)
    try:
        effect_of(record.fault, machine).undo()
    except (EffectError, OSError) as error:
        print(f"multi-tier faults: {record.fault.title} can't be undone: {error}", file=sys.stderr)  # noqa: T201
        return 1
    # The words of systemd's Result=; a timeout is RuntimeMaxSec=, the end that every fault has.
    result = os.environ.get("SERVICE_RESULT", "")
    records.ended(name, "" if result in ("success", "timeout") else f"its process ended early: {result}")
    return 0
