"""Reading the ConfigMap from an HTTPS server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudinit.files.load.agent.config_map import ConfigMap, Contents, SourceError
from tests.unit.api_server import PATH, ApiServer, api_server, certificate


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        server.data = {"plan.json": "the plan"}
        yield server


@pytest.fixture
def source(api: ApiServer) -> ConfigMap:
    return ConfigMap(api.url, api.credentials)


def test_the_data_is_read_repeatedly_over_one_connection(api: ApiServer, source: ConfigMap) -> None:
    for _ in range(3):
        assert source.fetch().data == {"plan.json": "the plan"}
    assert (api.asked, api.connections) == ([PATH] * 3, 1)


def test_a_connection_that_the_server_has_closed_is_reopened_silently(api: ApiServer, source: ConfigMap) -> None:
    source.fetch()
    assert source._connection
    assert source._connection.sock
    source._connection.sock.close()
    assert source.fetch().data == {"plan.json": "the plan"}
    assert api.connections == 2


def test_a_rejected_token_is_reported_with_the_status(api: ApiServer, source: ConfigMap) -> None:
    (api.credentials / "token").write_text("another", encoding="ascii")
    with pytest.raises(SourceError, match="the API server responded with 401"):
        source.fetch()


def test_a_server_with_another_authority_is_not_trusted(api: ApiServer, source: ConfigMap, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _, other = certificate(tmp_path / "other")
    (api.credentials / "ca").write_bytes(other.read_bytes())
    with pytest.raises(SourceError, match="certificate verify failed"):
        source.fetch()


def test_an_unreachable_api_server_is_reported(api: ApiServer) -> None:
    with pytest.raises(SourceError, match=r"the API server is unreachable: .*refused"):
        ConfigMap("https://127.0.0.1:1/", api.credentials).fetch()


@pytest.mark.parametrize("body", ["[]", "not JSON", '{"data": 3}', '{"metadata": {"managedFields": [{"time": 1}]}}'])
def test_a_response_that_is_no_config_map_is_reported(api: ApiServer, source: ConfigMap, body: str) -> None:
    api.body = body
    with pytest.raises(SourceError, match="the API server's response is not a ConfigMap"):
        source.fetch()


def test_a_config_map_without_data_is_empty(api: ApiServer, source: ConfigMap) -> None:
    api.body = '{"data": null}'
    assert source.fetch() == Contents({}, {})


def test_the_age_of_a_key_comes_from_the_api_servers_clock_alone(
    api: ApiServer, source: ConfigMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.date = "Sat, 21 Nov 2026 10:00:30 GMT"
    fields: dict[str, object] = {"f:data": {"f:run.json": {}}}
    metadata = {
        "managedFields": [
            {"manager": "pulumi", "time": "2026-11-20T10:00:00Z", "fieldsV1": {"f:data": {"f:plan.json": {}}}},
            {"manager": "measure", "time": "2026-11-21T10:00:00Z", "fieldsV1": fields},
            {"manager": "other", "fieldsV1": {"f:metadata": {}}},
        ]
    }
    api.body = json.dumps({"data": {"run.json": "the run"}, "metadata": metadata})
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert source.fetch().ages == {"plan.json": 86430.0, "run.json": 30.0}
