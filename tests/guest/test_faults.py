"""Faults in a booted guest: each begins, and is sure to end, even if a process is killed meanwhile.

The guest is a web machine whose application and data disk are in the guest itself, so that it can have every fault.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cloudinit.fault_plan import Kind
from cloudinit.files.faults.network import Impairment, netem_commands, redirection
from tests.guest.booted_guest import BootedGuest, booted_guest
from tests.guest.faulty_guest import (
    APPLICATION,
    DISK,
    PLAN,
    REPORTS,
    ROUTE,
    SETTINGS,
    UPSTREAM,
    FaultyGuest,
    kill_agent,
    kill_injection,
    mount_disk,
)
from tests.unit.api_server import api_server
from tests.unit.cloudinit.guest_examples import web


@pytest.fixture(scope="module")
def disk() -> Iterator[str]:
    """A loop device with an ext4 file system."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(128 << 20)
        subprocess.run(["mkfs.ext4", "-q", file.name], check=True)
        attach = ["losetup", "--find", "--show", file.name]
        device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
        try:
            yield device
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture(scope="module")
def faulty(image: Path, disk: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyGuest]:
    place, access = tmp_path_factory.mktemp("guest"), tmp_path_factory.mktemp("access")
    with booted_guest(image, place, web()) as guest:
        guest.wait("it boots", lambda: guest.property_of("virtwork-upstream.service", "ActiveState") == "active")
        with (
            api_server(access, guest.network_namespace) as api,
            guest.running("python3", "-c", APPLICATION, log=place / "application"),
        ):
            guest.run("systemctl", "stop", "virtwork-upstream.service", "virtwork-faults.service")
            guest.write("/etc/nginx/virtwork/upstream.conf", UPSTREAM)
            guest.run("systemctl", "reload", "nginx.service")
            mount_disk(guest, disk)
            guest.run("sh", "-euc", ROUTE)
            api.objects |= {PLAN: {}, REPORTS: {}}
            for name in ("url", "token", "ca.crt"):
                guest.write(f"/etc/virtwork/api/{name}", (access / name).read_text())
            guest.write("/etc/virtwork/faults.env", SETTINGS)
            guest.run("systemctl", "start", "virtwork-faults.service")
            try:
                yield FaultyGuest(guest, api)
            finally:
                guest.run("systemctl", "stop", "virtwork-faults.service", "virtwork-fault-*", check=False)
                guest.run("umount", DISK, check=False)


@pytest.fixture(autouse=True)
def _restored(faulty: FaultyGuest) -> Iterator[None]:
    yield
    faulty.api.objects[PLAN] = {}
    faulty.guest.run("systemctl", "start", "virtwork-faults.service")
    faulty.guest.wait("nginx serves again", faulty.serves, 20)
    units = ("systemctl", "list-units", "virtwork-fault-*", "--no-legend")
    faulty.guest.wait("the fault has ended", lambda: not faulty.guest.run(*units), 30)


def test_a_frozen_service_stands_still_and_then_goes_on_with_the_same_process(faulty: FaultyGuest) -> None:
    before = faulty.guest.property_of("nginx.service", "MainPID")
    faulty.ask(Kind.FREEZE, 4.0)
    faulty.wait_begun()
    assert not faulty.serves()
    assert 1 < faulty.wait_ended() < 4.5
    assert faulty.serves()
    assert faulty.guest.property_of("nginx.service", "MainPID") == before


def test_a_fault_ends_at_its_time_although_its_agent_was_killed(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.FREEZE, 4.0)
    faulty.wait_begun()
    kill_agent(faulty)
    assert not faulty.serves()
    faulty.guest.wait("systemd ends the fault", faulty.serves, 8)


def test_a_fault_whose_own_process_was_killed_is_undone_at_once(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.FREEZE, 30.0)
    faulty.wait_begun()
    kill_injection(faulty)
    faulty.guest.wait("systemd undoes the fault", faulty.serves, 5)
    faulty.wait_ended()
    assert "its process ended early: signal" in faulty.report["problem"]


def test_a_fault_that_is_no_longer_asked_for_ends_early(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.FREEZE, 30.0)
    faulty.wait_begun()
    faulty.api.objects[PLAN] = {}
    assert faulty.wait_ended() < 10
    assert faulty.serves()


def test_a_killed_service_is_started_again_by_systemd(faulty: FaultyGuest) -> None:
    before = faulty.guest.property_of("nginx.service", "MainPID")
    faulty.ask(Kind.KILL, 0.0)
    faulty.wait_ended()
    faulty.guest.wait("nginx is back", faulty.serves, 10)
    assert faulty.guest.property_of("nginx.service", "MainPID") not in ("0", before)


def test_cpu_stress_takes_its_share_of_each_cpu_and_ends_with_its_processes(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.CPU, 4.0, load=0.4)
    faulty.wait_begun()
    burners = faulty.processes[0].children()
    assert len(burners) == len(os.sched_getaffinity(0))
    began, before = time.monotonic(), [sum(one.cpu_times()[:2]) for one in burners]
    time.sleep(2)
    used = [sum(one.cpu_times()[:2]) - start for one, start in zip(burners, before, strict=True)]
    # Less where others use this machine's CPUs.
    assert all(0.02 < one / (time.monotonic() - began) < 0.5 for one in used), used
    faulty.wait_ended()
    assert {one.status() for one in burners if one.is_running()} <= {psutil.STATUS_ZOMBIE}


def test_memory_stress_holds_its_memory_and_is_what_the_kernel_would_kill_first(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.MEMORY, 3.0, size=64 << 20)
    faulty.wait_begun()
    (process,) = faulty.processes
    assert process.memory_info().rss > 64 << 20
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000"
    faulty.wait_ended()


def free_share(guest: BootedGuest) -> float:
    found = json.loads(guest.run("python3", "-c", f"import os; print(list(os.statvfs('{DISK}'))[:5])"))
    _, _, blocks, free, available = found
    share: float = available / (blocks - (free - available))
    return share


@pytest.mark.parametrize("end", [FaultyGuest.wait_ended, kill_injection], ids=["at its time", "killed"])
def test_a_full_disk_has_no_room_left_until_the_fault_ends(
    faulty: FaultyGuest, end: Callable[[FaultyGuest], object]
) -> None:
    before = free_share(faulty.guest)
    faulty.ask(Kind.DISK_FILL, 3.0, fill=1.0)
    faulty.wait_begun()
    assert free_share(faulty.guest) < 0.01
    write = f"setpriv --reuid nobody --clear-groups dd if=/dev/zero of={DISK}/new bs=1M count=5 2>&1"
    faulty.guest.run("chmod", "777", DISK)
    assert "No space left" in faulty.guest.run("sh", "-c", write, check=False)
    end(faulty)
    faulty.guest.wait("the space is free", lambda: abs(free_share(faulty.guest) - before) < 0.1, 10)
    faulty.guest.run("rm", "-f", f"{DISK}/new")


def test_a_disk_is_filled_as_far_as_asked_and_not_further(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.DISK_FILL, 3.0, fill=0.8)
    faulty.wait_begun()
    assert free_share(faulty.guest) == pytest.approx(0.2, abs=0.02)
    faulty.wait_ended()


SYNC = f"""
import os, time
file = os.open("{DISK}/synced", os.O_WRONLY | os.O_CREAT)
took = []
for _ in range(8):
    began = time.monotonic()
    os.pwrite(file, b"x" * 8192, 0)
    os.fdatasync(file)
    took.append(time.monotonic() - began)
    time.sleep(0.03)
print(max(took))
"""


@pytest.mark.parametrize("end", [FaultyGuest.wait_ended, kill_injection], ids=["at its time", "killed"])
def test_writes_to_a_slow_disk_wait_until_the_fault_ends(
    faulty: FaultyGuest, end: Callable[[FaultyGuest], object]
) -> None:
    def slowest() -> float:
        return float(faulty.guest.run("python3", "-c", SYNC))

    assert slowest() < 0.5
    faulty.ask(Kind.DISK_LATENCY, 8.0, latency=1.5)
    faulty.wait_begun()
    assert 0.7 < slowest() < 5
    end(faulty)
    faulty.guest.wait("the disk is fast again", lambda: slowest() < 0.5, 10)


def request(guest: BootedGuest) -> tuple[int, float]:
    """Return the status and the seconds of a request through nginx to the application."""
    options = ("-sm", "5", "-o", "/dev/null", "-w", "%{http_code} %{time_total}")
    written = guest.run("curl", *options, "http://127.0.0.1/api/v1/x", check=False)
    status, seconds = written.split()
    return int(status), float(seconds)


@contextmanager
def steady_requests(guest: BootedGuest) -> Iterator[list[tuple[int, float]]]:
    """Send requests one after the other."""
    found: list[tuple[int, float]] = []
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            found.append(request(guest))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def test_latency_reaches_connections_that_exist_and_no_request_fails(faulty: FaultyGuest) -> None:
    with steady_requests(faulty.guest) as sent:
        time.sleep(1)
        faulty.ask(Kind.NETWORK, 4.0, latency=0.2)
        faulty.wait_begun()
        began = len(sent)
        time.sleep(2)
        during = sent[began + 2 :]
        faulty.wait_ended(30)
        after = len(sent) + 1
        time.sleep(1)
    assert {status for status, _ in sent} == {200}, sent
    assert max(seconds for _, seconds in sent[: began - 1]) < 0.2
    assert min(seconds for _, seconds in during) > 0.2
    assert max(seconds for _, seconds in sent[after:]) < 0.2
    assert faulty.report["means"].startswith("proxy, without netem (tc qdisc")
    assert "virtwork_faults" not in faulty.guest.run("nft", "list", "ruleset")


@pytest.mark.parametrize("kill", [kill_agent, kill_injection], ids=["agent", "proxy"])
def test_latency_ends_although_a_process_was_killed(faulty: FaultyGuest, kill: Callable[[FaultyGuest], object]) -> None:
    faulty.ask(Kind.NETWORK, 4.0, latency=0.2)
    faulty.wait_begun()
    faulty.guest.wait("requests are slow", lambda: request(faulty.guest)[1] > 0.2, 5)
    kill(faulty)

    def restored() -> bool:
        status, seconds = request(faulty.guest)
        return status == 200 and seconds < 0.15

    def removed() -> bool:
        return "virtwork_faults" not in faulty.guest.run("nft", "list", "ruleset")

    faulty.guest.wait("requests are fast again, and succeed", restored, 10)
    faulty.guest.wait("no rule is left once no connection needs it", removed, 10)


def test_bandwidth_is_limited_both_ways(faulty: FaultyGuest) -> None:
    faulty.ask(Kind.NETWORK, 4.0, bandwidth=1000.0)
    faulty.wait_begun()
    faulty.guest.wait("requests are slow", lambda: request(faulty.guest)[1] > 0.2, 5)
    faulty.wait_ended(30)


WHOLE = Impairment(latency=0.05, jitter=0.005, loss=0.01, bandwidth=125_000)


def test_tc_and_ip_understand_every_word_of_the_commands_for_netem(faulty: FaultyGuest) -> None:
    # This kernel has no netem, so it refuses; what tc itself doesn't understand, it says before it asks the kernel.
    guest = faulty.guest
    guest.run("ip", "link", "add", "tested", "type", "veth", "peer", "name", "tested-peer")
    guest.run("ip", "link", "add", "virtwork-faults", "type", "ifb")
    try:
        for command in netem_commands("tested", 5432, WHOLE):
            said = guest.run(*command, check=False).lower()
            assert not [
                one for one in ("usage", "unknown filter", "illegal", "what is", "garbage", "bad") if one in said
            ]
    finally:
        guest.run("ip", "link", "delete", "tested")
        guest.run("ip", "link", "delete", "virtwork-faults")


def test_the_proxys_own_connections_are_not_redirected() -> None:
    assert "meta mark !=" in redirection(5432, 40000)


def test_the_metric_tells_that_a_fault_is_in_force(faulty: FaultyGuest) -> None:
    def metric() -> str:
        text = faulty.guest.read("/run/virtwork-faults/metrics/faults.prom")
        return next(line for line in text.splitlines() if 'kind="freeze"' in line)

    faulty.ask(Kind.FREEZE, 2.0)
    faulty.wait_begun()
    assert metric().endswith(" 1")
    faulty.wait_ended()
    assert metric().endswith(" 0")
