"""The Kubernetes API as the lab uses it: the official client with plain dictionaries, time-outs and one error class."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.dynamic import DynamicClient
from kubernetes.watch import Watch
from urllib3.exceptions import HTTPError

from kube.resources import ApiError, Object, PatchType, Resource
from lab.errors import LabError

__all__ = ["Api", "ApiError", "Object", "Resource", "apply", "connect", "wait_established"]

_DEFINITIONS = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
# The server ends a watch after this long; a reader that hears nothing for longer has lost it.
WATCH_SECONDS = 300
_CONNECT_SECONDS = 5
_PARALLEL = 16


class Api:
    """A connection to one API server as one user, safe between threads."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare; nothing is asked yet."""
        # The library's own discovery asks at once, without a time-out, and keeps the answers in a file for all users.
        self._client = DynamicClient(ApiClient(configuration), discoverer=lambda *_: None)
        self._served: dict[str, dict[str, Resource]] = {}

    def request(self, method: str, path: str, *, timeout: float = 30, **options: object) -> Any:
        """Send one request and return the decoded answer; options are those of `DynamicClient.request`.

        Raises:
            ApiError: the server refused it, or did not answer within `timeout` seconds.
        """
        with _errors(f"{method} {path}"):
            return self._client.request(
                method, path, serializer=lambda _, data: data, _request_timeout=(_CONNECT_SECONDS, timeout), **options
            )

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return one object.

        Raises:
            ApiError: there is none (status 404), or the request failed.
        """
        found: Object = self.request("GET", resource.path(namespace, name))
        return found

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """Return one object, or None when there is none."""
        try:
            return self.get(resource, name, namespace)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(
        self, resource: Resource, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> tuple[list[Object], str]:
        """Return the objects and the resource version at which a watch goes on from them."""
        answer = self.request("GET", resource.path(namespace), label_selector=labels, field_selector=fields)
        kind = answer["kind"].removesuffix("List")
        items = [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"] or ()]
        return items, answer["metadata"]["resourceVersion"]

    def watch(self, resource: Resource, version: str, *, labels: str | None = None) -> Iterator[tuple[str, Object]]:
        """Yield (ADDED | MODIFIED | DELETED | BOOKMARK, object) until the server ends the watch.

        Raises:
            ApiError: the connection broke, or the version is too old (status 410): list again.
        """
        path = resource.path()
        with _errors(f"watch {path}"):
            for event in Watch().stream(
                self._client.request,
                "GET",
                path,
                serialize=False,
                allow_watch_bookmarks=True,
                label_selector=labels,
                resource_version=version,
                timeout_seconds=WATCH_SECONDS,  # with this, the library leaves it to the caller to watch again
                _request_timeout=(_CONNECT_SECONDS, WATCH_SECONDS + 30),
            ):
                yield event["type"], event["object"]

    def create(self, resource: Resource, body: Object) -> Object:
        """Create an object in the namespace that its metadata names."""
        made: Object = self.request("POST", resource.path(body["metadata"].get("namespace")), body=body)
        return made

    def patch(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        kind: PatchType = "merge",
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Patch an object or its status, and return the result."""
        path = resource.path(namespace, name, subresource)
        patched: Object = self.request("PATCH", path, body=body, content_type=f"application/{kind}-patch+json")
        return patched

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object, only while it has that uid if one is given; one that is gone already is no error."""
        options = {"gracePeriodSeconds": grace_seconds, "preconditions": {"uid": uid}}
        try:
            self.request("DELETE", resource.path(namespace, name), body=options)
        except ApiError as error:
            another_uid = uid is not None and error.status == HTTPStatus.CONFLICT
            if error.status != HTTPStatus.NOT_FOUND and not another_uid:
                raise

    def resource_of(self, manifest: Object) -> Resource:
        """Return the resource of a manifest by the server's own discovery.

        Raises:
            ApiError: the server knows no such kind (yet).
        """
        version, kind = manifest["apiVersion"], manifest["kind"]
        if kind not in self._served.get(version, {}):
            served = self.request("GET", ("/apis/" if "/" in version else "/api/") + version)["resources"]
            self._served[version] = {
                item["kind"]: Resource(version, item["name"], item["namespaced"])
                for item in served
                if "/" not in item["name"]
            }
        if kind not in self._served[version]:
            raise ApiError(f"The API server knows no kind {kind} in {version}.", HTTPStatus.NOT_FOUND)
        return self._served[version][kind]

    def apply(self, manifest: Object) -> None:
        """Make an object like the manifest, whether or not it exists; what others set beside it stays."""
        metadata = manifest["metadata"]
        self.request(
            "PATCH",
            self.resource_of(manifest).path(metadata.get("namespace"), metadata["name"]),
            body=manifest,
            content_type="application/apply-patch+yaml",
            field_manager="multi-tier-lab",
            force_conflicts=True,
        )


def apply(api: Api, manifests: Iterable[Object]) -> None:
    """Apply manifests in parallel; the order is not kept.

    Raises:
        ApiError: the first refusal, after all others were tried.
    """
    with ThreadPoolExecutor(_PARALLEL) as pool:
        waiting = [pool.submit(api.apply, manifest) for manifest in manifests]
    for done in waiting:
        done.result()


def wait_established(api: Api, names: Iterable[str], timeout: float = 30) -> None:
    """Wait until CustomResourceDefinitions are served.

    Raises:
        ApiError: some are not after `timeout` seconds.
    """
    wanted, deadline = set(names), time.monotonic() + timeout
    while missing := wanted - {item["metadata"]["name"] for item in api.list(_DEFINITIONS)[0] if _established(item)}:
        if time.monotonic() > deadline:
            raise ApiError(f"Not served after {timeout:.0f} s: {', '.join(sorted(missing))}")
        time.sleep(0.1)


def _established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def connect(kubeconfig: Path) -> Api:
    """Return a client for a kubeconfig's current context.

    Raises:
        LabError: the file can't be used.
    """
    # The lab is on this machine: no proxy leads there, whatever the environment says.
    configuration = Configuration(retries=False, connection_pool_maxsize=_PARALLEL, no_proxy="*")
    beside = str(kubeconfig.parent)  # a key that stands in the kubeconfig itself has to be a file for as long as we run
    try:
        load_kube_config(
            str(kubeconfig), client_configuration=configuration, persist_config=False, temp_file_path=beside
        )
    except (ConfigException, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise LabError(f"{kubeconfig} can't be used as a kubeconfig: {error}") from None
    return Api(configuration)


@contextmanager
def _errors(action: str) -> Iterator[None]:
    """Say each way in which a request can fail in the lab's own terms."""
    try:
        yield
    except ApiException as error:
        try:
            answer = dict(json.loads(error.body or "{}"))
        except (TypeError, ValueError):  # of a Service behind the API, which answers as it likes
            answer = {"message": error.body}
        message = f"{action}: {error.status} {answer.get('message', error.reason)}"
        raise ApiError(message, error.status, answer.get("reason", "")) from None
    except (HTTPError, ValueError) as error:
        raise ApiError(f"{action}: no answer from the API server: {error}") from None
