import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from lab import api, kubeconfig
from lab.api import Api, ApiError, Resource
from lab.config import LabError
from lab.kubeconfig import Access

PODS = Resource("v1", "pods")
MACHINES = Resource("kubevirt.io/v1", "virtualmachines")
NODES = Resource("v1", "nodes", namespaced=False)


class Server(ThreadingHTTPServer):
    """Answers from a table and remembers what it was asked."""

    answers: dict[tuple[str, str], tuple[int, str]]
    asked: list[tuple[str, str, str | None, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, self.headers.get("Content-Type"), body))
        code, text = self.server.answers[self.command, self.path.partition("?")[0]]
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = {}, []
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server: Server) -> Api:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return Api(Access(url, ssl.create_default_context(), token=None))


def failure(code: int, reason: str, message: str = "no") -> tuple[int, str]:
    return code, json.dumps({"kind": "Status", "reason": reason, "message": message})


def test_paths_are_those_of_the_api() -> None:
    assert PODS.path("shop", "web", "status") == "/api/v1/namespaces/shop/pods/web/status"
    assert MACHINES.path() == "/apis/kubevirt.io/v1/virtualmachines"
    assert NODES.path(None, "lab") == "/api/v1/nodes/lab"


def test_a_list_gives_complete_objects_and_the_version_to_watch_from(server: Server, client: Api) -> None:
    listed = {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7"},
        "items": [{"metadata": {"name": "a"}}],
    }
    server.answers["GET", "/api/v1/pods"] = 200, json.dumps(listed)
    assert client.list(PODS, labels="a=b") == ([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}], "7")
    assert server.asked[0][1] == "/api/v1/pods?labelSelector=a%3Db"


def test_a_watch_yields_events_until_the_server_ends_it(server: Server, client: Api) -> None:
    events = [{"type": kind, "object": {"metadata": {"name": kind}}} for kind in ("ADDED", "BOOKMARK", "DELETED")]
    server.answers["GET", "/api/v1/pods"] = 200, "".join(json.dumps(event) + "\n" for event in events)
    assert [kind for kind, _ in client.watch(PODS, "7")] == ["ADDED", "BOOKMARK", "DELETED"]


def test_a_watch_that_is_too_far_behind_says_so(server: Server, client: Api) -> None:
    event = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
    server.answers["GET", "/api/v1/pods"] = 200, json.dumps(event) + "\n"
    with pytest.raises(ApiError) as caught:
        list(client.watch(PODS, "7"))
    assert caught.value.status == 410


def test_a_refusal_carries_the_status_the_reason_and_the_words(server: Server, client: Api) -> None:
    server.answers["POST", "/api/v1/namespaces/shop/pods"] = failure(422, "Invalid", "spec: Required value")
    with pytest.raises(ApiError, match="spec: Required value") as caught:
        client.create(PODS, {"metadata": {"name": "a", "namespace": "shop"}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_an_unreachable_server_is_an_error_without_a_status() -> None:
    client = Api(Access("http://127.0.0.1:9", ssl.create_default_context(), token=None))
    with pytest.raises(ApiError, match="no answer") as caught:
        client.get(PODS, "a", "shop")
    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("json", "application/json-patch+json"),
        ("merge", "application/merge-patch+json"),
        ("strategic", "application/strategic-merge-patch+json"),
    ],
)
def test_each_kind_of_patch_is_named_to_the_server(server: Server, client: Api, kind: Any, content_type: str) -> None:
    server.answers["PATCH", "/api/v1/nodes/lab/status"] = 200, "{}"
    client.patch(NODES, "lab", {"a": 1}, kind=kind, subresource="status")
    assert server.asked == [("PATCH", "/api/v1/nodes/lab/status", content_type, {"a": 1})]


def test_what_is_not_there_is_found_to_be_none(server: Server, client: Api) -> None:
    server.answers["GET", "/api/v1/nodes/lab"] = failure(404, "NotFound")
    assert client.find(NODES, "lab") is None


@pytest.mark.parametrize(("code", "reason"), [(404, "NotFound"), (409, "Conflict")])
def test_deleting_what_is_gone_or_was_replaced_is_no_error(server: Server, client: Api, code: int, reason: str) -> None:
    server.answers["DELETE", "/api/v1/namespaces/shop/pods/a"] = failure(code, reason)
    client.delete(PODS, "a", "shop", grace_seconds=0, uid="u")
    assert server.asked[0][3] == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
    }


def test_applying_patches_what_exists(server: Server, client: Api) -> None:
    resources = {
        "resources": [{"kind": "Node", "name": "nodes", "namespaced": False}, {"kind": "X", "name": "nodes/x"}]
    }
    server.answers = {
        ("GET", "/api/v1"): (200, json.dumps(resources)),
        ("POST", "/api/v1/nodes"): failure(409, "AlreadyExists"),
        ("PATCH", "/api/v1/nodes/lab"): (200, "{}"),
    }
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lab"}}
    api.apply(client, [node, node])
    assert sorted(method for method, *_ in server.asked) == ["GET", "PATCH", "PATCH", "POST", "POST"]


def test_a_kind_that_the_server_does_not_know_is_named(server: Server, client: Api) -> None:
    server.answers["GET", "/apis/example.org/v1"] = 200, '{"resources": []}'
    with pytest.raises(ApiError, match=r"no kind Widget in example\.org/v1"):
        client.apply({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}})


def write_kubeconfig(directory: Path, **user: str) -> Path:
    path = directory / "kubeconfig"
    config = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_kubeconfig_that_names_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"ca\.crt"):
        kubeconfig.read(write_kubeconfig(tmp_path))


def test_a_kubeconfig_without_its_context_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("current-context: gone\ncontexts: []\n")
    with pytest.raises(LabError, match="can't be used as a kubeconfig"):
        kubeconfig.read(path)
