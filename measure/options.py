"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cloudinit import load_plan
from measure.analysis.gates import GATES
from measure.analysis.startup import FIGURES, FIRST_ANSWER
from measure.startup_summary import Phase

_STACK = "the stack's"

Namespace = Annotated[str, typer.Option(help="Namespace of the stack.")]
Name = Annotated[str, typer.Option(help="The stack's `name` setting.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Kubeconfig file.", show_default="$KUBECONFIG, ~/.kube/config or the Pod's own")
]
KubeContext = Annotated[
    str | None, typer.Option("--context", help="Context in the kubeconfig.", show_default="the current one")
]
Profile = Annotated[
    str | None, typer.Option(help=f"Shape of the load: {', '.join(load_plan.Profile)}.", show_default=_STACK)
]
Rps = Annotated[
    int | None,
    typer.Option(help="Requests per second at the start, scheduled as an open model.", show_default=_STACK),
]
Peak = Annotated[
    int | None,
    typer.Option(help="Highest rate of ramp, stress and spike.", show_default=f"{_STACK}; with --rps, 4 times that"),
]
Duration = Annotated[str | None, typer.Option("--for", help="Duration, such as 60s or 10m.", show_default=_STACK)]
Concurrency = Annotated[
    int | None,
    typer.Option(help="Connections. With all of them busy, requests wait; the wait counts.", show_default=_STACK),
]
Mix = Annotated[
    str | None,
    typer.Option(
        help=f"Weights of the kinds of requests ({', '.join(load_plan.MIX)}), such as random=80,write=5. Others get 0.",
        show_default=_STACK,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Seed of the sequence of requests; the same seed repeats it.", show_default=_STACK),
]
Gates = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        help=f"Limit that has to hold, such as total.p99=50; NAME=none removes one. Gates: {', '.join(GATES)}.",
        show_default=_STACK,
    ),
]
Timeout = Annotated[str, typer.Option(help="How long to wait for the run to start.")]
Repeat = Annotated[int, typer.Option(help="Number of runs, one after the other, so that `compare` knows their spread.")]
Results = Annotated[Path, typer.Option(help="Directory for the run's own directory.")]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        help="Fault with the keys of chaos.faults, such as "
        "tier=application,network.latency=50ms,start=20s,duration=20s. May be given several times.",
        show_default=_STACK,
    ),
]
CommandLine = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="COMMAND",
        help="Command that creates the machines, such as pulumi up --yes.",
        show_default="none; something else creates them",
    ),
]
Machines = Annotated[
    int | None, typer.Option(min=1, help="Number of machines that will start.", show_default="those of the command")
]
Until = Annotated[Phase, typer.Option(help="Phase that every machine has to reach.")]
StartGates = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        help=f"Limit that has to hold, such as ready.p95=30s, web.serving.max=20s or {FIRST_ANSWER}=12s. "
        f"Phases: {', '.join(Phase)}; figures: {', '.join(FIGURES)}.",
    ),
]
StartTimeout = Annotated[str, typer.Option("--timeout", help="How long all machines may take.")]
Queries = Annotated[Path | None, typer.Option(help="YAML file with PromQL queries by name.")]
PrometheusUrl = Annotated[
    str | None,
    typer.Option("--prometheus", help="URL of the Prometheus to ask; a bearer token is read from $PROMETHEUS_TOKEN."),
]
Selector = Annotated[
    str | None, typer.Option(help="Label selector of the machines.", show_default="those of the stack")
]
