"""Texts by name: from a small hub on this machine, checked, kept, and refused in three lines when there is no network."""

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest
from file_server import closed_port, running

from labkit.errors import ConfigError, HashMismatch, OfflineError
from labkit.quantize.texts import Text, bring, evaluation_text, text_file, texts

BODY = b"Call me Ishmael. " * 500


def zipped(member, body):
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, body)
        return out.getvalue()


ARCHIVE = zipped("raw/test.raw", BODY)
SMALL = Text(
    "small", "a small text", "public domain", repository="datasets/someone/texts", path="small.zip", member="raw/test.raw",
    bytes=len(ARCHIVE), sha256=hashlib.sha256(ARCHIVE).hexdigest(),
    member_bytes=len(BODY), member_sha256=hashlib.sha256(BODY).hexdigest(),
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "LABKIT_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def hub(home, monkeypatch):
    with running() as server:
        server.add("/datasets/someone/texts/resolve/main/small.zip", ARCHIVE)
        monkeypatch.setenv("HF_ENDPOINT", server.origin)
        yield server


def test_a_text_of_the_hub_comes_once_and_stays(hub, home):
    found = bring(SMALL)
    assert found == home / "texts" / "small.txt" and found.read_bytes() == BODY
    assert bring(SMALL) == found and len(hub.seen) == 1
    assert [one.name for one in found.parent.iterdir()] == ["small.txt"], "the archive goes away again"


def test_a_damaged_text_is_fetched_again(hub):
    bring(SMALL).write_bytes(BODY[:-1])
    assert bring(SMALL).read_bytes() == BODY and len(hub.seen) == 2


def test_what_is_not_the_text_is_refused(hub, home):
    other = zipped("raw/test.raw", BODY + b"!")
    hub.add("/datasets/someone/texts/resolve/main/small.zip", other)
    with pytest.raises(HashMismatch, match=r"small\.zip"):
        bring(replace(SMALL, bytes=len(other)))
    with pytest.raises(HashMismatch, match=r"raw/test\.raw"):
        bring(replace(SMALL, bytes=len(other), sha256=hashlib.sha256(other).hexdigest()))
    assert not (home / "texts" / "small.txt").exists()


def test_without_a_network_it_says_so(home, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(OfflineError, match=r"cannot be reached") as caught:
        text_file("wikitext-2")
    assert caught.value.fix.startswith("labkit quantize --text wiki.test.raw")
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(OfflineError, match="Not fetched"):
        text_file("wikitext-2")
    assert not list((home / "texts").glob("*.txt"))


def test_names_files_and_typing_errors(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("Hello", encoding="utf-8")
    assert text_file(str(mine)) == mine and text_file("moby-dick") == evaluation_text()
    with pytest.raises(ConfigError, match="wikitext2") as caught:
        text_file("wikitext2")
    assert "did you mean wikitext-2?" in caught.value.why


def test_every_text_that_is_not_shipped_has_its_hashes():
    for one in texts().values():
        assert one.licence and (one.file or (len(one.sha256) == len(one.member_sha256) == 64 and one.bytes)), one.name
