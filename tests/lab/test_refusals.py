"""`pulumi up` refuses an invalid stack configuration with one line per mistake, before it creates anything."""

from __future__ import annotations

from pathlib import Path

from kube.resources import NAMESPACES
from lab.config import PROJECT, Lab
from tests.lab.stack import Stack

MISTAKES = """\
  multi-tier:namespace: refused
  multi-tier:databse: {}
  multi-tier:application:
    replicas: two
    image:
      containerDisk: localhost/multi-tier-golden:debian-12
  multi-tier:web:
    vcpu: 2
    memory: 64MB
  multi-tier:load:
    rps: 0
"""
REFUSALS = (
    "multi-tier:databse: is unknown; did you mean database?",
    'multi-tier:application.replicas: "two" must be a whole number',
    "multi-tier:web.vcpu: is unknown; did you mean vcpus?",
    'multi-tier:web.memory: "64MB" must be a quantity',
    "multi-tier:load.rps: 0 must be a whole number from 1",
)


def test_every_mistake_gets_one_line_and_nothing_is_created(control_plane: Lab, tmp_path: Path) -> None:
    configuration = tmp_path / "Pulumi.lab.yaml"
    _, comment, rest = (PROJECT / "stacks" / "Pulumi.lab.yaml").read_text().partition("encryptionsalt:")
    configuration.write_text(f"config:\n{MISTAKES}{comment}{rest}")
    stack = Stack(control_plane, configuration)
    assert stack.run("stack", "select", "--create", "lab").returncode == 0
    done = stack.run("up", "--yes", "--skip-preview", "--stack", "lab", "--config-file", str(configuration))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    diagnostics = said.partition("Diagnostics:")[2].partition("Resources:")[0].splitlines()
    for refusal in REFUSALS:
        assert sum(refusal in line for line in diagnostics) == 1, f"{refusal}\nin:\n{said}"
    assert "Traceback" not in said
    assert stack.cluster.find(NAMESPACES, "refused") is None
