"""JSON files: what is written is what json gives, and a fault is one line with the path."""

import json

import pytest

from semiology import UserError
from semiology.files import read_json, write_json


def test_json_is_written_with_one_space_and_a_line_feed_or_in_one_line(tmp_path):
    path = tmp_path / "folder" / "a.json"
    write_json(path, {"a": [1]})
    assert path.read_bytes() == b'{\n "a": [\n  1\n ]\n}\n'
    write_json(path, {"a": [1]}, indent=None)
    assert path.read_bytes() == b'{"a": [1]}'
    assert read_json(path) == {"a": [1]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, float("nan"), allow_nan=False)
    assert json.loads(path.read_text()) == {"a": [1]}  # the file of before, whole


@pytest.mark.parametrize(
    ("content", "kind", "fault"),
    [
        (None, dict, "a.json: no such file; write it"),
        (b"{", dict, "a.json: not JSON .*; write it"),
        (b"\xff", dict, "a.json: not JSON .*; write it"),
        (b"[]", dict, "a.json: not a JSON object; write it"),
        (b"{}", list, "a.json: not a JSON list; write it"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path, content, kind, fault):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=fault):
        read_json(tmp_path / "a.json", kind, remedy="write it")


def test_a_list_or_an_object_is_read_where_both_may_be(tmp_path):
    for content in ([1], {"a": 1}):
        write_json(tmp_path / "a.json", content)
        assert read_json(tmp_path / "a.json", object) == content
