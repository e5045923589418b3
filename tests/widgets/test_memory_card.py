"""The calculator: the same sum as labkit.hardware.fits, in three forms, and the fields change it."""

import pytest

from labkit import catalog, hardware
from labkit.errors import UnknownModel
from labkit.widgets.memory import memory_card, memory_html, memory_sum, memory_text


@pytest.mark.parametrize("alias", [one.alias for one in catalog.models()])
def test_the_sum_is_parameters_times_bits_and_the_cache(alias):
    model, fit = catalog.model(alias), memory_sum(alias, 4.5, 1000, 3)
    assert fit.inputs["weights_bytes"] == pytest.approx(model.parameters * 4.5 / 8, abs=1)
    assert fit.inputs["kv_cache_bytes"] == 4 * model.n_layers * model.n_kv_heads * model.head_dim * 1000 * 3
    assert fit.needed_bytes == sum(fit.inputs[f"{name}_bytes"] for name in ("weights", "kv_cache", "overhead"))


def test_at_the_real_size_it_is_what_fits_says():
    model = catalog.default_model()
    bits = model.file_bytes * 8 / model.parameters
    assert memory_sum(model.alias, bits, 2048).needed_bytes == hardware.fits(model, context=2048).needed_bytes


def test_text_and_page_tell_the_same():
    text, page = (make("phi-4-mini", 4.84, 4096, 2) for make in (memory_text, memory_html))
    for figure in ("2,321 MB", "1,074 MB", "4096 tokens × 2"):
        assert figure in text and figure in page
    assert "<script" not in page and 'scope="row"' in page
    with pytest.raises(UnknownModel):
        memory_text("phi-5", 4, 1)


def test_a_field_changes_the_sum():
    here = hardware.machine()  # as it was now: what is free changes from one look to the next
    card = memory_card("phi-4-mini", machine=here)
    before = card.text
    for name, value in (("context", 8192), ("bits", 8.5), ("parallel", 4), ("model", "phi-4")):
        card._fields[name].value = value
        assert card.text != before and card.values[name] == value
        before = card.text
        assert card._table.value == memory_html(**card.values, machine=here)
    bundle = card._repr_mimebundle_()
    assert "phi-4" in bundle["text/plain"] and "run the cell" in bundle["text/html"]


def test_it_can_begin_anywhere():
    assert memory_card("phi-4", bits=5.1, context=3000).values["context"] == 3000
