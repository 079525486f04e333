"""A folder of images: every file comes to one end."""

import hashlib
import os

import pytest

from vlmkit.sources import SourceOptions, open_source


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return lambda: open_source(f"folder:{tmp_path / 'data'}", SourceOptions())


def test_pictures_come_with_the_text_and_metadata_beside_them(folder, write, picture, kept):
    data = picture("JPEG")
    write("b.jpg", data)
    write("b.txt", " a dog \r\n")
    write("b.json", {"license": "cc0", "score": float("nan"), "tags": []})
    write("a/c.png", picture("PNG"))
    plain, full = kept(folder())
    assert (plain.key, full.key) == ("a/c", "b")
    assert [member.field for member in full.members] == ["jpg", "txt", "json"]
    assert bytes(full["jpg"]) == data
    assert bytes(full["txt"]) == b" a dog \r\n"
    assert full.json == {
        "uid": hashlib.sha256(data + b"\0 a dog \r\n").hexdigest()[:32],
        "image_id": hashlib.sha256(data).hexdigest(),
        "width": 40,
        "height": 30,
        "source": "folder:data",
        "license": "cc0",
        "file": "b.jpg",
    }
    assert plain.json["file"] == "a/c.png"


def test_the_order_is_that_of_the_paths_and_never_changes(folder, write, picture, verdicts):
    for name in ("b/2.jpg", "a.jpg", "b.jpg", "b/10.jpg", "B.jpg", "c/a/b.jpg"):
        write(name, picture())
    source = folder()
    assert list(verdicts(source)) == ["B", "a", "b", "b/10", "b/2", "c/a/b"]
    assert source.total == 6
    assert list(verdicts(source)) == list(verdicts(folder()))


def test_kinds_are_told_by_bytes_and_suffixes_in_any_case(folder, write, picture, kept):
    write("a.jpg", picture("PNG"))
    write("b.JPG", picture("JPEG"))
    write("b.TXT", "text")
    write("c.Tiff", picture("TIFF"))
    write("d.jpeg", picture("WEBP"))
    fields = {sample.key: [member.field for member in sample.members] for sample in kept(folder())}
    assert fields == {"a": ["png", "json"], "b": ["jpg", "txt", "json"], "c": ["tif", "json"], "d": ["webp", "json"]}


def test_dots_in_names_end_no_key(folder, write, picture, kept):
    write("v1.0/photo.final.jpg", picture())
    write("v1.0/photo.final.txt", "t")
    (sample,) = kept(folder())
    assert (sample.key, sample.json["file"]) == ("v1.0/photo_final", "v1.0/photo.final.jpg")
    assert bytes(sample["txt"]) == b"t"


def test_two_pictures_of_one_stem_share_the_text(folder, write, picture, kept):
    write("a.jpg", picture("JPEG"))
    write("a.png", picture("PNG"))
    write("a.txt", "both")
    assert [(sample.key, bytes(sample["txt"])) for sample in kept(folder())] == [("a", b"both"), ("a", b"both")]


def test_what_can_not_be_a_sample_has_a_reason(folder, write, picture, verdicts):
    write("broken.jpg", b"<html>")
    write("cut.png", picture("PNG")[:20])
    write("empty.gif", b"")
    write("list.jpg", picture())
    write("list.json", [1, 2])
    write("nojson.jpg", picture())
    write("nojson.json", "{'a': 1}")
    write("surrogate.jpg", picture())
    write("surrogate.json", '{"a": "\\ud800"}')
    write("alone.txt", "text")
    write("only.json", {"a": 1})
    write("film.mp4", b"\0")
    write("none", b"\0")
    assert verdicts(folder()) == {
        "alone": "no image file",
        "broken": "unreadable image (bad)",
        "cut": "unreadable image (bad)",
        "empty": "unreadable image (bad)",
        "film": "unknown suffix",
        "list": "unreadable json (bad)",
        "nojson": "unreadable json (bad)",
        "none": "unknown suffix",
        "only": "no image file",
        "surrogate": "kept",
    }


def test_a_dropped_sample_keeps_its_bytes_and_says_more(folder, write, picture):
    write("broken.jpg", b"<html>")
    write("broken.txt", "a cat")
    (outcome,) = folder()
    assert {member.field: bytes(member.data) for member in outcome.sample.members} == {
        "jpg": b"<html>",
        "txt": b"a cat",
    }
    assert outcome.sample.row == {"error": "cannot identify image file"}


def test_links_out_of_the_folder_are_not_followed(folder, write, picture, tmp_path, verdicts):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(picture())
    real = write("real.jpg", picture())
    links = {"file.jpg": tmp_path / "outside/secret.jpg", "folder": tmp_path / "outside", "photos.jpg": tmp_path}
    for name, target in (links | {"inner.jpg": real, "gone.jpg": "nowhere", "real.txt": "/etc/passwd"}).items():
        (tmp_path / "data" / name).symlink_to(target)
    found = verdicts(folder())
    assert found["inner"] == "kept"
    assert found["gone"] == "no image file"
    assert {key for key, why in found.items() if why == "link not followed"} == {"file", "folder", "photos", "real"}
    assert not any(b"root:" in bytes(m.data) for outcome in folder() for m in outcome.sample.members)


def test_a_loop_of_links_and_a_name_that_is_no_text_do_no_harm(folder, write, picture, tmp_path, kept):
    write("a.jpg", picture())
    (tmp_path / "data/again").symlink_to(tmp_path / "data")
    (tmp_path / "data/self.jpg").symlink_to(tmp_path / "data/self.jpg")
    with open(os.fsencode(tmp_path / "data") + b"/caf\xe9.jpg", "wb") as file:
        file.write(picture())
    assert {sample.key: sample.json["file"] for sample in kept(folder())} == {"a": "a.jpg", "caf_": "caf\\xe9.jpg"}


def test_an_empty_folder_has_no_samples(folder):
    assert list(folder()) == []
    assert folder().total == 0
