"""Components are started, restarted and stopped by supervisord, on a lab without a namespace or control groups."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import psutil
import pytest

from lab.cluster import supervisor
from lab.cluster.supervisor import Component
from lab.config import Lab
from lab.errors import LabError

# Wherever supervisord reads this path, each of these characters needs care; and it is too long for a socket's address.
PLACE = 'a lab\'s; "100%" #place ' + "x" * 100


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    found = Lab(tmp_path / PLACE, IPv4Network("127.98.0.0/16"))
    found.root.mkdir()
    yield found
    supervisor.shut_down(found)


def a_component(script: str = "import time; time.sleep(60)", *arguments: str, **fields: object) -> Component:
    command = [sys.executable, "-c", script, *arguments]
    return Component("sleeper", command, lambda: None, {}, **fields)  # type: ignore[arg-type]


def run(lab: Lab, *components: Component) -> None:
    supervisor.load(lab, components)
    for component in components:
        supervisor.start(lab, component.name)


def wait_until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_of_supervisord(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_component_runs_with_its_arguments_its_variables_and_in_its_directory(lab: Lab) -> None:
    script = "import os, sys, time; print(sys.argv[1:], os.environ['PLACE'], os.getcwd(), flush=True); time.sleep(60)"
    words = ["", "two words", "$HOME; # %(here)s", str(lab.root)]
    directory = lab.root / "its directory"
    component = Component(
        "sleeper", [sys.executable, "-c", script, *words], lambda: None, {"PLACE": PLACE}, directory=directory
    )
    run(lab, component)
    wait_until(lambda: supervisor.log(lab, "sleeper").read_text().endswith("\n"))
    assert supervisor.log(lab, "sleeper").read_text() == f"{words} {PLACE} {directory}\n"
    secret = [path for path in lab.root.rglob("*") if path.stat().st_mode & 0o077 and not path.is_socket()]
    assert secret == []


def test_the_environment_is_minimal(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    run(lab, a_component("import os, time; print(sorted(os.environ), flush=True); time.sleep(60)"))
    wait_until(lambda: supervisor.log(lab, "sleeper").read_text().endswith("\n"))
    assert "TOKEN" not in supervisor.log(lab, "sleeper").read_text()


def test_a_killed_component_starts_again(lab: Lab) -> None:
    run(lab, a_component())
    first = supervisor.find(lab, "sleeper")
    assert first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervisor.find(lab, "sleeper") not in (None, first))
    assert supervisor.processes(lab)["sleeper"].ends == 1


def test_a_stopped_component_stays_down_until_it_is_started(lab: Lab) -> None:
    run(lab, a_component())
    pid = supervisor.find(lab, "sleeper")
    supervisor.stop(lab, "sleeper")
    supervisor.stop(lab, "sleeper")  # does nothing
    assert pid
    assert not runs(pid)
    time.sleep(1.5)
    assert supervisor.processes(lab)["sleeper"] == supervisor.Process("STOPPED", None, 0)
    supervisor.start(lab, "sleeper")
    assert supervisor.find(lab, "sleeper")


def test_a_running_component_is_left_alone_unless_its_command_has_changed(lab: Lab) -> None:
    run(lab, a_component())
    first = supervisor.find(lab, "sleeper")
    run(lab, a_component())
    assert supervisor.find(lab, "sleeper") == first
    run(lab, a_component("import time; time.sleep(61)"))
    assert supervisor.find(lab, "sleeper") not in (None, first)


def test_a_component_that_ends_at_once_is_reported_and_a_start_does_not_wait_for_the_pause(lab: Lab) -> None:
    mended = lab.root / "mended"
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).exists() or sys.exit('no such file'); time.sleep(60)"
    component = Component("sleeper", [sys.executable, "-c", script, str(mended)], lambda: "not there", {})
    run(lab, component)
    with pytest.raises(LabError, match=r"(?s)sleeper exited\. Last lines of .*sleeper\.log:\nno such file"):
        supervisor.wait_ready(lab, component, 20)
    wait_until(lambda: supervisor.processes(lab)["sleeper"].ends >= 3)
    mended.touch()
    supervisor.start(lab, "sleeper")
    assert supervisor.processes(lab)["sleeper"].state == "STARTING"


def test_a_component_that_is_not_ready_in_time_is_reported(lab: Lab) -> None:
    component = Component("sleeper", ["sleep", "60"], lambda: "its port is closed", {})
    run(lab, component)
    with pytest.raises(LabError, match=r"sleeper is not ready after 0 s \(its port is closed\)"):
        supervisor.wait_ready(lab, component, 0)


def test_components_end_with_a_killed_supervisord_and_the_next_one_starts_them(lab: Lab) -> None:
    run(lab, a_component("import time; print('it runs', flush=True); time.sleep(60)"))
    first = supervisor.find(lab, "sleeper")
    assert first
    wait_until(supervisor.log(lab, "sleeper").read_text)
    os.kill(pid_of_supervisord(first), signal.SIGKILL)
    wait_until(lambda: not runs(first))
    wait_until(lambda: supervisor.processes(lab) == {})
    with pytest.raises(LabError, match="supervisord doesn't run"):
        supervisor.start(lab, "sleeper")
    run(lab, a_component())
    assert supervisor.find(lab, "sleeper") not in (None, first)


def test_a_supervisord_that_is_killed_while_it_is_asked_does_not_run(lab: Lab) -> None:
    run(lab, a_component())
    found = supervisor.find(lab, "sleeper")
    assert found
    pid = pid_of_supervisord(found)
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(supervisor.processes, lab)
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        assert asked.result() == {}


def test_shutting_down_ends_everything(lab: Lab) -> None:
    children = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    run(lab, a_component(children))
    pid = supervisor.find(lab, "sleeper")
    assert pid
    daemon = pid_of_supervisord(pid)
    wait_until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text())
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    supervisor.shut_down(lab)
    wait_until(lambda: not any(runs(one) for one in (pid, daemon, child)))
    assert supervisor.processes(lab) == {}
    supervisor.shut_down(lab)  # does nothing


def test_an_unchanged_file_is_not_touched(lab: Lab) -> None:
    file = lab.root / "proxy.yaml"
    run(lab, a_component(files={file: "a: 1"}))
    os.utime(file, (1, 1))
    supervisor.load(lab, [a_component(files={file: "a: 1"})])
    assert file.stat().st_mtime == 1
    supervisor.load(lab, [a_component(files={file: "a: 2"})])
    assert file.read_text() == "a: 2"


def test_a_supervisord_that_can_not_start_is_reported(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"supervisord doesn't start \(exit code 2\)"):
        supervisor.load(lab, [replace(a_component(), name="two words")])


def test_a_full_disk_ends_nothing(lab: Lab) -> None:
    run(lab, a_component("import time; print(1, flush=True); time.sleep(60)"))
    wait_until(lambda: supervisor.log(lab, "sleeper").exists() and supervisor.log(lab, "sleeper").read_text())
    pid = supervisor.find(lab, "sleeper")
    assert pid
    for name in ("sleeper", supervisor.NAME):
        full = supervisor.log(lab, name)
        full.unlink()
        full.symlink_to("/dev/full")  # every write fails for want of room
    daemon = psutil.Process(pid_of_supervisord(pid))
    daemon.send_signal(signal.SIGUSR2)  # it opens its logs again
    for _ in range(2):
        [sleeper] = daemon.children()
        sleeper.kill()
        sleeper.wait()
        wait_until(daemon.children)
