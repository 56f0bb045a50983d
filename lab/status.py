"""What runs in the lab, and why something does not."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kube import client
from kube.client import Api
from kube.errors import ApiError
from kube.resources import EVENTS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from lab.cluster import supervisor
from lab.cluster.stages import stages
from lab.config import Lab
from lab.errors import LabError
from lab.host import network
from lab.host.control_groups import Group
from lab.machines import pods
from lab.node import consoles, record

_MEBIBYTE = 1 << 20


def text_of(path: Path) -> str:
    """Return the text of a log.

    Raises:
        LabError: It can't be read.
    """
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        next_step = "Check with `.venv/bin/python -m lab status` that the lab runs."
        raise LabError(f"{path} can't be read: {error.strerror}. {next_step}") from None


def console_of(lab: Lab, name: str) -> str:
    """Return the console output of the guest with a name; of several, the newest.

    Raises:
        LabError: The lab has had no such guest.
    """
    found = consoles.find(lab, name)
    if not found:
        names = ", ".join(sorted({known.name for known in record.load_all(lab)})) or "none yet"
        raise LabError(f"No guest {name}. Guests: {names}.")
    return text_of(found[0])


def _mebibytes(used: int | None) -> str:
    return "" if used is None else f"{used / _MEBIBYTE:.0f}"


def _components(lab: Lab, memory: dict[str, int]) -> tuple[Table, bool]:
    table = Table(title=escape(f"Lab in {lab.root}"), title_justify="left")
    for column in ("component", "state", "pid", "restarts", "MiB"):
        table.add_column(column, justify="left" if column in ("component", "state") else "right", overflow="fold")
    healthy = network.is_up(lab) or not lab.isolated
    if not healthy:
        table.add_row("network", "[red]down[/]: run `make lab`")
    processes = supervisor.processes(lab)
    if not processes:
        table.add_row(supervisor.NAME, "[red]not running[/]: run `make lab`")
    for component in chain.from_iterable(stages(lab)):
        process = processes.get(component.name, supervisor.Process("", None, 0))
        why = component.ready() if process.pid else _why_not_running(lab, component.name, process)
        healthy = healthy and why is None
        state = "[green]ready[/]" if why is None else f"[red]{escape(why)}[/]"
        used = _mebibytes(memory.get(component.name))
        table.add_row(component.name, state, str(process.pid or ""), str(process.ends or ""), used)
    table.add_section()
    table.add_row("all, guests included", "", "", "", _mebibytes(sum(memory.values()) if memory else None))
    return table, healthy


def _why_not_running(lab: Lab, name: str, process: supervisor.Process) -> str:
    if process.state == "STOPPED":
        return f"stopped: `.venv/bin/python -m lab start {name}`"
    return f"keeps exiting. {supervisor.last_lines(lab, name)}" if process.state else "not running"


def _why_not_ready(machine: Object, events: list[Object]) -> str:
    """Return why a VM is not ready: its newest warning event, else its failed conditions."""
    metadata = machine["metadata"]
    warnings = [
        event
        for event in events
        if event["metadata"]["namespace"] == metadata["namespace"]
        and metadata["name"] in event["involvedObject"]["name"]
    ]
    if warnings:
        newest = max(warnings, key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
        return str(newest["message"])
    conditions = machine.get("status", {}).get("conditions") or ()
    return "; ".join(one["message"] for one in conditions if one["status"] == "False" and one.get("message"))


def _last_console_line(cluster: Api, name: str) -> str:
    """Return the last line that a QEMU machine has written to its console, or nothing."""
    with suppress(ApiError, LabError):
        lines = [line.strip() for line in pods.console(cluster, name).splitlines() if line.strip()]
        return f" Last line of its console: {lines[-1]}" if lines else ""
    return ""


def _machines(lab: Lab, cluster: Api, memory: dict[str, int]) -> tuple[Table, bool]:
    simulated = ", simulated: nothing has booted, and no traffic can flow" if lab.simulated else ""
    table = Table(title=f"Virtual machines{simulated}", title_justify="left")
    for column in ("namespace", "name", "state", "address", "MiB"):
        table.add_column(column, justify="right" if column == "MiB" else "left", overflow="fold")
    instances = {item["metadata"]["name"]: item for item in cluster.list(VIRTUAL_MACHINE_INSTANCES)[0]}
    machines = cluster.list(VIRTUAL_MACHINES)[0]
    healthy = all(machine.get("status", {}).get("ready") for machine in machines)
    events = [] if healthy else cluster.list(EVENTS, fields="type=Warning")[0]
    for machine in machines:
        metadata, state = machine["metadata"], machine.get("status", {})
        words = str(state.get("printableStatus", "unknown"))
        if state.get("ready"):
            words = f"[green]{words}, ready[/]"
        else:
            why = _why_not_ready(machine, events) or "not ready yet"
            console = _last_console_line(cluster, metadata["name"]) if lab.machines else ""
            words = f"[red]{words}[/]: {escape(why + console)}"
        instance = instances.get(metadata["name"], {})
        interfaces = instance.get("status", {}).get("interfaces") or [{}]
        # A container's memory is known by its VMI, a QEMU machine's by its launcher Pod.
        uids = (instance.get("metadata", {}).get("uid"), *(instance.get("status", {}).get("activePods") or ()))
        used = _mebibytes(next((memory[uid] for uid in uids if uid in memory), None))
        table.add_row(metadata["namespace"], metadata["name"], words, interfaces[0].get("ipAddress", ""), used)
    return table, healthy


def show(lab: Lab, console: Console) -> bool:
    """Print the state of the lab's components and virtual machines, and return whether all are healthy."""
    if not lab.kubeconfig.exists():
        console.print(f"There is no lab in {lab.root}. Create it with `make lab`.", markup=False, soft_wrap=True)
        return False
    memory = Group(lab.name).memory_usage()  # read once, so that the sum is that of its parts
    table, healthy = _components(lab, memory)
    console.print(table)
    if supervisor.find(lab, "kube-apiserver"):
        try:
            used = {**memory, **Group(lab.name).memory_of_pods()}
            machines, ready = _machines(lab, client.connect(lab.kubeconfig), used)
        except (ApiError, LabError) as error:
            console.print(f"The virtual machines can't be listed: {error}", style="red", markup=False, highlight=False)
            return False
        healthy = healthy and ready
        if machines.row_count:
            console.print(machines)
    return healthy
