"""Which samples a gallery shows, and what it says of each."""

import io
import json
import os
import shutil

import pytest
from PIL import Image

from vlmkit.errors import VlmkitError
from vlmkit.inspection.cards import card_of, visible
from vlmkit.inspection.folders import find
from vlmkit.inspection.view import Choice, draw, with_rejects
from vlmkit.inspection.view_page import write_gallery
from vlmkit.shards.sample import new_sample
from vlmkit.tables.conditions import parse_conditions


def drawn(place, where=None, **how):
    return draw(find([str(place)])[0], Choice(conditions=parse_conditions(where) if where else (), **how))


def keys(place, **how):
    return [card.key for card in drawn(place, **how).cards]


def test_the_first_samples_and_how_many_there_are(made):
    found = drawn(made / "clean", limit=5)
    assert [card.key for card in found.cards] == ["00002", "00003", "00004", "00007", "00008"]
    assert (found.total, found.notes) == (72, [])
    assert {card.fate for card in found.cards} == {"kept"}
    assert drawn(made / "raw", limit=200).total == 120


def test_a_random_draw_is_the_seeds_and_the_keys(made):
    first = keys(made / "raw", limit=20, random=True, seed=1)
    assert first == keys(made / "raw", limit=20, random=True, seed=1) == sorted(first)
    assert first != keys(made / "raw", limit=20, random=True, seed=2)
    assert first != keys(made / "raw", limit=20)
    assert {key[0] for key in first} == {"0", "1", "2"}
    both = set(keys(made / "clean", limit=20, random=True, seed=1))
    assert set(first) & set(keys(made / "clean", limit=100)) <= both


def test_a_condition_sees_rows_verdicts_and_json(made):
    assert keys(made / "clean", where="words = 5 AND n < 10") == ["00004", "00009", "10004", "10009", "20004", "20009"]
    assert len(keys(made / "rejects", where="reason = 'words >= 3' AND json.skill = 'a'", limit=100)) == 24
    assert keys(made / "clean", where="nothing > 1") == []
    with pytest.raises(VlmkitError):
        keys(made / "clean", where="skill > 1 AND skill + 1 = 2")


def test_rejects_are_found_by_the_plan(made):
    _, rejects = with_rejects(find([str(made / "clean")]))
    assert rejects.folder.resolve() == (made / "rejects").resolve()
    assert {card.fate for card in draw(rejects, Choice()).cards} == {"words >= 3"}
    assert len(with_rejects(find([str(made / "raw")]))) == 1
    assert len(with_rejects(find([str(made / "none")]))) == 1
    assert len(with_rejects(find([str(made / "clean"), str(made / "raw")]))) == 2


def test_a_plan_that_names_someone_elses_folder_is_not_believed(made, tmp_path):
    shutil.copytree(made / "clean", tmp_path / "clean")
    plan = json.loads((tmp_path / "clean/.vlmkit/plan.json").read_text())
    plan["options"]["rejects"] = str(made / "rejects")
    assert len(with_rejects(find([str(tmp_path / "clean")]))) == 2
    plan["options"]["rejects"] = str(made / "raw")
    (tmp_path / "clean/.vlmkit/plan.json").write_text(json.dumps(plan))
    assert len(with_rejects(find([str(tmp_path / "clean")]))) == 1


def test_a_stream_under_a_name_has_its_rows_and_an_overlay_its_reasons(made):
    (card, *_) = drawn(made / "stream.tar").cards
    assert ("words", "3") in card.scores
    over = drawn(f"{made / 'raw'}/+{made / 'clean'}/", limit=200)
    assert sum(card.fate == "words >= 3" for card in over.cards) == 48


def test_damage_is_told_and_what_is_whole_is_shown(made, tmp_path):
    whole = (made / "raw/00000.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: whole.index(b"00003.txt") + 100])
    found = drawn(tmp_path / "a.tar")
    assert found.cards
    assert "cut off" in found.notes[0]


def test_all_that_is_said_of_a_sample_is_on_its_card(picture):
    said = {
        "caption": "first",
        "captions": [
            {"text": "first", "by": "original", "prompt": "", "round": 0, "kind": "original"},
            {"text": "second", "by": "vlm", "prompt": "short", "round": 2, "kind": "dense"},
            "bare",
            {"no": "text"},
        ],
        "messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}, "odd"],
        "skill": "color",
        "deep": {"a": [1]},
    }
    fields = {"0.jpg": picture("JPEG"), "1.png": picture("PNG"), "txt": b"\xffirst", "json": json.dumps(said).encode()}
    row = {
        "key": "k",
        "kept": False,
        "reason": "clip >= 0.3",
        "clip": 0.12345,
        "width": 8,
        "step": "filter",
        "error": "e",
    }
    card = card_of(new_sample("k", fields, "00000"), row)
    assert card.captions == (
        ("", "\\xffirst"),
        ("original", "first"),
        ("dense, vlm, short, round 2", "second"),
        ("", "bare"),
    )
    assert card.turns == (("user", "[image] what?"),)
    assert card.scores == (("clip", "0.1235"), ("width", "8"), ("error", "e"))
    assert card.says == (("skill", "color"), ("deep", '{"a": [1]}'))
    assert (card.key, card.shard, card.fate, len(card.pictures)) == ("k", "00000", "clip >= 0.3", 2)


def test_what_can_not_be_seen_is_named():
    assert visible("a\u202eb\x00\x1b[31m\n\tc", 99) == "a‹U+202E›b‹U+0000›‹U+001B›[31m\n\tc"
    assert visible("abc", 2) == "ab…"
    assert visible("\u202e" * 9, 9) == "‹U+202E›‹…"
    assert visible("مرحبا", 9) == "مرحبا"


def test_a_page_is_bounded_whatever_the_samples_hold(pack, tmp_path):
    def noise(side):
        file = io.BytesIO()
        Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(file, "JPEG", comment=b"x" * 60_000)
        return file.getvalue()

    caption = {"text": "&" * 50_000, "by": "<" * 900, "kind": "k", "round": 1}
    said = {"captions": [{**caption, "text": f"{n}{caption['text']}"} for n in range(50)]}
    said |= {"messages": [{"role": '"' * 900, "content": "'" * 50_000}] * 50}
    said |= {f"{n}{'name' * 300}": "<" * 5_000 for n in range(200)}
    members = [("one.jpg", noise(700)), ("one.json", json.dumps(said).encode())]
    members += [(f"many.{n}.jpg", noise(300)) for n in range(9)] + [("many.json", json.dumps(said).encode())]
    found = drawn(pack(tmp_path / "a.tar", members))
    empty = write_gallery([drawn(pack(tmp_path / "b.tar", []))], tmp_path / "empty.html", "")
    size_bytes = write_gallery([found], tmp_path / "page.html", "")
    assert size_bytes == (tmp_path / "page.html").stat().st_size
    assert (size_bytes - empty) / 2 < 250_000
