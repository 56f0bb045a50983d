"""One stack for most of the lab's tests, brought up once by the real engine, and copies of the project."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab import lifecycle
from lab.config import PROJECT, GuestKind, Lab
from tests.lab.stack import RPS, Stack, stack_file
from tests.own_lab import PROGRESS, own_lab

LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".lab*", "results", "__pycache__", ".*_cache")


def new_key(directory: Path) -> str:
    """Create a key pair, write the private key to the file `key`, and return the public key."""
    pair = Ed25519PrivateKey.generate()
    text = pair.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    file = directory / "key"
    file.touch(0o600)
    file.write_bytes(text)
    return pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.fixture(scope="session")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack `lab`, up and serving; destroyed at the end of the session."""
    directory = tmp_path_factory.mktemp("stack")

    def change(config: dict[str, Any]) -> None:
        config["multi-tier:metrics"] = {"enabled": True}
        config["multi-tier:ssh"] = {"user": "ann", "authorizedKeys": [new_key(directory)]}
        config["multi-tier:load"]["rps"] = RPS
        config["multi-tier:database"]["fio"] = {"enabled": True, "runtime": "1s"}

    with Stack(control_plane, stack_file(directory, change)).deployed(5) as stack:
        yield stack


@pytest.fixture(scope="module")
def simulated_lab() -> Iterator[Lab]:
    """A lab that boots no guests."""
    with own_lab(kind=GuestKind.SIMULATED) as installed:
        yield lifecycle.start(installed, PROGRESS)


@pytest.fixture(scope="module")
def project_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, so that commands that are typed in it change no file of this checkout."""
    copy = tmp_path_factory.mktemp("copy") / "multi-tier"
    shutil.copytree(PROJECT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(Path(sys.prefix))
    return copy
