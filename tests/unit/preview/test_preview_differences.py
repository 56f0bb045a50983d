"""Two versions of an object differ in exactly the properties that a person would name."""

from __future__ import annotations

import json

import pytest

from preview.differences import ABSENT, SECRET, Difference, differences, masked, without_data


def test_equal_objects_do_not_differ() -> None:
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, Difference("a.b", 1, 2), id="a nested value"),
        pytest.param({}, {"a": 1}, Difference("a", ABSENT, 1), id="one that is added"),
        pytest.param({"a": 1}, {}, Difference("a", 1, ABSENT), id="one that is removed"),
        pytest.param({"a.b/c": 1}, {"a.b/c": 2}, Difference('["a.b/c"]', 1, 2), id="a key with dots"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, Difference("a[1]", 2, 3), id="an item by its place"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, Difference("a[1]", ABSENT, 2), id="one more item"),
        pytest.param({"a": 1}, {"a": "1"}, Difference("a", 1, "1"), id="a number and a text"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, Difference("a", 1, {"b": 1}), id="a value and a map"),
        pytest.param({"a": "1"}, {"a": "2"}, Difference("a", "1", "2"), id="texts that are numbers"),
    ],
)
def test_one_property_is_one_difference(old: object, new: object, found: Difference) -> None:
    assert differences(old, new) == [found]


def test_named_items_are_compared_by_name_wherever_they_stand() -> None:
    old = {"ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 9100}]}
    new = {"ports": [{"name": "metrics", "port": 9101}, {"name": "http", "port": 80}]}
    assert differences(old, new) == [Difference("ports[metrics].port", 9100, 9101)]


def test_a_text_of_json_is_one_property_that_is_looked_into() -> None:
    old, new = ({"data": {"plan.json": json.dumps({"rps": rps, "seed": 1})}} for rps in (50, 100))
    (found,) = differences(old, new)
    assert found.path == 'data["plan.json"]'
    assert found.inside == (Difference("rps", 50, 100),)


def test_what_the_engine_masks_is_a_difference_of_masks_at_its_own_path() -> None:
    whole = {"stringData": SECRET}
    single = {"stringData": {"userdata": SECRET, "b": "c"}}
    expected = [Difference("stringData.userdata", SECRET, SECRET)]
    assert masked(whole, whole, ["stringData.userdata"]) == expected
    assert masked(single, single, ["stringData.userdata", "stringData.b"]) == expected
    assert masked({"a": [{"b.c": SECRET}]}, {"a": [{"b.c": SECRET}]}, ['a[0]["b.c"]']) != []


def test_a_kubernetes_secret_shows_no_value_even_where_the_engine_shows_it() -> None:
    shown = without_data({"kind": "Secret", "data": {"a": "Zm9v"}, "stringData": {"b": "plain"}, "type": "Opaque"})
    assert shown == {"kind": "Secret", "data": {"a": SECRET, "b": SECRET}, "type": "Opaque"}
    assert without_data({"kind": "Secret", "stringData": SECRET}) == {"kind": "Secret", "data": SECRET}
