import platform
from pathlib import Path

import pytest

from lab.host import kvm


@pytest.mark.parametrize(
    ("flags", "device", "architecture", "works"),
    [
        ("fpu vmx sse", True, "x86_64", True),
        ("fpu svm sse", True, "x86_64", True),
        ("fpu sse", True, "x86_64", False),
        ("fpu vmx sse", False, "x86_64", False),
        ("", True, "aarch64", True),
    ],
)
def test_kvm_needs_its_device_and_the_processors_extensions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, device: bool, architecture: str, works: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags: {flags}\n")
    if device:
        (tmp_path / "kvm").touch()
    monkeypatch.setattr(kvm, "_DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(kvm, "_PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: architecture)

    assert kvm.works() is works
