// Draws each figure once, as a picture: nothing in it reacts. Its colours for text come from the page (style.css).
"use strict";

for (const place of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(place.querySelector("script").textContent);
  Plotly.newPlot(place, figure.data, { ...figure.layout, autosize: true }, { staticPlot: true, responsive: true });
}
