"""A small client of the Kubernetes API: plain dictionaries in and out, one connection pool, safe between threads.

It asks no schema and loads no model classes, which keeps the node agent and `python -m lab` small and quick to start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from lab import kubeconfig
from lab.kubeconfig import Access
from lab.resources import ApiError, Object, PatchType, Resource

__all__ = ["Api", "ApiError", "Object", "Resource", "apply", "connect", "wait_established"]

_CONTENT_TYPES: Mapping[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
# The server ends a watch after this long; a reader that hears nothing for longer has lost it.
WATCH_SECONDS = 300
_PARALLEL = 16


class Api:
    """A connection to one API server as one user."""

    def __init__(self, access: Access) -> None:
        """Keep a pool of connections; none is opened before the first request."""
        self.server = access.server
        self._headers = {"Accept": "application/json"}
        if access.token:
            self._headers["Authorization"] = f"Bearer {access.token}"
        self._pool = urllib3.PoolManager(maxsize=_PARALLEL, ssl_context=access.context, retries=False)
        self._kinds: dict[str, dict[str, Resource]] = {}
        self._kinds_lock = Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = "application/json",
        timeout: float = 30.0,
        **query: object,
    ) -> Any:
        """Send one request and return the decoded answer.

        Raises:
            ApiError: the server refused it, or did not answer within `timeout` seconds.
        """
        response = self._send(method, path, body, content_type, timeout, query)
        data = response.data
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return json.loads(data)
        return data.decode(errors="replace")

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        content_type: str,
        timeout: float,
        query: Mapping[str, object],
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self.server}{path}" + (f"?{urlencode(given)}" if given else "")
        try:
            response = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers={**self._headers, "Content-Type": content_type},
                timeout=urllib3.Timeout(connect=5.0, read=timeout),
                preload_content=not stream,
            )
        except HTTPError as error:
            raise ApiError(f"{method} {path}: no answer from {self.server}: {error}") from None
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(method, path, response)
        return response

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
        answer = self.request("GET", resource.path(namespace), labelSelector=labels, fieldSelector=fields)
        kind = answer["kind"].removesuffix("List")
        items = [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"] or ()]
        return items, answer["metadata"]["resourceVersion"]

    def watch(
        self,
        resource: Resource,
        version: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Iterator[tuple[str, Object]]:
        """Yield (ADDED | MODIFIED | DELETED | BOOKMARK, object) until the server ends the watch.

        Raises:
            ApiError: the connection broke, or the version is too old (status 410): list again.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": WATCH_SECONDS,
            "labelSelector": labels,
            "fieldSelector": fields,
        }
        path = resource.path(namespace)
        response = self._send("GET", path, None, "application/json", WATCH_SECONDS + 30.0, query, stream=True)
        try:
            for event in _lines(response):
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(f"watch {path}: {status.get('message')}", status.get("code", 0))
                yield event["type"], event["object"]
        except (HTTPError, OSError, ValueError) as error:
            raise ApiError(f"watch {path}: {error}") from None
        finally:
            response.close()

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
        patched: Object = self.request("PATCH", path, body=body, content_type=_CONTENT_TYPES[kind])
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
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
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
        with self._kinds_lock:
            if kind not in self._kinds.get(version, {}):
                answer = self.request("GET", ("/apis/" if "/" in version else "/api/") + version)
                self._kinds[version] = {
                    item["kind"]: Resource(version, item["name"], item["namespaced"])
                    for item in answer["resources"]
                    if "/" not in item["name"]
                }
        try:
            return self._kinds[version][kind]
        except KeyError:
            raise ApiError(f"{self.server} knows no kind {kind} in {version}", HTTPStatus.NOT_FOUND) from None

    def apply(self, manifest: Object) -> Object:
        """Create an object, or make one that exists like the manifest (what others set beside it stays)."""
        resource = self.resource_of(manifest)
        try:
            return self.create(resource, manifest)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        metadata = manifest["metadata"]
        return self.patch(resource, metadata["name"], manifest, namespace=metadata.get("namespace"))


def apply(api: Api, manifests: Iterable[Object]) -> None:
    """Apply manifests in parallel; the order is not kept.

    Raises:
        ApiError: the first refusal, after all others were tried.
    """
    with ThreadPoolExecutor(_PARALLEL) as pool:
        waiting = [pool.submit(api.apply, manifest) for manifest in manifests]
    for done in waiting:
        done.result()


def wait_established(api: Api, names: Iterable[str], timeout: float = 30.0) -> None:
    """Wait until CustomResourceDefinitions are served.

    Raises:
        ApiError: some are not after `timeout` seconds.
    """
    definitions = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
    missing = set(names)
    deadline = time.monotonic() + timeout
    while True:
        for item in api.list(definitions)[0]:
            conditions = item.get("status", {}).get("conditions") or ()
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                missing.discard(item["metadata"]["name"])
        if not missing:
            return
        if time.monotonic() > deadline:
            raise ApiError(f"Not served after {timeout:.0f} s: {', '.join(sorted(missing))}")
        time.sleep(0.1)


def connect(path: Path) -> Api:
    """Return a client for a kubeconfig's current context.

    Raises:
        LabError: the file can't be used.
    """
    return Api(kubeconfig.read(path))


def _refusal(method: str, path: str, response: urllib3.BaseHTTPResponse) -> ApiError:
    text = response.data.decode(errors="replace")
    try:
        status = json.loads(text)
        message, reason = status.get("message", text), status.get("reason", "")
    except (ValueError, AttributeError):
        message, reason = text[:500], ""
    return ApiError(f"{method} {path}: {response.status} {message}", response.status, reason)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[Object]:
    rest = b""
    for chunk in response.stream(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines)
