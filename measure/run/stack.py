"""The load objects of a stack: its ConfigMap, and its load agent through the API server's service proxy."""

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
from measure.failures import ApiStatusError, ApiUnreachableError, NotServingError, WrongUsageError
from measure.run.agent import AgentStatus

FIELD_MANAGER = "multi-tier-measure"
PLAN, GATES, RUN = "plan.json", "gates.json", "run.json"
_READ_SECONDS = 10
_NOT_ALLOWED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class LoadObject:
    """The ConfigMap that holds the load plan.

    Attributes:
        data: Its keys.
        version: Its resource version, to detect concurrent changes.
        changed: Unix time when a run was last added or removed, None if never.
    """

    data: dict[str, str]
    version: str
    changed: float | None


class StackClient:
    """Client of one stack: its load, and anything else that its API server can tell."""

    def __init__(self, api: Api, *, namespace: str, name: str) -> None:
        self._api = api
        self.namespace = namespace
        self.name = name

    @property
    def load_name(self) -> str:
        """Name of the load's ConfigMap and Service."""
        return f"{self.name}-load"

    @property
    def faults_name(self) -> str:
        """Name of the faults' ConfigMap."""
        return f"{self.name}-faults"

    @property
    def reports_name(self) -> str:
        """Name of the ConfigMap with the guests' reports."""
        return f"{self.name}-fault-reports"

    def load_object(self) -> LoadObject:
        """Read the ConfigMap.

        Raises:
            WrongUsageError: The stack has no load generator.
            NotServingError: The stack doesn't exist.
            ApiUnreachableError: No response.
        """
        try:
            found = self.read(CONFIG_MAPS.path(self.namespace, self.load_name))
        except ApiStatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise self._no_load() from None
        managers = found["metadata"].get("managedFields", ())
        changed = [datetime.fromisoformat(one["time"]) for one in managers if one.get("manager") == FIELD_MANAGER]
        return LoadObject(
            data=found.get("data") or {},
            version=found["metadata"]["resourceVersion"],
            changed=max(changed).timestamp() if changed else None,
        )

    def put_run(self, text: str, version: str) -> None:
        """Add a run to the ConfigMap, unless that changed since it was read.

        Raises:
            ApiStatusError: It changed (status 409).
        """
        self._apply(self.load_name, {RUN: text}, version)

    def remove_run(self, version: str) -> None:
        """Remove the run from the ConfigMap, unless that changed since it was read.

        Raises:
            ApiStatusError: It changed (status 409).
        """
        self._apply(self.load_name, {}, version)

    def config_map(self, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap of the stack.

        Raises:
            MeasureError: It doesn't exist, can't be read, or there was no response.
        """
        return dict(self.read(CONFIG_MAPS.path(self.namespace, name)).get("data") or {})

    def put_faults(self, text: str | None) -> None:
        """Add the fault plan of a run, instead of any earlier run's; None removes it.

        Raises:
            MeasureError: The API server refused, or there was no response.
        """
        self._apply(self.faults_name, {} if text is None else {RUN: text})

    def _apply(self, name: str, data: dict[str, str], version: str | None = None) -> None:
        metadata = {"name": name, "namespace": self.namespace, "resourceVersion": version}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        with measure_errors():
            self._api.patch(
                CONFIG_MAPS,
                name,
                body,
                kind="apply",
                namespace=self.namespace,
                field_manager=FIELD_MANAGER,
            )

    def status(self) -> AgentStatus:
        """Return the status of the load agent.

        Raises:
            NotServingError: The agent is unreachable or of another version.
            ApiUnreachableError: No response.
        """
        try:
            return AgentStatus.model_validate_json(self._from_agent("/status"))
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            message = f"Service {self.load_name} doesn't respond like a load agent of this version: {problem}."
            raise NotServingError(message) from None

    def samples(self, offset: int) -> bytes:
        """Return whole lines of samples from a byte offset on, about 1 MiB at most; empty at the end.

        Raises:
            ApiStatusError: The agent has discarded them (status 410).
            ApiUnreachableError: No response.
        """
        return self._from_agent(f"/samples?from={offset}")

    def read(self, path: str) -> Any:
        """Return the JSON at an API path.

        Raises:
            ApiStatusError: The server returned an error, such as 404.
            WrongUsageError: Access is denied, or the server is not an API server.
            ApiUnreachableError: No response.
        """
        with measure_errors():
            return self._api.request("GET", path)

    def _from_agent(self, path: str) -> bytes:
        proxy = SERVICES.path(self.namespace, f"{self.load_name}:http", "proxy")
        try:
            with measure_errors():
                return self._api.read(proxy + path)
        except ApiStatusError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                message = f"Service {self.load_name} in namespace {self.namespace} has no load agent."
            elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                message = f"The load agent of Service {self.load_name} doesn't respond. Is its virtual machine ready?"
            else:
                raise
            raise ApiStatusError(f"{message} API server: {error}", error.status) from None

    def _no_load(self) -> WrongUsageError | NotServingError:
        """Return whether the load generator or the whole stack is missing."""
        try:
            self.read(SERVICES.path(self.namespace, f"{self.name}-web"))
        except ApiStatusError:
            return NotServingError(
                f"No stack {self.name} in namespace {self.namespace}: ConfigMap {self.load_name} not found. "
                "Check --name, --namespace and --context, or run `pulumi up`."
            )
        return WrongUsageError(
            f"Stack {self.name} has no load generator. Set load.enabled to true and run `pulumi up`."
        )


def connect(kubeconfig: Path | None, context: str | None, *, timeout: float = _READ_SECONDS) -> Api:
    """Return a client for the cluster of a kubeconfig, or for this Pod's own without one.

    Args:
        kubeconfig: Kubeconfig file.
        context: Context to use; None: the current one.
        timeout: Seconds after which an unanswered request fails.

    Raises:
        WrongUsageError: The kubeconfig can't be used.
    """
    with measure_errors():
        return client.connect(kubeconfig, context, local=False, timeout=timeout)


@contextmanager
def measure_errors() -> Iterator[None]:
    """Turn the client's errors into this program's, which have exit codes."""
    try:
        yield
    except KubeconfigError as error:
        raise WrongUsageError(f"{error} See --kubeconfig.") from None
    except UnreachableError as error:
        raise ApiUnreachableError(str(error)) from None
    except StatusError as error:
        if error.status in _NOT_ALLOWED:
            raise WrongUsageError(
                f"The kubeconfig's user is not allowed to {error}. docs/measure.md lists the permissions it needs."
            ) from None
        raise ApiStatusError(f"{error.status} {error.message}".strip(), error.status) from None
