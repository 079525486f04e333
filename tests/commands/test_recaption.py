"""vlmkit recaption: captions are added, the old text stays, and what a model does not say is counted."""

import json

import pytest

COLORS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "gray": (90, 90, 90), "white": (255, 255, 255)}
ANSWERS = {
    "red": "A red square.",
    "green": "A green square. It is green. A green square. It is green.",
    "blue": "I'm sorry, but I can't describe this image.",
    "gray": "  ",
    "white": "A white square.",
}


class Scripted:
    """Answers by the colour of the picture."""

    def generate(self, pictures, prompts, max_new_tokens):
        names = {color: name for name, color in COLORS.items()}
        return [ANSWERS[names[own[0].getpixel((0, 0))]] for own in pictures]


@pytest.fixture
def model(monkeypatch, tmp_path):
    """The name of a model folder; what is loaded of it is the scripted one."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr("vlmkit.models.vlm.load_vlm", lambda name, device: Scripted())
    return f"path:{folder}"


@pytest.fixture
def data(tmp_path, picture, write_tar):
    samples = {name: {"png": picture(color=COLORS[name]), "txt": f"old {name}".encode()} for name in COLORS}
    samples["red"]["json"] = b'{"url":"u","caption":"alt text"}'
    del samples["white"]["txt"]
    samples["text"] = {"txt": b"no picture"}
    samples["broken"] = {"jpg": b"no picture", "txt": b"old"}
    return write_tar(tmp_path / "in/00000.tar", samples).parent


@pytest.fixture
def recaption(vlmkit, model, tmp_path):
    def run(source, target="out", *options):
        return vlmkit("recaption", source, tmp_path / target, "--model", model, "--max-bad", 1, *options)

    return run


@pytest.fixture
def read(members):
    def fields(tar):
        return {name: raw[512:].rstrip(b"\0").decode("utf-8", "replace") for name, raw in members(tar).items()}

    return fields


def by_key(fields, field):
    return {name.removesuffix(f".{field}"): value for name, value in fields.items() if name.endswith(f".{field}")}


def test_the_new_caption_stands_behind_the_original(recaption, data, tmp_path, read, members):
    done = recaption(data)
    assert done.status == 0, done.err
    assert by_key(read(tmp_path / "out/00000.tar"), "txt") == {
        "red": "old red\nA red square.",
        "green": "old green\nA green square. It is green.",
        "blue": "old blue",
        "gray": "old gray",
        "white": "A white square.",
    }
    came, stayed = members(data / "00000.tar"), members(tmp_path / "out/00000.tar")
    for name in COLORS:
        assert stayed[f"{name}.png"] == came[f"{name}.png"]
    assert stayed["blue.txt"] == came["blue.txt"]


def test_all_captions_are_kept_with_their_origin(recaption, data, tmp_path, read, model):
    recaption(data)
    found = {key: json.loads(text) for key, text in by_key(read(tmp_path / "out/00000.tar"), "json").items()}
    first, second = found["red"]["captions"]
    assert first == {"text": "old red", "by": "original", "prompt": "", "round": 0, "kind": "original"}
    assert second.pop("by").startswith("path:")
    assert second == {"text": "A red square.", "prompt": "detail", "round": 1, "kind": "caption"}
    assert (found["red"]["url"], found["red"]["caption"]) == ("u", "alt text")
    assert [caption["text"] for caption in found["blue"]["captions"]] == ["old blue"]
    assert [caption["kind"] for caption in found["white"]["captions"]] == ["caption"]


def test_what_came_of_each_is_in_the_table_and_the_report(recaption, data, tmp_path, rows):
    done = recaption(data, "out", "--json")
    found = rows(tmp_path / "out/00000.parquet")
    assert {key: row.get("recaption", row.get("reason")) for key, row in found.items()} == {
        "red": "new",
        "green": "cut",
        "blue": "refused",
        "gray": "empty",
        "white": "new",
        "text": "no image",
        "broken": "unreadable image",
    }
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_out"], said["bad"]) == (5, 1)
    assert said["reasons"] == {"no image": 1, "unreadable image": 1}
    assert "refused" in (tmp_path / "out/.vlmkit/report.html").read_text()


@pytest.mark.parametrize(
    ("keep", "red", "white"), [("new", "A red square.", "A white square."), ("original", "old red", None)]
)
def test_what_txt_becomes(recaption, data, tmp_path, read, keep, red, white):
    recaption(data, "out", "--keep", keep)
    fields = read(tmp_path / "out/00000.tar")
    assert (fields["red.txt"], fields.get("white.txt"), fields["blue.txt"]) == (red, white, "old blue")
    assert len(json.loads(fields["red.json"])["captions"]) == 2


def test_an_overlay_holds_no_picture_and_reads_back(recaption, vlmkit, data, tmp_path, read):
    recaption(data, "whole")
    recaption(data, "caps", "--only", "txt,json")
    assert not any(name.endswith((".png", ".jpg")) for name in read(tmp_path / "caps/00000.tar"))
    assert vlmkit("cat", f"{data}/+{tmp_path}/caps/", tmp_path / "joined").status == 0
    joined, whole = (read(tmp_path / folder / "00000.tar") for folder in ("joined", "whole"))
    assert joined == whole


def test_a_second_round_keeps_the_first(recaption, data, tmp_path, read, monkeypatch):
    recaption(data)
    monkeypatch.setitem(ANSWERS, "red", "A better red square.")
    recaption(tmp_path / "out", "second", "--prompt", "Say what you see.")
    fields = read(tmp_path / "second/00000.tar")
    assert fields["red.txt"] == "old red\nA better red square."
    captions = json.loads(fields["red.json"])["captions"]
    told = [(caption["round"], caption["prompt"], caption["text"]) for caption in captions]
    assert told == [
        (0, "", "old red"),
        (1, "detail", "A red square."),
        (2, "Say what you see.", "A better red square."),
    ]
    recaption(tmp_path / "out", "said", "--round", 7)
    assert json.loads(read(tmp_path / "said/00000.tar")["red.json"])["captions"][-1]["round"] == 7


def test_scores_of_the_old_text_are_not_carried_over(recaption, vlmkit, data, tmp_path, rows):
    vlmkit("filter", data, tmp_path / "scored", "--min-words", 2, "--min-side", 1, "--max-bad", 1)
    recaption(tmp_path / "scored")
    found = rows(tmp_path / "out/00000.parquet")
    assert "words" not in found["red"]
    assert found["blue"]["words"] == 2, "its text is the old one"
    assert found["red"]["min_side"] == 8


def test_a_stream_gives_what_a_folder_gives(recaption, vlmkit, model, data, tmp_path, read):
    recaption(data)
    stream = vlmkit("cat", data, "-", "--quiet").out
    piped = vlmkit("recaption", "-", tmp_path / "x.tar", "--model", model, "--max-bad", 1, stdin=stream)
    assert piped.status == 0, piped.err
    streamed = {name: text for name, text in read(tmp_path / "x.tar").items() if "vlmkit" not in name}
    assert streamed == read(tmp_path / "out/00000.tar")


def test_captions_of_another_shape_are_left_out_as_unreadable(recaption, tmp_path, picture, write_tar, rows):
    samples = {
        "list": {"png": picture(color=COLORS["red"]), "json": b'{"captions":[5]}'},
        "json": {"png": picture(color=COLORS["red"]), "json": b"[1"},
        "text": {"png": picture(color=COLORS["red"]), "txt": b"\xff"},
    }
    write_tar(tmp_path / "odd/00000.tar", samples)
    recaption(tmp_path / "odd")
    reasons = {key: row["reason"] for key, row in rows(tmp_path / "out/00000.parquet").items()}
    assert reasons == {"list": "unreadable json", "json": "unreadable json", "text": "unreadable text"}


def test_the_same_again_is_done_and_another_prompt_is_refused(recaption, data):
    recaption(data)
    assert "already done" in recaption(data).err
    other = recaption(data, "out", "--prompt", "brief")
    assert (other.status, "was made in another way" in other.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--keep", "both"), "--keep both is not known"),
        (("--prompt", "detial"), "no prompt is called 'detial'"),
        (("--model", "builtin:conse"), "builtin:conse does not write about pictures"),
        (("--model", "path:none"), "no model weights in none"),
    ],
)
def test_what_can_not_be(vlmkit, data, tmp_path, model, monkeypatch, options, says):
    monkeypatch.undo()
    done = vlmkit("recaption", data, tmp_path / "out", "--model", model, *options)
    assert done.status == 1
    assert says in done.err.splitlines()[0]
    assert len(done.err.splitlines()) == 2
    assert not (tmp_path / "out").exists()
