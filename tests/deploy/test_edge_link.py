"""The bad network, with real sockets: what is cut waits, what is lost is lost, what must not pass is seen."""

import http.client
import socket
import socketserver
import threading

import pytest

from labkit.deploy.edge.link import Links
from labkit.deploy.edge.wire import Place, call

MARK = b"private-1234"


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what comes, and counts."""

    allow_reuse_address, daemon_threads, got = True, True, b""


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1000):
            self.server.got += data
            self.request.sendall(data)


@pytest.fixture
def echo():
    with Echo(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def link(echo):
    with Links(watched=[MARK]) as links:
        yield links.open("one to other", echo.server_address[1])


def connect(link, timeout=10):
    return socket.create_connection(("127.0.0.1", int(link.address.rpartition(":")[2])), timeout)


def test_a_link_passes_everything_both_ways(link, echo):
    with connect(link) as asker:
        asker.sendall(b"hello")
        assert asker.recv(100) == b"hello"
    assert (link.connections, link.bytes_up, link.seen) == (1, 5, 0)


def test_what_is_sent_into_a_partition_waits_and_arrives_after_it(link, echo):
    with connect(link) as asker:
        asker.sendall(b"before")
        assert asker.recv(100) == b"before"
        link.cut()
        asker.sendall(b"during")
        asker.settimeout(0.3)
        with pytest.raises(TimeoutError):
            asker.recv(100)
        with connect(link) as late:  # nothing is refused either
            late.sendall(b"late")
        assert echo.got == b"before"
        link.heal()
        asker.settimeout(10)
        assert asker.recv(100) == b"during"


def test_a_lost_answer_is_one_whose_request_arrived(link, echo):
    link.lose_answers = 1
    with connect(link) as asker:
        asker.sendall(b"one")
        with pytest.raises(ConnectionResetError):
            assert asker.recv(100) == b""
            raise ConnectionResetError  # an end without an answer is as good
    assert echo.got == b"one" and link.lost_answers == 1
    with connect(link) as asker:
        asker.sendall(b"two")
        assert asker.recv(100) == b"two"


def test_a_link_that_drops_all_is_an_oserror_for_a_caller(link):
    link.drop = 1.0
    with pytest.raises(OSError):
        call(Place("other", link.address, "key"), "GET", "/health", timeout=10)


@pytest.mark.parametrize("at", range(1, len(MARK)))
def test_the_mark_is_seen_wherever_it_is_split(link, at):
    text = b"xx" + MARK + b"yy" + MARK
    with connect(link) as asker:
        asker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (text[: at + 2], text[at + 2 :]):
            asker.sendall(part)
            got = b""
            while len(got) < len(part):  # so that the parts arrive apart
                got += asker.recv(100)
    assert link.seen == 2


def test_a_server_that_speaks_no_http_is_an_oserror(link):
    with pytest.raises(OSError):
        call(Place("other", link.address, "key"), "GET", "/health", timeout=10)
    assert issubclass(ConnectionError, OSError) and not issubclass(http.client.HTTPException, OSError)
