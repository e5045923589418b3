"""The downloader against servers, proxies, certificates and disks that misbehave, and against kill -9."""

import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import namedtuple

import pytest
from file_server import certificate, closed_port, running

from labkit import disk
from labkit.errors import CertificateError, DownloadError, HashMismatch, NoSpace, OfflineError, ProxyError, WeightsError
from labkit.fetch import fetch

BODY = random.Random(0).randbytes(3_000_000)
SHA = hashlib.sha256(BODY).hexdigest()
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "LABKIT_OFFLINE", "HF_HUB_OFFLINE")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("labkit.fetch.PAUSE_S", 0)


@pytest.fixture
def server():
    with running() as server:
        yield server


@pytest.fixture
def dest(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder / "model.gguf"


def left(dest):
    return sorted(os.listdir(dest.parent))


def part_of(dest):
    return dest.with_name(dest.name + ".part")


# --- when all goes well


def test_a_file_arrives_whole_with_progress_and_nothing_beside_it(server, dest):
    steps = []
    url = server.add("/f", BODY)
    assert fetch(url, dest, SHA, len(BODY), lambda *step: steps.append(step)) == dest
    assert dest.read_bytes() == BODY
    assert left(dest) == [dest.name]
    downloading = [step for step in steps if step[0] == "downloading model.gguf"]
    assert len(downloading) > 3
    assert downloading[-1] == ("downloading model.gguf", len(BODY), len(BODY))
    assert steps[-1] == ("checking model.gguf", len(BODY), len(BODY))


def test_size_and_hash_are_optional_and_folders_are_made(server, tmp_path):
    dest = tmp_path / "new" / "folder" / "f"
    fetch(server.add("/f", BODY, length=False), dest)
    assert dest.read_bytes() == BODY


def test_a_right_file_is_not_fetched_again_and_a_wrong_one_is(server, dest):
    url = server.add("/f", BODY)
    fetch(url, dest, SHA, len(BODY))
    fetch(url, dest, SHA, len(BODY))
    assert len(server.seen) == 1
    dest.write_bytes(BODY[:-1] + b"?")
    fetch(url, dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    assert len(server.seen) == 2


def test_redirects_are_followed_and_the_token_stays_at_home(server, dest):
    with running() as elsewhere:
        target = elsewhere.add("/real", BODY).replace("127.0.0.1", "localhost")
        url = server.add("/f", b"", status=302, headers={"Location": target})
        fetch(url, dest, SHA, headers={"Authorization": "Bearer secret"})
        assert server.asked("/f", "Authorization") == ["Bearer secret"]
        assert elsewhere.asked("/real", "Authorization") == [None]


def test_a_file_address_is_copied(tmp_path, dest):
    source = tmp_path / "on a stick.whl"
    source.write_bytes(BODY)
    fetch(source.as_uri(), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    with pytest.raises(DownloadError, match="is not there"):
        fetch((tmp_path / "absent").as_uri(), dest.with_name("other"))
    with pytest.raises(HashMismatch):
        fetch(source.as_uri(), dest.with_name("other"), "0" * 64)
    assert left(dest) == [dest.name]


# --- going on where it stopped


def test_it_goes_on_at_the_end_of_what_an_earlier_process_left(server, dest):
    part_of(dest).write_bytes(BODY[:1_000_000])
    fetch(server.add("/f", BODY), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    assert server.asked("/f") == ["bytes=1000000-"]
    assert server.sent == 2_000_000
    assert left(dest) == [dest.name]


@pytest.mark.parametrize("how", ["drop", "reset"])
@pytest.mark.parametrize("promised", [True, False])
def test_broken_connections_are_taken_up_again(server, dest, how, promised):
    url = server.add("/f", BODY, faults=[(how, 700_000), (how, 0), (how, 400_000), 503])
    fetch(url, dest, *((SHA, len(BODY)) if promised else ()))
    assert dest.read_bytes() == BODY
    starts = [int(r.removeprefix("bytes=").removesuffix("-")) for r in server.asked("/f")[1:]]
    assert len(starts) == 4
    assert starts == sorted(starts)
    assert starts[-1] > 0
    assert set(server.asked("/f", "If-Range")[1:]) == {'"v1"'}


def test_without_a_hash_or_an_etag_two_halves_are_not_put_together(server, dest):
    part_of(dest).write_bytes(b"of another file")
    fetch(server.add("/f", BODY, faults=[("drop", 500_000)], etag=None), dest)
    assert dest.read_bytes() == BODY
    assert server.asked("/f") == [None, None]


def test_a_server_without_ranges_sends_it_all_again(server, dest):
    part_of(dest).write_bytes(b"x" * 1_000_000)
    fetch(server.add("/f", BODY, ranges=False, faults=[("drop", 2_000_000)]), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY


def test_a_file_that_changes_between_two_connections_is_not_a_mixture(server, dest):
    newer = BODY[::-1]

    def change(served):
        served.body, served.etag = newer, '"v2"'

    fetch(server.add("/f", BODY, faults=[("drop", 1_000_000), change]), dest)
    assert dest.read_bytes() == newer


def test_bytes_left_of_another_file_cost_one_more_try(server, dest):
    part_of(dest).write_bytes(bytes(1_000_000))
    fetch(server.add("/f", BODY), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    assert server.asked("/f") == ["bytes=1000000-", None]


def test_a_part_longer_than_the_file_is_started_over(server, dest):
    part_of(dest).write_bytes(BODY + b"more")
    fetch(server.add("/f", BODY), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    assert server.asked("/f") == [None]


@pytest.mark.parametrize("size", [len(BODY), None])
def test_stopped_between_the_last_byte_and_the_rename(server, dest, size):
    part_of(dest).write_bytes(BODY)

    def nothing_left(served):
        served.status, served.body, served.headers = 416, b"", {"Content-Range": f"bytes */{len(BODY)}"}

    url = server.add("/f", BODY, faults=[nothing_left], ranges=False)
    fetch(url, dest, SHA, size)
    assert dest.read_bytes() == BODY
    assert server.sent == 0


def test_a_part_beyond_the_end_is_started_over(server, dest):
    part_of(dest).write_bytes(BODY + b"more")
    fetch(server.add("/f", BODY, faults=[416]), dest, SHA)
    assert dest.read_bytes() == BODY


def test_another_piece_than_the_one_asked_for_is_not_believed(server, dest):
    part_of(dest).write_bytes(BODY[:1000])

    def wrong_piece(served):
        served.status, served.ranges, served.headers = 206, False, {"Content-Range": f"bytes 0-9/{len(BODY)}"}

    def mended(served):
        served.status, served.headers = 200, {}

    fetch(server.add("/f", BODY, faults=[wrong_piece, mended]), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY


# --- answers that are not the file


def refused(kind, url, dest, *promises, **more):
    """Expect the error `kind`, with all three lines, and no file."""
    before = dest.read_bytes() if dest.exists() else None
    with pytest.raises(kind) as caught:
        fetch(url, dest, *promises, **more)
    assert type(caught.value) is kind
    assert all((caught.value.what, caught.value.why, caught.value.fix))
    assert (dest.read_bytes() if dest.exists() else None) == before
    assert not dest.with_name(dest.name + ".lock").exists()
    return caught.value


def test_wrong_bytes_are_a_hash_mismatch_and_leave_nothing(server, dest):
    error = refused(HashMismatch, server.add("/f", BODY[:-1] + b"?"), dest, SHA, len(BODY), by_hand="labkit pull x")
    assert error.fix == "labkit pull x"
    assert left(dest) == []


def test_wrong_bytes_leave_the_file_that_was_there(server, dest):
    dest.write_bytes(b"older")
    refused(HashMismatch, server.add("/f", BODY[::-1]), dest, SHA, len(BODY))
    assert left(dest) == [dest.name]


@pytest.mark.parametrize(("status", "said"), [(404, "answered 404"), (403, "403"), (401, "401"), (400, "answered 400")])
def test_an_error_answer_is_a_download_error_at_once(server, dest, status, said):
    error = refused(DownloadError, server.add("/f", BODY, faults=[status] * 9), dest, SHA, len(BODY))
    assert said in error.what
    assert len(server.seen) == 1
    assert left(dest) == []


def test_a_server_that_stays_broken_is_given_up(server, dest):
    error = refused(DownloadError, server.add("/f", BODY, faults=[500] * 9), dest, SHA, len(BODY))
    assert "500" in error.why
    assert len(server.seen) == 5


def test_too_many_requests_may_pass(server, dest):
    fetch(server.add("/f", BODY, faults=[429, 503]), dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY


def test_a_web_page_is_not_a_file(server, dest):
    url = server.add("/f", b"<html>Please sign in</html>", kind="text/html; charset=utf-8")
    assert "web page" in refused(DownloadError, url, dest).what
    assert left(dest) == []


def test_another_length_is_noticed_before_the_bytes_come(server, dest):
    error = refused(DownloadError, server.add("/f", BODY[:-1]), dest, SHA, len(BODY))
    assert "2,999,999 bytes, but the file has 3,000,000" in error.what
    assert server.seen and left(dest) == []


def test_a_body_that_does_not_stop_is_cut_off(server, dest):
    error = refused(DownloadError, server.add("/f", BODY * 2, length=False), dest, SHA, len(BODY))
    assert "does not stop" in error.what


def test_a_short_body_without_a_length_is_noticed_by_the_promised_size(server, dest):
    url = server.add("/f", BODY, length=False, faults=[("drop", 1_000_000)])
    fetch(url, dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY


def test_a_connection_that_always_breaks_is_given_up_and_the_bytes_are_kept(server, dest):
    url = server.add("/f", BODY, faults=[("drop", 300_000)] + [("drop", 0)] * 9)
    error = refused(DownloadError, url, dest, SHA, len(BODY))
    assert "5 times in a row" in error.what
    assert left(dest) == ["model.gguf.part"]
    assert part_of(dest).read_bytes() == BODY[:300_000]
    server.files["/f"].faults.clear()
    fetch(url, dest, SHA, len(BODY))
    assert left(dest) == [dest.name]


def test_a_long_way_with_many_breaks_is_not_given_up(server, dest):
    body = random.Random(1).randbytes(12_000_000)
    url = server.add("/f", body, faults=[("drop", 1_200_000)] * 9)
    fetch(url, dest, hashlib.sha256(body).hexdigest(), len(body))
    assert dest.read_bytes() == body


def test_endless_redirects_and_an_address_that_is_none(server, dest):
    url = server.add("/f", b"", status=302, headers={"Location": "/f"})
    refused(DownloadError, url, dest)
    refused(DownloadError, "gopher://127.0.0.1/f", dest)


# --- no network, proxies, certificates


def test_nobody_listens_or_no_such_host(dest):
    error = refused(OfflineError, f"http://127.0.0.1:{closed_port()}/f", dest, by_hand="labkit pull m --from FILE")
    assert "127.0.0.1 cannot be reached" in error.what
    assert error.fix == "labkit pull m --from FILE"
    refused(OfflineError, "https://nowhere.invalid/f", dest)
    assert left(dest) == []


def test_the_network_goes_away_in_the_middle(dest):
    with running() as server:
        url = server.add("/f", BODY, faults=[("drop", 300_000)])

        def unplug(label, done, total):
            server.socket.close()

        error = refused(DownloadError, url, dest, SHA, len(BODY), progress=unplug)
    assert "300,000 of 3,000,000 bytes" in error.why
    assert part_of(dest).stat().st_size == 300_000


@pytest.mark.parametrize("name", ["LABKIT_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_by_choice_asks_nobody(server, dest, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    error = refused(OfflineError, server.add("/f", BODY), dest)
    assert name in error.why
    assert server.seen == []
    monkeypatch.setenv(name, "0")
    fetch(server.add("/f", BODY), dest)


def test_a_certificate_that_is_not_trusted(dest, tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)
    with running(tls=(cert, key)) as server:
        url = server.add("/f", BODY)
        error = refused(CertificateError, url, dest, SHA)
        assert "self-signed" in error.why.replace(" ", "-")
        assert "SSL_CERT_FILE=" in error.fix
        assert server.seen == [] and left(dest) == []
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        fetch(url, dest, SHA)
        assert dest.read_bytes() == BODY


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_list_of_certificates_that_cannot_be_read(dest, tmp_path, monkeypatch, content):
    path = tmp_path / "bundle.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    error = refused(CertificateError, "https://127.0.0.1/f", dest)
    assert str(path) in error.why
    assert "SSL_CERT_FILE" in error.fix


def test_something_that_does_not_speak_tls(server, dest):
    refused(CertificateError, server.add("/f", BODY).replace("http:", "https:"), dest)


@pytest.mark.parametrize("url", ["https://elsewhere.test/f", "http://elsewhere.test/f"])
def test_a_proxy_that_wants_a_password(dest, monkeypatch, url):
    with running(proxy_status=407) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.origin.replace("//", "//me:secret@"))
        error = refused(ProxyError, url, dest)
        assert "407" in error.why
        assert "secret" not in str(error)
        assert "HTTPS_PROXY=" in error.fix
        assert len(proxy.seen) == 1


def test_a_proxy_that_forbids_the_place(dest, monkeypatch):
    with running(proxy_status=403) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        assert "403" in refused(ProxyError, "https://elsewhere.test/f", dest).why


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{}", "socks5://127.0.0.1:{}", "nonsense://127.0.0.1:{}"])
def test_a_proxy_that_is_not_there_or_not_usable(dest, monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(closed_port()))
    refused(ProxyError, "https://elsewhere.test/f", dest)


def test_a_proxy_that_works_is_used_and_no_proxy_is_obeyed(server, dest, monkeypatch):
    server.add("/f", BODY)
    monkeypatch.setenv("HTTP_PROXY", server.origin)
    fetch("http://elsewhere.test/f", dest, SHA)
    assert dest.read_bytes() == BODY
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    fetch(server.origin + "/f", dest.with_name("direct"), SHA)


# --- disks


def test_without_room_nothing_is_asked_for(server, dest, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, len(BODY) + disk.SPARE - 1))
    error = refused(NoSpace, server.add("/f", BODY), dest, SHA, len(BODY))
    assert "LABKIT_HOME=" in error.fix
    assert left(dest) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, len(BODY) + disk.SPARE))
    fetch(server.origin + "/f", dest, SHA, len(BODY))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB, mounted for the test."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_keeps_the_part_and_goes_on_when_there_is_room(server, small_disk, monkeypatch):
    monkeypatch.setattr(disk, "SPARE", 0)
    dest = small_disk / "model.gguf"
    url = server.add("/f", BODY, length=False)
    error = refused(NoSpace, url, dest, SHA)
    assert "filled up" in error.why
    assert left(dest) == ["model.gguf.part"]
    got = part_of(dest).stat().st_size
    assert 1_000_000 < got < len(BODY)
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    fetch(url, dest, SHA)
    assert dest.read_bytes() == BODY
    assert server.asked("/f")[-1] == f"bytes={got}-"


def test_a_quota_counts_as_no_room_and_a_foreign_folder_as_weights_error(dest):
    with pytest.raises(NoSpace), disk.errors(dest):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(WeightsError, match="Cannot write") as caught, disk.errors(dest):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert "LABKIT_HOME=" in caught.value.fix


# --- several processes, and processes that end early


CODE = """
    import signal, sys
    from labkit.fetch import fetch
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    url, dest, sha256, size = sys.argv[1:]
    fetch(url, dest, sha256, int(size), progress=lambda *step: print(*step, sep="\\t", flush=True))
"""


def start(url, dest):
    command = [sys.executable, "-c", textwrap.dedent(CODE), url, dest, SHA, str(len(BODY))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(process, label, bytes_done=0):
    for line in process.stdout:
        said, done, _ = line.split("\t")
        if said.startswith(label) and int(done) >= bytes_done:
            return
    raise AssertionError(f"never said {label!r}: {process.stderr.read()}")


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_stopped_leaves_the_part_and_the_next_one_goes_on(server, dest, how):
    url = server.add("/f", BODY, pause=0.02)
    process = start(url, dest)
    until(process, "downloading", 500_000)
    process.send_signal(how)
    process.communicate()
    assert process.returncode != 0
    assert left(dest) == ["model.gguf.lock", "model.gguf.part"] if how == signal.SIGKILL else ["model.gguf.part"]
    got = part_of(dest).stat().st_size
    assert 400_000 < got < len(BODY)
    server.files["/f"].pause = 0
    fetch(url, dest, SHA, len(BODY))
    assert dest.read_bytes() == BODY
    assert server.asked("/f")[-1] == f"bytes={got}-"
    assert left(dest) == [dest.name]


def test_an_interrupt_in_this_process_leaves_the_part_alone(server, dest):
    def interrupt(label, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.add("/f", BODY), dest, SHA, len(BODY), progress=interrupt)
    assert left(dest) == ["model.gguf.part"]


def test_two_processes_fetch_it_once(server, dest):
    url = server.add("/f", BODY, pause=0.02)
    first = start(url, dest)
    until(first, "downloading")
    second = start(url, dest)
    until(second, "waiting for another process to fetch model.gguf", 1)
    assert [p.communicate()[1] for p in (first, second)] == ["", ""]
    assert (first.returncode, second.returncode) == (0, 0)
    assert dest.read_bytes() == BODY
    assert len(server.seen) == 1
    assert left(dest) == [dest.name]


@posix
def test_the_one_that_waits_takes_over_from_the_one_that_is_killed(server, dest):
    url = server.add("/f", BODY, pause=0.02)
    first = start(url, dest)
    until(first, "downloading", 300_000)
    second = start(url, dest)
    until(second, "waiting")
    first.kill()
    first.communicate()
    assert second.communicate()[1] == ""
    assert dest.read_bytes() == BODY
    assert server.asked("/f")[0] is None and server.asked("/f")[1].startswith("bytes=")
    assert left(dest) == [dest.name]


def test_eight_processes_at_once_never_hold_the_lock_together(tmp_path):
    code = """
        import os, sys, time
        from pathlib import Path
        from labkit.disk import one_writer
        path = Path(sys.argv[1])
        for _ in range(20):
            with one_writer(path):
                handle = os.open(path.with_name("alone"), os.O_CREAT | os.O_EXCL)
                os.close(handle)
                time.sleep(0.001)
                path.with_name("alone").unlink()
    """
    fast = "from labkit import disk\ndisk.POLL_S = 0.001\n"
    command = [sys.executable, "-c", fast + textwrap.dedent(code), tmp_path / "f"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.communicate()[1] for process in processes] == [""] * 8
    assert left(tmp_path / "f") == []
