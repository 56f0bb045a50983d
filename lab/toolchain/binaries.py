"""The upstream programs that the lab runs: taken from the PATH where they fit, else built from pinned Go modules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.environment import plugins
from lab.errors import LabError
from lab.progress import Progress
from lab.toolchain import cache, debian_package, go

TOOLCHAIN = Path(__file__).parent / "modules"
KUBERNETES_VERSION = "v1.35.4"


@dataclass(frozen=True, slots=True)
class Official:
    """How to recognise an upstream release of a program on the PATH that can stand in for the pinned build."""

    version_arguments: tuple[str, ...]
    fits: str  # a regular expression that its version output must match


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module below `lab/toolchain/modules/` and the programs that it builds.

    Attributes:
        name: its directory.
        programs: program -> Go package.
        official: programs that may come from the PATH instead.
        linker_flags: besides `-s -w`.
        plugin_version: of a Pulumi provider, as its Python package has it and requirements.txt pins it.
        minutes: what a first build took on 2 cores, all downloads included (measured).
    """

    name: str
    programs: dict[str, str]
    minutes: float
    official: dict[str, Official] = field(default_factory=dict)
    linker_flags: tuple[str, ...] = ()
    plugin_version: str = ""

    def key(self) -> str:
        """Return the cache key: the module's own files and how it is built."""
        files = sorted(path for path in (TOOLCHAIN / self.name).rglob("*") if path.is_file())
        content = (part for path in files for part in (path.name, path.read_bytes()))
        return cache.key([*content, repr(sorted(self.programs.items())), *self.linker_flags])


def _version_flags() -> tuple[str, ...]:
    """Give Kubernetes its version, which only upstream's own build scripts set and kubectl has to parse."""
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
    Module("pulumi-resource-random", {"pulumi-resource-random": "."}, 1.5, plugin_version="4.21.4"),
    Module("pulumi-resource-kubernetes", {"pulumi-resource-kubernetes": "."}, 5.5, plugin_version="4.25.0"),
    Module(
        "coredns",
        {"coredns": "github.com/coredns/coredns"},
        1.5,
        {"coredns": Official(("-version",), r"CoreDNS-1\.1[1-9]\.")},
    ),
    Module("k6", {"k6": "go.k6.io/k6"}, 1, {"k6": Official(("version",), r"k6(\.exe)? v[12]\.")}),
)


def _official(name: str, rule: Official | None) -> Path | None:
    """Return the program on the PATH when it is there and of a fitting version."""
    found = shutil.which(name)
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
            go.build(TOOLCHAIN / module.name, package, destination / program, flags, step)


def _etcd(progress: Progress) -> Path:
    if found := _official("etcd", Official(("--version",), r"etcd Version: 3\.[456]\.")):
        return found
    with progress.step("Fetching etcd from Debian's packages"):
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


def ensure(lab: Lab, progress: Progress, *, without: Collection[str] = ()) -> None:
    """Put every program that the lab runs into `.lab/bin`, building what is neither on the PATH nor in the cache.

    Args:
        lab: the lab.
        progress: shows what is being built.
        without: modules that this lab runs nothing of.

    Raises:
        LabError: something could not be built; what was built before it stays in the cache.
    """
    lab.binaries.mkdir(mode=0o700, parents=True, exist_ok=True)
    _link(lab.binaries / "etcd", _etcd(progress))
    for module in (module for module in MODULES if module.name not in without):
        _install(lab, module, progress)


def _install(lab: Lab, module: Module, progress: Progress) -> None:
    found = {name: _official(name, module.official.get(name)) for name in module.programs}
    built = Path()
    if not all(found.values()):
        built = cache.get("binaries", f"{module.name}-{module.key()}", partial(_build, module, progress))
    for name, official in found.items():
        program = official or built / name
        if module.plugin_version:
            _link(plugins(lab) / f"{name.removeprefix('pulumi-')}-v{module.plugin_version}" / name, program)
        elif name == "pulumi" and not official:
            _install_engine(lab, program)
        else:
            _link(lab.binaries / name, program)


def _install_engine(lab: Lab, program: Path) -> None:
    """Put the language host where a release has it: beside the CLI, as the CLI sees itself with links resolved."""
    _copy(lab.binaries / "pulumi", program)
    _link(lab.binaries / "pulumi-language-python", Path(__file__).with_name("pulumi-language-python"))
