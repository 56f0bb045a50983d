"""The slow query and the update: their responses, and the requests that they refuse."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudinit.constants import APPLICATION_PORT, DRAIN_SECONDS, DRAINING
from tests.guest.guest_root import GuestRoot, Response
from tests.guest.guest_sql import sql
from tests.guest.running_tiers import APPLICATION, WEB

JSON = ("--header", "Content-Type: application/json")
LARGEST = 2**31 - 1
# Each of the tiers' processes looks for itself whether its guest drains, and has done so long before the guest ends.
NOTICED_SECONDS = DRAIN_SECONDS / 2
BODY = f'the body must be {{"delta": n}} and nothing else, with an integer n from {-LARGEST - 1} to {LARGEST}'


@pytest.fixture
def ask(tiers: GuestRoot) -> Callable[..., Response]:
    return lambda path, *options: tiers.get(APPLICATION + path, *options)


@pytest.fixture
def change(tiers: GuestRoot) -> Callable[..., Response]:
    """Post a body to an account."""

    def post(aid: int | str, body: str, *options: str, base: str = APPLICATION) -> Response:
        return tiers.get(f"{base}/api/v1/accounts/{aid}", *(options or JSON), "--data-binary", body)

    return post


def raw(tiers: GuestRoot, data: bytes, *, wait: bool = True) -> str:
    """Send bytes to the application, and return its response: all until it closes or falls silent for 0.1 s."""
    program = f"""
        import socket, sys
        peer = socket.create_connection(("127.0.0.1", {APPLICATION_PORT}))
        peer.sendall(bytes.fromhex(sys.argv[1]))
        peer.settimeout(0.1)
        try:
            while {wait} and (said := peer.recv(65536)):
                sys.stdout.write(said.decode("latin-1"))
        except TimeoutError:
            pass
    """
    return tiers.run("python3", "-c", textwrap.dedent(program), data.hex())


@pytest.mark.parametrize("base", [APPLICATION, WEB], ids=["application", "web"])
def test_a_guest_that_drains_serves_on_and_has_connections_closed(
    tiers: GuestRoot, change: Callable[..., Response], base: str
) -> None:
    assert change(1, '{"delta": 0}', base=base).headers.get("connection") != "close"
    tiers.write(DRAINING, "")
    try:
        time.sleep(NOTICED_SECONDS)
        drained, refused = (change(1, body, base=base) for body in ('{"delta": 0}', "{}"))
    finally:
        tiers.run("rm", DRAINING)

    assert (drained.status, drained.headers["connection"]) == (200, "close")
    assert (refused.status, refused.headers["connection"]) == (400, "close")
    time.sleep(NOTICED_SECONDS)
    assert change(1, '{"delta": 0}', base=base).headers.get("connection") != "close"


def test_a_branch_has_the_sum_of_its_accounts(
    tiers: GuestRoot, ask: Callable[..., Response], change: Callable[..., Response]
) -> None:
    change(99_999, '{"delta": 12}')
    answer = ask("/api/v1/branches/1")
    assert answer.status == 200
    assert set(answer.json) == {"bid", "accounts", "balance", "db_latency_ms", "tier", "timestamp"}
    assert (answer.json["bid"], answer.json["accounts"], answer.json["tier"]) == (1, 100_000, "application")
    assert answer.json["balance"] == int(sql(tiers, "SELECT sum(abalance) FROM pgbench_accounts WHERE bid = 1"))
    assert f"db;dur={answer.json['db_latency_ms']:.3f}" in answer.headers["server-timing"]


def test_the_sum_is_slower_than_one_account(ask: Callable[..., Response]) -> None:
    paths = ("/api/v1/accounts/1", "/api/v1/branches/1")
    one, all_of_them = (min(ask(path).json["db_latency_ms"] for _ in range(3)) for path in paths)
    assert all_of_them > 3 * one


@pytest.mark.parametrize("bid", ["2", "21474", "21475", "9" * 100])
def test_a_missing_branch_is_404_however_large_its_id(ask: Callable[..., Response], bid: str) -> None:
    answer = ask(f"/api/v1/branches/{bid}")
    assert (answer.status, answer.json) == (404, {"error": "no such branch"})


@pytest.mark.parametrize("bid", ["0", "one", "%0a1", "1%0a"])
def test_a_branch_id_that_is_not_a_positive_integer_is_400(ask: Callable[..., Response], bid: str) -> None:
    answer = ask(f"/api/v1/branches/{bid}")
    assert (answer.status, answer.json) == (400, {"error": "branch id must be a positive integer"})


@pytest.mark.parametrize("delta", [1, -5000, 5000, 0])
def test_an_update_returns_the_new_balance(
    ask: Callable[..., Response], change: Callable[..., Response], delta: int
) -> None:
    before = ask("/api/v1/accounts/300").json["balance"]
    answer = change(300, json.dumps({"delta": delta}))
    assert answer.status == 200
    assert set(answer.json) == {"aid", "balance", "db_latency_ms", "tier", "timestamp"}
    assert (answer.json["aid"], answer.json["balance"]) == (300, before + delta)
    assert ask("/api/v1/accounts/300").json["balance"] == before + delta


def test_an_update_through_the_web_tier_adds_one_row_of_history(
    tiers: GuestRoot, change: Callable[..., Response]
) -> None:
    assert change(301, ' {"delta":\n-7} ', "--header", "Content-Type: APPLICATION/JSON; charset=utf-8", base=WEB).json
    history = sql(tiers, "SELECT tid BETWEEN 1 AND 10, bid, delta, mtime <= now() FROM pgbench_history WHERE aid = 301")
    assert history == "t|1|-7|t"


def test_concurrent_updates_are_all_applied(ask: Callable[..., Response], change: Callable[..., Response]) -> None:
    before = ask("/api/v1/accounts/302").json["balance"]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: change(302, '{"delta": 3}'), range(12)))
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json["balance"] for answer in answers) == [before + 3 * number for number in range(1, 13)]


def test_an_update_of_a_missing_account_is_404_and_changes_nothing(
    tiers: GuestRoot, change: Callable[..., Response]
) -> None:
    for aid in ("100001", "2147483648"):
        answer = change(aid, '{"delta": 1}')
        assert (answer.status, answer.json) == (404, {"error": "no such account"})
    assert sql(tiers, "SELECT count(*) FROM pgbench_history WHERE aid > 100000") == "0"


def test_an_update_beyond_32_bits_is_409_and_keeps_the_connection(
    ask: Callable[..., Response], change: Callable[..., Response]
) -> None:
    assert change(303, json.dumps({"delta": LARGEST})).status == 200
    answer = change(303, '{"delta": 1}')
    assert (answer.status, answer.json) == (409, {"error": "the balance would no longer fit into 32 bits"})
    after = ask("/api/v1/accounts/303")
    assert after.json["balance"] == LARGEST
    assert "connect" not in after.headers["server-timing"], "the connection was thrown away"
    assert change(303, json.dumps({"delta": -LARGEST})).json["balance"] == 0


@pytest.mark.parametrize(
    "body",
    [
        *("", "{}", "[]", "null", "1", '"delta"', '{"delta"}', "{'delta': 1}", '{"delta": 1', '{"delta": 1}{}'),
        *('{"delta": true}', '{"delta": false}', '{"delta": null}', '{"delta": "1"}', '{"delta": [1]}'),
        *('{"delta": 1.0}', '{"delta": 1e3}', '{"delta": NaN}', '{"delta": -Infinity}', '{"delta": 0x10}'),
        *('{"delta": 2147483648}', '{"delta": -2147483649}', f'{{"delta": {"9" * 200}}}', '{"Delta": 1}'),
        *('{"delta": 1, "aid": 2}', "[" * 250, '{"delta": 01}', '{"delta": ٣}', "\ufeff" + '{"delta": 1}'),
    ],
)
def test_an_invalid_body_is_400_and_says_what_is_valid(change: Callable[..., Response], body: str) -> None:
    answer = change(1, body)
    assert (answer.status, answer.json) == (400, {"error": BODY})


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_another_media_type_is_415(change: Callable[..., Response], media_type: str) -> None:
    answer = change(1, '{"delta": 1}', "--header", f"Content-Type: {media_type}")
    assert answer.status == 415
    assert "application/json" in answer.json["error"]


@pytest.mark.parametrize("length", [257, 60_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_413_with_and_without_a_length(
    change: Callable[..., Response], length: int, *, chunked: bool
) -> None:
    options = (*JSON, "--header", "Transfer-Encoding: chunked") if chunked else JSON
    answer = change(1, '{"delta": 1}'.ljust(length), *options)
    assert (answer.status, answer.json) == (413, {"error": "the body must be at most 256 bytes"})
    assert change(1, '{"delta": 0}'.ljust(256)).status == 200


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        *(("/api/v1/accounts/1", method, {"GET", "HEAD", "POST"}) for method in ("PUT", "DELETE", "PATCH", "OPTIONS")),
        *(("/api/v1/branches/1", method, {"GET", "HEAD"}) for method in ("POST", "DELETE")),
        *(("/health", "POST", {"GET", "HEAD"}), ("/ready", "PROPFIND", {"GET", "HEAD"})),
    ],
)
def test_another_method_is_405_in_json_and_says_which_are_allowed(
    ask: Callable[..., Response], path: str, method: str, allowed: set[str]
) -> None:
    answer = ask(path, "--request", method)
    assert (answer.status, answer.json) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_head_is_get_without_a_body(ask: Callable[..., Response]) -> None:
    answer = ask("/api/v1/branches/1", "--head")
    assert (answer.status, answer.body) == (200, "")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",  # TLS
        b"GET /health SMTP/1.1\r\n\r\n",
        b"GET /api/v1/accounts/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/v1/accounts/1 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_malformed_http_is_400_or_closes_the_connection(tiers: GuestRoot, data: bytes) -> None:
    assert raw(tiers, data).split()[:2] in (["HTTP/1.1", "400"], [])
    assert tiers.get(f"{APPLICATION}/health").status == 200


def test_a_client_that_disconnects_within_its_body_changes_nothing(tiers: GuestRoot) -> None:
    head = b"POST /api/v1/accounts/304 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    raw(tiers, head + b'{"delta": 1', wait=False)
    assert tiers.get(f"{APPLICATION}/api/v1/accounts/304").json["balance"] == 0
