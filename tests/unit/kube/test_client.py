import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration

from kube.client import Api, connect
from kube.errors import KubeconfigError, StatusError, UnreachableError
from kube.resources import NODES, PODS, VIRTUAL_MACHINES


class Server(ThreadingHTTPServer):
    """Replies from a table and records the requests."""

    replies: dict[tuple[str, str], tuple[int, str]]
    requests: list[tuple[str, str, str | None, Any]]
    delay = 0.0  # seconds before a response
    missing = 0  # bytes that a response lacks when its connection breaks

    def handle_error(self, *_: object) -> None:
        """Ignore clients that have disconnected."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def reply(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, self.headers.get("Content-Type"), body))
        time.sleep(self.server.delay)
        code, text = self.server.replies[self.command, self.path.partition("?")[0]]
        self.send_response(code)
        self.send_header("Content-Length", str(len(text) + self.server.missing))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = reply  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.replies, server.requests = {}, []
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(server: Server) -> Api:
    return Api(Configuration(f"http://127.0.0.1:{server.server_address[1]}", retries=False), timeout=0.2)


def failure(code: int, reason: str = "", message: str = "no") -> tuple[int, str]:
    return code, json.dumps({"kind": "Status", "reason": reason, "message": message})


def test_paths_follow_the_api_conventions() -> None:
    assert PODS.path("shop", "web", "status") == "/api/v1/namespaces/shop/pods/web/status"
    assert VIRTUAL_MACHINES.path() == "/apis/kubevirt.io/v1/virtualmachines"
    assert NODES.path(None, "lab") == "/api/v1/nodes/lab"


def test_list_returns_complete_objects_and_the_version_to_watch_from(server: Server, api: Api) -> None:
    listed = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": [{"metadata": {}}]}
    server.replies["GET", "/api/v1/pods"] = 200, json.dumps(listed)
    assert api.list(PODS, labels="a=b") == ([{"apiVersion": "v1", "kind": "Pod", "metadata": {}}], "7")
    assert server.requests[0][1] == "/api/v1/pods?labelSelector=a%3Db"


def test_watch_yields_events_until_the_server_ends_it(server: Server, api: Api) -> None:
    events = [{"type": kind, "object": {"metadata": {"name": kind}}} for kind in ("ADDED", "BOOKMARK", "DELETED")]
    server.replies["GET", "/api/v1/pods"] = 200, "".join(json.dumps(event) + "\n" for event in events)
    assert [kind for kind, _ in api.watch(PODS, "7", labels="a")] == ["ADDED", "BOOKMARK", "DELETED"]
    query = "watch=true&allowWatchBookmarks=true&labelSelector=a&resourceVersion=7&timeoutSeconds=300"
    assert server.requests[0][1] == f"/api/v1/pods?{query}"


def test_a_watch_fails_with_status_410_if_its_version_has_expired(server: Server, api: Api) -> None:
    event = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}
    server.replies["GET", "/api/v1/pods"] = 200, json.dumps(event) + "\n"
    with pytest.raises(StatusError, match="410 too old resource version"):
        list(api.watch(PODS, "7"))


def test_a_watch_whose_connection_breaks_is_unreachable(server: Server, api: Api) -> None:
    server.replies["GET", "/api/v1/pods"] = 200, '{"type": "ADDED", "object": {}}\n'
    server.missing = 10
    with pytest.raises(UnreachableError):
        list(api.watch(PODS, "7"))


def test_an_error_response_carries_status_reason_and_message(server: Server, api: Api) -> None:
    server.replies["POST", "/api/v1/namespaces/shop/pods"] = failure(422, "Invalid", "spec: Required value")
    with pytest.raises(StatusError, match="spec: Required value") as caught:
        api.create(PODS, {"metadata": {"name": "a", "namespace": "shop"}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_an_error_of_a_proxied_service_carries_its_text(server: Server, api: Api) -> None:
    server.replies["GET", "/proxied"] = 502, "no backend"
    with pytest.raises(StatusError, match="GET /proxied: 502 no backend"):
        api.read("/proxied")


def test_a_response_that_is_not_json_comes_from_no_api_server(server: Server, api: Api) -> None:
    server.replies["GET", "/version"] = 200, "<html>"
    assert api.read("/version") == b"<html>"
    with pytest.raises(KubeconfigError, match="not a Kubernetes API server"):
        api.request("GET", "/version")


def test_a_server_that_is_silent_or_away_is_unreachable(server: Server, api: Api) -> None:
    server.delay = 0.5
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"doesn't answer GET /slow: no response in time$"):
        api.request("GET", "/slow")
    assert time.monotonic() - started < 0.5
    with pytest.raises(UnreachableError, match=r": connection refused$"):
        Api(Configuration("http://127.0.0.1:9", retries=False)).get(PODS, "a", "shop")


@pytest.mark.parametrize("kind", ["json", "merge", "strategic-merge"])
def test_a_patch_states_its_type(server: Server, api: Api, kind: Any) -> None:
    server.replies["PATCH", "/api/v1/nodes/lab/status"] = 200, "{}"
    api.patch(NODES, "lab", [{"op": "test"}], kind=kind, subresource="status")
    content_type = f"application/{kind}-patch+json"
    assert server.requests == [("PATCH", "/api/v1/nodes/lab/status", content_type, [{"op": "test"}])]


def test_find_returns_none_for_a_missing_object(server: Server, api: Api) -> None:
    server.replies["GET", "/api/v1/nodes/lab"] = failure(404)
    assert api.find(NODES, "lab") is None


@pytest.mark.parametrize("code", [404, 409])
def test_deleting_an_object_that_is_gone_or_replaced_succeeds(server: Server, api: Api, code: int) -> None:
    server.replies["DELETE", "/api/v1/namespaces/shop/pods/a"] = failure(code)
    api.delete(PODS, "a", "shop", grace_seconds=0, uid="u")
    assert server.requests[0][3] == {"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}}


def test_apply_discovers_the_resource_and_sends_the_manifest_once(server: Server, api: Api) -> None:
    kinds = [{"kind": "Node", "name": "nodes", "namespaced": False}, {"kind": "Scale", "name": "nodes/scale"}]
    server.replies["GET", "/api/v1"] = 200, json.dumps({"resources": kinds})
    server.replies["PATCH", "/api/v1/nodes/lab"] = 200, "{}"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lab"}}
    api.apply(node)
    path = "/api/v1/nodes/lab?fieldManager=multi-tier-lab&force=true"
    assert server.requests[1] == ("PATCH", path, "application/apply-patch+yaml", node)


def test_an_unknown_kind_is_named(server: Server, api: Api) -> None:
    server.replies["GET", "/apis/example.org/v1"] = 200, '{"resources": []}'
    with pytest.raises(StatusError, match=r"kind Widget in example\.org/v1"):
        api.apply({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}})


def test_a_context_can_have_another_cluster(tmp_path: Path) -> None:
    addresses = {"a": "https://10.0.0.1:6443", "b": "https://10.0.0.2:6443"}
    config = {
        "current-context": "first",
        "contexts": [{"name": name, "context": {"cluster": "a", "user": "u"}} for name in ("first", "second")],
        "clusters": [{"name": name, "cluster": {"server": address}} for name, address in addresses.items()],
        "users": [{"name": "u", "user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))

    assert connect(path).server == addresses["a"]
    assert connect(path, cluster="b").server == addresses["b"]
    assert connect(path, "second", "b").server == addresses["b"]
    with pytest.raises(KubeconfigError, match=r"Expected object with name c in .*clusters list"):
        connect(path, cluster="c")


@pytest.mark.parametrize(("context", "words"), [("lab", r"ca\.crt"), ("gone", "gone")], ids=["no file", "no context"])
def test_an_unusable_kubeconfig_says_what_is_missing(tmp_path: Path, context: str, words: str) -> None:
    path = tmp_path / "kubeconfig"
    with pytest.raises(KubeconfigError, match=f"{path} can't be used as a kubeconfig: it does not exist"):
        connect(path)
    config = {
        "current-context": context,
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(KubeconfigError, match=f"can't be used as a kubeconfig: .*{words}"):
        connect(path)
