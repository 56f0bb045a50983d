"""The life of a stack on the real engine: unchanged, updated, scaled out, replaced, destroyed.

The tests are steps and run in order: each starts from the state that the one before it left.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube.resources import (
    DATA_VOLUMES,
    KUBEVIRTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    VIRTUAL_MACHINE_INSTANCES,
    VIRTUAL_MACHINES,
)
from lab import deployment, environment
from lab.config import PROJECT
from lab.host import network
from lab.toolchain.image import GOLDEN
from tests.lab.stack import NAME, RPS, Stack, wait_until
from tests.unit.cloudinit.otlp_receiver import Receiver, Span, receiving

INTERNAL = 1  # a span kind of OTLP
COLLECTOR_PORT = 4318
MARK = 987_654
MARKED_ACCOUNT = 77


@pytest.fixture(scope="module")
def collector(stack: Stack) -> Iterator[Receiver]:
    """An OpenTelemetry collector that the guests can reach."""
    lab = stack.lab
    with receiving(network.namespace_path(lab), COLLECTOR_PORT, str(lab.address)) as receiver:
        yield receiver


def test_up_returns_when_all_machines_are_ready(stack: Stack) -> None:
    machines = stack.cluster.list(VIRTUAL_MACHINES, NAME)[0]
    ready = {machine["metadata"]["name"]: machine["status"].get("ready") for machine in machines}
    assert ready == {f"{NAME}-{tier}-0": True for tier in ("database", "application", "web")}


def test_a_preview_after_up_shows_no_change(stack: Stack) -> None:
    assert stack.preview() == []


def test_a_refresh_after_up_finds_no_drift(stack: Stack) -> None:
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_new_rate_updates_one_object_and_reaches_the_generator(stack: Stack) -> None:
    stack.configure("multi-tier:load.rps", 2 * RPS)
    steps = stack.preview()
    assert [(step["op"], step["newState"]["type"]) for step in steps] == [("update", "kubernetes:core/v1:ConfigMap")]
    before = stack.instance_uid(f"{NAME}-web-0")
    stack.up()

    def plan_in_force() -> bool:
        run = stack.load_cluster().status().run
        return run is not None and run.state == "running" and run.plan["rps"] == 2 * RPS

    wait_until("the generator sends at the new rate", plan_in_force)
    assert stack.instance_uid(f"{NAME}-web-0") == before


def test_a_stopped_machine_is_started_again_and_not_replaced(stack: Stack) -> None:
    machine = f"{NAME}-application-0"
    before = stack.cluster.get(VIRTUAL_MACHINES, machine, NAME)["metadata"]["uid"]
    # As `virtctl stop` does.
    stop = f"/apis/subresources.kubevirt.io/v1/namespaces/{NAME}/virtualmachines/{machine}/stop"
    command = ["kubectl", "replace", "--raw", stop, "--filename", "-"]
    subprocess.run(command, input="{}", text=True, env=environment.process_environment(stack.lab), check=True)
    gone = "the machine's instance is gone"
    wait_until(gone, lambda: stack.cluster.find(VIRTUAL_MACHINE_INSTANCES, machine, NAME) is None)
    stack.pulumi("refresh", "--yes", "--skip-preview")
    steps = stack.preview()
    assert [(step["op"], step["urn"].rpartition("::")[2]) for step in steps] == [("update", "application-0")]
    stack.up()
    after = stack.cluster.get(VIRTUAL_MACHINES, machine, NAME)
    assert (after["metadata"]["uid"], after["spec"]["runStrategy"]) == (before, "Always")
    assert after["status"]["ready"], "`up` returned before the machine was ready"

    def served() -> bool:
        with stack.client() as client:
            return client.get("/api/v1/accounts/1").status_code == 200

    wait_until("requests pass through it again", served)


def test_a_node_drains_even_if_the_cluster_asks_for_live_migration(stack: Stack) -> None:
    machine = f"{NAME}-application-0"
    before = stack.instance_uid(machine)
    cluster = stack.cluster
    (configured,) = cluster.list(KUBEVIRTS)[0]
    where = (KUBEVIRTS, configured["metadata"]["name"])

    def ask_for(strategy: str | None) -> None:
        strategies = {"spec": {"configuration": {"evictionStrategy": strategy}}}
        cluster.patch(*where, strategies, namespace=configured["metadata"]["namespace"])

    def default() -> str | None:
        plain = {
            "apiVersion": VIRTUAL_MACHINE_INSTANCES.api_version,
            "kind": "VirtualMachineInstance",
            "metadata": {"name": "plain", "namespace": NAME},
            "spec": {"domain": {"devices": {}, "memory": {"guest": "64Mi"}}},
        }
        admitted = cluster.create(VIRTUAL_MACHINE_INSTANCES, plain, dry_run=True)
        return str(admitted["spec"].get("evictionStrategy"))

    ask_for("LiveMigrate")
    try:
        wait_until("the cluster's default is LiveMigrate", lambda: default() == "LiveMigrate")
        # An instance takes the default when it is created.
        cluster.delete(VIRTUAL_MACHINE_INSTANCES, machine, NAME)
        wait_until("the machine has an instance with that default", lambda: _another(stack, machine, before))
        wait_until("the machine is ready", lambda: stack.machine_ready(machine))
        before = stack.instance_uid(machine)
        (pod,) = cluster.list(PODS, NAME, labels=f"vm.kubevirt.io/name={machine}")[0]
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAME}}
        cluster.request("POST", PODS.path(NAME, name, "eviction"), eviction)
        wait_until("the machine has a new instance", lambda: _another(stack, machine, before))
        wait_until("the machine is ready again", lambda: stack.machine_ready(machine))
    finally:
        ask_for(None)


def test_the_database_password_is_in_no_log_preview_or_export(stack: Stack) -> None:
    password = stack.password()
    assert password not in stack.pulumi("preview", "--diff")
    run = stack.run("stack", "export", "--stack", "lab")
    assert json.loads(run.stdout)["deployment"]["resources"]
    assert password not in run.stdout
    readable = [path for path in stack.lab.logs.iterdir() if password in path.read_text(errors="replace")]
    assert readable == []
    for guest in stack.lab.guests.iterdir():
        assert password not in (guest / "console.log").read_text(errors="replace")


def test_more_machines_share_the_load_of_a_dedicated_generator(
    stack: Stack, collector: Receiver, tmp_path: Path
) -> None:
    stack.configure("multi-tier:application.replicas", 2)
    stack.configure("multi-tier:web.replicas", 2)
    stack.configure("multi-tier:load.dedicated", "true")
    stack.configure("multi-tier:load.image.containerDisk", GOLDEN)
    stack.configure("multi-tier:load.memory", "384Mi")
    stack.configure("multi-tier:tracing.endpoint", collector.url)
    stack.configure("multi-tier:tracing.sampling", 0.5)
    where = ("--stack", stack.stack, "--config-file", str(stack.configuration))
    up = stack.command("up", "--yes", "--skip-preview", "--suppress-progress", *where)
    started = stack.measure("startup", "--gate", "first_answer=5m", "--results", str(tmp_path), "--", *up)
    assert started.returncode == 0, started.stdout + started.stderr
    _check_start(json.loads(next(tmp_path.glob("*/startup.json")).read_text()))
    served: Counter[tuple[str, str]] = Counter()

    def all_serve() -> bool:
        for _ in range(20):
            with stack.client() as client:  # a Service balances connections, so open one per request
                answer = client.get("/api/v1/accounts/1")
            assert answer.status_code == 200
            served[answer.headers["X-Web-Served-By"], answer.headers["X-Served-By"]] += 1
        return len({web for web, _ in served}) == 2 and len({application for _, application in served}) == 2

    wait_until("both web and both application machines serve", all_serve)
    generator = stack.load_cluster().status()
    assert generator.run is not None
    assert generator.run.state == "running"


def _check_start(start: dict[str, Any]) -> None:
    """Check what `measure startup` says of machines that are created tier by tier."""
    names = [one["name"] for one in start["machines"]]
    new = [f"{NAME}-application-1", f"{NAME}-web-1", f"{NAME}-load-0"]
    assert set(new) <= set(names), "those that replace others may be among them"
    for one in start["machines"]:
        assert 0 < one["created"] < one["scheduled"] < one["running"] < min(one["serving"], one["ready"])
    times = {tier: phases["serving"] for tier, phases in start["tiers"].items()}
    assert all(found["unreached"] == 0 for found in times.values())
    served = {one["name"]: one["serving"] for one in start["machines"]}
    assert served[new[0]] < served[new[1]] < served[new[2]], "tier by tier"


def test_one_request_is_one_trace_from_the_generator_to_the_query(collector: Receiver) -> None:
    services = [f"{NAME}-load", f"{NAME}-web", f"{NAME}-application"]

    def traces() -> list[list[Span]]:
        found: dict[str, list[Span]] = {}
        for span in list(collector.spans):
            found.setdefault(span.trace_id, []).append(span)
        return [spans for spans in found.values() if {span.service for span in spans} == set(services)]

    wait_until("traces of the generator's requests arrive", lambda: len(traces()) >= 50)
    assert not collector.problems
    nested = []
    for spans in traces():
        client, web, application = (
            next(span for span in spans if span.service == service and span.kind != INTERNAL) for service in services
        )
        (query,) = (span for span in spans if span.attributes.get("db.operation.name"))
        assert client.parent_id == ""
        assert [web.parent_id, application.parent_id, query.parent_id] == [
            client.span_id,
            web.span_id,
            application.span_id,
        ]
        assert application.holds(query)
        nested.append(client.holds(web) and web.holds(application))
    # nginx's span has its log's times: in whole ticks, and up to its own end, which may be after the client's.
    assert sum(nested) >= 0.9 * len(nested)


def test_a_replaced_database_machine_keeps_its_data(stack: Stack) -> None:
    with stack.database() as connection:
        connection.execute("UPDATE pgbench_accounts SET abalance = %s WHERE aid = %s", (MARK, MARKED_ACCOUNT))
    machine = f"{NAME}-database-0"
    before = stack.instance_uid(machine)
    exported = json.loads(stack.run("stack", "export", "--stack", "lab").stdout)["deployment"]["resources"]
    urn = next(one["urn"] for one in exported if one["urn"].endswith("VirtualMachine::database-0"))
    stack.up("--replace", urn)
    assert stack.instance_uid(machine) != before
    with stack.client() as client:

        def marked() -> bool:
            answer = client.get(f"/api/v1/accounts/{MARKED_ACCOUNT}")
            return answer.status_code == 200 and answer.json()["balance"] == MARK

        wait_until("the application serves the marked account again", marked)


def test_a_deleted_database_instance_is_a_503_until_it_is_replaced(stack: Stack) -> None:
    machine = f"{NAME}-database-0"
    before = stack.instance_uid(machine)
    with stack.client() as client:
        stack.cluster.delete(VIRTUAL_MACHINE_INSTANCES, machine, NAME)
        responses = []

        def refused() -> bool:
            responses.append(client.get("/api/v1/accounts/1"))
            return responses[-1].status_code == 503

        wait_until("requests are refused while the database is down", refused)
        assert responses[-1].json()["error"]
        wait_until("the machine has a new instance", lambda: _another(stack, machine, before))
        wait_until("requests succeed again", lambda: client.get("/api/v1/accounts/1").status_code == 200)


def _another(stack: Stack, machine: str, uid: str) -> bool:
    found = stack.cluster.find(VIRTUAL_MACHINE_INSTANCES, machine, NAME)
    return found is not None and found["metadata"]["uid"] != uid


def test_destroy_leaves_nothing_in_the_api_on_disk_or_in_the_kernel(stack: Stack) -> None:
    stack.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress")
    cluster = stack.cluster
    assert cluster.find(NAMESPACES, NAME) is None
    for resource in (
        VIRTUAL_MACHINES,
        VIRTUAL_MACHINE_INSTANCES,
        DATA_VOLUMES,
        PERSISTENT_VOLUMES,
        PERSISTENT_VOLUME_CLAIMS,
    ):
        assert cluster.list(resource)[0] == []
    wait_until("disks are gone", lambda: not list(stack.lab.disks.glob("*")), 10)
    wait_until("guests are gone", lambda: not list(stack.lab.guests.glob("*")), 10)
    assert stack.machine_traces() == []


def test_destroying_a_stack_whose_file_is_elsewhere_leaves_none_in_the_project(stack: Stack) -> None:
    file = PROJECT / "stacks" / "Pulumi.elsewhere.yaml"
    assert stack.run("stack", "select", "--create", "elsewhere").returncode == 0
    file.unlink()
    try:
        deployment.destroy(stack.lab, "elsewhere")
        assert not file.exists()
    finally:
        stack.run("stack", "rm", "--yes", "elsewhere")
