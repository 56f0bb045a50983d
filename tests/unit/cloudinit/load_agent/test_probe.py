"""Probing the tiers: whatever responds, the agent gets a reason."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from cloudinit.files.load.agent import probe as module
from cloudinit.files.load.agent.probe import PATH, probe

HEAD = b"HTTP/1.1 502 Bad Gateway\r\n"


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (HEAD + b'Content-Length: 15\r\n\r\n{"error": "no"}', "responds with 502: no"),
        (HEAD + b"Content-Length: 1000\r\n\r\n{", "responds with 502"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "responds with 502"),
        (HEAD + b"Content-Length: 4\r\n\r\nnull", "responds with 502"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not respond in HTTP: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + 200 * b"A: b\r\n" + b"\r\n", "does not respond in HTTP: HTTPException"),
        (b"", "does not respond: timed out"),
    ],
    ids=["whole", "stalled body", "broken chunk", "not an object", "not HTTP", "too many headers", "silence"],
)
def test_a_reason_is_returned_whatever_responds(response: bytes, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(response)
                done.wait(5)

        thread = threading.Thread(target=respond)
        thread.start()
        try:
            started = time.monotonic()
            assert probe(target).startswith(f"{target}{PATH} {problem}")
            assert time.monotonic() - started < 2
        finally:
            done.set()
            thread.join()
