"""The cloud tier before a real engine: a request is done once, however often and however late it is sent."""

import threading
from types import SimpleNamespace

import pytest

from labkit.backends.asgi import Locked, LoopbackServer
from labkit.backends.relay import relay_app
from labkit.deploy.edge.receiver import Inbox, app
from labkit.deploy.edge.wire import Place, call

KEY = "cloud-key"


@pytest.fixture
def cloud(endpoint, tmp_path):
    """A receiver before the engine, and `asked`: what the engine was asked."""
    asked = []
    inbox = Inbox(tmp_path / "cloud.sqlite")
    with LoopbackServer(relay_app(endpoint, key="engine-key", tap=asked.append)) as engine:
        face = Locked(app(inbox, f"{engine.address}/v1", "engine-key"), KEY)
        with LoopbackServer(face) as server:
            place = Place("cloud", server.address, KEY)
            yield SimpleNamespace(place=place, asked=asked, inbox=inbox, engine=engine, model=endpoint.model)
    inbox.close()


def send(cloud, id="id-1", text="What is the capital of France?"):
    body = {"model": cloud.model, "messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0}
    return call(cloud.place, "POST", "/v1/chat/completions", body, 120, id)


def test_the_same_id_at_once_and_again_is_one_request_of_the_model(cloud):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send(cloud))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.append(send(cloud))
    assert [status for status, _ in answers] == [200] * 4
    assert len({str(said) for _, said in answers}) == 1 and len(cloud.asked) == 1
    assert cloud.inbox.counts() == {"received": 4, "duplicates": 3, "effects": 1, "twice": 0}


def test_another_request_under_a_used_id_none_at_all_and_a_wrong_key_are_refused(cloud):
    assert send(cloud)[0] == 200
    assert send(cloud, text="Something else")[0] == 422
    assert send(cloud, id="")[0] == 400
    stranger = Place("cloud", cloud.place.address, "wrong")
    assert call(stranger, "POST", "/v1/chat/completions", {}, 10, "id-2")[0] == 401
    assert cloud.inbox.counts()["effects"] == 1


def test_what_the_engine_could_not_do_is_not_kept_as_done(cloud):
    cloud.engine.close()
    assert send(cloud)[0] == 502
    assert cloud.inbox.counts()["effects"] == 0 and cloud.inbox.find("id-1") is None
