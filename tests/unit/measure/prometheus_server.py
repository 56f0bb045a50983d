"""A Prometheus that answers range queries."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class PrometheusServer(ThreadingHTTPServer):
    """Answers every query but `bad(`, which is no PromQL.

    Attributes:
        asked: The requests' paths and parameters.
        late: Whether it answers no more range queries.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _PrometheusHandler)
        self.asked: list[tuple[str, dict[str, str], str | None]] = []
        self.late = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _PrometheusHandler(BaseHTTPRequestHandler):
    server: PrometheusServer

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parameters = {name: values[0] for name, values in parse_qs(text).items()}
        self.server.asked.append((self.path, parameters, self.headers.get("Authorization")))
        answer: dict[str, Any] = {
            "status": "success",
            "data": {"resultType": "matrix", "result": [{"values": [[1, "2"]]}]},
        }
        if parameters["query"] == "bad(":
            answer = {"status": "error", "errorType": "bad_data", "error": "parse error:\nunclosed left parenthesis"}
        if self.server.late and self.path.endswith("query_range"):
            answer = {"detail": "gateway"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass
