"""The pack's rules.

A rule is a function that takes a Kubernetes object and yields a sentence for each violation. Its name is the name of
the policy, its docstring the description. Rules know nothing of Pulumi and never show a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings

Manifest = Mapping[str, Any]
Path = tuple[str, ...]
Rule = Callable[[Manifest], Iterator[str]]

UNKNOWN = object()  # the value of a property that a preview can't know yet


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the program has marked as secret.

    Attributes:
        value: The value in clear text.
    """

    value: Any


REQUIRED_LABELS = tuple(
    f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "part-of", "managed-by")
)
_VMI_TEMPLATES: dict[tuple[str, str], Path] = {
    ("kubevirt.io", "VirtualMachine"): ("spec", "template"),
    ("pool.kubevirt.io", "VirtualMachinePool"): ("spec", "virtualMachineTemplate", "spec", "template"),
}
_SIZE_FIELDS = {
    "memory": ("memory.guest", "resources.limits.memory", "resources.requests.memory"),
    "cpu": ("cpu.cores", "cpu.sockets", "cpu.threads", "resources.limits.cpu", "resources.requests.cpu"),
}
_PROBE_HANDLERS = ("httpGet", "tcpSocket", "exec", "guestAgentPing")
# Detectors that measure entropy report every UUID and checksum; the others match what is common in a manifest.
_UNUSED_DETECTORS = (
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "IPPublicDetector",
    "IbmCosHmacDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
)
_REFERENCE_SUFFIXES = ("name", "ref", "path", "mode", "kind")  # such a key says where the secret is
# The keyword detector expects quoted values, as in source code; settings and cloud-config have none.
_ASSIGNMENT = re.compile(r"""[\s-]*([\w./-]+)\s*[:=]\s*["']?(.*?)["']?,?\s*""")
# crypt(5) hashes. The detectors take a leading dollar sign for a variable.
_PASSWORD_HASH = re.compile(r"\$(?:1|2[aby]|5|6|7|y|gy)\$[^\s:]{8,}")


def no_secret_outside_secrets(manifest: Manifest) -> Iterator[str]:
    """Secrets are stored in Secret objects only."""
    if _group_and_kind(manifest) == ("", "Secret"):
        return
    with default_settings() as settings:
        settings.disable_plugins(*_UNUSED_DETECTORS)
        for path, value in _leaves(manifest):
            if isinstance(value, Secret):
                yield f"{_shown(path)} is secret: store it in a Secret and reference it."
            elif isinstance(value, str):
                for kind in sorted(_detected(path[-1], value)):
                    yield f"{_shown(path)} looks like a secret ({kind}): store it in a Secret and reference it."


def limits_set(manifest: Manifest) -> Iterator[str]:
    """Every virtual machine sets CPU and memory, or uses an instancetype."""
    for template in _vmi_templates(manifest):
        if lookup(manifest, *template[:-1], "instancetype", "name") is not None:
            return
        domain = (*template, "spec", "domain")
        for resource, fields in _SIZE_FIELDS.items():
            if all(lookup(manifest, *domain, *field.split(".")) is None for field in fields):
                yield f"{_shown(domain)}.{fields[0]} is not set: set {resource}, or use an instancetype."


def probes_present(manifest: Manifest) -> Iterator[str]:
    """Every virtual machine has a readiness probe."""
    for template in _vmi_templates(manifest):
        path = (*template, "spec", "readinessProbe")
        if all(lookup(manifest, *path, handler) is None for handler in _PROBE_HANDLERS):
            handlers = f"{', '.join(_PROBE_HANDLERS[:-1])} or {_PROBE_HANDLERS[-1]}"
            yield f"{_shown(path)} is missing: without {handlers}, the machine is ready as soon as it has started."


def labels_present(manifest: Manifest) -> Iterator[str]:
    """Every object has the recommended labels app.kubernetes.io/*."""
    # Services select VMIs, which get only the template's labels.
    for parent in ((), *_vmi_templates(manifest)):
        path = (*parent, "metadata", "labels")
        if missing := [label for label in REQUIRED_LABELS if lookup(manifest, *path, label) in (None, "")]:
            yield f"{_shown(path)} lacks {', '.join(missing)}."


def no_latest_image(manifest: Manifest) -> Iterator[str]:
    """Every image has a version tag or a digest."""
    for path, image in _leaves(manifest):
        if isinstance(image, str) and (path[-1] == "image" or path[-3:] == ("source", "registry", "url")):
            name = image.rpartition("://")[2]
            # The port of a registry follows a colon too, but comes before the last slash.
            _, colon, tag = name.rpartition("/")[2].partition(":")
            if "@" not in name and tag in ("", "latest"):
                reason = "whose content can change" if colon else "which has no tag and so means latest"
                yield f"{_shown(path)} is {image}, {reason}: use a version tag or a digest."


RULES: tuple[Rule, ...] = (
    no_secret_outside_secrets,
    limits_set,
    probes_present,
    labels_present,
    no_latest_image,
)


def lookup(tree: Any, *path: str) -> Any:
    """Return the value at a path, None if there is none, UNKNOWN if it is not known yet."""
    for key in path:
        tree = _revealed(tree)
        if tree is UNKNOWN:
            return UNKNOWN
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return _revealed(tree)


def _revealed(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def _group_and_kind(manifest: Manifest) -> tuple[str, str]:
    return lookup(manifest, "apiVersion").rpartition("/")[0], lookup(manifest, "kind")


def _vmi_templates(manifest: Manifest) -> Iterator[Path]:
    """Yield the path of the VMI template if the object is a virtual machine or a pool."""
    path = _VMI_TEMPLATES.get(_group_and_kind(manifest))
    if path and isinstance(lookup(manifest, *path), Mapping):
        yield path


def _leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is neither a map nor a list, with its path; a Secret counts as one value."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, (*path, f"[{index}]"))
    else:
        yield path, tree


def _shown(path: Path) -> str:
    return "".join(step if step.startswith("[") else f".{step}" for step in path).removeprefix(".")


def _detected(key: str, text: str) -> set[str]:
    """Return the kinds of secrets that a text seems to contain."""
    lines = [f"{key}: {text}"] if len(text.splitlines()) == 1 else text.splitlines()
    kinds = {"Password Hash"} if _PASSWORD_HASH.search(text) else set()
    for line in lines:
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment and assignment[1].lower().endswith(_REFERENCE_SUFFIXES):
            continue
        for form in {line, f'{assignment[1]} = "{assignment[2]}"' if assignment else line}:
            kinds |= {secret.type for secret in scan_line(form)}
    return kinds
