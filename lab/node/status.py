"""What the node reports: from what it sees to the statuses and patches that it writes. Pure functions.

Which object is written how, and as whom, is what virt-controller and the API server expect of kubelet and virt-handler.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from kube.resources import Object

FINAL_PHASES = frozenset({"Succeeded", "Failed"})
_COMPUTE = "compute"


def timestamp(now: float) -> str:
    """Return a time in the API's form, in whole seconds."""
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
    """Return the status of a Pod for which the node has no room."""
    return {
        "phase": "Pending",
        "conditions": _conditions(pod, {"PodScheduled": (False, "Unschedulable", message)}, now),
    }


def pod_blocked(pod: Object, reason: str, message: str, now: float) -> Object:
    """Return the status of a Pod whose guest can't start yet."""
    waiting = {"waiting": {"reason": reason, "message": message}}
    return {
        "phase": "Pending",
        "conditions": _conditions(
            pod,
            {
                "PodScheduled": (True, "", ""),
                "Initialized": (True, "", ""),
                "ContainersReady": (False, "ContainersNotReady", message),
                "Ready": (False, "ContainersNotReady", message),
            },
            now,
        ),
        "containerStatuses": [_container(one, waiting, ready=False) for one in pod["spec"]["containers"]],
    }


def pod_running(
    pod: Object, *, address: str, host: str, started: float, why_not_ready: str | None, now: float
) -> Object:
    """Return the status of a Pod whose guest runs.

    Args:
        pod: the Pod as last seen.
        address: the guest's.
        host: the node's address.
        started: when the guest started, by `time.time()`.
        why_not_ready: None when the guest passes its readiness probe (or has none).
        now: the present, by `time.time()`.
    """
    running = {"running": {"startedAt": timestamp(started)}}
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": timestamp(started)}}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", ())]
    closed = [gate for gate in gates if _condition(pod, gate).get("status") != "True"]
    if why_not_ready is not None:
        ready = (False, "ContainersNotReady", why_not_ready)
    elif closed:
        ready = (False, "ReadinessGatesNotReady", f"waiting for {', '.join(closed)}")
    else:
        ready = (True, "", "")
    contained = (True, "", "") if why_not_ready is None else (False, "ContainersNotReady", why_not_ready)
    return {
        "phase": "Running",
        "startTime": timestamp(started),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(
            pod,
            {
                "PodScheduled": (True, "", ""),
                "PodReadyToStartContainers": (True, "", ""),
                "Initialized": (True, "", ""),
                "ContainersReady": contained,
                "Ready": ready,
            },
            now,
        ),
        "initContainerStatuses": [
            # A sidecar is an init container that is always restarted: it runs beside the others.
            _container(one, running if one.get("restartPolicy") == "Always" else done, ready=True)
            for one in pod["spec"].get("initContainers", ())
        ],
        "containerStatuses": [
            _container(one, running, ready=one["name"] != _COMPUTE or why_not_ready is None)
            for one in pod["spec"]["containers"]
        ],
    }


def pod_finished(pod: Object, *, failed: bool, message: str, exit_code: int, started: float, now: float) -> Object:
    """Return the status of a Pod whose guest has ended."""
    terminated: Object = {
        "terminated": {
            "exitCode": exit_code,
            "reason": "Error" if failed else "Completed",
            "message": message,
            "startedAt": timestamp(started),
            "finishedAt": timestamp(now),
        }
    }
    reason = "PodFailed" if failed else "PodCompleted"
    return {
        "phase": "Failed" if failed else "Succeeded",
        "conditions": _conditions(
            pod, {"ContainersReady": (False, reason, message), "Ready": (False, reason, message)}, now
        ),
        "containerStatuses": [_container(one, terminated, ready=False) for one in pod["spec"]["containers"]],
    }


def was_ready(pod: Object) -> bool:
    """Whether a Pod's guest last passed its readiness probe."""
    return bool(_condition(pod, "ContainersReady").get("status") == "True")


def says(status: Object, wanted: Object) -> bool:
    """Whether a Pod's status already says what is wanted, so that writing it again would change nothing."""
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


def vmi_finished(vmi: Object, *, failed: bool, now: float) -> list[Object]:
    """Return the JSON patch for a VMI whose guest has ended."""
    return _transition(vmi, "Failed" if failed else "Succeeded", now)


def _transition(vmi: Object, phase: str, now: float) -> list[Object]:
    status = vmi.get("status", {})
    entry = {"phase": phase, "phaseTransitionTimestamp": timestamp(now)}
    times = status.get("phaseTransitionTimestamps")
    return [
        # virt-controller may hand the VMI over, or take it back, at the same moment.
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
    """Return conditions, each with the time at which it came to be as it is."""
    found = []
    for kind, (status, reason, message) in wanted.items():
        old = _condition(pod, kind)
        text = str(status)
        since = old.get("lastTransitionTime") if old.get("status") == text else None
        found.append(
            {
                "type": kind,
                "status": text,
                # null takes away what an earlier status said
                "reason": reason or None,
                "message": message or None,
                "lastTransitionTime": since or timestamp(now),
            }
        )
    return found


def covers(found: object, wanted: object) -> bool:
    """Whether everything wanted is in what was found; the API server fills in more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(covers, found, wanted))
    return found == wanted or (not found and not wanted)
