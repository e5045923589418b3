"""How well one reads what labkit shows: each text's colour, beside the colour that most of its place has in the picture.

From the picture, since what lies behind a text in a figure (a bar, a tinted area) no rule of a style sheet says.
"""

from __future__ import annotations

import base64

ENOUGH = 4.5  # WCAG 2.2, 1.4.3
# Every text in sight of labkit's widgets, cards and figures: its words, colour (with opacity) and place.
TEXTS = """() => { const OURS = ':is(.labkit, .jupyter-widgets, .js-plotly-plot, .jp-RenderedHTMLCommon details)';
  const frame = document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer').getBoundingClientRect();
  const faint = e => e ? getComputedStyle(e).opacity * faint(e.parentElement) : 1;
  const ink = e => { const s = getComputedStyle(e), drawn = e instanceof SVGElement;
    const [r, g, b, a = 1] = (drawn ? s.fill : s.color).match(/[\\d.]+/g).map(Number);
    return [r, g, b, a * faint(e) * (drawn ? s.fillOpacity : 1)]; };
  const place = node => { const range = document.createRange(); range.selectNodeContents(node);
    return range.getBoundingClientRect(); };
  return [...document.querySelectorAll(`${OURS} :not(style, script, option, :disabled, :disabled *, .labkit-heard)`)]
    .flatMap(e => e.matches('select') ? [[e, e]] : [...e.childNodes].filter(n => n.nodeType === 3).map(n => [e, n]))
    .filter(([e, n]) => /[\\p{L}\\p{N}]/u.test(n.textContent) && e.checkVisibility({visibilityProperty: true}))
    .map(([e, n]) => ({text: n.textContent.trim().slice(0, 40), ink: ink(e), at: n === e ? e.getBoundingClientRect() : place(n)}))
    .filter(({ink, at}) => ink[3] > .05 && at.width > 2 && at.height > 4 && at.top >= frame.top && at.bottom <= frame.bottom
      && at.left >= frame.left && at.right <= frame.right)
    .map(({text, ink, at}) => [text, ink, [at.x, at.y, at.width, at.height].map(Math.round)]); }"""
# The most frequent colour of each place in a picture (PNG in base64).
BEHIND = """async ([picture, places]) => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + picture)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d', {willReadFrequently: true});
  canvas.drawImage(image, 0, 0);
  return places.map(place => { const seen = new Map(), dots = new Uint32Array(canvas.getImageData(...place).data.buffer);
    for (const dot of dots) seen.set(dot, (seen.get(dot) ?? 0) + 1);
    const [dot] = [...seen].reduce((most, one) => one[1] > most[1] ? one : most);
    return [dot & 255, dot >> 8 & 255, dot >> 16 & 255]; }); }"""


def pale(page, picture: bytes) -> list[str]:
    """Return the texts in sight that one reads badly; `picture` is what `page` looks like now."""
    texts = page.evaluate(TEXTS)
    behind = page.evaluate(BEHIND, [base64.b64encode(picture).decode(), [place for _, _, place in texts]])
    found = ((text, ratio(ink, back), ink, back) for (text, ink, _), back in zip(texts, behind, strict=True))
    return [f"{text!r}: {value:.1f}, {ink} on {back}" for text, value, ink, back in found if value < ENOUGH]


def ratio(ink: list[float], back: list[float]) -> float:
    """Return the contrast, 1 to 21, of `ink` (red, green, blue 0 to 255, opacity 0 to 1) on `back`."""
    *colour, opacity = ink
    seen = [one * opacity + below * (1 - opacity) for one, below in zip(colour, back, strict=True)]
    darker, lighter = sorted([_luminance(seen), _luminance(back)])
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: list[float]) -> float:
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in (c / 255 for c in colour)]
    return sum(one * weight for one, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
