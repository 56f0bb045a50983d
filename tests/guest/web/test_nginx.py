"""The web tier: nginx from the image, with the configuration that its guest gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from cloudinit import Family
from cloudinit.constants import APPLICATION_PORT
from tests.guest.application.test_requests import TRACEPARENT, milliseconds
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import WEB, learn_upstream
from tests.lab.stack import wait_until
from tests.unit.cloudinit.guest_examples import web, web_with_load


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("render", [web, web_with_load], ids=["without load", "with load"])
def test_nginx_accepts_its_configuration(guest: GuestRoot, render: Callable[[Family], str], family: Family) -> None:
    guest.write_files(render(family))
    guest.run("sh", "-c", "getent passwd nginx || useradd --system nginx")
    guest.run("install", "-D", "/etc/virtwork/upstream-unknown.conf", "/etc/nginx/virtwork/upstream.conf")
    said = guest.run("nginx", "-t", "-c", "/etc/virtwork/nginx.conf")
    assert "test is successful" in said
    assert "warn" not in said


def test_logrotate_accepts_its_configuration(guest: GuestRoot) -> None:
    guest.write_files(web())
    said = guest.run("logrotate", "--debug", "/etc/virtwork/logrotate.conf")
    assert "error" not in said.replace("error.log", "")


def test_a_response_names_every_tier_it_passed(tiers: GuestRoot) -> None:
    answer = tiers.get(f"{WEB}/api/v1/accounts/7", "--header", f"traceparent: {TRACEPARENT}")
    assert answer.status == 200
    assert set(milliseconds(answer)) >= {"pool", "db", "app"}
    assert answer.headers["traceparent"] == TRACEPARENT
    assert answer.headers["x-served-by"]
    assert answer.headers["x-web-served-by"]
    assert answer.seconds * 1000 >= milliseconds(answer)["app"]


def test_the_access_log_has_the_same_times_as_the_response(tiers: GuestRoot) -> None:
    path = "/api/v1/accounts/11?quote=%22\\"
    answer = tiers.get(WEB + path, "--header", f"traceparent: {TRACEPARENT}")
    log = tiers.read_until("/var/log/nginx/access.json", "11?quote=")
    entry = next(entry for entry in map(json.loads, reversed(log.splitlines())) if entry["uri"] == path)
    assert entry["status"] == answer.status
    assert entry["database_ms"] == milliseconds(answer)["db"]
    assert entry["application_ms"] == milliseconds(answer)["app"]
    assert entry["traceparent"] == TRACEPARENT
    assert entry["served_by"] == answer.headers["x-served-by"]
    assert entry["upstream_addr"] == f"127.0.0.1:{APPLICATION_PORT}"
    assert len(entry["request_id"]) == 32
    # nginx's clock ticks in milliseconds.
    assert entry["request_time"] * 1000 + 1 >= entry["upstream_response_time"] * 1000 >= entry["application_ms"] - 1
    assert datetime.fromisoformat(entry["time"]).tzinfo


@pytest.mark.parametrize("accident", ["kill -KILL $PPID", "exit 1"], ids=["killed", "refused"])
def test_addresses_that_nginx_was_not_told_about_are_told_again(guest: GuestRoot, accident: str) -> None:
    guest.write_files(web())
    guest.run("install", "-D", "/etc/virtwork/upstream-unknown.conf", "/etc/nginx/virtwork/upstream.conf")
    guest.run("rm", "-f", "/etc/nginx/virtwork/upstream.loaded")
    guest.write("/etc/virtwork/upstream.settings", f"APPLICATION_HOST=127.0.0.9\nAPPLICATION_PORT={APPLICATION_PORT}\n")
    guest.write("/opt/test/accident/sleep", "#!/bin/sh\nkill $PPID\n", 0o755)
    upstream = ("env", "PATH=/opt/test/accident:/usr/bin", "/usr/local/sbin/virtwork-upstream")

    guest.write("/opt/test/accident/systemctl", f"#!/bin/sh\n{accident}\n", 0o755)
    guest.run(*upstream, check=False)
    guest.write("/opt/test/accident/systemctl", '#!/bin/sh\necho "told: $*"\n', 0o755)
    assert "told: reload nginx.service" in guest.run(*upstream, check=False)
    assert "127.0.0.9" in guest.read("/etc/nginx/virtwork/upstream.conf")
    assert "told" not in guest.run(*upstream, check=False), "once is enough"


def test_a_worker_may_open_as_many_files_as_its_connections_need(tiers: GuestRoot) -> None:
    limits = tiers.run(
        "sh", "-c", "for pid in $(pgrep -f 'nginx: [w]orker'); do grep 'open files' /proc/$pid/limits; done"
    )
    assert limits
    assert all(line.split()[3] == "16384" for line in limits.splitlines()), limits


# Sends its input as it is, and prints the response.
_RAW = """
import socket, sys
with socket.create_connection(("127.0.0.1", 80), 20) as web:
    web.sendall(eval(sys.stdin.read()))
    while data := web.recv(65536):
        sys.stdout.buffer.write(data)
"""
_HOST = b"Host: web\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "error"),
    [
        (b"garbage\r\n\r\n", 400, "malformed request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "malformed request"),
        (b"GET /api/v1/%00 HTTP/1.1\r\n" + _HOST, 400, "malformed request"),
        (b"GET /../.. HTTP/1.1\r\n" + _HOST, 400, "malformed request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed request"),
        (b"CONNECT example.com:443 HTTP/1.1\r\n" + _HOST, 400, "malformed request"),
        (b"TRACE /api/v1/accounts/1 HTTP/1.1\r\n" + _HOST, 405, "method not allowed"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n" + _HOST, 431, "request headers too large"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + _HOST, 431, "request headers too large"),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n" + _HOST, 414, "request target too long"),
        (b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n" + _HOST, 413, "request too large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + _HOST + b"zz\r\n", 400, "malformed request"),
        (b"GET /refused HTTP/1.1\r\n" + _HOST, 404, "not found"),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_every_refusal_is_json(tiers: GuestRoot, request_bytes: bytes, status: int, error: str) -> None:
    head, _, body = tiers.run("python3", "-c", _RAW, stdin=repr(request_bytes)).partition("\n\n")
    assert head.startswith(f"HTTP/1.1 {status} "), head
    assert "Content-Type: application/json" in head
    assert "X-Web-Served-By: " in head
    assert json.loads(body) == {"error": error}


def test_web_serves_its_own_health_and_status(tiers: GuestRoot) -> None:
    assert tiers.get(f"{WEB}/health").json == {"status": "alive"}
    assert tiers.get(f"{WEB}/ready").json == {"status": "ready"}
    assert tiers.get(f"{WEB}/nginx_status").body.startswith("Active connections:")


def test_only_the_guest_itself_reads_nginxs_counters(tiers: GuestRoot) -> None:
    tiers.run("ip", "address", "replace", "10.9.9.9/32", "dev", "lo")  # a client's, behind an Ingress
    assert tiers.get("http://10.9.9.9/health").status == 200
    status = "http://10.9.9.9/nginx_status"
    assert tiers.get(status).status == 403
    pretended = ("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "Host: localhost")
    for header in pretended:
        assert tiers.get(status, "--header", header).status == 403
    assert tiers.get(status, "--haproxy-protocol").status == 400
    assert tiers.get("http://[::ffff:10.9.9.9]/nginx_status").status == 403
    assert tiers.get("http://[::ffff:127.0.0.1]/nginx_status").status == 200
    assert tiers.get("http://10.9.9.9/x/..//nginx_status").status == 403


@contextmanager
def second_nginx(tiers: GuestRoot, upstream: str) -> Iterator[str]:
    """Run another nginx, with an upstream of its own, and return its URL."""
    config = tiers.read("/etc/virtwork/nginx.conf").replace(":80 ", ":81 ").replace("listen 80 ", "listen 81 ")
    config = config.replace("virtwork/upstream.conf", "second.conf").replace("nginx.pid", "81")
    tiers.write("/etc/nginx/second.conf", upstream)
    tiers.write("/opt/test/second.conf", config)
    with tiers.running("nginx", "-c", "/opt/test/second.conf", "-g", "daemon off;", log=Path("/dev/null")):
        url = "http://127.0.0.1:81"
        tiers.get_until(f"{url}/health", 200)
        yield url


def learned_upstream(tiers: GuestRoot) -> str:
    learn_upstream(tiers)  # nginx's configuration tests reset it
    return tiers.read("/etc/nginx/virtwork/upstream.conf")


def test_a_request_that_no_machine_accepted_is_sent_once_more(tiers: GuestRoot) -> None:
    # The Service's address twice, of which one now leads to a machine that is gone.
    half = learned_upstream(tiers).replace(f":{APPLICATION_PORT}", ":1", 1)
    with second_nginx(tiers, half) as url:
        body = ("--header", "Content-Type: application/json", "--data", '{"delta": 0}')
        account = f"{url}/api/v1/accounts/1"
        assert {tiers.get(account, *options).status for options in ((), body) for _ in range(10)} == {200}


def test_web_stays_alive_and_responds_in_json_before_it_knows_the_application(tiers: GuestRoot) -> None:
    with second_nginx(tiers, tiers.read("/etc/virtwork/upstream-unknown.conf")) as url:
        answer = tiers.get(f"{url}/ready")
        assert (answer.status, answer.json) == (503, {"error": "the application tier is not known yet"})
        assert tiers.get(f"{url}/api/v1/accounts/1").status == 503
        assert tiers.get(f"{url}/health").status == 200


# Port 2 accepts no connection once its queue is full: the next ones get no answer at all. Port 3 closes each one.
_SILENT_AND_CLOSING = """
import socket
silent = socket.create_server(("127.0.0.1", 2), backlog=0)
clients = [socket.socket() for _ in range(4)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(silent.getsockname())
closing = socket.create_server(("127.0.0.1", 3))
print("ready", flush=True)
while True:
    connection, _ = closing.accept()
    connection.recv(10_000)
    connection.close()
"""


@pytest.mark.parametrize(
    ("port", "status", "error"),
    [
        (1, 503, "no application machine accepts connections"),
        (2, 503, "no application machine accepts connections"),
        (3, 502, "the application tier closed the connection"),
    ],
    ids=["refused", "no answer", "closed"],
)
def test_web_stays_ready_and_responds_in_json_without_an_application(
    tiers: GuestRoot, tmp_path: Path, port: int, status: int, error: str
) -> None:
    upstream = learned_upstream(tiers).replace(f":{APPLICATION_PORT}", f":{port}")
    log = tmp_path / "log"
    with tiers.running("python3", "-c", _SILENT_AND_CLOSING, log=log), second_nginx(tiers, upstream) as url:
        wait_until("the server listens", lambda: "ready" in log.read_text())
        answer = tiers.get(f"{url}/api/v1/accounts/1")
        assert (answer.status, answer.json) == (status, {"error": error})
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
        assert tiers.get(f"{url}/ready").status == 200
