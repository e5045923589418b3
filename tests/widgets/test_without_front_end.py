"""The widgets where nobody watches: executed by papermill, saved without widget state, read as a page."""

import nbformat
import papermill
from chat_server import ChatServer
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
CHAT = """from labkit.backends import Endpoint
from labkit.widgets import chat_box
endpoint = Endpoint(backend="stub", base_url="{url}", model="tiny", api_key="x")
chat_box(endpoint, ask="Well?")"""


def test_a_saved_page_shows_what_was_there(tmp_path):
    with ChatServer() as server:
        cells = [
            "from labkit.widgets import hardware_card, model_picker\nhardware_card()",
            "model_picker()",
            CHAT.format(url=server.endpoint().base_url),
        ]
        source, done = tmp_path / "source.ipynb", tmp_path / "done.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell(one) for one in cells], metadata=KERNEL), source)
        papermill.execute_notebook(str(source), str(done), progress_bar=False, execution_timeout=120)
    notebook = nbformat.read(done, as_version=4)
    notebook.metadata.pop("widgets", None)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    for text in ("Vector instructions", "SmolLM2-135M-Instruct", "The answer.", "tokens/s", "run the cell to chat"):
        assert text in page
    assert "application/vnd.jupyter.widget-view+json" not in page
    plain = [output.data["text/plain"] for cell in notebook.cells for output in cell.outputs]
    assert "tiny: The answer." in plain[2] and len(plain) == 3
