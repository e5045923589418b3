"""What lesson 05 says about Foundry's SDK holds for the SDK that is installed."""

import inspect

import pytest

from labkit import backends
from labkit.exercises.lesson_05 import _Shelf, _Variant


@pytest.fixture(scope="module")
def sdk(require):
    here = backends.available()["foundry"]
    require("foundry", here, here.fix)
    return pytest.importorskip("foundry_local_sdk")


def test_the_stand_ins_of_the_check_offer_nothing_that_the_sdk_lacks(sdk):
    model = _Variant("here", cached=True)
    ours = {name for name in [*vars(model), *vars(_Variant)] if not name.startswith("_")} - {"downloads"}
    assert ours <= set(dir(sdk.IModel)), ours - set(dir(sdk.IModel))
    (theirs,) = list(inspect.signature(sdk.Catalog.get_model).parameters)[1:]
    assert theirs == "model_alias"
    assert callable(_Shelf().get_model)
    assert "progress_callback" in inspect.signature(sdk.IModel.download).parameters


@pytest.mark.parametrize(
    "name", ["endpoint", "api_key", "get_model_info", "health_check", "is_model_loaded", "get_idle_time"]
)
def test_what_the_lesson_calls_gone_is_gone(sdk, name):
    assert not hasattr(sdk.FoundryLocalManager, name)


def test_the_old_import_is_not_there(sdk):
    with pytest.raises(ModuleNotFoundError):
        __import__("foundry_local")
