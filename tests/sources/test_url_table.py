"""URL lists of every format become one table."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vlmkit.errors import VlmkitError
from vlmkit.sources.source import url_list_format
from vlmkit.sources.url_errors import error_class
from vlmkit.sources.url_table import write_table


@pytest.fixture
def table(tmp_path):
    def read(path, url=None, caption=None):
        digest = write_table(str(path), url_list_format(str(path)) or "", url, caption, tmp_path / "table.parquet")
        assert len(digest) == 64
        return pq.read_table(tmp_path / "table.parquet").to_pylist()

    return read


TWO = [("http://h/1.jpg", "a cat, asleep"), ("http://h/2.jpg", None)]
OBJECTS = [{"url": url, "caption": caption} for url, caption in TWO]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.csv", 'url,caption\nhttp://h/1.jpg,"a cat, asleep"\nhttp://h/2.jpg,\n'),
        ("l.csv", '\ufeffURL,TEXT\r\nhttp://h/1.jpg,"a cat, asleep"\r\nhttp://h/2.jpg\r\n'),
        ("l.tsv", "alt\tid\turl\na cat, asleep\t1\thttp://h/1.jpg\n\t2\thttp://h/2.jpg\n"),
        ("l.json", json.dumps(OBJECTS)),
        ("l.jsonl", "\n".join(json.dumps(row) for row in OBJECTS)),
        ("l.csv.gz", gzip.compress(b'url,caption\nhttp://h/1.jpg,"a cat, asleep"\nhttp://h/2.jpg,\n', mtime=0)),
    ],
)
def test_every_format_gives_the_same_rows(table, write, name, content):
    assert [(row["url"], row["caption"]) for row in table(write(name, content))] == TWO


def test_parquet_and_plain_text(table, tmp_path, write):
    columns = {"URL": [url for url, _ in TWO], "text": [text for _, text in TWO], "uid": ["a", "b"], "blob": [b"", b""]}
    pq.write_table(pa.table(columns), tmp_path / "l.parquet")
    rows = table(tmp_path / "l.parquet")
    assert [(row["url"], row["caption"]) for row in rows] == TWO
    assert [row["uid"] for row in rows] == ["a", "b"]
    plain = table(write("l.txt", 'http://h/1.jpg?a,b\n\n  http://h/2.jpg\r\nhttp://h/"3".jpg'))
    assert [row["url"] for row in plain] == ["http://h/1.jpg?a,b", "http://h/2.jpg", 'http://h/"3".jpg']


def test_only_http_is_requested_and_its_letters_are_escaped(table, write):
    urls = [
        "file:///etc/passwd",
        "<URL:file:///etc/passwd>",
        "/etc/passwd",
        "ftp://h/a",
        "HTTP://h/ü b%20c.jpg?x=1&y=2",
    ]
    rows = table(write("l.txt", "\n".join(urls)))
    assert [row["url"] for row in rows] == urls
    assert all(row["fetch"].startswith("refused:") for row in rows[:4])
    assert rows[4]["fetch"] == "HTTP://h/%C3%BC%20b%20c.jpg?x=1&y=2"


def test_values_that_are_no_text(table, write):
    rows = table(
        write("l.json", '[{"url": "http://h/1", "caption": 7}, {"url": null, "caption": NaN}, 3, {"url": "\\ud800"}]')
    )
    assert [(row["url"], row["caption"]) for row in rows] == [
        ("http://h/1", "7"),
        (None, None),
        (None, None),
        ("?", None),
    ]


def test_columns_can_be_named(table, write):
    path = write("l.csv", "link,url,title,caption\nhttp://a/1,http://b/1,t,c\n")
    assert [(row["url"], row["caption"]) for row in table(path)] == [("http://b/1", "c")]
    assert [(row["url"], row["caption"]) for row in table(path, "link", "title")] == [("http://a/1", "t")]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("l.csv", "http://h/1.jpg\n", "no column of URLs"),
        ("l.csv", "", "no column of URLs"),
        ("l.json", '{"url": {}}', "no list"),
        ("l.jsonl", '{"url": "http://h/1"}\n{broken', "can't be read as jsonl"),
        ("l.csv", b"url\nhttp://h/\xff\n", "can't be read as csv"),
        ("l.csv.gz", "url\n", "can't be read as csv"),
        ("l.parquet", "url\n", "can't be read as parquet"),
    ],
)
def test_a_list_that_can_not_be_read_is_refused(table, write, name, content, says):
    with pytest.raises(VlmkitError, match=says) as error:
        table(write(name, content))
    assert error.value.hint


@pytest.mark.parametrize(("url", "caption"), [("link", None), (None, "title")])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(table, write, url, caption):
    with pytest.raises(VlmkitError, match="no column") as error:
        table(write("l.csv", "url,text\nhttp://a/1,t\n"), url, caption)
    assert "url, text" in error.value.hint


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("HTTP Error 404: Not Found", "HTTP 404"),
        ("HTTP Error 429: Too Many Requests", "HTTP 429"),
        ("<urlopen error timed out>", "timeout"),
        ("<urlopen error _ssl.c:983: The handshake operation timed out>", "timeout"),
        ("<urlopen error [Errno 110] Connection timed out>", "timeout"),
        ("Use of image disallowed by X-Robots-Tag directive", "opted out"),
        ("<urlopen error [Errno -2] Name or service not known>", "unknown host"),
        ("<urlopen error [Errno -3] Temporary failure in name resolution>", "unknown host"),
        ("<urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed>", "TLS"),
        ("<urlopen error [Errno 111] Connection refused>", "connection"),
        ("[Errno 104] Connection reset by peer", "connection"),
        ("Remote end closed connection without response", "connection"),
        ("IncompleteRead(0 bytes read, 10 more expected)", "connection"),
        ("<urlopen error no host given>", "invalid URL"),
        ("something new", "download failed"),
        ("", "download failed"),
    ],
)
def test_errors_have_classes(message, reason):
    assert error_class("failed_to_download", message) == reason
    assert error_class("failed_to_resize", message) == "unreadable image"
