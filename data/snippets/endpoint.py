"""Against a server of yours: set BASE_URL, API_KEY and MODEL."""

import os

import pytest

from labkit.backends.base import Endpoint
from labkit.errors import EngineDied, LabkitError, Refused


@pytest.fixture
def endpoint():
    if not os.environ.get("BASE_URL"):
        pytest.skip("no server: set BASE_URL, API_KEY and MODEL")
    return Endpoint("mine", os.environ["BASE_URL"], os.environ["MODEL"], os.environ["API_KEY"])


def test_a_chat_and_a_stream_say_the_same(endpoint):
    said = endpoint.chat("What is the capital of France?", max_tokens=16, temperature=0)
    stream = endpoint.stream("What is the capital of France?", max_tokens=16, temperature=0)
    assert said.text and "".join(stream) == said.text and said.completion_tokens > 0


def test_a_wrong_key_is_an_error_with_a_name(endpoint):
    with pytest.raises(Refused):
        Endpoint("mine", endpoint.base_url, endpoint.model, "wrong").chat("Hello", max_tokens=2)


def test_nobody_there():
    with pytest.raises(LabkitError) as caught:
        Endpoint("mine", "http://127.0.0.1:9/v1", "m", "k").chat("Hello")
    assert isinstance(caught.value, EngineDied) or caught.value.what
