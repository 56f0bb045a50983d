"""Machines as they start: what the API server says about them, timed on arrival by one clock of this program.

The timestamps in the objects are no use: the API rounds them to a second, and several clocks write them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from kube.client import Api
from kube.informer import Informer
from kube.resources import PODS, SIMULATED, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from measure.failures import TimedOutError
from measure.run.stack import measure_errors
from measure.startup_summary import Phase

_SYNC_SECONDS = 30
_TIER = "app.kubernetes.io/component"  # label of machines
_RESOURCES = (VIRTUAL_MACHINES, VIRTUAL_MACHINE_INSTANCES, PODS)

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class StartingMachine:
    """What is known about a machine; times are the clock's.

    Attributes:
        uid: The VirtualMachine's uid.
        name: Its name.
        tier: Its component label; empty if it has none.
        reached: When it reached each phase that the API server tells of.
        pod: Name of the launcher Pod of its running instance; None before.
        deleted: Whether it was deleted.
        simulated: Whether nothing boots, as in a lab of simulated guests.
    """

    uid: str
    name: str
    tier: str
    reached: dict[Phase, float]
    pod: str | None
    deleted: bool
    simulated: bool = False


@dataclass(slots=True)
class _Sighting:
    """What was seen of one object: a VirtualMachine, its instance, or the instance's Pod."""

    name: str
    owner: str
    tier: str
    reached: dict[Phase, float] = field(default_factory=dict)
    deleted: bool = False
    simulated: bool = False


class MachineWatch:
    """Watches the machines that are created from now on."""

    def __init__(self, api: Api, *, namespace: str, selector: str, clock: Clock = time.monotonic) -> None:
        """Prepare to watch a namespace; machines, their instances and their Pods all have the selected labels."""
        self._api, self._namespace, self._selector, self._clock = api, namespace, selector, clock
        self._seen: dict[str, dict[str, _Sighting]] = {one.plural: {} for one in _RESOURCES}
        self._lock = Lock()
        self._earlier: frozenset[str] = frozenset()
        self._informers = [
            Informer(api, one, partial(self._on_change, one.plural), namespace=namespace, labels=selector)
            for one in _RESOURCES
        ]

    def start(self) -> None:
        """Watch, and take those that exist already for machines of an earlier start.

        Raises:
            MeasureError: They can't be listed.
        """
        with measure_errors():  # reports a missing right at once; an informer would retry for ever
            machines, *_ = [self._api.list(one, self._namespace, labels=self._selector)[0] for one in _RESOURCES]
        self._earlier = frozenset(one["metadata"]["uid"] for one in machines)
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            if not informer.synced.wait(_SYNC_SECONDS):
                raise TimedOutError(f"The API server didn't list the machines within {_SYNC_SECONDS} s.")

    def stop(self) -> None:
        """Stop watching."""
        for informer in self._informers:
            informer.stop()

    @property
    def earlier(self) -> int:
        """Number of machines that existed before."""
        return len(self._earlier)

    def machines(self) -> list[StartingMachine]:
        """Return the machines that were created since the start, in that order."""
        with self._lock:
            return list(self._joined())

    def _joined(self) -> Iterator[StartingMachine]:
        machines, instances, pods = (self._seen[one.plural] for one in _RESOURCES)
        of_machine: dict[str, list[tuple[str, _Sighting]]] = {}
        for uid, instance in instances.items():
            of_machine.setdefault(instance.owner, []).append((uid, instance))
        of_instance: dict[str, list[_Sighting]] = {}
        for pod in pods.values():
            of_instance.setdefault(pod.owner, []).append(pod)
        for uid, machine in machines.items():
            if uid in self._earlier:
                continue
            reached, serving, simulated = dict(machine.reached), None, False
            for instance_uid, instance in of_machine.get(uid, ()):
                simulated |= instance.simulated
                _earliest(reached, instance.reached)
                for pod in of_instance.get(instance_uid, ()):
                    _earliest(reached, pod.reached)
                    if Phase.RUNNING in instance.reached and not (instance.deleted or pod.deleted):
                        serving = pod.name
            yield StartingMachine(uid, machine.name, machine.tier, reached, serving, machine.deleted, simulated)

    def _on_change(self, kind: str, item: Object, present: bool) -> None:
        now = self._clock()
        metadata = item["metadata"]
        owner = next((one["uid"] for one in metadata.get("ownerReferences", ()) if one.get("controller")), "")
        with self._lock:
            sighting = self._seen[kind].setdefault(
                metadata["uid"], _Sighting(metadata["name"], owner, metadata.get("labels", {}).get(_TIER, ""))
            )
            sighting.deleted = not present
            sighting.simulated |= SIMULATED in (metadata.get("annotations") or {})
            if present:
                for phase in _PHASES[kind](item):
                    sighting.reached.setdefault(phase, now)


def _earliest(reached: dict[Phase, float], others: dict[Phase, float]) -> None:
    """Add the phases that others reached, unless they were reached earlier."""
    for phase, moment in others.items():
        reached[phase] = min(moment, reached.get(phase, moment))


def _of_machine(machine: Object) -> Iterator[Phase]:
    yield Phase.CREATED
    conditions = machine.get("status", {}).get("conditions", ())
    if any((one["type"], one["status"]) == ("Ready", "True") for one in conditions):
        yield Phase.READY


def _of_instance(instance: Object) -> Iterator[Phase]:
    if instance.get("status", {}).get("phase") == "Running":
        yield Phase.RUNNING


def _of_pod(pod: Object) -> Iterator[Phase]:
    if pod["spec"].get("nodeName"):
        yield Phase.SCHEDULED


_PHASES = dict(zip([one.plural for one in _RESOURCES], [_of_machine, _of_instance, _of_pod], strict=True))
