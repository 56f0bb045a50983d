"""The control plane of previews lives in a directory of its own."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lab.config import API_SERVER_PORT, DEFAULT_SUBNET, PROJECT, Lab
from lab.errors import LabError
from lab.host import subnets
from lab.progress import Progress
from lab.root import claim
from preview.__main__ import app, selected
from preview.control_plane import PREFERRED_SUBNET, preview_lab


@pytest.mark.parametrize("command", [["stop"], ["show", "--base", "HEAD", "--project", str(PROJECT)]])
def test_a_directory_of_somebody_else_is_refused_and_left_alone(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "documents"
    (foreign / "bases").mkdir(parents=True)
    (foreign / "bases" / "thesis.tex").write_text("years of work")
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(foreign))
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, LabError)
    assert "is not a lab's directory" in str(result.exception)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "documents",
        "documents/bases",
        "documents/bases/thesis.tex",
    ]


@pytest.mark.parametrize("command", [["stop"], ["show", "--base", "HEAD", "--project", str(PROJECT)]])
def test_a_lab_with_guests_is_not_taken_for_the_control_plane_of_previews(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "lab", DEFAULT_SUBNET)
    claim(lab)
    lab.save()
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(lab.root))
    monkeypatch.setattr("lab.lifecycle.stop", lambda *_: pytest.fail("the lab would be removed"))
    assert "is a lab with guests" in str(CliRunner().invoke(app, command).exception)


@pytest.mark.parametrize("text", ["", "127.6", "127.64.0.0/16 or so", "nonsense"])
def test_a_torn_subnet_is_no_traceback(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "control-plane"
    claim(Lab(root, DEFAULT_SUBNET))
    (root / "subnet").write_text(text)
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(root))
    assert preview_lab().movable
    result = CliRunner().invoke(app, ["stop"])
    assert (result.exception, root.exists()) == (None, False)


def test_a_failure_replaces_the_report_of_an_earlier_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "report.md"
    output.write_text("nothing changes")
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(tmp_path))
    result = CliRunner().invoke(app, ["show", "--base", "nowhere", "--output", str(output)])
    assert "is not a commit" in str(result.exception)
    assert "Not previewed" in output.read_text()


def test_a_project_without_a_stack_is_a_failure() -> None:
    with pytest.raises(LabError, match="has no stack"):
        selected(None, set())


@contextmanager
def started(root: Path) -> Iterator[IPv4Network]:
    """Start as much of a preview's control plane as its subnet depends on: its API server's port."""
    root.mkdir(exist_ok=True)
    with ExitStack() as stack:
        with subnets.claimed(Lab.at(root, PREFERRED_SUBNET), Progress(Console(file=io.StringIO()))) as lab:
            time.sleep(0.05)  # until it listens
            stack.enter_context(socket.create_server((str(lab.address), API_SERVER_PORT)))
            lab.save()
        yield lab.subnet


@pytest.mark.parametrize("count", [2, 10])
def test_checkouts_that_start_at_the_same_moment_get_a_network_each(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subnets, "_LOCK", f"\0multi-tier-subnets-{os.getpid()}")
    everyone = threading.Barrier(count, timeout=10)

    def start(number: int) -> IPv4Network:
        everyone.wait()
        with started(tmp_path / str(number)) as subnet:
            everyone.wait()  # all of them run
            return subnet

    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(start, range(count)))
    assert len(set(found)) == count
    assert all(one.is_loopback for one in found)
    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(start, range(count))) == found, "each keeps its network"
