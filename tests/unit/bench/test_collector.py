"""The collector counts spans and says when it listens."""

from __future__ import annotations

import subprocess
import sys

import httpx

from bench.collector import Collector
from lab.config import PROJECT


def test_spans_are_counted_from_the_first_request_on() -> None:
    command = [sys.executable, "-m", "bench.collector", "127.0.0.1", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            collector = Collector(f"http://127.0.0.1:{process.stdout.readline().split()[-1]}")
            scopes = [{"spans": [1, 2]}, {"spans": [3]}]
            for _ in range(2):
                body = {"resourceSpans": [{"scopeSpans": scopes}]}
                httpx.post(f"{collector.url}/v1/traces", json=body, trust_env=False).raise_for_status()
            assert collector.spans == 6
        finally:
            process.terminate()
