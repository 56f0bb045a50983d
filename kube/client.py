"""A Kubernetes client on top of the official one: plain dictionaries, explicit time-outs, typed errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import urllib3
import yaml
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config_from_dict
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, ConfigNode, KubeConfigMerger
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ProtocolError

from kube.errors import ApiError, KubeconfigError, StatusError, UnreachableError
from kube.resources import Object, Resource

# The server ends a watch after this many seconds; a client that receives nothing for longer has lost it.
WATCH_SECONDS = 300
_CONNECT_SECONDS = 5
_PARALLEL = 16
_MESSAGE_LIMIT = 200
_JSON = "application/json"
_POLL_SECONDS = 0.1


class Api:
    """A connection to one API server as one user; safe to share between threads.

    Attributes:
        server: Its URL.
    """

    def __init__(self, configuration: Configuration, *, timeout: float = 30) -> None:
        """Prepare the client without connecting; a response that pauses for `timeout` seconds fails."""
        self.server = str(configuration.host)
        self._client = ApiClient(configuration)
        self._timeout = timeout
        self._discovered: dict[str, dict[str, Resource]] = {}

    def read(self, path: str) -> bytes:
        """Return the body of any path, such as that of a service behind the API server's proxy.

        Raises:
            StatusError: The response is an HTTP error.
            UnreachableError: There was no response in time.
        """
        with self._open("GET", path, {}) as response:
            return response.read()

    def request(
        self, method: str, path: str, body: object = None, *, content_type: str = _JSON, **query: str | None
    ) -> Object:
        """Send a request and return the decoded JSON response; parameters with the value None are omitted.

        Raises:
            ApiError: The request failed, or the response is not JSON.
        """
        with self._open(method, path, query, body, content_type) as response:
            answer = response.read()
        try:
            decoded: Object = json.loads(answer)
        except ValueError:
            message = f"The kubeconfig's server is not a Kubernetes API server: {method} {path} didn't return JSON."
            raise KubeconfigError(message) from None
        return decoded

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return one object.

        Raises:
            ApiError: The object doesn't exist (status 404), or the request failed.
        """
        return self.request("GET", resource.path(namespace, name))

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """Return one object, or None if it doesn't exist."""
        try:
            return self.get(resource, name, namespace)
        except StatusError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(
        self, resource: Resource, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> tuple[list[Object], str]:
        """Return the objects and the resource version to start a watch from."""
        answer = self.request("GET", resource.path(namespace), labelSelector=labels, fieldSelector=fields)
        kind = answer["kind"].removesuffix("List")
        items = [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"] or ()]
        return items, answer["metadata"]["resourceVersion"]

    def watch(
        self, resource: Resource, version: str, namespace: str | None = None, *, labels: str | None = None
    ) -> Iterator[tuple[str, Object]]:
        """Yield (ADDED | MODIFIED | DELETED | BOOKMARK, object) until the server ends the watch.

        Raises:
            UnreachableError: The connection broke.
            StatusError: The resource version is too old (status 410): list again.
        """
        path = resource.path(namespace)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": labels,
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._open("GET", path, query, timeout=WATCH_SECONDS + 30) as response:
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise StatusError(f"watch {path}", status["code"], status["message"], status["reason"])
                yield event["type"], event["object"]

    def create(self, resource: Resource, body: Object, *, dry_run: bool = False, strict: bool = False) -> Object:
        """Create an object in the namespace that its metadata names.

        Args:
            resource: Resource type of the object.
            body: The object.
            dry_run: Whether to validate and admit the object without storing it.
            strict: Whether to refuse unknown fields.
        """
        path = resource.path(body["metadata"].get("namespace"))
        mode, validation = "All" if dry_run else None, "Strict" if strict else None
        return self.request("POST", path, body, dryRun=mode, fieldValidation=validation)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        kind: Literal["apply", "json", "merge", "strategic-merge"] = "merge",
        namespace: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Object:
        """Patch an object or one of its subresources, and return the result.

        With kind "apply" (server-side apply) the object need not exist, the manager takes over fields that others own,
        and the fields that it no longer names are removed.
        """
        path, applied = resource.path(namespace, name, subresource), kind == "apply"
        content_type = f"application/{kind}-patch+{'yaml' if applied else 'json'}"
        force = "true" if applied else None
        return self.request("PATCH", path, body, content_type=content_type, fieldManager=field_manager, force=force)

    def apply(self, *manifests: Object) -> None:
        """Apply manifests server-side as the lab's field manager, in parallel and in no particular order.

        Raises:
            ApiError: The first failure, after every manifest was tried.
        """
        with ThreadPoolExecutor(_PARALLEL) as pool:
            pending = [pool.submit(self._apply, manifest) for manifest in manifests]
        for future in pending:
            future.result()

    def _apply(self, manifest: Object) -> None:
        resource, metadata = self.resource_of(manifest), manifest["metadata"]
        self.patch(
            resource,
            metadata["name"],
            manifest,
            kind="apply",
            namespace=metadata.get("namespace"),
            field_manager="multi-tier-lab",
        )

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object, if it exists and, where `uid` is given, still has that uid."""
        options = {"gracePeriodSeconds": grace_seconds, "preconditions": {"uid": uid}}
        try:
            self.request("DELETE", resource.path(namespace, name), options)
        except StatusError as error:
            replaced = uid is not None and error.status == HTTPStatus.CONFLICT
            if error.status != HTTPStatus.NOT_FOUND and not replaced:
                raise

    def resource_of(self, manifest: Object) -> Resource:
        """Return the resource type of a manifest by API discovery.

        Raises:
            StatusError: The server doesn't serve this kind (yet).
        """
        version, kind = manifest["apiVersion"], manifest["kind"]
        path = ("/apis/" if "/" in version else "/api/") + version
        if kind not in self._discovered.get(version, {}):
            self._discovered[version] = {
                item["kind"]: Resource(version, item["name"], item["namespaced"])
                for item in self.request("GET", path)["resources"]
                if "/" not in item["name"]
            }
        if kind not in self._discovered[version]:
            message = f"the API server doesn't serve kind {kind} in {version}"
            raise StatusError(f"GET {path}", HTTPStatus.NOT_FOUND, message)
        return self._discovered[version][kind]

    def wait_served(self, definitions: Iterable[Object], timeout: float = 30) -> None:
        """Wait until the kinds of CustomResourceDefinitions are served, in all their versions.

        Raises:
            ApiError: One is not after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        for spec in (definition["spec"] for definition in definitions):
            for version in (version["name"] for version in spec["versions"] if version["served"]):
                manifest = {"apiVersion": f"{spec['group']}/{version}", "kind": spec["names"]["kind"]}
                while not self._serves(manifest):
                    if time.monotonic() > deadline:
                        raise ApiError(f"Not served after {timeout:.0f} s: {' '.join(manifest.values())}")
                    time.sleep(_POLL_SECONDS)

    def _serves(self, manifest: Object) -> bool:
        try:
            self.resource_of(manifest)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None],
        body: object = None,
        content_type: str = _JSON,
        timeout: float | None = None,
    ) -> Iterator[BaseHTTPResponse]:
        """Send a request and give access to its response while it arrives."""
        headers = {"Accept": "*/*", "Content-Type": content_type}
        parameters = [(name, value) for name, value in query.items() if value is not None]
        try:
            request = self._client.param_serialize(
                method, path, None, parameters, headers, body, auth_settings=["BearerToken"]
            )
            answer = self._client.call_api(*request, _request_timeout=(_CONNECT_SECONDS, timeout or self._timeout))
            with answer.response as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise _status_error(f"{method} {path}", response.status, response.read())
                yield response
        except (ApiException, HTTPError, OSError) as error:
            raise UnreachableError(f"The API server doesn't answer {method} {path}: {_cause(error)}") from None


def connect(
    kubeconfig: Path | None,
    context: str | None = None,
    cluster: str | None = None,
    *,
    local: bool = True,
    timeout: float = 30,
) -> Api:
    """Return a client for a cluster.

    Args:
        kubeconfig: Kubeconfig file. Default: the files that kubectl reads; without them, a Pod's service account.
        context: Context to use. Default: the current one.
        cluster: Cluster to use. Default: the context's.
        local: Whether the cluster runs on this machine; the proxy settings of the environment are ignored then.
        timeout: Seconds after which an unanswered request fails.

    Raises:
        KubeconfigError: The kubeconfig can't be used.
    """
    configuration = Configuration(retries=False, connection_pool_maxsize=_PARALLEL)
    if local:
        configuration.no_proxy = "*"
    files = str(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)
    found = any(Path(file).expanduser().exists() for file in files.split(":"))
    try:
        if found or kubeconfig or context or cluster:
            # Keys embedded in the kubeconfig must be in files while this process runs.
            directory = str(kubeconfig.parent) if kubeconfig and local else None
            load_kube_config_from_dict(
                _merged(files, context, cluster), context, configuration, persist_config=False, temp_file_path=directory
            )
        else:
            load_incluster_config(configuration)
    except (ConfigException, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split()).rstrip(".") if found else "it does not exist"
        raise KubeconfigError(f"{files} can't be used as a kubeconfig: {cause}.") from None
    return Api(configuration, timeout=timeout)


def _merged(files: str, context: str | None, cluster: str | None) -> ConfigNode | None:
    """Return the content of all files, in which the context has the cluster, if one is given."""
    merged: ConfigNode | None = KubeConfigMerger(files).config
    if merged and cluster:
        merged["contexts"].get_with_name(context or merged["current-context"])["context"].value["cluster"] = cluster
    return merged


def _cause(error: Exception) -> str:
    """Return why there was no response, in words that are not the HTTP library's own."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, NameResolutionError):
        return "its name can't be resolved"
    if isinstance(error, NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return "no response in time"
    if isinstance(error, ProtocolError):
        return "the connection broke, or what answered doesn't speak HTTP"
    return str(error)


def _status_error(request: str, status: int, body: bytes) -> StatusError:
    """Return the error of a Kubernetes Status; a service behind the proxy may answer anything else."""
    try:
        answer = json.loads(body)
        return StatusError(request, status, str(answer["message"]), answer.get("reason", ""))
    except (AttributeError, KeyError, TypeError, ValueError):
        text = body[:_MESSAGE_LIMIT].decode(errors="replace")
        return StatusError(request, status, " ".join(text.split()))
