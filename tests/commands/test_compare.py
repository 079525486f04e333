"""vlmkit compare: which of two sets of predictions is better, in numbers and in words."""

import json

import pytest

PICTURES = 60


def sample(number, correct, **meta):
    answer = ["red"] if number % 2 else ["yes"]
    skill = "color" if number % 2 else "yes/no"
    given = {"answer": answer, "skill": skill, "image_id": f"picture-{number // 2}", **meta}
    return {"json": json.dumps({**given, "prediction": "p", "metric": "exact_match", "correct": correct}).encode()}


@pytest.fixture
def predictions(tmp_path, write_tar):
    """Writes a set of predictions: two questions about each picture, `correct(number)` says which are right."""

    def write(name, correct, shard="00000", **meta):
        samples = {f"{n:04}": sample(n, correct(n), **meta) for n in range(2 * PICTURES)}
        return write_tar(tmp_path / name / f"{shard}.tar", samples).parent

    return write


def compared(vlmkit, *arguments):
    done = vlmkit("compare", *arguments, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_the_better_one_is_named(vlmkit, predictions):
    worse = predictions("before", lambda n: float(n % 5 == 0))
    better = predictions("after", lambda n: float(n % 5 < 3))
    told = compared(vlmkit, worse, better)
    assert told["overall"]["difference"] == pytest.approx(0.4)
    assert told["overall"]["p"] < 0.001
    assert 0.2 < told["overall"]["low"] < 0.4 < told["overall"]["high"]
    assert f"{better} is better than {worse}: +0.400" in told["verdict"]
    turned = compared(vlmkit, better, worse)
    assert turned["overall"]["difference"] == pytest.approx(-0.4)
    assert f"{better} is better than {worse}: -0.400" in turned["verdict"]


def test_noise_is_called_noise_and_the_least_that_would_show_is_named(vlmkit, predictions):
    a, b = predictions("a", lambda n: float(n % 4 == 0)), predictions("b", lambda n: float(n % 4 == 1))
    told = compared(vlmkit, a, b)
    assert told["overall"]["difference"] == 0
    assert told["overall"]["p"] > 0.5
    assert told["verdict"].startswith("The difference is within noise")
    assert f"would show {told['overall']['smallest']:.3f} or more" in told["verdict"]
    assert 0 < told["overall"]["smallest"] < 0.5


def test_skills_are_compared_one_by_one(vlmkit, predictions):
    a, b = predictions("a", lambda n: 0.0), predictions("b", lambda n: float(n % 2))
    told = compared(vlmkit, a, b)
    assert told["skills"]["color"]["difference"] == 1
    assert told["skills"]["yes/no"]["difference"] == 0
    table = vlmkit("compare", a, b).out.decode()
    assert "skill color" in table
    assert "+1.000" in table


def test_questions_are_paired_by_key_whatever_their_order_and_shards(vlmkit, predictions, tmp_path, write_tar):
    a = predictions("a", lambda n: float(n % 3 == 0))
    backwards = {f"{n:04}": sample(n, float(n % 3 == 0)) for n in reversed(range(2 * PICTURES))}
    keys = list(backwards)
    write_tar(tmp_path / "b/00000.tar", {key: backwards[key] for key in keys[:50]})
    write_tar(tmp_path / "b/00001.tar", {key: backwards[key] for key in keys[50:]})
    told = compared(vlmkit, a, tmp_path / "b")
    assert told["overall"]["samples"] == 2 * PICTURES
    assert (told["overall"]["difference"], told["overall"]["p"]) == (0, 1)


def test_keys_that_repeat_between_shards_are_told_apart_by_shard(vlmkit, predictions):
    for name, first, second in (("a", 1.0, 0.0), ("b", 0.0, 1.0)):
        predictions(name, lambda n, mark=first: mark, "00000")
        folder = predictions(name, lambda n, mark=second: mark, "00001")
    told = compared(vlmkit, folder.parent / "a", folder.parent / "b")
    assert told["overall"]["samples"] == 4 * PICTURES
    assert told["overall"]["difference"] == 0


def test_what_is_in_one_only_is_left_out_and_counted(vlmkit, predictions, tmp_path, write_tar):
    a = predictions("a", lambda n: 1.0)
    write_tar(tmp_path / "b/00000.tar", {f"{n:04}": sample(n, 1.0) for n in range(50)})
    told = compared(vlmkit, a, tmp_path / "b")
    assert told["overall"]["samples"] == 50
    assert told["notes"] == ["70 questions are in one of the two only, and left out"]


def test_another_protocol_is_told(vlmkit, predictions):
    folders = [predictions(name, lambda n: 1.0) for name in "ab"]
    for folder, tokens in zip(folders, (16, 4), strict=True):
        (folder / ".vlmkit").mkdir()
        protocol = {"max_new_tokens": tokens, "prompt": "plain", "digest": str(tokens)}
        (folder / ".vlmkit/scores.json").write_text(json.dumps({"protocol": protocol}))
    assert compared(vlmkit, *folders)["notes"] == ["not asked in the same way: max_new_tokens is 16 and 4"]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"x": {"json": b'{"answer": ["red"]}'}}, "holds no predictions"),
        ({"x": {"json": b'{"prediction": "p", "correct": 2}'}}, "holds no predictions"),
        ({"x": {"json": b"[]"}}, "json holds no object"),
        ({"x": sample(0, 1.0)}, "no question in common"),
        ({"0000": sample(0, 1.0, answer=["no"])}, "different questions under 00000/0000"),
    ],
)
def test_what_can_not_be_compared(vlmkit, predictions, tmp_path, write_tar, other, says):
    write_tar(tmp_path / "b/00000.tar", other)
    done = vlmkit("compare", predictions("a", lambda n: 1.0), tmp_path / "b")
    message, hint = done.err.splitlines()
    assert (done.status, done.out) == (1, b"")
    assert message.startswith("vlmkit compare: ")
    assert says in message
    assert hint.startswith("  ")
