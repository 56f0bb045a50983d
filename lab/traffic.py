"""Requests through the tiers: a few sent one by one, and the load generator's measurements."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from kube.client import Api
from kube.resources import SERVICES
from lab.config import Lab
from lab.errors import LabError
from lab.progress import Progress
from measure.analysis import statistics
from measure.analysis.recording import SampleBuffer
from measure.analysis.samples import Samples
from measure.failures import MeasureError
from measure.run.stack import StackClient, connect

Stack = dict[str, object]
"""A stack's outputs."""

_SAMPLES = 8
_ACCOUNTS = 1000  # in every stack: pgbench creates 100,000 accounts at its smallest scale
_TITLE_WIDTH = 76
_ENOUGH = 100  # requests, for meaningful percentiles
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Crossing:
    """One request through all tiers; times in milliseconds."""

    account: int
    status: int
    web: str
    application: str
    client_ms: float
    application_ms: float
    database_ms: float


def server_timing(header: str) -> dict[str, float]:
    """Return the durations in a Server-Timing header, in milliseconds by name."""
    return {name: float(value) for name, value in re.findall(r"([\w-]+);dur=([0-9.]+)", header)}


def send(client: httpx.Client, account: int) -> Crossing:
    """Send one request through the web tier.

    Raises:
        httpx.HTTPError: No response.
    """
    started = time.perf_counter()
    response = client.get(f"/api/v1/accounts/{account}")
    elapsed = (time.perf_counter() - started) * 1000
    parts = server_timing(response.headers.get("Server-Timing", ""))
    return Crossing(
        account=account,
        status=response.status_code,
        web=response.headers.get("X-Web-Served-By", "?"),
        application=response.headers.get("X-Served-By", "?"),
        client_ms=elapsed,
        application_ms=parts.get("app", 0.0),
        database_ms=parts.get("db", 0.0),
    )


def reachable_url(cluster: Api, url: str) -> str:
    """Return a stack's URL with the Service's ClusterIP instead of its name, which only guests can resolve.

    Raises:
        ApiError: The Service doesn't exist.
    """
    service, namespace = str(httpx.URL(url).host).split(".")[:2]
    found = cluster.get(SERVICES, service, namespace)
    return f"http://{found['spec']['clusterIP']}"


def load_samples(lab: Lab, stack: Stack, progress: Progress, timeout: float) -> Samples | None:
    """Wait for enough requests from the load generator, and return their samples.

    Returns:
        None if the stack has no load generator.

    Raises:
        LabError: There were not enough requests within `timeout` seconds.
    """
    found = re.search(r"/namespaces/([^/]+)/services/([^/]+)-load:", str(stack.get("loadStatus", "")))
    if not found:
        return None
    cluster = StackClient(connect(lab.kubeconfig, None), namespace=found[1], name=found[2])
    buffer, offset, problem = SampleBuffer(), None, "its virtual machine isn't ready"
    deadline = time.monotonic() + timeout
    with progress.step("Traffic through all tiers") as step:
        while len(buffer.samples) < _ENOUGH:
            try:
                status = cluster.status()
                problem = status.run.problem if status.run else "it has no plan yet"
                offset = status.samples.next if offset is None else offset
                lines = cluster.samples(offset)
                buffer.append(lines)
                offset += len(lines)
            except MeasureError as error:
                problem = str(error)
            step.say(f"{len(buffer.samples)} requests")
            if time.monotonic() > deadline:
                raise LabError(
                    f"No traffic after {timeout:.0f} s. Load generator: {problem or 'no problem reported'}. "
                    "Find what isn't ready with `.venv/bin/python -m lab status`; for a guest's console, "
                    "`.venv/bin/python -m lab console <vm>`."
                )
            time.sleep(_POLL_SECONDS)
    return buffer.samples


def requests_table(crossings: list[Crossing], url: str) -> Table:
    """Return a table of single requests, with the VMs that served them and the time in each tier."""
    table = Table(title=f"Requests through {url} just now (ms)", title_justify="left", min_width=_TITLE_WIDTH)
    for column in ("account", "status"):
        table.add_column(column, justify="right")
    for column in ("web VM", "application VM"):
        table.add_column(column)
    for column in ("total", "web", "application", "database"):
        table.add_column(column, justify="right")
    for one in crossings:
        own = (one.client_ms, one.client_ms - one.application_ms, one.application_ms - one.database_ms, one.database_ms)
        where = (str(one.account), str(one.status), one.web, one.application)
        table.add_row(*where, *(f"{milliseconds:.2f}" for milliseconds in own))
    return table


def load_table(samples: Samples) -> Table:
    """Return a table of response times by tier, the tiers behind included, as the load generator measured them."""
    seconds = float(samples["sent"].max() - samples["sent"].min()) / 1000
    errors = float((samples["good"] == 0).mean())
    title = f"Load generator: {len(samples)} requests, {len(samples) / seconds:.1f}/s, {errors:.2%} errors (ms)"
    table = Table(title=title, title_justify="left", min_width=_TITLE_WIDTH)
    table.add_column("response of")
    for column in ("p50", "p90", "p95", "max"):
        table.add_column(column, justify="right")
    for tier, times in statistics.latency_from_send(samples).items():
        table.add_row(tier, *(f"{value:.2f}" for value in (times.p50, times.p90, times.p95, times.max)))
    return table


def show(cluster: Api, stack: Stack, samples: Samples | None, console: Console) -> None:
    """Send some requests through the web tier and print them, with the load generator's measurements.

    Raises:
        LabError: The stack's Services don't respond.
    """
    url = reachable_url(cluster, str(stack["url"]))
    try:
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            send(client, 1)  # opens the connection, which the table would otherwise include
            crossings = [send(client, random.randint(1, _ACCOUNTS)) for _ in range(_SAMPLES)]  # noqa: S311
    except httpx.HTTPError as error:
        raise LabError(f"{url} doesn't respond: {error}. See `.venv/bin/python -m lab status`.") from None
    console.print(requests_table(crossings, str(stack["url"])))
    if samples is not None:
        console.print(load_table(samples))
