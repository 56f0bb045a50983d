"""Phases of starting machines: timed by one clock, whatever the objects say and however the watches break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from measure.failures import WrongUsageError
from measure.run.first_answers import FirstAnswers
from measure.run.machine_watch import MachineWatch, StartingMachine
from measure.run.stack import connect
from measure.startup_summary import Phase
from tests.unit.measure.fake_api_server import (
    CLOSED,
    NAMESPACE,
    REFUSED,
    ApiServer,
    instance,
    launcher,
    machine,
    serving,
    wait_until,
)

DATABASE, WEB = "shop-database-0", "shop-web-0"


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(server: ApiServer, clock: Clock, tmp_path: Path) -> Iterator[MachineWatch]:
    made = MachineWatch(
        connect(server.kubeconfig(tmp_path), None), namespace=NAMESPACE, selector="part-of=shop", clock=clock
    )
    yield made
    made.stop()


def seen(watch: MachineWatch, check: Callable[[StartingMachine], bool]) -> StartingMachine:
    """Wait until the only machine passes a check."""
    wait_until(lambda: any(map(check, watch.machines())))
    (found,) = watch.machines()
    return found


def test_each_phase_has_the_time_of_this_programs_clock_at_which_it_was_first_seen(
    server: ApiServer, clock: Clock, watch: MachineWatch
) -> None:
    watch.start()
    steps = [
        (VIRTUAL_MACHINES, machine(WEB), Phase.CREATED),
        (PODS, launcher(WEB, "node"), Phase.SCHEDULED),
        (VIRTUAL_MACHINE_INSTANCES, instance(WEB, "Running"), Phase.RUNNING),
        (VIRTUAL_MACHINES, machine(WEB, ready=True), Phase.READY),
    ]
    server.put(VIRTUAL_MACHINE_INSTANCES, instance(WEB))
    server.put(PODS, launcher(WEB))
    for number, (resource, item, phase) in enumerate(steps):
        clock.now = 100 + number / 8
        server.put(resource, item)
        seen(watch, lambda one, phase=phase: phase in one.reached)  # type: ignore[misc]
    clock.now = 200.0
    server.put(VIRTUAL_MACHINES, machine(WEB))  # it fails, and is ready again
    server.put(VIRTUAL_MACHINES, machine(WEB, ready=True))
    server.remove(PODS, f"pod-{WEB}")
    found = seen(watch, lambda one: one.pod is None)
    assert (found.name, found.tier) == (WEB, "web")
    assert found.reached == {
        Phase.CREATED: 100.0,
        Phase.SCHEDULED: 100.125,
        Phase.RUNNING: 100.25,
        Phase.READY: 100.375,
    }


def test_a_pod_that_is_seen_before_its_machine_is_counted_once_that_is_seen(
    server: ApiServer, watch: MachineWatch
) -> None:
    watch.start()
    server.put(PODS, launcher(WEB, "node"))
    server.put(VIRTUAL_MACHINE_INSTANCES, instance(WEB))
    assert watch.machines() == []
    server.put(VIRTUAL_MACHINES, machine(WEB))
    assert Phase.SCHEDULED in seen(watch, lambda one: Phase.SCHEDULED in one.reached).reached


def test_what_a_watch_missed_is_seen_when_it_lists_again(server: ApiServer, clock: Clock, watch: MachineWatch) -> None:
    watch.start()
    server.put(VIRTUAL_MACHINES, machine(WEB))
    seen(watch, lambda one: Phase.CREATED in one.reached)
    wait_until(lambda: server.watches == 3)
    clock.now = 107.0
    server.forget((VIRTUAL_MACHINES, machine(WEB, ready=True)))
    found = seen(watch, lambda one: Phase.READY in one.reached)
    assert found.reached == {Phase.CREATED: 100.0, Phase.READY: 107.0}
    server.put(VIRTUAL_MACHINE_INSTANCES, instance(WEB, "Running"))
    seen(watch, lambda one: Phase.RUNNING in one.reached)


def test_machines_that_exist_already_are_not_measured_and_a_replaced_one_is(
    server: ApiServer, watch: MachineWatch
) -> None:
    server.put(VIRTUAL_MACHINES, machine(WEB, ready=True))
    watch.start()
    assert (watch.machines(), watch.earlier) == ([], 1)
    server.remove(VIRTUAL_MACHINES, f"vm-{WEB}")
    replaced = machine(WEB)
    replaced["metadata"]["uid"] = "another"
    server.put(VIRTUAL_MACHINES, replaced)
    assert seen(watch, lambda one: one.uid == "another").reached.keys() == {Phase.CREATED}


def test_a_missing_right_is_told_at_once(server: ApiServer, watch: MachineWatch) -> None:
    server.forbidden = True
    with pytest.raises(WrongUsageError, match="not allowed to GET /apis/kubevirt"):
        watch.start()


class TestAnswers:
    @pytest.fixture
    def answers(self, server: ApiServer, tmp_path: Path) -> Iterator[FirstAnswers]:
        made = FirstAnswers(connect(server.kubeconfig(tmp_path), None, timeout=0.3), namespace=NAMESPACE)
        yield made
        made.stop()

    @staticmethod
    def running(name: str) -> StartingMachine:
        return StartingMachine(name, name, name.split("-")[1], {Phase.CREATED: 0.0}, f"launcher-{name}", deleted=False)

    @staticmethod
    def ask_until(answers: FirstAnswers, one: StartingMachine, check: Callable[[], bool]) -> None:
        def asked() -> bool:
            answers.ask([one])
            return check()

        wait_until(asked)

    def test_a_machine_serves_from_its_first_good_response_on(self, server: ApiServer, answers: FirstAnswers) -> None:
        web = self.running(WEB)
        said = iter([REFUSED, (502, "the application tier refused"), (200, "ok")])
        server.answers = lambda *_: next(said)
        self.ask_until(answers, web, lambda: answers.problem(WEB).startswith("502"))
        assert answers.served(WEB) is None
        self.ask_until(answers, web, lambda: answers.served(WEB) is not None)
        assert server.asked == [f"/api/v1/namespaces/{NAMESPACE}/pods/launcher-{WEB}:80/proxy/api/v1/accounts/1"] * 3
        assert answers.problem(WEB) == ""
        assert answers.resolution is not None
        assert 0.1 <= answers.resolution < 1.0
        answers.ask([web])
        assert len(server.asked) == 3, "one good response is enough"

    def test_a_database_serves_once_it_takes_a_connection(self, server: ApiServer, answers: FirstAnswers) -> None:
        said = iter([REFUSED, CLOSED])
        server.answers = lambda *_: next(said)
        self.ask_until(answers, self.running(DATABASE), lambda: "connection refused" in answers.problem(DATABASE))
        assert answers.served(DATABASE) is None
        self.ask_until(answers, self.running(DATABASE), lambda: answers.served(DATABASE) is not None)

    def test_a_closed_connection_is_no_response_of_any_other_tier(
        self, server: ApiServer, answers: FirstAnswers
    ) -> None:
        server.answers = lambda *_: CLOSED
        self.ask_until(answers, self.running(WEB), lambda: len(server.asked) == 2)
        assert answers.served(WEB) is None

    def test_a_machine_that_is_no_tiers_and_one_that_does_not_run_are_not_asked(
        self, server: ApiServer, answers: FirstAnswers
    ) -> None:
        stopped = StartingMachine("a", "a", "web", {}, None, deleted=False)
        other = StartingMachine("b", "b", "builder", {}, "launcher-b", deleted=False)
        answers.ask([stopped, other])
        answers.stop()
        assert server.asked == []
