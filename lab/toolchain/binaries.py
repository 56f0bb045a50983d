"""The upstream programs that the lab runs: from the PATH if their version fits, else built from pinned Go modules."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.errors import LabError
from lab.progress import Progress
from lab.root import MARKER
from lab.toolchain import cache, debian_package, go

SOURCES = Path(__file__).parent / "modules"
KUBERNETES_VERSION = "v1.35.4"
PULUMI_VERSION = "v3.255.0"


@dataclass(frozen=True, slots=True)
class Official:
    """A release of a program on the PATH that can replace the pinned build.

    Attributes:
        version_arguments: Arguments that make it print its version.
        fits: Regular expression for that output.
    """

    version_arguments: tuple[str, ...]
    fits: str


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module below `lab/toolchain/modules/` and the programs that are built from it.

    Attributes:
        name: Its name in the cache, and its directory unless that is given.
        programs: Go package of each program.
        minutes: Time of a first build on 2 cores, downloads included (measured).
        official: Programs that may come from the PATH instead.
        linker_flags: Linker flags besides `-s -w`.
        plugin_version: Version of a Pulumi provider; the same as of its Python package in requirements.txt.
        for_guests: Whether only guests that boot need it.
        for_machines: Whether only a node that boots machines needs it.
        for_audit: Whether only the audit needs it.
        directory: Its directory, if several entries share one.
        cgo: Whether its programs are built with a C compiler.
    """

    name: str
    programs: dict[str, str]
    minutes: float
    official: dict[str, Official] = field(default_factory=dict)
    linker_flags: tuple[str, ...] = ()
    plugin_version: str = ""
    for_guests: bool = False
    for_machines: bool = False
    for_audit: bool = False
    directory: str = ""
    cgo: bool = False

    @property
    def source(self) -> Path:
        """The directory with its go.mod and go.sum."""
        return SOURCES / (self.directory or self.name)

    def needed(self, lab: Lab) -> bool:
        """Whether a lab runs its programs."""
        if self.for_audit:
            return False
        return (lab.boots or not self.for_guests) and (lab.machines or not self.for_machines)

    def key(self) -> str:
        """Return the cache key, which depends on the module's files and on how it is built."""
        files = sorted(path for path in self.source.rglob("*") if path.is_file())
        content = (part for path in files for part in (path.name, path.read_bytes()))
        return cache.key([*content, repr(sorted(self.programs.items())), *self.linker_flags, *["cgo"] * self.cgo])


def _version_flags() -> tuple[str, ...]:
    """Return the flags that set Kubernetes' version, as upstream's build scripts do. kubectl has to parse it."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"-X {package}.{name}={value}" for package in packages for name, value in values.items())


_KUBERNETES = Official(("--version",), r"Kubernetes v1\.35\.")

MODULES = (
    Module(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl")
        },
        4,
        {
            "kube-apiserver": _KUBERNETES,
            "kube-controller-manager": _KUBERNETES,
            "kube-proxy": _KUBERNETES,
            "kubectl": Official(("version", "--client"), r"Client Version: v1\.3[456]\."),
        },
        _version_flags(),
    ),
    Module(
        "pulumi",
        {"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
        2.5,
        {"pulumi": Official(("version",), r"^v3\.(25[5-9]|2[6-9]\d|[3-9]\d\d)\.")},
        # As upstream's releases do. Without a version, the engine doesn't check the one that Pulumi.yaml requires.
        (f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={PULUMI_VERSION}",),
    ),
    Module(
        "kubevirt",
        {
            "virt-api": "kubevirt.io/kubevirt/cmd/virt-api",
            "virt-controller": "kubevirt.io/kubevirt/cmd/virt-controller",
            "manifests": "./manifests",
        },
        2,
    ),
    Module(
        "kubernetes-node",
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kubelet", "kube-scheduler")},
        1,
        dict.fromkeys(("kubelet", "kube-scheduler"), _KUBERNETES),
        _version_flags(),
        for_machines=True,
        directory="kubernetes",
    ),
    Module(
        "kubevirt-node",
        {
            name: f"kubevirt.io/kubevirt/cmd/{name}"
            for name in ("virt-chroot", "virt-launcher-monitor", "virt-probe", "virt-tail")
        },
        0.5,
        for_machines=True,
        directory="kubevirt",
    ),
    Module(
        "kubevirt-node-cgo",
        {name: f"kubevirt.io/kubevirt/cmd/{name}" for name in ("virt-handler", "virt-launcher")},
        3,
        for_machines=True,
        directory="kubevirt",
        cgo=True,
    ),
    Module(
        "cdi",
        {
            **{
                f"cdi-{name}": f"kubevirt.io/containerized-data-importer/cmd/cdi-{name}"
                for name in ("apiserver", "cloner", "controller", "importer", "uploadserver")
            },
            **{
                f"cdi-{name}": f"kubevirt.io/containerized-data-importer/tools/cdi-{name}"
                for name in ("containerimage-server", "image-size-detection")
            },
            "cdi-manifests": "./manifests",
        },
        2,
        for_machines=True,
    ),
    Module("kube-router", {"network-policy-controller": "."}, 1, for_machines=True),
    Module("pulumi-resource-random", {"pulumi-resource-random": "."}, 1.5, plugin_version="4.21.4"),
    Module("pulumi-resource-kubernetes", {"pulumi-resource-kubernetes": "."}, 5.5, plugin_version="4.25.0"),
    Module(
        "coredns",
        {"coredns": "."},
        0.5,
        {"coredns": Official(("-version",), r"CoreDNS-1\.1[1-9]\.")},
        for_guests=True,
    ),
    Module("k6", {"k6": "go.k6.io/k6/v2"}, 1, {"k6": Official(("version",), r"k6(\.exe)? v[12]\.")}, for_guests=True),
    Module("govulncheck", {"govulncheck": "golang.org/x/vuln/cmd/govulncheck"}, 0.5, for_audit=True),
)


def _official(name: str, rule: Official | None) -> Path | None:
    """Return the program on the PATH, if there is one and its version fits."""
    # What a lab has built is no release, though `.lab/env` may have put it on the PATH.
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(x for x in places if not (Path(x).parent / MARKER).exists()))
    if rule is None or found is None:
        return None
    try:
        version = run(found, *rule.version_arguments)
    except LabError:
        return None
    return Path(found).resolve() if re.search(rule.fits, version, re.MULTILINE) else None


def _build(module: Module, progress: Progress, destination: Path) -> None:
    flags = " ".join(("-s", "-w", *module.linker_flags))
    for number, (program, package) in enumerate(module.programs.items(), 1):
        what = f"{program} ({number}/{len(module.programs)} of {module.name}, about {module.minutes:g} min on 2 cores)"
        with progress.step(f"Building {what}") as step:
            go.build(module.source, package, destination / program, flags, step, cgo=module.cgo)


def built(name: str, progress: Progress) -> Path:
    """Return the directory with a module's programs, built from it even if the PATH has them.

    Raises:
        LabError: A program can't be built.
    """
    module = next(module for module in MODULES if module.name == name)
    return cache.get("binaries", f"{name}-{module.key()}", partial(_build, module, progress))


def _etcd(progress: Progress) -> Path:
    if found := _official("etcd", Official(("--version",), r"etcd Version: 3\.[456]\.")):
        return found
    with progress.step("Downloading etcd"):
        return debian_package.unpack("etcd-server") / "usr/bin/etcd"


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _copy(copy: Path, original: Path) -> None:
    if copy.exists() and not copy.is_symlink() and copy.stat().st_size == original.stat().st_size:
        return
    copy.unlink(missing_ok=True)
    try:
        copy.hardlink_to(original)
    except OSError:  # the cache is on another file system
        shutil.copy2(original, copy)


def ensure(lab: Lab, progress: Progress) -> None:
    """Link every program that the lab runs into `.lab/bin`. Build those that are neither on the PATH nor in the cache.

    Raises:
        LabError: A program can't be built. Those built before it stay in the cache.
    """
    lab.binaries.mkdir(mode=0o700, parents=True, exist_ok=True)
    _link(lab.binaries / "etcd", _etcd(progress))
    for module in MODULES:
        if module.needed(lab):
            _install(lab, module, progress)


def _install(lab: Lab, module: Module, progress: Progress) -> None:
    found = {name: _official(name, module.official.get(name)) for name in module.programs}
    directory = Path() if all(found.values()) else built(module.name, progress)
    for name, official in found.items():
        program = official or directory / name
        if module.plugin_version:
            _link(lab.plugins / f"{name.removeprefix('pulumi-')}-v{module.plugin_version}" / name, program)
        elif name == "pulumi" and not official:
            _install_engine(lab, program)
        else:
            _link(lab.binaries / name, program)


def _install_engine(lab: Lab, program: Path) -> None:
    """Put the language host beside the CLI, as a release does. The CLI, which resolves links to itself, is no link."""
    _copy(lab.binaries / "pulumi", program)
    _link(lab.binaries / "pulumi-language-python", Path(__file__).with_name("pulumi-language-python"))
