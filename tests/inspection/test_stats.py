"""What is in a dataset, with known answers, from sidecars and from tars."""

import json
import shutil

import pytest

from vlmkit.errors import VlmkitError
from vlmkit.inspection.folders import find
from vlmkit.inspection.lineage import lineage_lines, lineage_of
from vlmkit.inspection.report import Bars, closing_table, sections
from vlmkit.inspection.stats import stats_of


def stats(place, **how):
    return stats_of(find([str(place)])[0], **how)


def rows_of(found, title):
    return next(section.rows for section in sections(found) if section.title.startswith(title))


def test_a_foreign_folder_is_read(made):
    found = stats(made / "raw")
    assert (found.shards, found.samples, found.source) == (3, 120, "the tars")
    assert found.last is None
    assert found.seen.fields == {"jpg": 120, "txt": 120, "json": 120}
    assert found.seen.kinds == {"JPEG": 120}
    assert found.seen.names == {"n": {"integer": 120}, "skill": {"string": 120}}


def test_a_dataset_of_vlmkits_is_known_from_its_sidecars(made):
    found = stats(made / "clean")
    assert (found.shards, found.samples, found.source) == (3, 72, "manifest.json")
    assert rows_of(found, "Seen and kept") == [
        ("seen", "120", ""),
        ("  words >= 3", "48", "40.0%"),
        ("kept", "72", "60.0%"),
    ]
    words = next(column for column in found.numbers if column.name == "words")
    chart = words.histogram
    assert (chart.known, chart.missing, chart.least, chart.median, chart.most) == (120, 0, 1, 3, 5)
    assert words.quantiles == (1, 1, 2, 3, 4, 5, 5)
    assert [(bin.low, bin.kept, bin.dropped) for bin in chart.bins][:3] == [(1, 0, 24), (2, 0, 24), (3, 24, 0)]
    height = next(column for column in found.numbers if column.name == "height").histogram
    assert (height.known, height.missing, height.most) == (72, 48, 30)  # measured only of what had words enough


def test_only_the_first_samples_are_opened_where_the_number_is_known(made, monkeypatch):
    monkeypatch.setattr("vlmkit.inspection.stats.LOOKED_AT", 30)
    found = stats(made / "clean")
    assert (found.samples, found.seen.samples, found.seen.whole) == (72, 30, False)
    assert stats(made / "clean", deep=False).seen is None
    scanned = stats(made / "clean", scan=True)
    assert (scanned.samples, scanned.source, scanned.seen.fields["jpg"]) == (72, "the tars", 72)


def test_some_shards_of_a_dataset_are_known_from_their_stats(made):
    found = stats(made / "clean/{00000..00001}.tar")
    assert (found.samples, found.source, found.last.samples_in) == (48, "*_stats.json", 80)


def test_a_stream_carries_its_rows_and_its_history(made):
    found = stats(made / "stream.tar")
    assert (found.samples, found.last.samples_in, found.last.reasons) == (72, 120, {"words >= 3": 48})
    (words,) = found.numbers
    assert (words.name, words.histogram.known, words.histogram.least) == ("words", 72, 3)


def test_kinds_of_pictures_and_types_in_json(pack, picture, tmp_path):
    members = [("a.jpg", picture("PNG")), ("a.json", b'{"n": 1, "tags": []}'), ("b.png", b"?")]
    members += [("b.json", b'{"n": 1.5, "m": {}}'), ("c.json", b"no")]
    found = stats(pack(tmp_path / "a.tar", members))
    assert found.seen.kinds == {"PNG": 1, "unreadable": 1}
    assert found.seen.names == {"n": {"integer": 1, "number": 1}, "tags": {"list": 1}, "m": {"object": 1}}


def test_an_unfinished_dataset_says_what_to_run_again(made):
    found = stats(made / "half")
    assert (found.shards, found.samples, found.last.samples_in) == (2, 48, 80)
    assert (found.unfinished.committed, found.unfinished.left) == (2, 1)
    assert "run again: vlmkit filter" in dict(rows_of(found, str(made / "half")))["unfinished"]


def test_a_dataset_of_which_nothing_is_committed(made, tmp_path):
    own = tmp_path / "begun/.vlmkit"
    own.mkdir(parents=True)
    shutil.copy(made / "clean/.vlmkit/plan.json", own)
    found = stats(tmp_path / "begun")
    assert (found.samples, found.unfinished.left) == (0, 3)


def test_the_plans_own_command_line_is_shown_if_it_has_one(made, tmp_path):
    own = tmp_path / "begun/.vlmkit"
    own.mkdir(parents=True)
    plan = json.loads((made / "clean/.vlmkit/plan.json").read_text())
    (own / "plan.json").write_text(json.dumps({**plan, "command_line": "vlmkit filter a b"}))
    assert "run again: vlmkit filter a b" in str(stats(tmp_path / "begun").unfinished)


def test_the_closing_table_has_a_line_for_each_dataset(made):
    found = [stats(made / name, deep=False) for name in ("raw", "clean/", "rejects")]
    lines = [tuple(row[:4]) + row[5:] for row in closing_table(found).rows]  # without the seconds
    assert lines == [
        ("raw", "", "", "120", ""),
        ("clean", "filter", "120", "72", "words >= 3 48"),
        ("rejects", "filter", "48", "48", ""),
    ]


def test_names_in_the_table_leave_out_what_they_share(made):
    found = [stats(made / name, deep=False) for name in ("raw/00000.tar", "clean")]
    assert [row[0] for row in closing_table(found).rows] == ["raw/00000.tar", "clean"]
    assert closing_table(found[:1]).rows[0][0] == str(made / "raw/00000.tar")


def test_a_tar_without_a_readable_sample_is_an_error(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"x" * 2000)
    with pytest.raises(VlmkitError, match="not a tar"):
        stats(tmp_path / "a.tar")


def test_lineage_names_the_versions_that_differ():
    steps = [
        {"command": "cat", "command_line": "vlmkit cat a b", "versions": {"torch": "2.8", "numpy": "2.4"}},
        {"command": "filter", "versions": {"torch": "2.9", "numpy": "2.4", "duckdb": "2"}},
        {"command": "filter", "versions": {"torch": "2.9"}},
    ]
    assert [line.strip() for line in lineage_lines(steps)][2::2] == [
        "with torch 2.8, numpy 2.4",
        "in 0, out 0",
        "3. filter",
    ]
    assert "   other versions: torch 2.9 (was 2.8), duckdb 2" in list(lineage_lines(steps))


def test_lineage_of_a_stream_under_a_name(made):
    lines = list(lineage_lines(lineage_of(find([str(made / "stream.tar")])[0])))
    assert lines[2].startswith("   with vlmkit ")
    assert lines[:2] + lines[3:] == [
        "1. vlmkit cat raw - --quiet",
        "   in 120, out 120",
        "2. vlmkit filter - stream.tar --min-words 3 --quiet",
        "   in 120, out 72; words >= 3: 48",
    ]


def test_what_is_not_vlmkits_has_no_lineage(made):
    with pytest.raises(VlmkitError, match="has no history"):
        lineage_of(find([str(made / "raw")])[0])


def measures(found):
    return {
        column.name: (column.histogram.known, column.histogram.least, column.histogram.most)
        for column in found.measured
    }


def test_sizes_and_lengths_are_measured(pack, picture, tmp_path):
    messages = [{"role": "user", "content": "three little words"}, {"role": "assistant", "content": "yes"}]
    members = [("a.jpg", picture("JPEG", (40, 30))), ("a.txt", "zwei W\u00f6rter".encode())]
    members += [
        ("b.0.png", picture("PNG", (8, 9))),
        ("b.1.png", b"?"),
        ("b.json", json.dumps({"messages": messages}).encode()),
    ]
    assert measures(stats(pack(tmp_path / "a.tar", members))) == {
        "bytes": (2, 2560, 3072),
        "images": (2, 1, 2),
        "image bytes": (2, len(picture("PNG", (8, 9))), len(picture("JPEG", (40, 30)))),
        "image width": (2, 8, 40),
        "image height": (2, 9, 30),
        "text words": (2, 2, 4),
        "text characters": (2, 11, 22),
        "message turns": (1, 2, 2),
    }


def test_with_scan_every_sample_is_measured(made, monkeypatch):
    monkeypatch.setattr("vlmkit.inspection.stats.LOOKED_AT", 30)
    first = stats(made / "clean")
    assert {count for count, _, _ in measures(first).values()} == {30}
    assert "image width" not in measures(first)  # the rows tell it of all
    every = stats(made / "clean", scan=True)
    assert {count for count, _, _ in measures(every).values()} == {72}
    assert measures(every)["image width"] == (72, 40, 40)
    assert [s.title for s in sections(first) if s.title.startswith("Samples")] == ["Samples, in the first 30 samples"]
    assert not stats(made / "clean", deep=False).measured


@pytest.mark.parametrize(("plain", "drawn"), [(False, " \u2581\u2584\u2588"), (True, " .=@")])
def test_bars_show_what_is_little_and_fit_their_width(plain, drawn):
    assert Bars(plain=plain).of([0, 1, 50, 100]) == drawn
    assert len(Bars(10, plain).of(range(1, 31))) == 10
    assert Bars(10, plain).of([0, 0, 0] * 9 + [0, 0, 9])[-1] == drawn[-1]
