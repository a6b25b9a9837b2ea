"""What an SVG picture says of itself: its words and its size."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

__all__ = ["describe", "size_of", "tag_of", "width_of_all"]


def describe(pictures: Sequence[str]) -> str:
    """The titles and descriptions of pictures, as the text that stands for them."""
    return " ".join(filter(None, (_words(ElementTree.fromstring(p)) for p in pictures)))


def _words(root: ElementTree.Element) -> str:
    found = {tag_of(child): child.text or "" for child in root}
    title, description = found.get("title", ""), found.get("desc", "")
    return f"{title}. {description}".strip(". ") + "." if title or description else ""


def width_of_all(pictures: Sequence[str]) -> float:
    """The width that pictures below each other have in a page, in pixels."""
    return max(size_of(ElementTree.fromstring(picture))[0] for picture in pictures)


def size_of(root: ElementTree.Element) -> tuple[float, float]:
    """The width and the height of a picture, from its `viewBox`."""
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    return width, height


def tag_of(node: ElementTree.Element) -> str:
    """The name of an element, without its namespace."""
    return node.tag.rpartition("}")[2]
