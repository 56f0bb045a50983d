"""No secret reaches the report, neither in an object nor in the text."""

from __future__ import annotations

import base64
import hashlib

import pytest

from preview.masking import SECRET, is_masked, mask, secret_values, without_data

PASSWORD = "kK3vT9" * 5


@pytest.mark.parametrize(
    ("tree", "path", "masked"),
    [
        ({"stringData": SECRET}, "stringData.userdata", True),
        ({"stringData": {"userdata": SECRET, "b": "c"}}, "stringData.userdata", True),
        ({"stringData": {"userdata": SECRET, "b": "c"}}, "stringData.b", False),
        ({"a": [{"b.c": SECRET}]}, 'a[0]["b.c"]', True),
        ({"a": []}, "a[0].b", False),
    ],
)
def test_a_path_is_masked_if_it_or_a_parent_is(tree: object, path: str, masked: bool) -> None:
    assert is_masked(tree, path) is masked


def test_a_kubernetes_secret_shows_no_value_even_if_the_engine_does() -> None:
    shown = without_data({"kind": "Secret", "data": {"a": "Zm9v"}, "stringData": {"b": "plain"}, "type": "Opaque"})
    assert shown == {"kind": "Secret", "data": {"a": SECRET, "b": SECRET}, "type": "Opaque"}
    assert without_data({"kind": "Secret", "stringData": SECRET}) == {"kind": "Secret", "data": SECRET}


def test_a_secret_is_masked_in_plain_text_encoded_and_hashed_but_short_words_are_kept() -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    hashed = hashlib.sha256(PASSWORD.encode()).hexdigest()
    secrets = secret_values([{"data": {"password": encoded, "user": base64.b64encode(b"appuser").decode()}}])
    text = mask(f"appuser {PASSWORD} {encoded} {hashed}", secrets)
    assert text == "appuser [secret] [secret] [secret]"
