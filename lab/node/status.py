"""The statuses that the node writes, as pure functions of what it sees.

They are what virt-controller and the API server expect of kubelet and virt-handler.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kube.resources import SIMULATED, Object

FINAL_PHASES = frozenset({"Succeeded", "Failed"})
_COMPUTE = "compute"
_TRUE = (True, "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How a guest ended, as its Pod's status reports it.

    Attributes:
        started: When the guest started, in Unix time.
    """

    failed: bool = False
    message: str = ""
    exit_code: int = 0
    started: float


def timestamp(now: float) -> str:
    """Return a Unix time in the format of the API, in whole seconds."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def binding(pod: Object, node: str) -> Object:
    """Return the body for a Pod's `binding` subresource."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": metadata,
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }


def pod_unscheduled(pod: Object, message: str, now: float) -> Object:
    """Return the status of a Pod that doesn't fit on the node."""
    return {
        "phase": "Pending",
        "conditions": _conditions(pod, {"PodScheduled": (False, "Unschedulable", message)}, now),
    }


def pod_blocked(pod: Object, reason: str, message: str, now: float) -> Object:
    """Return the status of a Pod whose guest can't start yet."""
    waiting = {"waiting": {"reason": reason, "message": message}}
    not_ready = (False, "ContainersNotReady", message)
    states = {"PodScheduled": _TRUE, "Initialized": _TRUE, "ContainersReady": not_ready, "Ready": not_ready}
    return {
        "phase": "Pending",
        "conditions": _conditions(pod, states, now),
        "containerStatuses": [_container(one, waiting, ready=False) for one in pod["spec"]["containers"]],
    }


def pod_running(
    pod: Object, *, address: str, host: str, started: float, why_not_ready: str | None, now: float
) -> Object:
    """Return the status of a Pod whose guest is running.

    Args:
        pod: The Pod from the cache.
        address: The guest's address.
        host: The node's address.
        started: When the guest started, in Unix time.
        why_not_ready: Why the readiness probe fails; None if it succeeds or there is none.
        now: The current Unix time.
    """
    running = {"running": {"startedAt": timestamp(started)}}
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": timestamp(started)}}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", ())]
    closed = [gate for gate in gates if _condition(pod, gate).get("status") != "True"]
    containers = _TRUE if why_not_ready is None else (False, "ContainersNotReady", why_not_ready)
    ready = (False, "ReadinessGatesNotReady", f"waiting for {', '.join(closed)}") if closed else _TRUE
    states = {
        "PodScheduled": _TRUE,
        "PodReadyToStartContainers": _TRUE,
        "Initialized": _TRUE,
        "ContainersReady": containers,
        "Ready": ready if why_not_ready is None else containers,
    }
    return {
        "phase": "Running",
        "startTime": timestamp(started),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(pod, states, now),
        "initContainerStatuses": [
            # An init container that is always restarted is a sidecar and keeps running.
            _container(one, running if one.get("restartPolicy") == "Always" else done, ready=True)
            for one in pod["spec"].get("initContainers", ())
        ],
        "containerStatuses": [
            _container(one, running, ready=one["name"] != _COMPUTE or why_not_ready is None)
            for one in pod["spec"]["containers"]
        ],
    }


def pod_finished(pod: Object, termination: Termination, now: float) -> Object:
    """Return the status of a Pod whose guest has ended."""
    terminated: Object = {
        "terminated": {
            "exitCode": termination.exit_code,
            "reason": "Error" if termination.failed else "Completed",
            "message": termination.message,
            "startedAt": timestamp(termination.started),
            "finishedAt": timestamp(now),
        }
    }
    ready = (False, "PodFailed" if termination.failed else "PodCompleted", termination.message)
    return {
        "phase": "Failed" if termination.failed else "Succeeded",
        "conditions": _conditions(pod, {"ContainersReady": ready, "Ready": ready}, now),
        "containerStatuses": [_container(one, terminated, ready=False) for one in pod["spec"]["containers"]],
    }


def was_ready(pod: Object) -> bool:
    """Whether the Pod's guest passed its last readiness probe."""
    return bool(_condition(pod, "ContainersReady").get("status") == "True")


def says(status: Object, wanted: Object) -> bool:
    """Whether a Pod's status already has the wanted values, so that writing them would change nothing."""
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    return all(covers(conditions.get(one["type"]), one) for one in wanted["conditions"]) and all(
        covers(status.get(key), value) for key, value in wanted.items() if key != "conditions"
    )


def vmi_running(vmi: Object, *, address: str, mac: str, now: float) -> list[Object]:
    """Return the JSON patch that takes a VMI from Scheduled to Running."""
    networks = vmi["spec"].get("networks") or [{"name": "default"}]
    interface = {
        "name": networks[0]["name"],
        "ipAddress": address,
        "ipAddresses": [address],
        "mac": mac,
        "interfaceName": "eth0",
        "infoSource": "domain",
        "queueCount": 1,
    }
    return [*_transition(vmi, "Running", now), {"op": "add", "path": "/status/interfaces", "value": [interface]}]


def vmi_simulated(vmi: Object) -> Object:
    """Return the JSON patch operation that marks a VMI whose guest is simulated."""
    if vmi["metadata"].get("annotations"):
        name = SIMULATED.replace("/", "~1")
        return {"op": "add", "path": f"/metadata/annotations/{name}", "value": "true"}
    return {"op": "add", "path": "/metadata/annotations", "value": {SIMULATED: "true"}}


def vmi_finished(vmi: Object, *, failed: bool, now: float) -> list[Object]:
    """Return the JSON patch for a VMI whose guest has ended."""
    return _transition(vmi, "Failed" if failed else "Succeeded", now)


def _transition(vmi: Object, phase: str, now: float) -> list[Object]:
    status = vmi.get("status", {})
    entry = {"phase": phase, "phaseTransitionTimestamp": timestamp(now)}
    times = status.get("phaseTransitionTimestamps")
    return [
        # virt-controller may change the phase at the same moment.
        {"op": "test", "path": "/status/phase", "value": status.get("phase")},
        {"op": "replace", "path": "/status/phase", "value": phase},
        {"op": "add", "path": "/status/phaseTransitionTimestamps/-", "value": entry}
        if times
        else {"op": "add", "path": "/status/phaseTransitionTimestamps", "value": [entry]},
    ]


def _container(container: Object, state: Mapping[str, Mapping[str, object]], *, ready: bool) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"],
        "state": dict(state),
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
    }


def _condition(pod: Object, kind: str) -> Object:
    conditions: Sequence[Object] = pod.get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == kind), {})


def _conditions(pod: Object, wanted: Mapping[str, tuple[bool, str, str]], now: float) -> list[Object]:
    """Return conditions, each with the time of its last transition."""
    found = []
    for kind, (status, reason, message) in wanted.items():
        old = _condition(pod, kind)
        text = str(status)
        since = old.get("lastTransitionTime") if old.get("status") == text else None
        found.append(
            {
                "type": kind,
                "status": text,
                # null removes the value of an earlier status
                "reason": reason or None,
                "message": message or None,
                "lastTransitionTime": since or timestamp(now),
            }
        )
    return found


def covers(found: object, wanted: object) -> bool:
    """Whether an object contains all wanted values; the API server adds more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(covers, found, wanted))
    return found == wanted or (not found and not wanted)
