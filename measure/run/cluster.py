"""A stack in a cluster as measuring touches it: its load's ConfigMap, and its load agent through the API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kube import client
from kube.client import Api
from kube.errors import KubeconfigError, StatusError, UnreachableError
from kube.resources import CONFIG_MAPS, SERVICES
from measure.failures import ApiAwayError, NotServingError, RefusedError, WrongUsageError
from measure.run.agent import AgentStatus

FIELD_MANAGER = "multi-tier-measure"
PLAN, GATES, RUN = "plan.json", "gates.json", "run.json"
_READ_SECONDS = 10
_NOT_ALLOWED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class LoadObject:
    """The stack's ConfigMap of the load.

    Attributes:
        data: its keys.
        version: its resource version, so that nobody's change is overwritten unseen.
        put: Unix time when a measuring program last put or removed a run, None if none has.
    """

    data: dict[str, str]
    version: str
    put: float | None


class Cluster:
    """One stack in one cluster."""

    def __init__(self, api: Api, *, namespace: str, name: str) -> None:
        self._api = api
        self.namespace = namespace
        self.name = name

    @property
    def load_name(self) -> str:
        """The ConfigMap and the Service of the load."""
        return f"{self.name}-load"

    def load_object(self) -> LoadObject:
        """Read the ConfigMap.

        Raises:
            WrongUsageError: the stack has no load.
            NotServingError: there is no such stack.
            ApiAwayError: no answer.
        """
        try:
            found = self.read(CONFIG_MAPS.path(self.namespace, self.load_name))
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise self._no_load() from None
        managers = found["metadata"].get("managedFields", ())
        put = [datetime.fromisoformat(one["time"]) for one in managers if one.get("manager") == FIELD_MANAGER]
        return LoadObject(
            data=found.get("data") or {},
            version=found["metadata"]["resourceVersion"],
            put=max(put).timestamp() if put else None,
        )

    def put_run(self, text: str, version: str) -> None:
        """Put a run into the ConfigMap, if it still has the version that was read.

        Raises:
            RefusedError: somebody changed it since (status 409).
        """
        self._apply({RUN: text}, version)

    def remove_run(self, version: str) -> None:
        """Take the run out of the ConfigMap, if it still has the version that was read.

        Raises:
            RefusedError: somebody changed it since (status 409).
        """
        self._apply({}, version)

    def _apply(self, data: dict[str, str], version: str) -> None:
        metadata = {"name": self.load_name, "namespace": self.namespace, "resourceVersion": version}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        with _measure_errors():
            self._api.patch(
                CONFIG_MAPS,
                self.load_name,
                body,
                kind="apply",
                namespace=self.namespace,
                field_manager=FIELD_MANAGER,
            )

    def status(self) -> AgentStatus:
        """Ask the load agent how it is.

        Raises:
            NotServingError: it isn't reachable, or is no load agent.
            ApiAwayError: no answer.
        """
        try:
            return AgentStatus.model_validate_json(self._from_agent("/status"))
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            message = f"What Service {self.load_name} leads to is no load agent that this program knows: {problem}."
            raise NotServingError(message) from None

    def samples(self, offset: int) -> bytes:
        """Return whole lines of samples from a byte offset, at most about 1 MiB; nothing at their end.

        Raises:
            RefusedError: the agent no longer has them (status 410).
            ApiAwayError: no answer.
        """
        return self._from_agent(f"/samples?from={offset}")

    def read(self, path: str) -> Any:
        """Return the decoded JSON of any path of the API.

        Raises:
            RefusedError: there is no such thing.
            WrongUsageError: it may not be read, or what answers is no API server.
            ApiAwayError: no answer.
        """
        with _measure_errors():
            return self._api.request("GET", path)

    def _from_agent(self, path: str) -> bytes:
        proxy = SERVICES.path(self.namespace, f"{self.load_name}:http", "proxy")
        try:
            with _measure_errors():
                return self._api.read(proxy + path)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                message = f"There is no load agent behind Service {self.load_name} in namespace {self.namespace}."
            elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                message = f"The load agent behind Service {self.load_name} doesn't answer: is its machine ready?"
            else:
                raise
            raise RefusedError(f"{message} The API server says: {error}", error.status) from None

    def _no_load(self) -> WrongUsageError | NotServingError:
        """Say whether the stack has no load, or is none."""
        try:
            self.read(SERVICES.path(self.namespace, f"{self.name}-web"))
        except RefusedError:
            return NotServingError(
                f"There is no stack {self.name} in namespace {self.namespace}: ConfigMap {self.load_name} is missing. "
                "See --name, --namespace and --context, or run `pulumi up`."
            )
        return WrongUsageError(
            f"The stack {self.name} has no load generator: set load.enabled to true and run `pulumi up`. "
            "Without it there is nothing to measure and no gate to judge."
        )


def connect(kubeconfig: Path | None, context: str | None) -> Api:
    """Return a client for the cluster of a kubeconfig, or for the one that this Pod runs in.

    Raises:
        WrongUsageError: the kubeconfig can't be used.
    """
    with _measure_errors():
        return client.connect(kubeconfig, context, local=False, timeout=_READ_SECONDS)


@contextmanager
def _measure_errors() -> Iterator[None]:
    """Turn the client's errors into those that end measuring, each with its exit code."""
    try:
        yield
    except KubeconfigError as error:
        raise WrongUsageError(f"{error} See --kubeconfig.") from None
    except UnreachableError as error:
        raise ApiAwayError(str(error)) from None
    except StatusError as error:
        if error.status in _NOT_ALLOWED:
            raise WrongUsageError(
                f"The kubeconfig's user is not allowed to {error}. docs/measure.md lists the permissions it needs."
            ) from None
        raise RefusedError(f"{error.status} {error.message}".strip(), error.status) from None
