"""Which style an element of a picture has, as far as the kit's own style sheet goes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from mlkit.frozen import dataclass
from mlkit.reports.svg import picture_style

__all__ = ["Style", "StyleSheet", "shared_style_sheet"]

Style = Mapping[str, str]
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_PART = re.compile(r'\.[\w-]+|\[class\*="[\w-]+"\]|^[a-z]+')
_PRESENTATION = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "font-size",
    "font-weight",
    "opacity",
)
_NOT_INHERITED = ("opacity",)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One selector with its declarations: compounds from the outermost to the element itself."""

    compounds: tuple[tuple[str, ...], ...]
    style: Style

    @property
    def weight(self) -> int:
        return sum(10 if part[0] in ".[" else 1 for c in self.compounds for part in c)

    def fits(self, node: Element, above: Sequence[Element]) -> bool:
        *outer, own = self.compounds
        if not all(_fits(part, node) for part in own):
            return False
        waiting = list(outer)
        for ancestor in reversed(above):
            if waiting and all(_fits(part, ancestor) for part in waiting[-1]):
                waiting.pop()
        return not waiting


def _fits(part: str, node: Element) -> bool:
    name = node.attrib.get("class", "")
    if part.startswith("."):
        return part[1:] in name.split()
    if part.startswith("["):
        return part.partition('"')[2].rstrip('"]') in name
    return node.tag.rpartition("}")[2] == part


class StyleSheet:
    """The rules of a style sheet: selectors of tags, classes and `[class*=…]`, within each other.

    Parameters
    ----------
    css : str
        The sheet; rules for media and with `:` in the selector are left out.
    """

    def __init__(self, css: str) -> None:
        plain = _MEDIA.sub("", css)
        rules = [
            _Rule(compounds=compounds, style=_declarations(body))
            for selectors, body in _RULE.findall(plain)
            for selector in selectors.split(",")
            if ":" not in selector and (compounds := _compounds(selector))
        ]
        self._rules = sorted(rules, key=lambda rule: rule.weight)

    def style_of(self, node: Element, above: Sequence[Element], inherited: Style) -> Style:
        """The style of an element, with that of its parent to inherit from."""
        style = {k: v for k, v in inherited.items() if k not in _NOT_INHERITED}
        style |= {k: node.attrib[k] for k in _PRESENTATION if k in node.attrib}
        for rule in self._rules:
            if rule.fits(node, above):
                style |= rule.style
        style |= _declarations(node.attrib.get("style", ""))
        return {key: _resolved(value, style) for key, value in style.items()}


def _compounds(selector: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(_PART.findall(compound)) for compound in selector.split())


def _declarations(body: str) -> dict[str, str]:
    pairs = (item.partition(":") for item in body.split(";") if ":" in item)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _resolved(value: str, style: Style) -> str:
    for _ in range(4):
        found = re.fullmatch(r"var\((--[\w-]+)\)", value)
        if found is None:
            return value
        value = style.get(found[1], "none")
    return value


@functools.cache
def shared_style_sheet() -> StyleSheet:
    """The style sheet that all of the kit's pictures share, in its light form."""
    return StyleSheet(picture_style())
