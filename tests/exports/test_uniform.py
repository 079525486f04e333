"""vlmkit cat --uniform: what Hugging Face's webdataset loader refuses, drops or rounds comes through."""

import hashlib
import json

import pytest


def chat(text):
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]


@pytest.fixture
def uneven(dataset, picture):
    """Two shards: pictures in two formats, a text that one sample has, names and types that come late."""
    names = [{"n": n, "messages": chat(f"say {n}"), "tags": []} for n in range(12)]
    names[7] |= {"late": "here", "deep": {"x": 1}}
    names[8] |= {"n": 2.5, "tags": ["a", "b"]}
    names[9] |= {"deep": {"y": [True]}}
    samples = [{"json": value} for value in names]
    for n, fields in enumerate(samples):
        fields["png" if n % 3 else "jpg"] = picture("PNG" if n % 3 else "JPEG", (8 + n, 8))
    samples[4]["txt"] = b"a text"
    return dataset("in", samples[:8], samples[8:])


def same_formats(dataset, picture, *names):
    return dataset("plain", [{"png": picture(), "json": value} for value in names])


@pytest.mark.parametrize("streaming", [False, True])
def test_hugging_face_fails_before_and_loads_all_after(vlmkit, uneven, tmp_path, load, members, streaming):
    with pytest.raises(ValueError, match="don't share the same prefix or the same types"):
        load("webdataset", "in/*.tar", streaming)
    done = vlmkit("cat", uneven, tmp_path / "out", "--uniform", "png", "--json")
    assert done.status == 0
    features, rows = load("webdataset", "out/*.tar", streaming)
    assert set(features) == {"png", "txt", "json", "__key__", "__url__"}
    assert [row["__key__"] for row in rows] == [f"{n:04d}" for n in range(12)]
    assert [row["png"].size for row in rows] == [(8 + n, 8) for n in range(12)]
    assert [row["txt"] for row in rows] == ["", "", "", "", "a text", *[""] * 7]
    assert [row["json"]["n"] for row in rows] == [0, 1, 2, 3, 4, 5, 6, 7, 2.5, 9, 10, 11]
    assert [row["json"]["late"] for row in rows] == [*[""] * 7, "here", *[""] * 4]
    assert rows[8]["json"]["tags"] == ["a", "b"]
    assert [rows[n]["json"]["deep"] for n in (7, 9)] == [{"x": 1, "y": [False]}, {"x": 0, "y": [True]}]
    said = rows[5]["json"]["messages"][0]["content"]
    assert said == [{"type": "image", "text": ""}, {"type": "text", "text": "say 5"}]
    came, went = members(uneven / "00000.tar"), members(tmp_path / "out/00000.tar")
    assert went["0001.png"][512:] == came["0001.png"][512:], "a PNG stays as it is"
    assert json.loads(done.err.splitlines()[-1])["notes"]["pictures encoded anew as png"] == 4


@pytest.mark.parametrize("streaming", [False, True])
def test_late_names_are_dropped_and_late_fractions_cut_before_and_not_after(
    vlmkit, dataset, picture, tmp_path, load, streaming
):
    names = [{"n": n} for n in range(6)] + [{"n": 6.75, "late": "here"}]
    folder = same_formats(dataset, picture, *names)
    _, rows = load("webdataset", "plain/*.tar", streaming)
    assert rows[6]["json"] == {"n": 6}, "so Hugging Face reads it: the defect is real"
    vlmkit("cat", folder, tmp_path / "out", "--uniform", "png")
    _, rows = load("webdataset", "out/*.tar", streaming)
    assert rows[6]["json"] == {"n": 6.75, "late": "here"}
    assert rows[0]["json"] == {"n": 0, "late": ""}


def test_check_names_the_defects_that_this_mends(vlmkit, uneven, tmp_path):
    before = vlmkit("check", uneven, "--for", "hf")
    assert before.status == 3
    for word in ("refused: among the first five", "changed: json.n", "dropped: json.late"):
        assert word in before.out.decode() + before.err
    vlmkit("cat", uneven, tmp_path / "out", "--uniform", "webp")
    after = vlmkit("check", tmp_path / "out", "--for", "hf")
    assert (after.status, "no defects" in after.err) == (0, True), after.err


def stored(tar, members):
    """Fields of each sample, with their bytes."""
    found = {}
    for name, raw in members(tar).items():
        key, _, field = name.partition(".")
        found.setdefault(key, {})[field] = raw[512 : 512 + int(raw[124:135], 8)]
    return found


def test_every_sample_has_the_same_fields(vlmkit, dataset, picture, tmp_path, members, rows):
    jpeg, png = picture("JPEG", (8, 8)), picture("PNG", (9, 8))
    samples = [
        {"jpeg": jpeg, "cls": b"1", "npy": b"x"},
        {"jpg": png, "cls": b"2", "JSON": {"width": 9, "image_id": "of the png", "k": None}},
        {"txt": b"no picture"},
        {"0.jpg": jpeg, "1.png": png},
        {"png": png, "json": b"{broken"},
        {"png": b"no picture", "cls": b"3"},
    ]
    folder = dataset("in", samples)
    done = vlmkit("cat", folder, tmp_path / "out", "--uniform", "jpg", "--rejects", tmp_path / "bad", "--max-bad", "1")
    assert done.status == 0
    found = stored(tmp_path / "out/00000.tar", members)
    assert [list(fields) for fields in found.values()] == [["jpg", "json", "cls"]] * 2
    assert found["0000"]["jpg"] == jpeg
    said = json.loads(found["0001"]["json"])
    assert said == {"width": 9, "image_id": hashlib.sha256(found["0001"]["jpg"]).hexdigest()}
    assert json.loads(found["0000"]["json"]) == {"width": 0, "image_id": ""}
    assert found["0001"]["jpg"][:2] == b"\xff\xd8"
    reasons = {key: row["reason"] for key, row in rows(tmp_path / "bad/00000.parquet").items()}
    assert reasons == {
        "0002": "pictures = 1",
        "0003": "pictures = 1",
        "0004": "unreadable json",
        "0005": "unreadable image",
    }
    assert "1 members left out, since not every sample has one: npy" in done.err


def test_several_pictures_and_other_orders(vlmkit, dataset, picture, tmp_path, members):
    two = {"0.jpg": picture("JPEG"), "1.webp": picture("WEBP")}
    folder = dataset("in", [{**two, "txt": b"%d" % n} for n in range(3)])
    stream = vlmkit("cat", folder, "-", "--quiet").out
    assert vlmkit("cat", "-", tmp_path / "out", "--uniform", "webp", "--shuffle", "--rekey", stdin=stream).status == 0
    found = stored(tmp_path / "out/00000.tar", members)
    assert list(found) == [f"00000000{n}" for n in range(3)]
    assert {tuple(fields) for fields in found.values()} == {("0.webp", "1.webp", "txt")}
    assert sorted(fields["txt"] for fields in found.values()) == [b"0", b"1", b"2"]
    assert {fields["1.webp"] for fields in found.values()} == {two["1.webp"]}


def test_only_chooses_before(vlmkit, dataset, picture, tmp_path, members):
    folder = dataset("in", [{"png": picture(), "json": b"{broken", "txt": b"a"}])
    assert vlmkit("cat", folder, tmp_path / "out", "--uniform", "jpg", "--only", "image,txt").status == 0
    assert list(members(tmp_path / "out/00000.tar")) == ["0000.jpg", "0000.txt"]


def test_names_without_end_are_refused(vlmkit, dataset, picture, tmp_path):
    folder = dataset("in", [{"png": picture(), "json": {f"name{n}": 1}} for n in range(300)])
    done = vlmkit("cat", folder, tmp_path / "out", "--uniform", "png")
    assert (done.status, "json has more than 256 different names" in done.err) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out", "--uniform", "tiff"], "--uniform tiff is no format"),
        (["out", "--uniform", "jpg", "--embed-rows"], "rows in the tars would be fields"),
        (["out.tar", "--uniform", "jpg"], "out.tar would hold rows"),
    ],
)
def test_what_would_not_be_uniform_is_refused(vlmkit, uneven, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = vlmkit("cat", "in", *arguments)
    assert (done.status, message in done.err) == (1, True)
