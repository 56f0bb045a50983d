"""`python -m lab`: the commands behind `make lab` and `make lab-down`, and a look inside."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from kube import client
from lab import deployment, lifecycle, status, traffic
from lab.cluster import process
from lab.cluster.control_plane import COMPONENTS
from lab.config import Lab
from lab.errors import LabError, run_command_line
from lab.progress import Progress
from lab.toolchain import image, prerequisites

_LOAD_SECONDS = 60.0

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
# A log, unlike a terminal, has no width of its own: take what the widest table needs.
console = Console(width=None if sys.stdout.isatty() else 120)


@app.command()
def start() -> None:
    """Install what is missing and start the lab, without deploying anything."""
    lab, progress = Lab.from_environment(), Progress(console)
    lifecycle.install(lab, progress)
    lifecycle.start(lab, progress)


@app.command()
def up(stack: str = "lab") -> None:
    """Start the lab, run `pulumi up` on a stack, wait for traffic and show it: this is `make lab`."""
    lab, progress = Lab.from_environment(), Progress(console)
    lifecycle.install(lab, progress)
    lifecycle.start(lab, progress)
    try:
        deployment.up(lab, stack)
    except LabError:
        status.show(lab, console)
        raise
    cluster, outputs = client.connect(lab.kubeconfig), deployment.outputs(lab, stack)
    samples = traffic.load_samples(lab, outputs, progress, _LOAD_SECONDS)
    traffic.show(cluster, outputs, samples, console)
    settings = os.path.relpath(lab.root / "env")
    console.print(f"\nNext: `. {settings}` and plain `pulumi` and `kubectl` work. To end: `make lab-down`.")


@app.command()
def down() -> None:
    """Destroy the stacks, stop the lab and remove everything it made: this is `make lab-down`."""
    lab, progress = Lab.from_environment(), Progress(console)
    prerequisites.ensure(console)
    if process.find(lab, "kube-apiserver") and deployment.has_stacks(lab):
        try:
            deployment.destroy(lab)
        except LabError as error:
            console.print(f"[yellow]{error}[/]\nGoing on: the lab is removed with all that is in it.", highlight=False)
    lifecycle.stop(lab, progress)
    console.print("The lab is gone, and its stacks' state with it. What was built for it stays in the cache.")


@app.command(name="status")
def show_status() -> None:
    """Say what runs, and why something doesn't."""
    healthy = status.show(Lab.from_environment(), console)
    raise typer.Exit(0 if healthy else 1)


@app.command(name="traffic")
def show_traffic(stack: str = "lab") -> None:
    """Send some requests through the tiers and show them, with what the load generator has measured."""
    lab = Lab.from_environment()
    outputs = deployment.outputs(lab, stack)
    samples = traffic.load_samples(lab, outputs, Progress(console), _LOAD_SECONDS)
    traffic.show(client.connect(lab.kubeconfig), outputs, samples, console)


@app.command()
def logs(component: Annotated[str, typer.Argument(help=f"One of: {', '.join(COMPONENTS)}.")]) -> None:
    """Print a component's log."""
    if component not in COMPONENTS:
        raise LabError(f"No component {component}. There are: {', '.join(COMPONENTS)}.")
    sys.stdout.write(status.text_of(process.log(Lab.from_environment(), component)))


@app.command(name="console")
def show_console(vm: Annotated[str, typer.Argument(help="A VirtualMachine's name.")]) -> None:
    """Print what a guest has written to its console."""
    sys.stdout.write(status.console_of(Lab.from_environment(), vm))


@app.command(name="image")
def make_image(reference: Annotated[str, typer.Argument(help=f"One of: {', '.join(image.REFERENCES)}.")]) -> None:
    """Make a guest image that is not in the cache yet."""
    if reference not in image.REFERENCES:
        raise LabError(f"No image {reference}. There are: {', '.join(image.REFERENCES)}.")
    prerequisites.ensure(console)
    image.ensure(Lab.from_environment(), reference, Progress(console))


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
