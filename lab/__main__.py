"""A KubeVirt cluster on this machine, for a first run, for tests and for checks of pull requests."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from kube import client
from lab import backend, deployment, lifecycle, repair, root, status, traffic
from lab.cluster import supervisor
from lab.cluster.stages import NAMES
from lab.config import GuestKind, Lab
from lab.errors import LabError, run_command_line
from lab.machines import images, pods
from lab.progress import Progress
from lab.toolchain import audit, container_disks, image, prerequisites

_LOAD_SECONDS = 60.0
_REFERENCES = sorted({*image.REFERENCES, *container_disks.REFERENCES})
_LOGS = (*NAMES, supervisor.NAME, pods.VIRT_HANDLER)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# A log has no width: use that of the widest table.
console = Console(width=None if sys.stdout.isatty() else 120)
_Stack = Annotated[str, typer.Option(help="Name of the stack; default: lab, or machines for a lab of machines.")]


@app.command()
def start(
    component: Annotated[str, typer.Argument(help="Start only this component, in a running lab.")] = "",
) -> None:
    """Install what is missing and start the lab, without deploying anything."""
    lab = Lab.from_environment()
    if component:
        _check_name(component, NAMES)
        supervisor.start(lab, component)
    else:
        lifecycle.start(lab, Progress(console))


@app.command()
def stop(component: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.")]) -> None:
    """Stop a component. It stays down until it or the lab is started again."""
    _check_name(component, NAMES)
    supervisor.stop(Lab.from_environment(), component)


def _check_name(component: str, known: Sequence[str]) -> None:
    if component not in known:
        raise LabError(f"No component {component}. Choose one of: {', '.join(known)}.")


@app.command()
def up(stack: _Stack = "") -> None:
    """Start the lab, deploy a stack, wait for traffic and show its latency (`make lab`)."""
    progress = Progress(console)
    lab = lifecycle.start(Lab.from_environment(), progress)
    stack = stack or lab.stack
    if lab.kind is GuestKind.CONTAINERS:
        repair.restart_failed_guests(lab, client.connect(lab.kubeconfig), progress)
    try:
        deployment.up(lab, stack)
    except LabError:
        status.show(lab, console)
        raise
    if lab.simulated:
        status.show(lab, console)
    else:
        _show_traffic(lab, stack)
    settings = shlex.quote(os.path.relpath(lab.root / "env"))
    typer.echo(f"\nTo use `pulumi` and `kubectl` on the lab: `. {settings}`. To remove the lab: `make lab-down`.")


@app.command()
def down() -> None:
    """Destroy the stacks, stop the lab and remove everything that it created (`make lab-down`)."""
    lab, progress = Lab.from_environment(), Progress(console)
    root.check(lab)
    prerequisites.ensure(console)
    try:
        if supervisor.find(lab, "kube-apiserver") and backend.stacks(lab):
            deployment.destroy(lab)
    except LabError as error:
        typer.echo(f"{error}\nThe lab is removed anyway, with everything in it.", err=True)
    lifecycle.stop(lab, progress)
    typer.echo("The lab and the state of its stacks are removed. The programs built for it stay in the cache.")


@app.command(name="status")
def show_status() -> None:
    """Show what runs, and why something does not."""
    healthy = status.show(Lab.from_environment(), console)
    raise typer.Exit(0 if healthy else 1)


@app.command(name="traffic")
def show_traffic(stack: _Stack = "") -> None:
    """Send some requests through the tiers, and show them and the load generator's latency."""
    lab = Lab.from_environment()
    _check_boots(lab, "there is no traffic")
    _show_traffic(lab, stack or lab.stack)


def _show_traffic(lab: Lab, stack: str) -> None:
    outputs = backend.outputs(lab, stack)
    samples = traffic.load_samples(lab, outputs, Progress(console), _LOAD_SECONDS)
    traffic.show(client.connect(lab.kubeconfig), outputs, samples, console)


def _check_boots(lab: Lab, consequence: str) -> None:
    if lab.simulated:
        raise LabError(
            f"The guests of this lab are simulated, so {consequence}. For guests that boot, run `make lab-down`, then "
            "`make lab GUESTS=containers`."
        )


@app.command()
def logs(component: Annotated[str, typer.Argument(help=f"One of: {', '.join(_LOGS)}.")]) -> None:
    """Print the log of a component."""
    _check_name(component, _LOGS)
    lab = Lab.from_environment()
    if component == pods.VIRT_HANDLER:
        typer.echo(pods.virt_handler_log(client.connect(lab.kubeconfig)), nl=False)
    else:
        typer.echo(status.text_of(supervisor.log(lab, component)), nl=False)


@app.command(name="console")
def show_console(vm: Annotated[str, typer.Argument(help="Name of a VirtualMachine.")]) -> None:
    """Print what a guest has written to its console."""
    lab = Lab.from_environment()
    _check_boots(lab, "none has a console")
    text = pods.console(client.connect(lab.kubeconfig), vm) if lab.machines else status.console_of(lab, vm)
    typer.echo(text, nl=False)


@app.command(name="image")
def build_image(reference: Annotated[str, typer.Argument(help=f"One of: {', '.join(_REFERENCES)}.")]) -> None:
    """Build a guest image, unless it is in the cache; a lab of machines imports it as well."""
    lab, progress = Lab.from_environment(), Progress(console)
    _check_boots(lab, "none needs an image")
    known = container_disks.REFERENCES if lab.machines else image.REFERENCES
    if reference not in known:
        raise LabError(f"No image {reference}. Choose one of: {', '.join(known)}.")
    prerequisites.ensure(console)
    if lab.machines:
        archive = container_disks.container_disk(reference, progress)
        images.import_missing(lab, {reference: archive}, progress)
    else:
        image.ensure(lab, reference, progress)


@app.command(name="images")
def build_images(
    registry: Annotated[str, typer.Option(help="Where the images will be pushed to.")] = "registry.example.com",
) -> None:
    """Build the container disks, and say how to push and use them (`make images`)."""
    prerequisites.ensure(console)
    for reference in container_disks.REFERENCES:
        archive = container_disks.container_disk(reference, Progress(console))
        typer.echo(container_disks.instructions(reference, archive, registry))


@app.command(name="audit")
def show_vulnerabilities() -> None:
    """Look up known vulnerabilities of the locked packages and the built programs (`make audit`)."""
    found = []
    for one in audit.audits(Progress(console)):
        found.append(one)
        said = [*one.vulnerabilities, *([f"not checked: {one.unchecked}"] if one.unchecked else [])]
        typer.echo("\n  ".join([f"{one.subject}: {len(one.vulnerabilities)} found", *said]))
    if any(one.unchecked for one in found):
        raise LabError(
            "Not everything could be looked up, so nothing is known about the rest. The audit asks PyPI and Go's "
            "vulnerability database: run it where both can be reached."
        )
    raise typer.Exit(1 if any(one.vulnerabilities for one in found) else 0)


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
