"""One command at a time changes a lab; the lock ends with its process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import deployment, lifecycle, lock
from lab.config import DEFAULT_SUBNET, PROJECT, Lab
from lab.errors import LabError
from tests.own_lab import PROGRESS

HOLDER = """
import sys, time
from pathlib import Path
from lab import lock
from lab.config import DEFAULT_SUBNET, Lab
with lock.held(Lab(Path(sys.argv[1]), DEFAULT_SUBNET)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_command_is_refused_until_the_first_ends_however_it_does(tmp_path: Path) -> None:
    lab, other = Lab(tmp_path, DEFAULT_SUBNET), Lab(tmp_path / "other", DEFAULT_SUBNET)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        refused = f"Process {holder.pid} is starting, stopping or changing the lab in "
        with pytest.raises(LabError, match=refused):
            deployment.up(lab, "lab")
        with pytest.raises(LabError, match=refused):
            lifecycle.start(lab, PROGRESS)
        with pytest.raises(LabError, match=refused):
            lifecycle.stop(lab, PROGRESS)
        with lock.held(other):
            pass
        holder.send_signal(signal.SIGKILL)
    with lock.held(lab):
        pass
