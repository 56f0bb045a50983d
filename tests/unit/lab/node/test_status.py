from typing import Any

from lab.node import status

NOW, EARLIER = 1_800_000_000.0, 1_799_999_000.0
GATE = "kubevirt.io/virtual-machine-unpaused"
OPEN_GATE = {"type": GATE, "status": "True"}
SPEC: dict[str, Any] = {
    "readinessGates": [{"conditionType": GATE}],
    "initContainers": [
        {"name": "console", "image": "launcher", "restartPolicy": "Always"},
        {"name": "disk", "image": "launcher"},
    ],
    "containers": [{"name": "compute", "image": "launcher"}, {"name": "volumeroot", "image": "image"}],
}


def pod(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "launcher"}, "spec": SPEC, "status": {"conditions": list(conditions)}}


def running(pod: dict[str, Any], why_not_ready: str | None = None, now: float = NOW) -> dict[str, Any]:
    return status.pod_running(
        pod, address="10.0.0.2", host="10.0.0.1", started=EARLIER, why_not_ready=why_not_ready, now=now
    )


def condition(written: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in written["conditions"] if one["type"] == kind)
    return found


def test_a_pod_is_ready_when_its_probe_succeeds_and_its_gate_is_open() -> None:
    assert condition(running(pod(OPEN_GATE)), "Ready")["status"] == "True"
    written = running(pod())
    assert condition(written, "ContainersReady")["status"] == "True"
    assert condition(written, "Ready")["reason"] == "ReadinessGatesNotReady"


def test_the_gate_itself_is_never_written() -> None:
    assert GATE not in [one["type"] for one in running(pod(OPEN_GATE))["conditions"]]


def test_a_failing_probe_makes_only_the_compute_container_unready() -> None:
    written = running(pod(OPEN_GATE), "503 database away")
    ready = {one["name"]: one["ready"] for one in written["containerStatuses"]}
    assert ready == {"compute": False, "volumeroot": True}, "virt-controller waits for all containers but compute"
    assert condition(written, "Ready")["message"] == "503 database away"


def test_sidecars_run_and_other_init_containers_have_completed() -> None:
    assert [list(one["state"]) for one in running(pod())["initContainerStatuses"]] == [["running"], ["terminated"]]


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    old = running(pod(OPEN_GATE), now=EARLIER)["conditions"]
    again, changed = running(pod(OPEN_GATE, *old)), running(pod(OPEN_GATE, *old), "down")
    assert condition(again, "Ready")["lastTransitionTime"] == status.timestamp(EARLIER)
    assert condition(changed, "Ready")["lastTransitionTime"] == status.timestamp(NOW)


def test_a_status_that_already_has_the_wanted_values_is_recognized() -> None:
    written = running(pod(OPEN_GATE))
    seen = {**written, "qosClass": "Burstable", "conditions": [OPEN_GATE, *written["conditions"]]}
    seen["containerStatuses"] = [{**one, "lastState": {}} for one in written["containerStatuses"]]
    assert status.says(seen, running({**pod(), "status": seen}))
    assert not status.says(seen, running({**pod(), "status": seen}, "down"))


def test_the_pod_of_a_guest_that_cannot_start_is_pending_with_the_reason() -> None:
    written = status.pod_blocked(pod(), "ErrImagePull", "no such image", NOW)
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    assert (written["phase"], written["containerStatuses"][0]["state"]) == ("Pending", {"waiting": waiting})


def test_the_pod_of_an_ended_guest_has_finished() -> None:
    for failed, phase in ((True, "Failed"), (False, "Succeeded")):
        end = status.Termination(failed=failed, message="m", exit_code=3, started=EARLIER)
        written = status.pod_finished(pod(), end, NOW)
        assert written["phase"] == phase
        assert written["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
        assert condition(written, "Ready")["status"] == "False"


def test_a_vmi_becomes_running_only_from_the_phase_in_the_cache() -> None:
    vmi = {"spec": {"networks": [{"name": "net"}]}, "status": {"phase": "Scheduled", "phaseTransitionTimestamps": [{}]}}
    test, replace, append, add = status.vmi_running(vmi, address="10.0.0.2", mac="02:00:00:00:00:01", now=NOW)
    assert test == {"op": "test", "path": "/status/phase", "value": "Scheduled"}
    assert replace == {"op": "replace", "path": "/status/phase", "value": "Running"}
    assert append["path"] == "/status/phaseTransitionTimestamps/-"
    [interface] = add["value"]
    assert (interface["name"], interface["ipAddress"]) == ("net", "10.0.0.2")


def test_the_first_transition_creates_the_list_of_transitions() -> None:
    added = status.vmi_finished({"spec": {}, "status": {"phase": "Running"}}, failed=True, now=NOW)[2]
    entry = {"phase": "Failed", "phaseTransitionTimestamp": "2027-01-15T08:00:00Z"}
    assert added == {"op": "add", "path": "/status/phaseTransitionTimestamps", "value": [entry]}
