"""A stack that is changed under load from a machine of its own, and the requests that were sent meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lab.config import PROJECT, Lab
from lab.toolchain.image import GOLDEN
from measure.analysis.recording import SampleBuffer
from measure.analysis.samples import Samples
from tests.lab.stack import Stack, wait_until

RPS = 100
TIERS = ("application", "web")


@contextmanager
def deployed_under_load(lab: Lab, directory: Path, name: str, tier: dict[str, Any]) -> Iterator[Stack]:
    """Deploy a stack whose application and web tiers have these settings, besides those of the stack `lab`."""
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    config = document["config"]
    config |= {"multi-tier:name": name, "multi-tier:namespace": name}
    for one in TIERS:
        config[f"multi-tier:{one}"] |= tier
    config["multi-tier:load"] = {
        "dedicated": True,
        "image": {"containerDisk": GOLDEN},
        "memory": "384Mi",
        "vcpus": 1,
        "rps": RPS,
        "duration": "1h",
        "mix": {"write": 30},
    }
    configuration = directory / f"Pulumi.{name}.yaml"
    configuration.write_text(yaml.safe_dump(document))
    stack = Stack(lab, configuration, stack=name, name=name)
    assert stack.run("stack", "select", "--create", name).returncode == 0
    # Pulumi writes the new stack's salt to a new file, but the configuration in use has one.
    (PROJECT / "stacks" / configuration.name).unlink(missing_ok=True)
    with stack.deployed(5):
        wait_until("load is sent", lambda: stack.load_cluster().status().samples.next > 0, 30)
        yield stack


class Load:
    """The requests that were sent during a change, and for two seconds after it."""

    def __init__(self, stack: Stack) -> None:
        self._cluster = stack.load_cluster()
        self._offset = self._cluster.status().samples.next
        self._started = time.monotonic()
        self._buffer = SampleBuffer()

    def finish(self) -> None:
        time.sleep(2)
        seconds = time.monotonic() - self._started
        # Requests that waited while nothing responded are sent late.
        wait_until("all requests are sent", lambda: self._sent(seconds) > 0.9 * RPS * seconds, 30)

    def _sent(self, seconds: float) -> int:
        """Return how many of the requests that were due in the first seconds have been sent, by the same k6."""
        while lines := self._cluster.samples(self._offset):
            self._buffer.append(lines)
            self._offset += len(lines)
        due = self.samples["due"]
        return int(np.count_nonzero((due >= due[:1]) & (due < due[:1] + 1000 * seconds)))

    @property
    def samples(self) -> Samples:
        return self._buffer.samples

    @property
    def failed(self) -> list[tuple[float, bytes, int, int]]:
        """The requests that failed: when, of which kind, with which status and error."""
        bad = self.samples[self.samples["good"] == 0]
        return [(float(one["due"]), one["kind"], int(one["status"]), int(one["error"])) for one in bad]

    @property
    def acknowledged_writes(self) -> int:
        return int(np.count_nonzero((self.samples["kind"] == b"write") & (self.samples["status"] == 200)))


@contextmanager
def under_load(stack: Stack) -> Iterator[Load]:
    load = Load(stack)
    yield load
    load.finish()
