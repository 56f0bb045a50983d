"""Launching a guest: whether it fits on the node, and what its VMI refers to."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from kube.client import Api
from kube.resources import SECRETS, Object
from lab.config import Lab
from lab.host import inotify
from lab.node import guest, record, registration, specification
from lab.node.context import Context
from lab.node.guest import Guest
from lab.node.specification import BlockedError, Lookup
from lab.toolchain import image

_BOOT_SECONDS = 10.0  # until a guest has its inotify instances


def unschedulable(context: Context, vmi: Object, pod: Object) -> str | None:
    """Return why a launcher Pod doesn't fit on this node, or None if it does."""
    if refusal := registration.refusal(pod):
        return refusal
    used = sum(
        specification.memory(other["spec"]["domain"])
        for other in context.instances.all()
        if other.get("status", {}).get("phase") in ("Scheduled", "Running")
        and other["metadata"]["uid"] != vmi["metadata"]["uid"]
    )
    needed, free = specification.memory(vmi["spec"]["domain"]), registration.memory_bytes() - used
    if needed > free:
        return f"The machine requests {needed >> 20} MiB of memory; the node has {max(free, 0) >> 20} MiB free."
    booting = sum(time.time() - known.started < _BOOT_SECONDS for known in record.load_all(context.lab))
    return inotify.shortage(booting + 1)


def launch(context: Context, vmi: Object) -> tuple[Guest, list[str]]:
    """Start the guest of a VMI; return it and the names of limits that can't be enforced.

    Raises:
        BlockedError: Something that the VMI refers to is missing, or is not supported by the lab.
        LabError: A step of starting the guest failed.
    """
    lab, metadata = context.lab, vmi["metadata"]
    namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
    lookup = Lookup(
        secret=partial(_secret, context.api, namespace),
        claim=partial(context.provisioner.file_of, namespace),
        scratch=record.directory(lab, uid) / "scratch",
    )
    wanted = specification.read(vmi, lookup)
    rootfs = _rootfs(lab, wanted.image)
    return guest.start(lab, wanted, rootfs, context.reserve(namespace, name, uid))


def _secret(api: Api, namespace: str, name: str) -> Mapping[str, bytes] | None:
    found = api.find(SECRETS, name, namespace)
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()} if found else None


def _rootfs(lab: Lab, reference: str) -> Path:
    if found := image.rootfs_for(lab, reference):
        return found
    if reference in image.REFERENCES:
        message = f"The image {reference} has not been built yet. Run `python -m lab image {reference}`."
    else:
        message = f"The lab has no image {reference}. It has: {', '.join(image.REFERENCES)}."
    raise BlockedError("ErrImagePull", message)
