"""What data calls things can't name a place outside."""

import pytest

from vlmkit.shards.sample import split_name
from vlmkit.sources.outcomes import NoSample
from vlmkit.sources.paths import read_inside, safe_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/b", "a/b"),
        ("v1.2/b.c d", "v1.2/b_c d"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc//passwd/", "etc/passwd"),
        ("a/./b/../c", "a/b/c"),
        (".hidden", "_hidden"),
        ("...", "___"),
        ("line\nbreak\x00", "line_break_"),
        ("caf\udce9", "caf_"),
        ("ｎａïve", "ｎａïve"),
        ("../", ""),
        ("", ""),
    ],
)
def test_a_key_is_clean(name, key):
    assert safe_key(name) == key
    if key:
        assert split_name(f"{key}.jpg") == (key, "jpg")


@pytest.mark.parametrize(
    ("relative", "reason"),
    [
        ("../secret.txt", "outside"),
        ("/etc/passwd", "outside"),
        ("sub/../../secret.txt", "outside"),
        ("link", "outside"),
        ("linked/secret.txt", "outside"),
        ("missing.jpg", "no image file"),
        ("sub", "no image file"),
        ("", "no image file"),
        ("nul\x00.jpg", "no image file"),
        ("half\ud800.jpg", "no image file"),
        ("x" * 5000, "no image file"),
    ],
)
def test_a_path_never_leads_out_of_its_folder(tmp_path, relative, reason):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(NoSample) as error:
        read_inside(folder, relative, "outside")
    assert error.value.reason == reason


def test_a_link_within_the_folder_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert read_inside(tmp_path, "b", "outside") == b"x"
