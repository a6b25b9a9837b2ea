"""How every view of the kit is made.

A view is a `Panel`: a box with a heading, in the kit's one look, whose parts are controls
(`kit.controls`: each comes with its label) and `Markup` (HTML or SVG written by Python, in which
elements with `data-pick` can be clicked, or reached by Tab and chosen by Enter). It looks as
JupyterLab does, light or dark.

```python
class DiceLab(Panel):
    title = "Throw dice"

    def __init__(self, *, sides: int = 6) -> None:
        self._sides = slider("sides", sides, (2, 20))
        self._sides.observe(self._redraw, "value")
        self._shown = Markup()
        super().__init__(self._sides, self._shown)
        self._redraw()

    def _redraw(self, _: object = None) -> None:
        self._shown.markup = self.pictures()[0]

    def pictures(self) -> Sequence[str]:
        return [draw_dice(int(self._sides.value))]
```

- `pictures` gives what the view shows now as SVG, written with `mlkit.reports.svg` (`element`, and
  `document(body, size, title, description)`: title and description are what people
  hear who do not see it). Use the classes of `reports/templates/picture.css` (`name`, `small`,
  `tick`, `grid`, `axis`, `bar`, `arrow`, `face`, and `state-succeeded` and so on around them):
  they fit light and dark, and the static picture knows them. A glyph or a word goes with every
  colour (`mlkit.observe.signs`).
- **Without a kernel** a saved, an untrusted and a rendered notebook show the same pictures, drawn
  as PNG (`kit.raster`) with the descriptions as the text that stands for them: `Panel` adds
  `image/png` and `text/html` to what it displays. A static page prefers the live form, so a
  renderer drops `application/vnd.jupyter.widget-view+json` from the outputs first. mlkit's own site
  takes the pictures as they were drawn (`DRAWN`), which look light or dark as the page does.
- The view's work is done by plain functions and frozen values in modules that know no widget; they
  are what the tests are about. A view is tested by setting its controls' values and reading its
  markup: that needs no browser.
- Messages that come of themselves go to a `Markup(live=True)`. Work that takes longer than a second
  belongs in a thread; traits may be set from there.
- Whatever comes from a user or a file is escaped (`mlkit.reports.svg.text`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import ipywidgets

from mlkit.reports.svg import picture_style, text
from mlkit.widgets.kit.markup import Markup, static_text
from mlkit.widgets.kit.svg_reading import describe, width_of_all

__all__ = ["DRAWN", "Panel"]

DRAWN = "application/vnd.mlkit.drawn"
"""The form of a view for a page that may hold SVG: HTML, with a style sheet of its own."""


class Panel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The frame of every view.

    Parameters
    ----------
    *parts : Widget
        From top to bottom.
    """

    title: str = ""

    def __init__(self, *parts: ipywidgets.Widget) -> None:
        style = ipywidgets.HTML(
            f"<style>{picture_style()}\n{static_text('panel.css')}</style>",
            layout={"display": "none"},
        )
        heading = Markup(f'<h3 class="mlkit-title">{text(self.title)}</h3>')
        super().__init__(children=[style, *([heading] if self.title else []), *parts])
        self.add_class("mlkit-panel")
        self.add_class("mlkit-palette")

    def pictures(self) -> Sequence[str]:
        """What the view shows now, as SVG; for places where no kernel runs."""
        return ()

    def static_html(self) -> str:
        """What else a static page shows below the pictures; safe HTML."""
        return ""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live view, and beside it a picture of it."""
        live = super()._repr_mimebundle_(**options)
        pictures = list(self.pictures())
        words = f"{self.title}. {describe(pictures)}".strip(". ") + "."
        bundle = {**live, "text/plain": words, "text/html": self.static_html() or text(words)}
        if not pictures:
            return bundle
        # Half a second of Matplotlib, for which a view that draws nothing need not wait.
        from mlkit.widgets.kit.raster import png_of

        png = png_of(pictures)
        address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        width = f'width="{width_of_all(pictures):.0f}" style="max-width: 100%; height: auto"'
        image = f'<img src="{address}" alt="{text(words)}" {width}>'
        below = f"{self._caption()}</figure>{self.static_html()}"
        bundle["text/html"] = f"<figure>{image}{below}"
        drawn = f"<style>{picture_style()}</style>{''.join(pictures)}"
        bundle[DRAWN] = f"<figure>{drawn}{below}"
        bundle["image/png"] = base64.b64encode(png).decode()
        return bundle, {"image/png": {"alt": words}}

    def _caption(self) -> str:
        words = f"“{self.title}” is a live view, and this a picture of it."
        return f"<figcaption>{text(words)} Run this notebook's cells to use it.</figcaption>"
