"""The lab's Python language host runs policy packs for the engine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

HOST = Path(__file__).resolve().parents[3] / "lab" / "toolchain" / "language_host.py"
PACK = """\
import os, sys, time
print(os.getpid(), os.getcwd(), os.environ["SAID"], sys.argv[1:], flush=True)
print("a warning", file=sys.stderr, flush=True)
time.sleep(float(os.environ["SLEEP"]))
raise SystemExit(3)
"""


@pytest.fixture
def host() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, str(HOST)], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def stub(host: subprocess.Popen[str]) -> Any:
    assert host.stdout
    return language_pb2_grpc.LanguageRuntimeStub(grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}"))


def request(pack: Path, sleep: float = 0, kind: str = "analyzer") -> Any:
    """Return the engine's request for a pack that runs with this test's interpreter."""
    (pack / "__main__.py").write_text(PACK)
    python = pack / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    info = language_pb2.ProgramInfo(root_directory=str(pack), program_directory=str(pack), entry_point=".")
    info.options.update({"toolchain": "pip", "virtualenv": ".venv"})
    env = [f"SLEEP={sleep}", "SAID=a=b"]
    return language_pb2.RunPluginRequest(kind=kind, args=["127.0.0.1:1"], env=env, info=info)


def test_the_engine_gets_the_output_and_the_exit_code_of_a_pack(stub: Any, tmp_path: Path) -> None:
    said = list(stub.RunPlugin(request(tmp_path)))
    (out,) = (one.stdout.decode() for one in said if one.HasField("stdout"))
    assert out.split(maxsplit=1)[1] == f"{tmp_path} a=b ['127.0.0.1:1', '{tmp_path}']\n"
    assert [one.stderr for one in said if one.HasField("stderr")] == [b"a warning\n"]
    assert said[-1].exitcode == 3


@pytest.mark.parametrize("ending", ["cancelled", "host killed"])
def test_a_pack_ends_when_the_engine_cancels_it_or_the_host_is_killed(
    host: subprocess.Popen[str], stub: Any, tmp_path: Path, ending: str
) -> None:
    call = stub.RunPlugin(request(tmp_path, sleep=60))
    pack = psutil.Process(int(next(one.stdout for one in call if one.stdout).split()[0]))
    if ending == "cancelled":
        call.cancel()
    else:
        host.kill()
    deadline = time.monotonic() + 10
    while pack.is_running() and pack.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the pack still runs"
        time.sleep(0.05)


def test_a_pack_without_its_environment_is_refused_and_the_next_step_named(stub: Any, tmp_path: Path) -> None:
    asked = request(tmp_path)
    (tmp_path / ".venv" / "bin" / "python").unlink()
    with pytest.raises(grpc.RpcError, match="make policy"):
        list(stub.RunPlugin(asked))


def test_another_kind_of_plugin_is_refused(stub: Any, tmp_path: Path) -> None:
    with pytest.raises(grpc.RpcError, match="Only policy packs"):
        list(stub.RunPlugin(request(tmp_path, kind="resource")))
