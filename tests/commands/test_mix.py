"""vlmkit mix: shards in the plan's order, or the recipe."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vlmkit.mixture.plan import SamplePlan
from vlmkit.mixture.recipe import read_recipe


@pytest.fixture
def data(tmp_path, write_tar, picture, monkeypatch):
    """Two folders, a of 30 samples and b of 12, in the working folder."""
    for name, sizes in {"a": (20, 10), "b": (12,)}.items():
        for shard, size in enumerate(sizes):
            samples = {
                f"{shard}{n:03d}": {"png": picture(color=(n, 0, 0)), "txt": f"{name} {n}".encode()} for n in range(size)
            }
            write_tar(tmp_path / name / f"{shard:05d}.tar", samples)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(vlmkit, folder):
    """Keys and texts in the order of the shards."""
    texts = {}
    for tar in sorted(folder.glob("*.tar")):
        index = SamplePlan(read_recipe([str(tar)])).indexes[0]
        texts |= {f"{tar.stem}/{s.key}": bytes(s["txt"]).decode() for s in map(index.__getitem__, range(len(index)))}
    return texts


def test_shards_hold_the_plan_in_its_order(vlmkit, data, rows):
    done = vlmkit("mix", "a/@0.75", "b/@0.25", "out", "--samples", 40, "--seed", 5, "--json")
    assert done.status == 0
    plan = SamplePlan(read_recipe(["a/@0.75", "b/@0.25"], 40, 5))
    assert list(stored(vlmkit, data / "out").values()) == [bytes(sample["txt"]).decode() for sample in plan]
    table = rows(data / "out/00000.parquet")
    assert list(table) == [f"{s.row['source']}/{s.key}" for s in plan]
    for sample, row in zip(plan, table.values(), strict=True):
        assert (row["source"], row["source_key"]) == (sample.row["source"], sample.row["source_key"])
        assert (row["step"], row["kept"]) == ("mix", True)
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_in"], said["samples_out"], said["reasons"]) == (40, 40, {})
    assert "a: 30 samples, 75.0% of the mix, from 30" in done.err


def test_members_keep_their_bytes_and_rows_their_scores(vlmkit, data, rows, members):
    vlmkit("filter", "a", "scored", "--min-words", 2)
    assert vlmkit("mix", "scored", "b", "out").status == 0
    came = {
        f"scored/{name}": raw[512:] for tar in ("00000", "00001") for name, raw in members(f"scored/{tar}.tar").items()
    }
    went = {name: raw[512:] for name, raw in members("out/00000.tar").items()}
    assert {name: raw for name, raw in went.items() if name.startswith("scored")} == came
    table = rows("out/00000.parquet")
    assert [row["words"] for key, row in table.items() if key.startswith("scored/")] == [2.0] * 30
    assert {row["source_key"] for row in table.values() if row["source"] == "scored"} == {
        f"{shard:05d}/{shard}{n:03d}" for shard, size in enumerate((20, 10)) for n in range(size)
    }


def test_repeats_are_named(vlmkit, data, rows):
    """Of b, which has 12, 30 are wanted: each comes twice or three times, none a third time before all came twice."""
    assert vlmkit("mix", "a@1", "b@1", "out", "--samples", 60).status == 0
    table = rows(data / "out/00000.parquet")
    keys = [key for key in table if key.startswith("b/")]
    assert sorted(keys[:12]) == [f"b/0{n:03d}" for n in range(12)]
    assert sorted(keys[12:24]) == [f"b/0{n:03d}~1" for n in range(12)]
    assert len(keys[24:]) == 6
    assert all(key.endswith("~2") for key in keys[24:])
    assert {table[key]["source_key"] for key in keys} == {f"00000/0{n:03d}" for n in range(12)}
    assert len([key for key in table if key.startswith("a/")]) == 30


def test_a_recipe_gives_the_same_mix(vlmkit, data, tmp_path_factory, monkeypatch):
    assert vlmkit("mix", "a/@0.75", "b/@0.25", "direct", "--samples", 40, "--seed", 5).status == 0
    done = vlmkit("mix", "a/@0.75", "b/@0.25", "deep/r.yaml", "--samples", 40, "--seed", 5)
    assert "deep/r.yaml: 40 samples\n  a: 30 samples, 75.0% of the mix, from 30\n" in done.err
    assert sorted(path.name for path in (data / "deep").iterdir()) == ["r.yaml"]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert vlmkit("mix", data / "deep/r.yaml", "out").status == 0
    for name in "00000.tar", "00000.parquet":
        assert Path("out", name).read_bytes() == (data / "direct" / name).read_bytes()


def test_a_recipe_is_not_replaced_unasked(vlmkit, data):
    assert vlmkit("mix", "a", "r.yaml").status == 0
    text = (data / "r.yaml").read_bytes()
    assert vlmkit("mix", "a", "r.yaml").status == 0, "the same once more"
    other = vlmkit("mix", "a", "b", "r.yaml")
    assert (other.status, "r.yaml exists, and is another recipe" in other.err) == (1, True)
    assert vlmkit("mix", "a", "b", "r.yaml", "--overwrite", "--dry-run").status == 0
    assert (data / "r.yaml").read_bytes() == text
    assert vlmkit("mix", "a", "b", "r.yaml", "--overwrite", "--quiet").err == ""
    assert (data / "r.yaml").read_bytes() != text


@pytest.mark.parametrize("option", [("--limit", 3), ("--only", "txt"), ("--rejects", "x"), ("--report", "x.html")])
def test_what_a_recipe_can_not_say_is_refused(vlmkit, data, option):
    done = vlmkit("mix", "a", "r.yaml", *option)
    assert (done.status, f"{option[0]} has no place in a recipe" in done.err) == (1, True)
    assert not (data / "r.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["a@0", "b@1"], "the weight of a is 0"),
        (["a", "b@1"], "a has no weight, and b has 1"),
        (["a@1", "nowhere@1"], "no such folder or tar: nowhere"),
        (["a@1", "empty@1"], "empty has no samples"),
        (["a", "-"], "-: samples are read in another order"),
        (["a", "b", "--samples", "0"], "a mix of 0 samples"),
        (["typo.yaml"], "typo.yaml, line 2: a recipe has no key sample"),
        (["r.yaml"], "r.yaml: No such file"),
        (["begun", "a"], "begun is unfinished"),
    ],
)
@pytest.mark.parametrize("output", ["out", "out.tar", "out.yaml"])
def test_an_impossible_recipe_fails_before_any_work(vlmkit, data, arguments, culprit, output):
    vlmkit("filter", "a", "empty", "--min-words", 99)
    vlmkit("filter", "a", "begun", "--min-words", 1)
    (data / "begun/.vlmkit/manifest.json").unlink()
    (data / "typo.yaml").write_text("seed: 1\nsample: 4\nsources:\n- location: a\n")
    done = vlmkit("mix", *arguments, output)
    assert done.status == 1
    assert done.err.splitlines()[0].startswith(f"vlmkit mix: {culprit}")
    assert len(done.err.splitlines()) == 2, "one line and a hint"
    assert not (data / output).exists()


def test_what_overlays_drop_is_counted_and_kept_apart(vlmkit, data, rows):
    """All of b, under a filter that keeps nothing: in the table and in --rejects, and not in the mix."""
    vlmkit("filter", "b", "long", "--max-words", 1)
    done = vlmkit("mix", "a", "b/+long/::a", "out", "--rejects", "dropped", "--json")
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_in"], said["samples_out"]) == (72, 60)
    assert said["reasons"] == {"words <= 1": 12}
    assert len(rows(data / "dropped/00000.parquet")) == 12
    assert len(rows(data / "out/00000.parquet")) == 72


def test_a_mix_of_mixes_tells_of_the_last(vlmkit, data, rows):
    vlmkit("mix", "a", "b", "first")
    vlmkit("mix", "first", "b", "second")
    table = rows(data / "second/00000.parquet")
    assert {row["source"] for row in table.values()} == {"first", "b"}
    assert {row["source_key"][:8] for row in table.values() if row["source"] == "first"} == {"00000/a/", "00000/b/"}


def test_a_mix_flows(vlmkit, data):
    stream = vlmkit("mix", "a@1", "b@1", "-", "--samples", 20, "--quiet")
    assert (stream.status, stream.err) == (0, "")
    assert vlmkit("cat", "-", "out", stdin=stream.out).status == 0
    assert vlmkit("mix", "a@1", "b@1", "direct", "--samples", 20).status == 0
    assert stored(vlmkit, data / "out") == stored(vlmkit, data / "direct")


def test_a_second_run_is_done_and_another_mix_refused(vlmkit, data):
    assert vlmkit("mix", "a@1", "b@1", "out").status == 0
    assert "out was already done" in vlmkit("mix", "a@1", "b@1", "out").err
    other = vlmkit("mix", "a@1", "b@2", "out", "--seed", 1)
    assert other.status == 1
    assert "seed was 0 and is now 1" in other.err
    assert vlmkit("check", "out").status == 0


def test_a_cut_tar_is_told(vlmkit, data):
    tar = data / "b/00000.tar"
    tar.write_bytes(tar.read_bytes()[: 4 * 1024 + 300])
    done = vlmkit("mix", "a", "b", "out")
    assert done.status == 3
    assert "b/00000.tar" in done.err


def test_limit_takes_the_first_of_the_mix(vlmkit, data):
    vlmkit("mix", "a", "b", "out")
    vlmkit("mix", "a", "b", "few", "--limit", 7)
    assert list(stored(vlmkit, data / "few").items()) == list(stored(vlmkit, data / "out").items())[:7]


def test_help_imports_nothing_heavy():
    code = "import sys, vlmkit.commands.mix; print({'torch', 'pandas', 'pyarrow', 'numpy', 'yaml'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
