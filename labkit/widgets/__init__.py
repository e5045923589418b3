"""What a lesson shows: cards to read and use, figures of a measurement. Each is a pure function and a thin view over it.

    hardware_card(), model_picker(), chat_box(endpoint)       # live in JupyterLab, a table or a text elsewhere
    arrivals_figure(…), concurrency_figure(…)                 # plotly figures

Importing this loads neither ipywidgets nor plotly: they come with the first thing that is shown. Taught in notebook 00,
sections "What runs here", "Streaming" and "Take away".
"""

from labkit.widgets.chat_box import ChatBox, chat_box
from labkit.widgets.claims_table import ClaimsTable, claims_html, claims_table, claims_text
from labkit.widgets.hardware_card import HardwareCard, hardware_card, hardware_html, hardware_text
from labkit.widgets.model_picker import ModelPicker, model_picker, models_text
from labkit.widgets.speed import arrivals_figure, concurrency_figure

__all__ = [
    "ChatBox", "ClaimsTable", "HardwareCard", "ModelPicker",
    "arrivals_figure", "chat_box", "claims_html", "claims_table", "claims_text",
    "concurrency_figure", "hardware_card", "hardware_html", "hardware_text",
    "model_picker", "models_text",
]  # fmt: skip
