"""Conditions in SQL: what they mean, what is not let in, and that nothing is said at the interpreter's end."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmkit.errors import VlmkitError
from vlmkit.tables.conditions import Name, parse_conditions, pick_column

NAN = float("nan")


def answers(text: str, **values: list[Any]) -> list[bool | None]:
    """What one condition says of rows; a name with `json_` before it stands for `json.NAME`."""
    (condition,) = parse_conditions(text)
    given = {Name(name.removeprefix("json_"), name.startswith("json_")): column for name, column in values.items()}
    return condition.answers({name: given[name] for name in condition.names})


def texts(text: str) -> list[str]:
    return [condition.sql for condition in parse_conditions(text)]


def refused(text: str, **values: list[Any]) -> VlmkitError:
    with pytest.raises(VlmkitError) as error:
        answers(text, **values)
    assert error.value.hint
    assert "\n" not in error.value.message
    return error.value


# Parsing


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("clip >= 0.28", ["clip >= 0.28"]),
        ("clip>=.28 and words>=3", ["clip >= 0.28", "words >= 3"]),
        ("a > 1 AND b > 1 AND c > 1", ["a > 1", "b > 1", "c > 1"]),
        ("(a > 1) AND (b > 1)", ["a > 1", "b > 1"]),
        ("a > 1 OR b > 1", ["a > 1 OR b > 1"]),
        ("a > 1 OR b > 1 AND c > 1", ["a > 1 OR b > 1 AND c > 1"]),
        ("(a > 1 OR b > 1) AND c > 1", ["a > 1 OR b > 1", "c > 1"]),
        ("(a > 1 AND b > 1)", ["a > 1 AND b > 1"]),
        ("NOT (a > 1 AND b > 1)", ["NOT (a > 1 AND b > 1)"]),
        ("clip BETWEEN 0.2 AND 0.4 AND words > 3", ["clip BETWEEN 0.2 AND 0.4", "words > 3"]),
        ("CASE WHEN a > 1 AND b > 1 THEN c ELSE d END", ["CASE WHEN a > 1 AND b > 1 THEN c ELSE d END"]),
        ("lower(license) like 'cc-%' and watermark is null", ["LOWER(license) LIKE 'cc-%'", "watermark IS NULL"]),
        ("clip > 28e-2 -- a note", ["clip > 0.28"]),
        ("caption = 'a AND b'", ["caption = 'a AND b'"]),
    ],
)
def test_conditions_split_at_the_top_level_and_have_one_text(text, conditions):
    assert texts(text) == conditions


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("clip > 0.5", [Name("clip")]),
        ("json.clip > 0.5", [Name("clip", in_json=True)]),
        ("b > a OR json.a > b", [Name("a"), Name("a", in_json=True), Name("b")]),
        ('"clip:open_clip:ViT-B-32/laion2b" > 0.2', [Name("clip:open_clip:ViT-B-32/laion2b")]),
        ('json."a name" = 1 AND TRUE', [Name("a name", in_json=True)]),
        ("Clip > CLIP", [Name("CLIP"), Name("Clip")]),
        ("len(list_filter(tags, x -> x = 'cat')) > 0", [Name("tags")]),
    ],
)
def test_a_condition_knows_the_names_that_it_looks_at(text, names):
    assert list(parse_conditions(text.removesuffix(" AND TRUE"))[0].names) == names


def test_a_name_shows_as_it_is_written():
    assert [str(name) for name in (Name("clip"), Name("clip", in_json=True))] == ["clip", "json.clip"]


ATOMS = st.sampled_from(
    [
        "a >= 0.28",
        "b = 'x''y'",
        "json.a IS NOT NULL",
        '"c:m" < 1e-3',
        "a BETWEEN 1 AND 2",
        "b IN ('x', 'y')",
        "NOT a > 1",
        "b LIKE '%AND%'",
        "a + 1 > json.b * 2",
        "lower(b) = 'x'",
        "a IS DISTINCT FROM 2",
        "-a < - 1",
        "a::int % 2 = 0",
    ]
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " or "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("NOT ({})".format),
    ),
    max_leaves=5,
)


@given(EXPRESSIONS)
def test_the_text_of_a_condition_means_what_it_meant(text):
    """Reasons can be copied back into --where; parts joined by AND are the whole."""
    rows = {
        "a": [0.0, 1.0, 2.0, None, 1.5],
        "b": ["x", "y", None, "x'y", "ANDy"],
        "c:m": [0.0, None, 1.0, 0.5, 2.0],
    }

    def answer(sql: str) -> list[bool | None]:
        (condition,) = parse_conditions(f"({sql})")
        found = {name: [0, None, 3, 4, 1] if name.in_json else rows[name.name] for name in condition.names}
        return condition.answers(found)

    parts = texts(text)
    assert [texts(f"({part})") for part in parts] == [[part] for part in parts]
    assert answer(" AND ".join(f"({part})" for part in parts)) == answer(text)


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab .,;:'\"()[]{}<>=!*+-/%|&?$@#\\~^0123eE\n\0é"), max_size=12) | st.text(max_size=12))
def test_any_text_is_a_condition_or_is_refused(text):
    try:
        conditions = parse_conditions(text)
        for condition in conditions:
            condition.answers({name: [0.5, None] for name in condition.names})
    except VlmkitError as error:
        assert error.hint  # noqa: PT017


# Columns


COLUMNS = frozenset({"key", "clip:open_clip:B-32", "aesthetic:a", "aesthetic:b", "words", "words:m", "clipped:m"})


def test_a_short_name_picks_the_column_of_its_model():
    assert pick_column("clip", COLUMNS) == "clip:open_clip:B-32"
    assert pick_column("clip:open_clip", COLUMNS) == "clip:open_clip:B-32"


def test_a_full_name_is_itself():
    assert pick_column("words", COLUMNS) == "words"
    assert pick_column("aesthetic:b", COLUMNS) == "aesthetic:b"


def test_a_name_without_a_column_picks_none():
    assert pick_column("cli", COLUMNS) is None


def test_a_name_that_two_columns_match_is_an_error_that_shows_both():
    with pytest.raises(VlmkitError, match="aesthetic could mean aesthetic:a or aesthetic:b") as error:
        pick_column("aesthetic", COLUMNS)
    assert error.value.hint == 'write "aesthetic:a" or "aesthetic:b" in the condition'


# Meaning


def test_a_missing_value_has_no_answer():
    assert answers("clip >= 0.3", clip=[0.5, None, NAN, 0.1]) == [True, None, None, False]
    assert answers("clip >= 0.3 OR words > 5", clip=[0.5, None, None], words=[None, 9, 1]) == [True, True, None]
    assert answers("NOT clip >= 0.3", clip=[None, 0.5]) == [None, False]
    assert answers("clip IS NULL", clip=[None, NAN, 0.5]) == [True, True, False]
    assert answers("coalesce(clip, 1) > 0.3", clip=[None]) == [True]


@pytest.mark.parametrize(
    "text", ["x = 'cc'", "x >= 0.3", "x", "x LIKE 'a%'", "len(x) > 2", "x IN ('a', 'b')", "x[1] = 2"]
)
def test_values_that_are_all_missing_have_no_type_to_be_wrong(text):
    assert answers(text, x=[None, None]) == [None, None]
    assert answers(text.replace("x", "json.x", 1), json_x=[None]) == [None]


def test_no_rows_have_no_answers():
    assert answers("clip > 0.3", clip=[]) == []


def test_a_score_is_compared_as_the_float32_that_is_stored():
    stored = float(np.float32(0.7))
    assert stored < 0.7
    for text in ("clip >= 0.7", "clip >= 7e-1", "0.7 <= clip", "clip = 0.7", "clip IN (0.7, 0.8)", "NOT clip < 0.7"):
        assert answers(text, clip=[stored, 0.7]) == [True, True], text
    assert answers("clip > 0.7", clip=[stored]) == [False]


@given(st.floats(2**-40, 2**40, width=32))
def test_a_threshold_copied_from_a_table_is_met(score):
    assert answers(f"clip >= {score!r}", clip=[score, None]) == [True, None]
    assert answers(f"clip > {score!r}", clip=[score]) == [False]


@given(st.floats(1e-12, 1e12))
def test_a_value_of_json_is_compared_as_it_was_written(value):
    assert answers(f"json.x = {value!r}", json_x=[value]) == [True]
    assert answers(f"json.x < {value!r}", json_x=[math.nextafter(value, 0)]) == [True]


def test_large_integers_of_json_are_exact_with_and_without_the_prefix():
    big = 1_700_000_001
    assert answers(f"json.x = {big}", json_x=[big, big + 1]) == [True, False]
    assert answers(f"x = {big}", x=[big, big + 1]) == [True, False]
    assert answers("json.x > 1", json_x=[2**63, 2**70, 10**400, 0]) == [True, True, True, False]


def test_values_of_json_keep_their_types():
    assert answers("len(captions) > 1", captions=[[{"text": "a"}, {"text": "b"}], [{"text": "c"}], None]) == [
        True,
        False,
        None,
    ]
    assert answers("json.watermark", json_watermark=[True, False, None]) == [True, False, None]
    assert answers("watermark = false", watermark=[True, False]) == [False, True]
    assert answers("json.exif['make'] = 'x'", json_exif=[{"make": "x"}, {"make": "y", "iso": 1}, {}]) == [
        True,
        False,
        None,
    ]
    assert answers("list_contains(json.tags, 'cat')", json_tags=[["cat"], ["dog", "cat"], []]) == [True, True, False]
    assert answers("json.date >= '2020-06'", json_date=["2020-07-01", "2019"]) == [True, False]


def test_values_of_mixed_types_are_compared_as_text():
    assert answers("json.x = 'a'", json_x=[1, "a", None, True, [1]]) == [False, True, None, False, False]
    assert answers("json.x = '1'", json_x=[1, "a"]) == [True, False]
    assert answers("json.x = 'true'", json_x=[True, "a"]) == [True, False]
    refused("json.x > 1", json_x=[1, "a"])
    assert answers("try_cast(json.x AS DOUBLE) > 1.5", json_x=[1, "2", "n/a", 1.75]) == [False, True, None, True]


def test_a_list_is_as_long_as_it_is_whatever_it_holds():
    messages = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": ["b"]}], [1, "x", None], None]
    assert answers("len(messages) = 2", messages=messages) == [True, False, None]
    assert answers("len(json.messages) = 3", json_messages=messages) == [False, True, None]


def test_numbers_of_several_kinds_are_numbers():
    assert answers("json.x >= 1", json_x=[1, 0.5, True, 2**80, NAN]) == [True, False, True, True, None]


def test_texts_of_any_kind_can_be_asked_for():
    hostile = ["'; DROP TABLE rows; --", "\ud83d", "a\0b", "é", ""]
    assert answers("caption = 'é'", caption=hostile) == [False, False, False, True, False]
    assert answers("len(json.caption) = 3", json_caption=hostile) == [False, False, True, False, False]


def test_a_verdict_column_has_its_own_type():
    assert answers("kept", kept=[True, False, None]) == [True, False, None]
    assert answers("width >= 200", width=[640, None]) == [True, None]


# What is not let in


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "clip >",
        "clip = = 1",
        "{:}",
        pytest.param("(" * 5000, id="parentheses without end"),
        "clip; words",
        "clip > 1; DROP TABLE rows",
        "clip > 0) FROM rows --",
        "clip, words",
        "clip AS x",
        "*",
        "* > 1",
        "rows.* > 1",
        "COLUMNS('c.*') > 1 OR clip > 1",
        "COLUMNS(*) > clip",
        "SELECT 1",
        "clip > (SELECT 1)",
        "clip IN (SELECT clip FROM rows)",
        "clip IN (FROM rows)",
        "EXISTS (SELECT 1) AND clip > 1",
        "clip > ALL (SELECT 1)",
        "WITH x AS (SELECT 1) SELECT 1",
        "clip > 1 UNION SELECT 1",
        "clip > 1 LIMIT 1",
        "clip > 1 ORDER BY clip",
        "COPY rows TO 'stolen.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "SET threads = 4",
        "CREATE TABLE t (a INT)",
        "DELETE FROM rows",
        "count(*) > clip",
        "count(clip) > 1",
        "clip > avg(clip)",
        "clip > median(clip)",
        "row_number() OVER (ORDER BY clip) < 3",
        "lag(clip) OVER () < clip",
        "clip > 1 QUALIFY true",
        "read_csv('secrets.csv') = clip",
        "1 = 1",
        "true",
        "'clip' > 'a'",
        "random() < 0.5",
        "foo.clip > 1",
        "json.exif.make = 'x'",
        "a.json.clip > 1",
        "clip.x > 1",
    ],
)
def test_what_is_no_condition_on_one_sample_is_refused_before_any_sample_is_read(text):
    with pytest.raises(VlmkitError) as error:
        parse_conditions(text)
    assert error.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "mad(clip) > 0",
        "histogram(clip) IS NOT NULL",
        "clip > entropy(clip)",
        "unnest([clip]) > 0",
        "unnest([clip, 1]) > 0",
        "clip > read_text('/etc/hostname')",
        "clip = getenv('HOME')",
        "no_such_function(clip)",
        "0E > clip",
        "clip = ?",
        "clip = $1",
        "clip = 'text'",
        "clip LIKE 'a%'",
        "clip > INTERVAL 1 DAY",
        "clip = 0.1 = true",
        "error('x') = clip",
        "caption > 1",
        "caption::INT > 1",
        "caption",
    ],
)
def test_what_duckdb_can_not_answer_for_one_sample_is_told_with_a_hint(text):
    error = refused(text, clip=[0.1, 0.2, 0.3], caption=["a", "b", "c"])
    assert error.message.startswith(texts(text)[0])


@pytest.mark.parametrize("rows", [1, 2])
def test_a_function_over_all_rows_is_refused_for_one_row_too(rows):
    refused("mad(clip) >= 0", clip=[0.1] * rows)


def test_a_condition_can_not_write_files(tmp_path):
    refused(f"write_csv(clip, '{tmp_path}/x')", clip=[0.1])
    assert list(tmp_path.iterdir()) == []


# The interpreter's end

SCRIPT = """
import sys
from multiprocessing import get_context
from threading import Event, Thread

from vlmkit.errors import VlmkitError
from vlmkit.tables.conditions import Name, parse_conditions

held = []  # as a worker holds its step


def watch():  # as a worker watches its parent
    Event().wait()


def work(_=None):
    Thread(target=watch, daemon=True).start()
    held.extend(parse_conditions("clip >= 0.28"))
    assert held[0].answers({Name("clip"): [0.5, None]}) == [True, None]
    try:
        held[0].answers({Name("clip"): ["a"]})
    except VlmkitError as error:
        held.append(error)


if __name__ == "__main__":
    if sys.argv[1] == "alone":
        work()
    else:
        with get_context(sys.argv[1]).Pool(1) as pool:
            pool.map(work, [1])
            pool.close()
            pool.join()
        process = get_context(sys.argv[1]).Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0
"""


@pytest.mark.parametrize("how", ["alone", "spawn", "forkserver"])
def test_nothing_is_said_when_the_interpreter_ends(tmp_path, how):
    """nanobind, which binds duckdb, writes of leaks if a connection outlives the interpreter."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(tmp_path / "script.py"), how], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
