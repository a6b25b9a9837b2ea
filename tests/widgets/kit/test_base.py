"""What every view has in common."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence

import pytest

from mlkit.reports.svg import document, element
from mlkit.widgets.kit.base import DRAWN, Panel
from mlkit.widgets.kit.controls import slider
from mlkit.widgets.kit.raster import png_of
from mlkit.widgets.kit.raster_style import StyleSheet, shared_style_sheet
from mlkit.widgets.kit.svg_reading import describe


def _picture(title: str = "One box") -> str:
    box = element("g", element("rect", x=4, y=4, width=40, height=20, rx=4, class_="face"))
    words = element("text", "50 $ &amp; more", x=8, y=18, class_="name")
    return document(box + words, (60, 30), title, "It stands alone.")


class _View(Panel):
    title = "A <small> view"

    def pictures(self) -> Sequence[str]:
        return [_picture(), _picture("Another")]


def test_importing_mlkit_imports_no_widget_library() -> None:
    """The widget library comes with the first view in use, not with mlkit or mlkit.widgets."""
    code = "import mlkit, mlkit.widgets, sys; print('ipywidgets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_view_brings_a_picture_for_where_no_kernel_runs() -> None:
    """The live view, a PNG and HTML with the text that stands for it go out together."""
    bundle, metadata = _View()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    words = "A <small> view. One box. It stands alone. Another. It stands alone."
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == words
    assert 'alt="A &lt;small&gt; view. One box.' in bundle["text/html"]
    assert bundle[DRAWN].count("<svg") == 2
    assert "--ink" in bundle[DRAWN]


def test_pictures_are_drawn_below_each_other() -> None:
    """Two pictures are more than twice as high as one, and equal data give equal files."""
    one, two = png_of([_picture()]), png_of([_picture(), _picture()])
    height = [int.from_bytes(png[20:24], "big") for png in (one, two)]
    assert height == [45, 111]
    assert png_of([_picture()]) == one
    assert describe([_picture()]) == "One box. It stands alone."


def test_the_style_sheet_of_the_pictures_is_understood() -> None:
    """A state's colour reaches the box inside it, as in a browser."""
    from xml.etree.ElementTree import fromstring

    root = fromstring(
        '<g class="mlkit-picture"><g class="state-failed"><rect class="face"/></g></g>'
    )
    sheet = shared_style_sheet()
    style = sheet.style_of(root, (), {})
    group = sheet.style_of(root[0], (root,), style)
    face = sheet.style_of(root[0][0], (root, root[0]), group)
    assert (face["stroke"], face["fill"], face["stroke-width"]) == ("#b3261e", "#fdeae8", "2.4")


def test_a_rule_within_another_element_does_not_leak() -> None:
    """Selectors hold only below what they name."""
    from xml.etree.ElementTree import fromstring

    node = fromstring('<rect class="b"/>')
    assert StyleSheet(".a .b { fill: red; }").style_of(node, (), {}) == {}


@pytest.mark.parametrize(("asked", "got"), [(3, 3), (11, 10), (-1, 0)])
def test_a_slider_keeps_its_bounds(asked: float, got: float) -> None:
    """A value beyond them is the nearest one within."""
    control = slider("n", 5, (0, 10))
    control.value = asked
    assert control.value == got
