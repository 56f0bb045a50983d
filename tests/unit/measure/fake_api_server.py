"""An API server for tests: it lists and watches what a test puts into it, and passes requests on to machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object, Resource

NAMESPACE = "multi-tier"
_COLLECTIONS = {one.path(NAMESPACE): one for one in (VIRTUAL_MACHINES, VIRTUAL_MACHINE_INSTANCES, PODS)}
REFUSED = 503, "error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused"
CLOSED = 503, "error trying to reach service: net/http: Transport failed to read from server: EOF"


def wait_until(check: Callable[[], bool], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


class ApiServer(ThreadingHTTPServer):
    """The server.

    Attributes:
        answers: What a machine answers, by its name and tier; by default it refuses connections.
        asked: The paths of the requests to machines.
        on_start: Called by `GET /start`, which a test's command sends.
        forbidden: Whether listing is denied.
        watches: Number of watches that were begun.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Callable[[str, str], tuple[int, str]] = lambda *_: REFUSED
        self.asked: list[str] = []
        self.on_start: Callable[[], None] = lambda: None
        self.forbidden = False
        self.watches = 0
        self._objects: dict[tuple[Resource, str], Object] = {}
        self._events: list[tuple[Resource, str, Object]] = []
        self._expired = 0  # events that watches no longer get
        self._ended = False
        self._changed = Condition()

    def handle_error(self, *_: object) -> None:
        """Ignore clients that have disconnected."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def kubeconfig(self, directory: Path) -> Path:
        """Write a kubeconfig for this server."""
        path, name = directory / "kubeconfig", "test"
        contexts = [{"name": name, "context": {"cluster": name, "user": name}}]
        clusters = [{"name": name, "cluster": {"server": self.url}}]
        users = [{"name": name, "user": {"token": "none"}}]
        document = {"current-context": name, "contexts": contexts, "clusters": clusters, "users": users}
        path.write_text(yaml.safe_dump(document))
        return path

    def put(self, resource: Resource, item: Object) -> None:
        """Create or change an object."""
        self._happened(resource, "MODIFIED" if (resource, item["metadata"]["uid"]) in self._objects else "ADDED", item)

    def remove(self, resource: Resource, uid: str) -> None:
        """Delete an object."""
        self._happened(resource, "DELETED", self._objects[resource, uid])

    def _happened(self, resource: Resource, kind: str, item: Object) -> None:
        with self._changed:
            item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(len(self._events) + 1)}}
            self._events.append((resource, kind, item))
            if kind == "DELETED":
                del self._objects[resource, item["metadata"]["uid"]]
            else:
                self._objects[resource, item["metadata"]["uid"]] = item
            self._changed.notify_all()

    def forget(self, *unseen: tuple[Resource, Object]) -> None:
        """End all watches with 410 Gone, as after etcd's compaction; these objects appear without an event."""
        with self._changed:
            self._events.append((VIRTUAL_MACHINES, "BOOKMARK", {"metadata": {}}))
            version = {"resourceVersion": str(len(self._events))}
            for resource, item in unseen:
                self._objects[resource, item["metadata"]["uid"]] = {**item, "metadata": {**item["metadata"], **version}}
            self._expired = len(self._events)
            self._changed.notify_all()

    def end(self) -> None:
        """End all watches."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def listed(self, resource: Resource) -> Object:
        with self._changed:
            items = [item for (kind, _), item in self._objects.items() if kind == resource]
            metadata = {"resourceVersion": str(len(self._events))}
        return {"kind": "ThingList", "apiVersion": resource.api_version, "metadata": metadata, "items": items}

    def events(self, resource: Resource, position: int) -> Iterator[Object]:
        """Yield what happens to the objects of a type, from a resource version on."""
        self.watches += 1
        while True:
            with self._changed:
                self._changed.wait_for(lambda at=position: self._ended or len(self._events) > at)  # type: ignore[misc]
                if self._ended:
                    return
                if position < self._expired:
                    yield {"type": "ERROR", "object": {"code": 410, "message": "too old", "reason": "Expired"}}
                    return
                happened, position = self._events[position:], len(self._events)
            yield from ({"type": kind, "object": item} for one, kind, item in happened if one == resource)


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        resource = _COLLECTIONS.get(url.path)
        if self.server.forbidden:
            self._respond(403, {"message": "forbidden"})
        elif url.path == "/start":
            self.server.on_start()
            self._respond(200, {})
        elif resource and "watch" in query:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in self.server.events(resource, int(query["resourceVersion"])):
                self._chunk(json.dumps(event).encode() + b"\n")
            self._chunk(b"")
        elif resource:
            self._respond(200, self.server.listed(resource))
        elif "/proxy/" in url.path:
            self.server.asked.append(url.path)
            _, _, rest = url.path.partition("/pods/launcher-")
            name = rest.partition(":")[0]
            status, message = self.server.answers(name, name.split("-")[-2])
            self._respond(status, {"message": message})
        else:
            self._respond(404, {"message": "not found"})

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _respond(self, status: int, document: Any) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[ApiServer]:
    server = ApiServer()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.end()
    server.shutdown()
    server.server_close()


def _metadata(kind: str, name: str, owner: str = "") -> Object:
    metadata: Object = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"{kind}-{name}",
        # What no time may be taken from.
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/component": name.split("-")[-2]},
    }
    return {**metadata, "ownerReferences": [{"uid": owner, "controller": True}]} if owner else metadata


def machine(name: str, *, ready: bool = False) -> Object:
    """Return a VirtualMachine, such as that of `shop-web-0`."""
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": "2001-01-01T00:00:00Z"}]
    return {"metadata": _metadata("vm", name), "status": {"conditions": conditions}}


def instance(name: str, phase: str = "Pending", **annotations: str) -> Object:
    """Return the instance of a machine."""
    metadata = {**_metadata("vmi", name, f"vm-{name}"), "annotations": annotations}
    return {"metadata": metadata, "status": {"phase": phase}}


def launcher(name: str, node: str = "") -> Object:
    """Return the Pod of an instance."""
    metadata = {**_metadata("pod", name, f"vmi-{name}"), "name": f"launcher-{name}"}
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}}
