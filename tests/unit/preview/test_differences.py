"""Two versions of an object differ in exactly the properties that a person would name."""

from __future__ import annotations

import json

import pytest

from preview.differences import ABSENT, Difference, differences


def test_equal_objects_do_not_differ() -> None:
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, Difference("a.b", 1, 2), id="a nested value"),
        pytest.param({}, {"a": 1}, Difference("a", ABSENT, 1), id="an added value"),
        pytest.param({"a": 1}, {}, Difference("a", 1, ABSENT), id="a removed value"),
        pytest.param({"a.b/c": 1}, {"a.b/c": 2}, Difference('["a.b/c"]', 1, 2), id="a key with dots"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, Difference("a[1]", 2, 3), id="an item by position"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, Difference("a[1]", ABSENT, 2), id="an added item"),
        pytest.param({"a": 1}, {"a": "1"}, Difference("a", 1, "1"), id="a number and a string"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, Difference("a", 1, {"b": 1}), id="a value and a map"),
        pytest.param({"a": "1"}, {"a": "2"}, Difference("a", "1", "2"), id="strings of digits"),
    ],
)
def test_one_property_is_one_difference(old: object, new: object, found: Difference) -> None:
    assert differences(old, new) == [found]


def test_named_items_are_matched_by_name_in_any_order() -> None:
    old = {"ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 9100}]}
    new = {"ports": [{"name": "metrics", "port": 9101}, {"name": "http", "port": 80}]}
    assert differences(old, new) == [Difference("ports[metrics].port", 9100, 9101)]


def test_a_string_of_json_is_one_property_with_nested_differences() -> None:
    old, new = ({"data": {"plan.json": json.dumps({"rps": rps, "seed": 1})}} for rps in (50, 100))
    (found,) = differences(old, new)
    assert found.path == 'data["plan.json"]'
    assert found.nested == (Difference("rps", 50, 100),)
