"""`vlmkit view` as it is called, and the page as a browser has it."""

import json
import shutil
import subprocess

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = (
    "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> \"'&amp; \u202edesrever"
)
PRESS = """<script>{
document.querySelector("#fates button:last-child").click();
const search = document.getElementById("search");
const shown = () => document.querySelectorAll(".card:not([hidden])").length;
const found = [shown()];
search.value = "CAFÉ  three"; search.dispatchEvent(new Event("input")); found.push(shown());
document.querySelector("#fates button").click(); search.value = ""; search.dispatchEvent(new Event("input"));
found.push(shown(), document.querySelector(".shown").textContent);
const theme = () => { document.getElementById("theme").click(); return document.documentElement.dataset.theme; };
document.title = JSON.stringify([...found, theme() !== theme()]);
}</script>"""


@pytest.fixture
def clean(tmp_path, write_tar, picture, vlmkit):
    """4 of 7 samples with 3 words and more, one of them with hostile texts; the others in `dropped`."""
    texts = ["café one", "two two", "three three three", HOSTILE, "a b c", "d e f", "café three"]
    samples = {
        f"{n}": {"jpg": picture("JPEG", (60, 40)), "txt": text.encode(), "json": json.dumps({"said<b>": text}).encode()}
        for n, text in enumerate(texts)
    }
    write_tar(tmp_path / "in/00000.tar", samples)
    arguments = ("--min-words", 3, "--rejects", tmp_path / "dropped", "--quiet")
    assert vlmkit("filter", tmp_path / "in", tmp_path / "clean", *arguments).status == 0
    return tmp_path / "clean"


@pytest.fixture
def dom(tmp_path):
    """What a browser makes of a page, after its scripts have run."""
    if CHROMIUM is None:
        pytest.skip("no chromium here")

    def load(page):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile, "--dump-dom", f"file://{page}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return load


def test_a_dataset_with_its_rejects_beside_it(vlmkit, clean, tmp_path):
    done = vlmkit("view", clean, tmp_path / "new/page.html")
    assert (done.status, done.out) == (0, b"")
    assert done.err.startswith(f"vlmkit view: {tmp_path}/new/page.html: 7 samples, 0.0 MB")
    page = (tmp_path / "new/page.html").read_text()
    assert page.count('<article class="card"') == 4
    assert page.count('<article class="card gone" data-fate="words &gt;= 3"') == 3
    assert page.count("data:image/jpeg;base64,") == 7
    assert "<script>document.title" not in page
    assert "‹U+202E›" in page
    assert page.count("<script") == 1
    alone = vlmkit("view", clean, tmp_path / "alone.html", "--no-rejects", "--limit", 2, "--quiet")
    assert (alone.status, alone.err) == (0, "")
    assert (tmp_path / "alone.html").read_text().count("<article") == 2


def test_two_datasets_by_a_condition_at_random(vlmkit, clean, tmp_path):
    where = ("--where", "words >= 3 AND words < 4", "--sample", "random")
    assert vlmkit("view", clean, tmp_path / "dropped", tmp_path / "page.html", *where).status == 0
    assert (tmp_path / "page.html").read_text().count("<article") == 3


def test_what_a_user_can_mend(vlmkit, clean, tmp_path):
    refused = vlmkit("view", clean, tmp_path / "page.html", "--where", "no_such > 1")
    assert (refused.status, (tmp_path / "page.html").exists()) == (1, False)
    assert refused.err.startswith("vlmkit view: no sample fits --where no_such > 1\n  vlmkit stats shows")
    assert vlmkit("view", tmp_path / "in", clean).err.startswith(f"vlmkit view: {clean}: the last argument is the page")


def test_a_damaged_tar_gives_status_3_and_a_page(vlmkit, clean, tmp_path):
    (tmp_path / "a.tar").write_bytes((clean / "00000.tar").read_bytes()[:9000])
    assert vlmkit("view", tmp_path / "a.tar", tmp_path / "page.html").status == 3
    assert "cut off" in (tmp_path / "page.html").read_text()


def test_a_browser_shows_the_cards_and_runs_nothing_that_data_say(vlmkit, clean, dom, tmp_path):
    vlmkit("view", clean, tmp_path / "page.html", "--quiet")
    found = dom(tmp_path / "page.html")
    assert "<title>vlmkit view: " in found
    assert found.count("<article") == 7
    assert 'class="folds"' in found  # our own script has run
    assert "&lt;script&gt;document.title='run'&lt;/script&gt;" in found


def test_a_page_that_forgets_to_escape_would_still_run_nothing(vlmkit, clean, dom, tmp_path):
    """What holds it back is the policy, which names our script by its hash."""
    vlmkit("view", clean, tmp_path / "page.html", "--quiet")
    page = (tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(page.replace("</main>", HOSTILE + "</main>"))
    found = dom(tmp_path / "page.html")
    assert "onerror" in found
    assert "<title>vlmkit view: " in found


def test_search_reasons_and_theme_work(vlmkit, clean, dom, tmp_path):
    vlmkit("view", clean, tmp_path / "page.html", "--quiet")
    page = (tmp_path / "page.html").read_text()
    open_page = page.replace("script-src 'sha256-", "script-src 'unsafe-inline' 'none-").replace(
        "</body>", PRESS + "</body>"
    )
    (tmp_path / "page.html").write_text(open_page)
    title = dom(tmp_path / "page.html").partition("<title>")[2].partition("</title>")[0]
    assert json.loads(title) == [3, 1, 7, "4", True]
