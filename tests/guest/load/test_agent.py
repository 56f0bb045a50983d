"""The load agent in the guest's own Python, with the real k6 and the real tiers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudinit import render_load_plan
from cloudinit.constants import LOAD_AGENT_PORT
from tests.guest.guest_root import GuestRoot
from tests.unit.api_server import LOAD, api_server
from tests.unit.cloudinit.guest_examples import load_machine, web_with_load
from tests.unit.cloudinit.load_agent.test_agent import SPIKE, STACK, has_run, until
from tests.unit.cloudinit.load_samples import rows

LIBRARY = "/usr/local/lib/virtwork"


@pytest.mark.parametrize("module", ["load.agent.controller", "load.agent.api", "load.agent.generator"])
def test_the_guests_python_imports_the_modules(guest: GuestRoot, module: str) -> None:
    guest.write_files(load_machine())
    guest.run("env", f"PYTHONPATH={LIBRARY}", "PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3", "-c", f"import {module}")


@dataclass
class Curl:
    """The HTTP interface of an agent in a guest."""

    guest: GuestRoot

    def status(self) -> dict[str, Any]:
        answer = self.guest.get(f"http://127.0.0.1:{LOAD_AGENT_PORT}/status")
        found: dict[str, Any] = answer.json
        return found


def test_the_agent_runs_a_spike_and_then_resumes_the_stacks_plan(tiers: GuestRoot, tmp_path: Path) -> None:
    tiers.write_files(web_with_load())
    with api_server(tmp_path, tiers.network_namespace) as api:
        api.data = {"plan.json": render_load_plan(STACK), "run.json": render_load_plan(SPIKE)}
        for name in ("url", "token", "ca.crt"):
            tiers.write(f"/opt/test/credentials/{name}", (tmp_path / name).read_text())
        tiers.write("/opt/test/state/.here", "")
        environment = [
            f"CONFIG_MAP={LOAD[1]}",
            "TARGET=http://127.0.0.1",
            "CREDENTIALS_DIRECTORY=/opt/test/credentials",
            "STATE_DIRECTORY=/opt/test/state",
        ]
        start = f"cd /usr/local/lib/virtwork && exec env {' '.join(environment)} /usr/bin/python3 -m load.agent"
        with tiers.running("sh", "-c", start, log=tmp_path / "agent"):
            tiers.get_until(f"http://127.0.0.1:{LOAD_AGENT_PORT}/ready", 200)
            curl = Curl(tiers)
            status = until(curl.status, lambda found: found["last"] and has_run(found, "running"), 10)
            assert tiers.get(f"http://[::1]:{LOAD_AGENT_PORT}/ready").status == 200, "the agent listens on IPv6 too"
    last = status["last"]
    assert (last["id"], last["state"], last["problem"], last["asked"]) == ("spike", "finished", "", 120)
    text = tiers.read(f"/opt/test/state/samples/{0:020}.csv")
    found = rows(text[last["first"] : last["next"]])
    assert [row.number for row in found] == list(range(120))
    assert all(row.good for row in found)
    assert time.time() - 30 < last["started"] < time.time()
    # 0.4 s at 50 requests per second, 0.2 s at 400, 0.4 s at 50.
    assert [sum(begin <= row.due < end for row in found) for begin, end in ((0, 400), (400, 600), (600, 1000))] == [
        20,
        80,
        20,
    ]
    assert all(row.sent >= row.due - 1 for row in found)
    assert (status["run"]["id"], status["run"]["asked"]) == ("", None)
    assert "Traceback" not in (tmp_path / "agent").read_text()
