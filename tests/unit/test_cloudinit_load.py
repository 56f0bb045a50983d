"""The load generator's script by k6 itself, and the reader of its plan against a real HTTPS server."""

from __future__ import annotations

import importlib.util
import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import cloudinit
from cloudinit import LoadPlan, render_load_plan
from tests.unit.guest_examples import web_with_load
from tests.unit.guest_root import GuestRoot

READER = Path(cloudinit.__file__).parent / "load" / "follow_plan.py"
PLAN = LoadPlan(rps=50, concurrency=20, accounts=100_000, mix={"random": 60, "hot": 20, "missing": 20})


# --- k6


@pytest.fixture(scope="module")
def samples(tiers: GuestRoot) -> dict[str, list[dict[str, Any]]]:
    """What k6 measured in 60 requests through the running tiers, by metric."""
    tiers.write_files(web_with_load())
    tiers.write("/opt/test/plan.json", render_load_plan(PLAN))
    # The number of requests from the command line replaces the scenario; everything else is the script's.
    environment = ["PLAN=/opt/test/plan.json", "TARGET=http://127.0.0.1", "HOME=/root"]
    short = ["--iterations=60", "--vus=2", "--out=json=/opt/test/k6.json", "--address="]
    quiet = ["--quiet", "--no-usage-report", "--summary-mode=disabled"]
    tiers.run("env", *environment, "k6", "run", *short, *quiet, "/usr/local/lib/virtwork/requests.js")
    found = defaultdict(list)
    for line in tiers.read("/opt/test/k6.json").splitlines():
        entry = json.loads(line)
        if entry["type"] == "Point":
            found[entry["metric"]].append(entry["data"])
    return found


def test_the_load_generator_measures_every_tier_of_every_request(samples: dict[str, list[dict[str, Any]]]) -> None:
    assert len(samples["answers"]) == 60
    assert all(sample["value"] == 0 for sample in samples["unexpected_answers"])
    for metric in ("client_time", "application_time", "database_time"):
        assert len(samples[metric]) == 60, metric
    for client, application, database in zip(
        *(
            sorted(sample["value"] for sample in samples[f"{tier}_time"])
            for tier in ("client", "application", "database")
        ),
        strict=True,
    ):
        assert client >= application >= database > 0


def test_a_missing_account_is_expected_to_be_missing(samples: dict[str, list[dict[str, Any]]]) -> None:
    by_name = {(sample["tags"]["name"], sample["tags"]["status"]) for sample in samples["http_reqs"]}
    assert by_name == {("random", "200"), ("hot", "200"), ("missing", "404")}
    assert all(sample["value"] == 0 for sample in samples["http_req_failed"])


def test_no_request_has_a_tag_value_of_its_own(samples: dict[str, list[dict[str, Any]]]) -> None:
    for sample in samples["http_req_duration"]:
        assert set(sample["tags"]) <= {"name", "status", "scenario", "expected_response"}


def test_the_scenario_is_the_plans(tiers: GuestRoot, samples: dict[str, list[dict[str, Any]]]) -> None:
    assert samples
    environment = ["-e", "PLAN=/opt/test/plan.json", "-e", "TARGET=http://127.0.0.1"]
    options = json.loads(tiers.run("k6", "inspect", *environment, "/usr/local/lib/virtwork/requests.js"))
    stream = options["scenarios"]["stream"]
    assert stream["executor"] == "constant-arrival-rate"
    assert (stream["rate"], stream["timeUnit"]) == (50, "1s")
    assert (stream["preAllocatedVUs"], stream["maxVUs"]) == (20, 20)
    assert stream["duration"] == "2h46m40s", "half a million requests a run: k6 keeps each one's times in memory"


# --- the plan's reader


class ApiServer(BaseHTTPRequestHandler):
    """Answers as the API server does for one ConfigMap."""

    data: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        allowed = self.headers["Authorization"] == "Bearer the-token"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        if allowed:
            self.wfile.write(json.dumps({"kind": "ConfigMap", "data": self.data}).encode())

    def log_message(self, *_: object) -> None:
        pass


def certificate(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key").write_bytes(text)
    (directory / "ca").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return directory / "key", directory / "ca"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The guest's reader as a module, a server for it to ask, and a systemctl that only notes what it was told."""
    key, authority = certificate(tmp_path)
    (tmp_path / "token").write_text("the-token\n", encoding="ascii")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n', encoding="ascii")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    server = ThreadingHTTPServer(("localhost", 0), ApiServer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    path = "api/v1/namespaces/multi-tier/configmaps/multi-tier-load"
    monkeypatch.setenv("PLAN_URL", f"https://localhost:{server.server_port}/{path}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(ApiServer, "data", {"plan.json": render_load_plan(PLAN)})
    specification = importlib.util.spec_from_file_location("plan_reader", READER)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_new_plan_is_written_and_restarts_the_generator_once(reader: ModuleType, tmp_path: Path) -> None:
    assert reader.apply(reader.fetch())
    assert not reader.apply(reader.fetch())
    assert (tmp_path / "plan.json").read_text() == render_load_plan(PLAN)
    assert (tmp_path / "told").read_text() == "restart --no-block virtwork-multi-tier-load.service\n"
    assert ApiServer.asked[-1] == "/api/v1/namespaces/multi-tier/configmaps/multi-tier-load"


@pytest.mark.parametrize(
    ("data", "words"),
    [({}, "no readable plan.json"), ({"plan.json": "{broken"}, "no readable plan.json")],
)
def test_a_broken_plan_is_refused_and_the_last_one_stays(
    reader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, str], words: str
) -> None:
    reader.apply(reader.fetch())
    monkeypatch.setattr(ApiServer, "data", data)
    with pytest.raises(reader.PlanError, match=words):
        reader.fetch()
    assert (tmp_path / "plan.json").read_text() == render_load_plan(PLAN)


def test_a_refused_token_is_said_by_its_status(reader: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another", encoding="ascii")
    with pytest.raises(reader.PlanError, match="the API server answered 401"):
        reader.fetch()


def test_a_server_of_another_authority_is_not_trusted(reader: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _, other = certificate(tmp_path / "other")
    (tmp_path / "ca").write_bytes(other.read_bytes())
    with pytest.raises(reader.PlanError, match="certificate verify failed"):
        reader.fetch()


def test_an_api_server_that_is_away_is_said_in_words(reader: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PLAN_URL", "https://localhost:1/")
    with pytest.raises(reader.PlanError, match="the API server is away"):
        reader.fetch()
