"""Writing SVG by hand: escaped, rounded, nothing else."""

from __future__ import annotations

from html import escape
from importlib.resources import files

__all__ = ["document", "element", "picture_style", "shorten", "shorten_name", "text", "width_of"]

_CHARACTER = 0.58
_WIDE_CHARACTER = 1.05
_WIDE_FROM = 0x1100
_BROAD, _CAPITAL, _NARROW, _OTHER = 1.0, 0.78, 0.42, 0.64
"""Letters of a broad sans serif, such as DejaVu: a text of `w` alone is half as wide again."""


def element(name: str, *children: str, **attributes: object) -> str:
    """Write one element; `_` in an attribute's name becomes `-`, and `class_` is `class`.

    Parameters
    ----------
    name : str
        The tag.
    *children : str
        Markup that is already escaped.
    **attributes : object
        Escaped here; None leaves an attribute out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{text(_number(value))}"')
    return (
        f"<{' '.join(parts)}>{''.join(children)}</{name}>" if children else f"<{' '.join(parts)}/>"
    )


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def text(content: str) -> str:
    """Escape a text, without the control characters that XML does not allow."""
    return escape("".join(c for c in content if c.isprintable() or c in "\n\t"), quote=True)


def width_of(content: str, size: float) -> float:
    """Estimate how wide a text is, in pixels, at a font size; rather too wide than too narrow."""
    units = sum(_WIDE_CHARACTER if ord(c) >= _WIDE_FROM else _CHARACTER for c in content)
    return max(units, sum(map(_letter, content))) * size


def _letter(c: str) -> float:
    if ord(c) >= _WIDE_FROM:
        return _WIDE_CHARACTER
    if c in "mwMW@%…—":
        return _BROAD
    if c in "fijlrtI.,:;'|!()[]{}/- ":
        return _NARROW
    return _CAPITAL if c.isupper() else _OTHER


def shorten(content: str, most: int) -> str:
    """Cut a text to a number of characters, with an ellipsis where something is missing."""
    return content if len(content) <= most else content[: most - 1] + "…"


def shorten_name(name: str, most: int) -> str:
    """Cut a name in its middle: names that belong together begin alike and differ at the end."""
    if len(name) <= most:
        return name
    tail = most // 2
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def picture_style() -> str:
    """The style sheet that all of mlkit's pictures share, light and dark."""
    return files("mlkit.reports").joinpath("templates/picture.css").read_text(encoding="utf-8")


def document(
    body: str, size: tuple[float, float], title: str, description: str, *, styled: bool = False
) -> str:
    """Wrap drawing elements as one SVG picture that names and describes itself.

    Parameters
    ----------
    body : str
        Elements.
    size : (float, float)
        Width and height in pixels.
    title, description : str
        For screen readers.
    styled : bool
        Whether to carry the style sheet, which a page of mlkit's has already.
    """
    width, height = size
    head = element("title", text(title)) + element("desc", text(description))
    if styled:
        own = ":root.mlkit-picture { background: var(--paper); }"  # else on white, with light words
        head += f"<style>{picture_style()}{own}</style>"
    return element(
        "svg",
        head + body,
        xmlns="http://www.w3.org/2000/svg",
        class_="mlkit-picture",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        style=f"--natural: {width:.0f}px",
        role="img",
        aria_label=title,
    )
