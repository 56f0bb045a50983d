"""Showing the requests that cross the tiers: some sent now, one by one, and what the load generator has measured."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from lab import api
from lab.config import LabError
from lab.progress import Progress

Stack = dict[str, object]  # a stack's outputs
SERVICES = api.Resource("v1", "services")
_SAMPLES = 8
_ACCOUNTS = 1000  # every stack has these: pgbench makes 100,000 accounts at its smallest scale
_TRENDS = {"client": "client_time", "application": "application_time", "database": "database_time"}
_TITLE_WIDTH = 76
_METRICS_AFTER = 100  # answers, for percentiles that mean something


@dataclass(frozen=True, slots=True)
class Crossing:
    """One request that crossed all tiers; times in milliseconds."""

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
        httpx.HTTPError: no answer.
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


def reachable_url(cluster: api.Api, url: str) -> str:
    """Return a stack's URL with the Service's ClusterIP for its name, which only guests can resolve.

    Raises:
        ApiError: there is no such Service.
    """
    service, namespace = str(httpx.URL(url).host).split(".")[:2]
    found = cluster.get(SERVICES, service, namespace)
    return f"http://{found['spec']['clusterIP']}"


def load_metrics(cluster: api.Api, stack: Stack) -> dict[str, dict[str, float]]:
    """Return k6's live metrics by name, or nothing while it doesn't run."""
    path = str(stack.get("loadMetrics", "")).partition("--raw ")[2]
    try:
        answer = cluster.request("GET", path, timeout=5)
        return {item["id"]: item["attributes"]["sample"] for item in answer["data"]}
    except (api.ApiError, ValueError, KeyError, TypeError):
        return {}


def wait_for_load(cluster: api.Api, stack: Stack, progress: Progress, timeout: float) -> None:
    """Wait until the load generator, where the stack has one, has measured enough requests to show.

    Raises:
        LabError: it did not within `timeout` seconds.
    """
    if "loadMetrics" not in stack:
        return
    deadline = time.monotonic() + timeout
    with progress.step("Traffic through all tiers") as step:
        while (count := load_metrics(cluster, stack).get("answers", {}).get("count", 0)) < _METRICS_AFTER:
            step.say(f"{count:.0f} requests")
            if time.monotonic() > deadline:
                raise LabError(
                    f"No traffic after {timeout:.0f} s. `python -m lab status` says what isn't ready, "
                    "`python -m lab console <vm>` what a guest said."
                )
            time.sleep(0.2)


def requests_table(crossings: list[Crossing], url: str) -> Table:
    """Return a table of single requests: where each went and how long each tier took."""
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


def load_table(metrics: dict[str, dict[str, float]]) -> Table:
    """Return a table of what the load generator measured: time seen at each tier, that of the tiers behind included."""
    answers, wrong = metrics["answers"], metrics.get("unexpected_answers", {}).get("rate", 0.0)
    title = f"Load generator: {answers['count']:.0f} requests, {answers['rate']:.1f}/s, {wrong:.2%} unexpected (ms)"
    table = Table(title=title, title_justify="left", min_width=_TITLE_WIDTH)
    table.add_column("seen by")
    for column in ("p50", "p90", "p95", "max"):
        table.add_column(column, justify="right")
    for tier, metric in _TRENDS.items():
        sample = metrics.get(metric, {})
        values = (sample.get(key) for key in ("med", "p(90)", "p(95)", "max"))
        table.add_row(tier, *("-" if value is None else f"{value:.2f}" for value in values))
    return table


def show(cluster: api.Api, stack: Stack, console: Console) -> None:
    """Send some requests through the web tier and print them, with what the load generator has measured.

    Raises:
        LabError: the stack's Services are not there, or don't answer.
    """
    url = reachable_url(cluster, str(stack["url"]))
    try:
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            send(client, 1)  # opens the connection, so that the rows don't count it
            crossings = [send(client, random.randint(1, _ACCOUNTS)) for _ in range(_SAMPLES)]  # noqa: S311
    except httpx.HTTPError as error:
        raise LabError(f"{url} doesn't answer: {error}. See `python -m lab status`.") from None
    console.print(requests_table(crossings, str(stack["url"])))
    if metrics := load_metrics(cluster, stack):
        console.print(load_table(metrics))
