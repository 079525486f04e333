"""What `check --for hf` says is what Hugging Face datasets does: each case is loaded with the real library, too."""

import json
import math

import pytest

hf = pytest.importorskip("datasets")

FIRST = 5


@pytest.fixture
def load(tmp_path, monkeypatch):
    """The rows that load_dataset makes of tars, pictures as True; or the error that it ends in."""
    monkeypatch.setattr(hf.config, "HF_DATASETS_OFFLINE", True)
    hf.disable_progress_bars()

    def run(*paths):
        try:
            loaded = hf.load_dataset(
                "webdataset", data_files=[str(path) for path in paths], split="train", cache_dir=str(tmp_path / "cache")
            )
        except Exception as error:  # noqa: BLE001 - whatever it raises is what we are after
            return error.__cause__ or error
        for name, feature in loaded.features.items():
            if isinstance(feature, hf.Image):
                loaded = loaded.cast_column(name, hf.Image(decode=False))
        rows = loaded.remove_columns(["__url__"]).to_list()
        return [
            {name: bool(v) if isinstance(v, dict) and "bytes" in v else v for name, v in row.items()} for row in rows
        ]

    return run


@pytest.fixture
def jsons(pack, tmp_path):
    """A tar of samples that are json alone: five with `first`, then one with `last`."""

    def make(first, last):
        values = [first] * FIRST + [last]
        return pack(tmp_path / "a.tar", [(f"{n}.json", json.dumps(value).encode()) for n, value in enumerate(values)])

    return make


def samples(count, start=0, **fields):
    return [(f"{n}.{name}", data) for n in range(start, start + count) for name, data in fields.items()]


def test_a_uniform_dataset_has_no_defects(pack, picture, said, load, tmp_path):
    path = pack(tmp_path / "v1.0/a.tar", samples(8, jpg=picture("JPEG"), txt=b"a", json=b'{"n": 1, "m": null}'))
    assert said("hf", path) == []
    assert len(load(path)) == 8
    dotted = pack(tmp_path / "b.tar", [("v1.0/a.txt", b""), ("v1.0/b.txt", b"")])
    assert said("hf", dotted) == []
    assert [row["__key__"] for row in load(dotted)] == ["v1.0/a", "v1.0/b"]


def test_jpg_and_png_among_the_first_samples_are_refused(pack, picture, said, load, tmp_path):
    members = [*samples(2, jpg=picture("JPEG"), txt=b""), *samples(1, 9, png=picture("PNG"), txt=b"")]
    path = pack(tmp_path / "a.tar", members)
    assert "don't share the same prefix or the same types" in str(load(path))
    assert said("hf", path) == ["9: refused: among the first five samples, 0 has jpg txt, this png txt"]


@pytest.mark.parametrize("apart", [False, True])
def test_a_png_that_comes_late_is_dropped_without_a_word(pack, picture, said, load, tmp_path, apart):
    early, late = samples(FIRST, jpg=picture("JPEG"), txt=b""), samples(1, 9, png=picture("PNG"), txt=b"")
    paths = [pack(tmp_path / "a.tar", early if apart else early + late)]
    paths += [pack(tmp_path / "b.tar", late)] if apart else []
    rows = load(*paths)
    assert (rows[-1]["jpg"], "png" in rows[-1]) == (None, False)
    line = "9: dropped: png, which the first samples don't have; their jpg is None here"
    assert said("hf", tmp_path) == [line]


def test_a_field_that_lacks_is_none_and_noted(pack, said, load, tmp_path):
    path = pack(tmp_path / "a.tar", [*samples(FIRST, txt=b"", json=b"{}"), ("9.txt", b"")])
    assert load(path)[-1]["json"] is None
    assert said("hf", path) == []
    assert said("hf", path, notes=True) == ["without json: None in that column"]


def test_a_json_name_that_comes_late_is_dropped_without_a_word(jsons, said, load):
    path = jsons({"a": 1, "deep": {"x": 1}, "list": [{"t": 1}]}, {"a": 1, "b": 2, "deep": {"y": 1}, "list": [{"u": 1}]})
    row = load(path)[-1]["json"]
    assert row == {"a": 1, "deep": {"x": None}, "list": [{"t": None}]}
    assert said("hf", path) == [
        f"5: dropped: {name}, a name that the first samples don't have"
        for name in ("json.b", "json.deep.y", "json.list[].u")
    ]


REFUSED = [
    (None, "x"),
    (None, [1]),
    (None, {}),
    ([], ["x"]),
    (1, "x"),
    (1, [1]),
    (1, 2**70),
    (1, math.nan),
    (1.5, "x"),
    (["x"], 3),
    ([1], ["z"]),
    ([[1]], [["x"]]),
    ([1], "abc"),
    ({"x": 1}, "s"),
    ({"x": 1}, [1]),
    ([{"b": 1}], ["x"]),
]
CHANGED = [
    (1, 1.5, 1),
    (1, "7", 7),
    (1, True, 1),
    (True, 3, True),
    ("x", 5, "5"),
    ("x", ["y"], "['y']"),
    ([1], [1.5], [1]),
    (["x"], "abc", ["a", "b", "c"]),
    ([{"b": 1}], [{"b": 1.5}], [{"b": 1}]),
]
FITTING = [(1, 2), (1, 2.0), (1.5, 2), (1, None), ("x", ""), ([1], []), ({"x": 1}, {}), ([{"a": 1}], [{"a": None}])]


@pytest.mark.parametrize(("first", "last"), REFUSED, ids=str)
def test_a_value_that_cannot_be_fitted_is_refused(jsons, said, load, first, last):
    path = jsons({"a": first}, {"a": last})
    assert isinstance(load(path), Exception)
    lines = said("hf", path)
    assert lines
    assert lines[0].startswith("5: ")
    assert any(": refused: " in line or "taken apart" in line for line in lines)


@pytest.mark.parametrize(("first", "last", "becomes"), CHANGED, ids=str)
def test_a_value_that_is_fitted_is_changed_without_a_word(jsons, said, load, first, last, becomes):
    path = jsons({"a": first}, {"a": last})
    assert load(path)[-1]["json"]["a"] == becomes
    (line,) = said("hf", path)
    assert line.startswith("5: changed: json.a")


@pytest.mark.parametrize(("first", "last"), FITTING, ids=str)
def test_what_fits_is_no_defect(jsons, said, load, first, last):
    path = jsons({"a": first}, {"a": last})
    assert len(load(path)) == FIRST + 1
    assert said("hf", path) == []


@pytest.mark.parametrize("values", [(1, 1.5), (1, "x"), ([1, "x"],), (2**70,)], ids=str)
def test_types_that_differ_among_the_first_samples_are_refused(pack, said, load, tmp_path, values):
    path = pack(tmp_path / "a.tar", [(f"{n}.json", json.dumps({"a": v}).encode()) for n, v in enumerate(values)])
    assert isinstance(load(path), Exception)
    (line,) = said("hf", path)
    assert line.startswith(f"{len(values) - 1}: refused: json: ")


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([("a.txt", b"1"), ("a.txt", b"2")], "a.txt: refused: Duplicate field 'txt' for sample 'a'"),
        ([*samples(FIRST, txt=b""), ("9.txt", b"\xff")], "9.txt: refused: UnicodeDecodeError: "),
        ([*samples(FIRST, json=b"{}"), ("9.json", b"{")], "9.json: refused: JSONDecodeError: "),
        ([*samples(FIRST, cls=b"1"), ("9.cls", b"x")], "9.cls: refused: ValueError: "),
        ([("README", b"")], "-: refused: the first tar has no sample"),
    ],
)
def test_what_the_builder_raises_is_named(pack, said, load, tmp_path, members, line):
    path = pack(tmp_path / "a.tar", members)
    assert isinstance(load(path), Exception)
    (found,) = said("hf", path)
    assert found.startswith(line)


def test_names_that_it_hides(pack, said, load, tmp_path):
    path = pack(tmp_path / "a.tar", [("a.txt", b""), ("__b.txt", b""), ("d/__c.txt", b""), ("d/._a.txt", b"")])
    assert len(load(path)) == 1
    assert said("hf", path) == [
        f"{name}: dropped: a name that begins with . or __" for name in ("__b.txt", "d/__c.txt")
    ]


def test_members_that_are_not_adjacent(pack, said, load, tmp_path):
    late = [("x.txt", b""), ("y.txt", b""), ("x.json", b"{}")]
    path = pack(tmp_path / "a.tar", [*samples(FIRST, txt=b"", json=b"{}"), *late])
    assert [row["__key__"] for row in load(path)][-3:] == ["x", "y", "x"]
    (line,) = said("hf", path)
    assert line.startswith("x: split: a sample of its own with json; x was at offset ")
    assert said("hf", path, notes=True) == ["without json: None in that column", "without txt: None in that column"]


def test_a_damaged_header_ends_its_reading_without_a_word(pack, said, load, tmp_path):
    path = pack(tmp_path / "a.tar", samples(6, txt=b"x"))
    data = bytearray(path.read_bytes())
    data[2048] ^= 1
    path.write_bytes(data)
    assert len(load(path)) == 2
    assert said("hf", path) == ["-: not a tar header: refused, or the rest of this tar dropped without a word"]


def test_a_folder_with_tables_is_noted(made, said):
    assert any("load_dataset(FOLDER) reads those" in note for note in said("hf", made / "clean", notes=True))
