"""Hardware card and model picker without a front end."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from labkit import catalog, hardware
from labkit.errors import EngineMissing, UnknownModel
from labkit.hardware import Fact
from labkit.widgets import hardware_card, hardware_html, hardware_text, model_picker, models_text
from labkit.widgets.look import STYLE
from labkit.widgets.model_picker import count_text, rows, size_text

EVIL = "<b onload='x'>&"


@pytest.fixture(scope="module")
def here():
    return hardware.machine()


def test_the_card_has_every_fact_with_its_source(here):
    text, html = hardware_text(here), hardware_html(here)
    for label, value, source in here.table():
        line = next(line for line in text.splitlines() if line.startswith(label + " "))
        assert value in line and line.endswith(f"[{source}]")
        assert f'<th scope="row">{label}</th>' in html
    assert html.count("<tr>") == len(here.table())


def test_the_card_escapes_what_the_machine_says(here):
    html = hardware_html(replace(here, cpu_model=Fact(EVIL, EVIL)))
    assert "<b" not in html and html.count("&lt;b onload=&#x27;x&#x27;&gt;&amp;") == 2


def test_read_again_reads_again(here):
    card = hardware_card(replace(here, cpu_model=Fact("Abacus", "a drawing")))
    assert "Abacus" in card.text and "Abacus" in card.html and "Abacus" in card._table.value
    card.view.children[1].click()
    assert "Abacus" not in card.text + card.html + card._table.value


def test_every_form_of_a_card_is_there_for_whoever_shows_it(here):
    bundle = hardware_card(here)._repr_mimebundle_()
    assert bundle["text/plain"] == hardware_text(here)
    assert "run the cell to read it anew" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_picker_shows_every_model_with_what_matters():
    text = models_text()
    for model in catalog.models():
        line = next(line for line in text.splitlines() if line.startswith(model.alias + " "))
        assert size_text(model.file_bytes) in line and model.licence in line
        assert re.search(r"(yes|no) +(yes|no)$", line)
    assert [row.model.alias for row in rows()] == [value for _, value in model_picker()._list.options]


def test_the_picker_begins_with_the_default_and_follows():
    picker = model_picker()
    assert picker.value == catalog.default_model().alias
    picker.value = "phi-4"
    assert picker.model.alias == "phi-4" and "phi-4" in picker._details.value
    assert "Picked: phi-4" in picker.text and "14.7 B" in picker.text
    assert picker._details.value.rpartition("</style>")[2] in picker.html
    with pytest.raises(UnknownModel):
        picker.value = "phi-5000"


def test_the_picker_takes_a_name_of_an_engine_and_calls_back():
    heard = []
    picker = model_picker(heard.append, value="qwen2.5:0.5b-instruct-q4_K_M")
    assert picker.value == "qwen2.5-0.5b" and heard == []
    picker._list.set_state({"index": 0})
    assert heard == [catalog.models()[0].alias]


def test_an_error_of_the_callback_stands_in_the_picker():
    def fail(alias):
        raise EngineMissing("No engine.", EVIL, "labkit doctor")

    picker = model_picker(fail)
    picker.value = "phi-4"
    assert "Try: labkit doctor" in picker._details.value and "<b" not in picker._details.value


def test_a_machine_that_is_too_small_and_a_model_that_is_here(monkeypatch, here, tmp_path):
    small = replace(here, ram_free_bytes=Fact(2**20, "a test"))
    monkeypatch.setattr(hardware, "machine", lambda: small)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    picker = model_picker()
    assert "not fetched · too big" in picker._list.label and "does not fit" in picker._details.value
    assert "to fetch it: labkit pull smollm2-135m (" in picker._details.value


def test_sizes_and_counts():
    assert [size_text(n) for n in (270_885_920, 9_053_114_816)] == ["271 MB", "9.1 GB"]
    assert [count_text(n) for n in (134_515_008, 14_700_000_000)] == ["135 M", "14.7 B"]


def test_no_colour_is_written_down():
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", STYLE)
    assert len(re.findall(r"(?:color|border[\w-]*): [^;]*(?:var\(--jp|inherit|currentColor)", STYLE)) >= 8


def test_importing_the_widgets_loads_neither_ipywidgets_nor_plotly():
    code = "import json, sys, labkit.widgets; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert not {"ipywidgets", "plotly", "openai", "IPython", "xllamacpp"} & set(loaded)
