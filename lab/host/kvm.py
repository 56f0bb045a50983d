"""Whether this machine's processor runs virtual machines."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_DEVICE = Path("/dev/kvm")
_PROCESSOR = Path("/proc/cpuinfo")


def works() -> bool:
    """Whether QEMU can use KVM for any guest.

    The device alone says too little: without the processor's extensions, as under PVM, it takes only prepared guests.
    """
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return False
    return platform.machine() != "x86_64" or not {"vmx", "svm"}.isdisjoint(_PROCESSOR.read_text().split())
