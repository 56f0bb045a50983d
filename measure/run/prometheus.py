"""PromQL queries from a file, asked of a Prometheus for the time of a start."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from measure.failures import MeasureError, NotServingError, WrongUsageError
from measure.startup_summary import QueryResult

TOKEN = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of an environment variable
_TIMEOUT = 10.0
_POINTS = 1000  # at most, in each series


def read_queries(path: Path) -> dict[str, str]:
    """Return the queries in a YAML file, by name.

    Raises:
        WrongUsageError: It can't be read, or is no mapping of names to queries.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise WrongUsageError(f"Can't read --queries {path}: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise WrongUsageError(f"--queries {path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(document, dict) or not document:
        raise WrongUsageError(f"--queries {path} must map names to PromQL queries, such as `pods: sum(up)`.")
    for name, query in document.items():
        if not (isinstance(name, str) and isinstance(query, str) and query.strip()):
            raise WrongUsageError(f"--queries {path}: {name!r} must be a name with a PromQL query, not {query!r}.")
    return document


class Prometheus:
    """A Prometheus server, or anything with its HTTP API."""

    def __init__(self, url: str, queries: Mapping[str, str]) -> None:
        """Ask for nothing yet; the environment variable PROMETHEUS_TOKEN may hold a bearer token."""
        token = os.environ.get(TOKEN)
        try:
            self._client = httpx.Client(
                base_url=f"{url.rstrip('/')}/api/v1/",
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=_TIMEOUT,
            )
        except httpx.InvalidURL:
            raise WrongUsageError(f"--prometheus {url!r} is not a URL, such as http://prometheus:9090.") from None
        self._queries = queries

    def check(self) -> None:
        """Ask for the current value of each query, so that a mistake is known before anything is started.

        Raises:
            WrongUsageError: Prometheus can't be reached, or refuses a query.
        """
        for name, query in self._queries.items():
            try:
                self._ask("query", query=query)
            except MeasureError as error:
                raise WrongUsageError(f"Query {name!r}: {error}") from None

    def ask(self, start: float, end: float) -> dict[str, QueryResult]:
        """Return each query's result between two Unix times, or what went wrong."""
        found = {}
        step = max(1, math.ceil((end - start) / _POINTS))
        for name, query in self._queries.items():
            series, problem = [], ""
            try:
                series = self._ask("query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step}")
            except MeasureError as error:
                problem = str(error)
            found[name] = QueryResult(query=query, series=series, problem=problem)
        return found

    def _ask(self, path: str, **parameters: str) -> list[Any]:
        try:
            response = self._client.post(path, data=parameters)
            answer = response.json()
            if answer["status"] == "success":
                return list(answer["data"]["result"])
            said = f"{answer['errorType']}: {answer['error']}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Without the URL, which may hold a password.
            said = str(error) or type(error).__name__
            raise NotServingError(f"Prometheus doesn't answer: {said}. See --prometheus.") from None
        except (KeyError, TypeError, ValueError):
            said = f"the server answered with HTTP status {response.status_code}, but is not Prometheus"
        raise NotServingError(f"Prometheus refuses it: {' '.join(said.split())}.")
