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

import kube.client
from kube.client import Api, ApiError, Resource
from lab.errors import LabError

PODS = Resource("v1", "pods")
MACHINES = Resource("kubevirt.io/v1", "virtualmachines")
NODES = Resource("v1", "nodes", namespaced=False)


class Server(ThreadingHTTPServer):
    """Answers from a table and remembers what it was asked."""

    answers: dict[tuple[str, str], tuple[int, str]]
    asked: list[tuple[str, str, str | None, Any]]
    delay = 0.0  # seconds before an answer
    unsent = 0  # bytes that an answer lacks when the connection breaks

    def handle_error(self, *_: object) -> None:
        """Say nothing when a client has given up."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, self.headers.get("Content-Type"), body))
        time.sleep(self.server.delay)
        code, text = self.server.answers[self.command, self.path.partition("?")[0]]
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text) + self.server.unsent))
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
    return Api(Configuration(f"http://127.0.0.1:{server.server_address[1]}"))


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


def test_a_watch_that_breaks_off_says_so(server: Server, client: Api) -> None:
    server.answers["GET", "/api/v1/pods"] = 200, '{"type": "ADDED", "object": {}}\n'
    server.unsent = 10
    with pytest.raises(ApiError, match="no answer") as caught:
        list(client.watch(PODS, "7"))
    assert caught.value.status == 0


def test_a_watch_that_is_too_far_behind_says_so(server: Server, client: Api) -> None:
    event = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}
    server.answers["GET", "/api/v1/pods"] = 200, json.dumps(event) + "\n"
    with pytest.raises(ApiError) as caught:
        list(client.watch(PODS, "7"))
    assert caught.value.status == 410


def test_a_refusal_carries_the_status_the_reason_and_the_words(server: Server, client: Api) -> None:
    server.answers["POST", "/api/v1/namespaces/shop/pods"] = failure(422, "Invalid", "spec: Required value")
    with pytest.raises(ApiError, match="spec: Required value") as caught:
        client.create(PODS, {"metadata": {"name": "a", "namespace": "shop"}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_a_refusal_by_something_behind_the_api_carries_its_words(server: Server, client: Api) -> None:
    server.answers["GET", "/proxied"] = 502, "no backend"
    with pytest.raises(ApiError, match="502 no backend"):
        client.request("GET", "/proxied")


def test_a_server_that_says_nothing_is_given_up(server: Server, client: Api) -> None:
    server.answers["GET", "/slow"] = 200, "{}"
    server.delay = 0.5
    started = time.monotonic()
    with pytest.raises(ApiError, match="no answer"):
        client.request("GET", "/slow", timeout=0.1)
    assert time.monotonic() - started < 0.5


def test_an_unreachable_server_is_an_error_without_a_status() -> None:
    client = Api(Configuration("http://127.0.0.1:9", retries=False))
    with pytest.raises(ApiError, match="no answer") as caught:
        client.get(PODS, "a", "shop")
    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("json", "application/json-patch+json"),
        ("merge", "application/merge-patch+json"),
        ("strategic-merge", "application/strategic-merge-patch+json"),
    ],
)
def test_each_kind_of_patch_is_named_to_the_server(server: Server, client: Api, kind: Any, content_type: str) -> None:
    server.answers["PATCH", "/api/v1/nodes/lab/status"] = 200, "{}"
    client.patch(NODES, "lab", [{"op": "test"}], kind=kind, subresource="status")
    assert server.asked == [("PATCH", "/api/v1/nodes/lab/status", content_type, [{"op": "test"}])]


def test_what_is_not_there_is_found_to_be_none(server: Server, client: Api) -> None:
    server.answers["GET", "/api/v1/nodes/lab"] = failure(404, "NotFound")
    assert client.find(NODES, "lab") is None


@pytest.mark.parametrize(("code", "reason"), [(404, "NotFound"), (409, "Conflict")])
def test_deleting_what_is_gone_or_was_replaced_is_no_error(server: Server, client: Api, code: int, reason: str) -> None:
    server.answers["DELETE", "/api/v1/namespaces/shop/pods/a"] = failure(code, reason)
    client.delete(PODS, "a", "shop", grace_seconds=0, uid="u")
    assert server.asked[0][3] == {"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}}


def test_applying_makes_an_object_like_its_manifest_in_one_request(server: Server, client: Api) -> None:
    resources = {
        "resources": [{"kind": "Node", "name": "nodes", "namespaced": False}, {"kind": "X", "name": "nodes/x"}]
    }
    server.answers = {("GET", "/api/v1"): (200, json.dumps(resources)), ("PATCH", "/api/v1/nodes/lab"): (200, "{}")}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lab"}}
    kube.client.apply(client, [node])
    path = "/api/v1/nodes/lab?fieldManager=multi-tier-lab&force=true"
    assert server.asked[1] == ("PATCH", path, "application/apply-patch+yaml", node)


def test_a_kind_that_the_server_does_not_know_is_named(server: Server, client: Api) -> None:
    server.answers["GET", "/apis/example.org/v1"] = 200, '{"resources": []}'
    with pytest.raises(ApiError, match=r"no kind Widget in example\.org/v1"):
        client.apply({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}})


@pytest.mark.parametrize(
    ("context", "words"), [("lab", r"ca\.crt"), ("gone", "gone")], ids=["a file that isn't there", "no such context"]
)
def test_a_kubeconfig_that_does_not_hold_together_says_where(tmp_path: Path, context: str, words: str) -> None:
    path = tmp_path / "kubeconfig"
    config = {
        "current-context": context,
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(LabError, match=f"can't be used as a kubeconfig: .*{words}"):
        kube.client.connect(path)
