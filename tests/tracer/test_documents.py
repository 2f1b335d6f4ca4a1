"""YAML is read as a tree of plain values, within bounds; all else is refused in one line with its place."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracer.documents import MAX_BYTES, MAX_DEPTH, Document, dump_document, parse_document, read_document
from tracer.errors import DocumentError, WeightsError
from tracer.weights import load_weights

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lines that stand for 9⁹ values."""


@pytest.fixture
def refused(tmp_path: Path):
    def read(text: str | bytes) -> str:
        path = tmp_path / "file.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DocumentError) as raised:
            read_document(path)
        line = str(raised.value)
        assert "\n" not in line
        assert line.startswith(str(path))
        return line.removeprefix(str(path))

    return read


def test_values_are_plain_and_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: [1, 0.5,\n    text]\nb:\n  when: 2026-01-31\n  '<<': true\n  =: null\n")
    document = read_document(path)
    assert document.data == {"a": [1, 0.5, "text"], "b": {"when": "2026-01-31", "<<": True, "=": None}}
    assert [document.place(place) for place in (("a", 1), ("a", 2), ("b", "when"), ("b", "none"), ("none",))] == [
        *(f"{path}:1", f"{path}:2", f"{path}:4", f"{path}:3", str(path)),
    ]
    assert Document("it", {}).place(("a",)) == "it"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1e1", 10.0), ("-1E+2", -100.0), ("1.0e3", 1000.0), ("+.5", 0.5), ("5.", 5.0),
        ("12e03", 12000.0), ("-.inf", float("-inf")), ("17", 17), ("1e", "1e"), (".", "."), ("e3", "e3"),
        ("1e3x", "1e3x"), ("1:30.5", "1:30.5"), ("1.5\n", 1.5), ("'1e3'", "1e3"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_a_fraction_is_what_yaml_1_2_calls_one(text: str, value: object) -> None:
    read = parse_document(f"a: {text}", "it").data["a"]
    assert (type(read), read) == (type(value), value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
        | st.from_regex(r"[-+]?[0-9]{0,2}\.?[0-9]{0,2}[eE][-+]?[0-9]{1,2}", fullmatch=True),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
@example({"1e3": "1e-3", "a": [".5e1", "1.0e3", "1E3", "+1e1", "1_000.5", "1:30.5", "2026-01-31"]})
def test_what_is_written_is_read_back_as_it_was(value: object) -> None:
    written = dump_document(value)
    assert repr(parse_document(written, "it").data) == repr(value)
    assert dump_document(value) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, ":2:8: alias *a; write the value out"),
        ("&a [*a]", ":1:5: alias *a"),
        ("base: &base {x: 1}\nmore:\n  <<: *base\n", ":3:7: alias *base"),
        ("a: !!int 3\n", ":1:4: tag tag:yaml.org,2002:int; write the plain value"),
        ("a: !!bool perhaps\n", ":1:4: tag "),
        ("a: !!timestamp x\n", ":1:4: tag "),
        ("a: 1\nb: {c: 2, c: 3}\n", ":2:11: key 'c' stands there twice; keep one"),
        ("1: a\n1.0: b\n", ":2:1: key 1.0 stands there twice"),
        ("[" * 100_000, f":1:{MAX_DEPTH + 1}: more than {MAX_DEPTH} levels deep; write it flatter"),
        ("- " * 100_000, f":1:{2 * MAX_DEPTH + 1}: more than"),
        ("a: " + "9" * 400, ":1:4: a number of 400 characters; write a shorter one"),
        ("a: 0x" + "f" * 100_000, ":1:4: a number of 100002 characters"),
        ("a: 1" + ":59" * 100_000, ":1:4: a number of 300001 characters"),
        ("a: 0b_\n", ":1:4: '0b_' is no number; write one, or put it in quotes"),
        ("#" * (MAX_BYTES + 1), f": longer than {MAX_BYTES} bytes; leave out what is not needed"),
        ("{[1]: 2}", ":1:2: not YAML: "),
        ("a: \x00", ": not YAML: "),
        (b"\xff\xfe\x00", ": cannot be read (not UTF-8 text); give a YAML file"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_more_than_a_plain_tree_is_refused(refused, text: str | bytes, said: str) -> None:
    assert refused(text).startswith(said)


@pytest.mark.parametrize("name", ["missing.yaml", ".", "x" * 300, "nul\0.yaml"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(DocumentError, match=r"no such file|cannot be read"):
        read_document(tmp_path / name)


def test_weight_files_are_read_by_it(tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(BOMB)
    with pytest.raises(WeightsError, match=r"bomb\.yaml:2:8: alias"):
        load_weights(tmp_path / "bomb.yaml")
