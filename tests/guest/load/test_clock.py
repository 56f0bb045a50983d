"""The load generator's reading of two clocks at one moment, by k6."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cloudinit.files.load.agent.generator import OPTIONS
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import web_with_load

MOMENTS = 200
SCRIPT = """
import { moment } from '/usr/local/lib/virtwork/load/clock.js';
export default function () {
  for (let number = 0; number < %d; number += 1) {
    const { unix, from } = moment();
    console.log(unix - from);
  }
}
"""


@pytest.fixture
def busy() -> Iterator[None]:
    """Twice as many endless loops as there are processors."""
    with ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(loop.kill)
        yield


@pytest.mark.usefixtures("busy")
def test_a_busy_machine_shifts_no_span(guest: GuestRoot) -> None:
    guest.write_files(web_with_load())
    guest.write("/opt/test/moments.js", SCRIPT % MOMENTS)
    said = guest.run("env", "HOME=/root", "k6", *OPTIONS, "/opt/test/moments.js")
    differences = [float(line) for line in said.splitlines()]
    usual = statistics.median(differences)
    assert len(differences) == MOMENTS
    assert max(abs(one - usual) for one in differences) < 0.2, "ms; a request takes one or two"
