"""A KubeVirt cluster on this machine, for a first run, for tests and for checks of pull requests."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer
from rich.console import Console

from kube import client
from lab import backend, deployment, lifecycle, repair, root, status, traffic
from lab.cluster import process
from lab.cluster.control_plane import COMPONENTS
from lab.config import Lab
from lab.errors import LabError, run_command_line
from lab.progress import Progress
from lab.toolchain import container_disks, image, prerequisites

_LOAD_SECONDS = 60.0

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# A log has no width: use that of the widest table.
console = Console(width=None if sys.stdout.isatty() else 120)
_Stack = Annotated[str, typer.Option(help="Name of the stack.")]


@app.command()
def start() -> None:
    """Install what is missing and start the lab, without deploying anything."""
    lifecycle.start(Lab.from_environment(), Progress(console))


@app.command()
def up(stack: _Stack = "lab") -> None:
    """Start the lab, deploy a stack, wait for traffic and show its latency (`make lab`)."""
    progress = Progress(console)
    lab = lifecycle.start(Lab.from_environment(), progress)
    repair.restart_failed_guests(lab, client.connect(lab.kubeconfig), progress)
    try:
        deployment.up(lab, stack)
    except LabError:
        status.show(lab, console)
        raise
    cluster, outputs = client.connect(lab.kubeconfig), deployment.outputs(lab, stack)
    samples = traffic.load_samples(lab, outputs, progress, _LOAD_SECONDS)
    traffic.show(cluster, outputs, samples, console)
    settings = shlex.quote(os.path.relpath(lab.root / "env"))
    typer.echo(f"\nTo use `pulumi` and `kubectl` on the lab: `. {settings}`. To remove the lab: `make lab-down`.")


@app.command()
def down() -> None:
    """Destroy the stacks, stop the lab and remove everything that it created (`make lab-down`)."""
    lab, progress = Lab.from_environment(), Progress(console)
    root.check(lab)
    prerequisites.ensure(console)
    if process.find(lab, "kube-apiserver") and backend.stacks(lab):
        try:
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
def show_traffic(stack: _Stack = "lab") -> None:
    """Send some requests through the tiers, and show them and the load generator's latency."""
    lab = Lab.from_environment()
    outputs = deployment.outputs(lab, stack)
    samples = traffic.load_samples(lab, outputs, Progress(console), _LOAD_SECONDS)
    traffic.show(client.connect(lab.kubeconfig), outputs, samples, console)


@app.command()
def logs(component: Annotated[str, typer.Argument(help=f"One of: {', '.join(COMPONENTS)}.")]) -> None:
    """Print the log of a component."""
    if component not in COMPONENTS:
        raise LabError(f"No component {component}. Choose one of: {', '.join(COMPONENTS)}.")
    typer.echo(status.text_of(process.log(Lab.from_environment(), component)), nl=False)


@app.command(name="console")
def show_console(vm: Annotated[str, typer.Argument(help="Name of a VirtualMachine.")]) -> None:
    """Print what a guest has written to its console."""
    typer.echo(status.console_of(Lab.from_environment(), vm), nl=False)


@app.command(name="image")
def build_image(reference: Annotated[str, typer.Argument(help=f"One of: {', '.join(image.REFERENCES)}.")]) -> None:
    """Build a guest image, unless it is in the cache."""
    if reference not in image.REFERENCES:
        raise LabError(f"No image {reference}. Choose one of: {', '.join(image.REFERENCES)}.")
    prerequisites.ensure(console)
    image.ensure(Lab.from_environment(), reference, Progress(console))


@app.command()
def images(
    registry: Annotated[str, typer.Option(help="Where the images will be pushed to.")] = "registry.example.com",
) -> None:
    """Build the container disks, and say how to push and use them (`make images`)."""
    prerequisites.ensure(console)
    for reference in container_disks.REFERENCES:
        archive = container_disks.container_disk(reference, Progress(console))
        typer.echo(container_disks.instructions(reference, archive, registry))


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
