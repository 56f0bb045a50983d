"""A stack in a cluster as measuring touches it: its load's ConfigMap, and its load agent through the API server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from measure.failures import ApiAwayError, NotServingError, RefusedError, WrongUsageError
from measure.run.agent import AgentStatus

FIELD_MANAGER = "multi-tier-measure"
PLAN, GATES, RUN = "plan.json", "gates.json", "run.json"
_CONNECT_SECONDS, _READ_SECONDS = 5, 10
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

    def __init__(self, configuration: Configuration, *, namespace: str, name: str) -> None:
        """Prepare; nothing is asked yet."""
        self._client = ApiClient(configuration)
        self.namespace = namespace
        self.name = name
        self._load = f"/api/v1/namespaces/{namespace}/configmaps/{name}-load"
        self._agent = f"/api/v1/namespaces/{namespace}/services/{name}-load:http/proxy"

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
            found = self.read(self._load)
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
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        self._request("PATCH", self._load, query=query, body=json.dumps(body), content="application/apply-patch+yaml")

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
        return self._from_agent("/samples", [("from", str(offset))])

    def read(self, path: str) -> Any:
        """Return the decoded JSON of any path of the API.

        Raises:
            RefusedError: there is no such thing.
            WrongUsageError: it may not be read, or what answers is no API server.
            ApiAwayError: no answer.
        """
        try:
            return json.loads(self._request("GET", path))
        except ValueError:
            raise WrongUsageError("What the kubeconfig leads to is no Kubernetes API server.") from None

    def _from_agent(self, path: str, query: list[tuple[str, str]] | None = None) -> bytes:
        try:
            return self._request("GET", self._agent + path, query=query)
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
            self._request("GET", f"/api/v1/namespaces/{self.namespace}/services/{self.name}-web")
        except RefusedError:
            return NotServingError(
                f"There is no stack {self.name} in namespace {self.namespace}: ConfigMap {self.load_name} is missing. "
                "See --name, --namespace and --context, or run `pulumi up`."
            )
        return WrongUsageError(
            f"The stack {self.name} has no load generator: set load.enabled to true and run `pulumi up`. "
            "Without it there is nothing to measure and no gate to judge."
        )

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: str | None = None,
        content: str = "application/json",
    ) -> bytes:
        headers = {"Accept": "*/*", "Content-Type": content}
        asked = self._client.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            answer = self._client.call_api(*asked, _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS))
            content_read: bytes = answer.read()
        except (ApiException, HTTPError, OSError) as error:
            raise ApiAwayError(f"The API server doesn't answer: {error}") from None
        if answer.status in _NOT_ALLOWED:
            raise WrongUsageError(
                f"The kubeconfig's user may not {method} {path}: {_message(content_read)} See docs/measure.md for "
                "what it has to be allowed."
            )
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RefusedError(f"{answer.status} {_message(content_read)}".strip(), answer.status)
        return content_read


def connect(kubeconfig: Path | None, context: str | None) -> Configuration:
    """Return how to reach a cluster: by a kubeconfig, or from inside a Pod where there is none.

    Raises:
        WrongUsageError: it can't be used, or has no such context.
    """
    configuration = Configuration()
    configuration.retries = False
    places = [str(kubeconfig)] if kubeconfig else KUBE_CONFIG_DEFAULT_LOCATION.split(":")
    try:
        if kubeconfig is None and context is None and not any(Path(one).expanduser().exists() for one in places):
            load_incluster_config(configuration)
        else:
            load_kube_config(
                str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
    except (ConfigException, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        if not any(Path(one).expanduser().exists() for one in places):
            raise WrongUsageError(f"There is no kubeconfig {':'.join(places)}: see --kubeconfig.") from None
        message = " ".join(str(error).split()).rstrip(".")
        raise WrongUsageError(f"{':'.join(places)} can't be used as a kubeconfig: {message}.") from None
    return configuration


def _message(body: bytes) -> str:
    """Return the message of a Kubernetes Status, or of an answer that is none its first characters."""
    try:
        return str(json.loads(body)["message"])
    except (KeyError, TypeError, ValueError):
        return " ".join(body[:200].decode("utf-8", errors="replace").split())
