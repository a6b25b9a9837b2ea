"""The outputs of a notebook's cell, in the best form that a page can safely show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from mlkit.frozen import dataclass
from mlkit.reports.ansi import ansi_to_html, strip_ansi
from mlkit.reports.sanitise import clean_html, markdown_to_html, picture_uri

__all__ = ["Budget", "OutputView", "cut", "joined", "view_outputs"]

_MOST_OUTPUTS = 60
_MOST_TEXT, _TAIL = 20_000, 6_000


@dataclass(frozen=True, kw_only=True)
class OutputView:
    """One output: safe HTML, and of what kind it is (text, error, rich, picture, note).

    Of a picture `address` is its data address, and `alternative` the text that stands for it.
    """

    kind: str
    html: str
    address: str = ""
    alternative: str = ""


class Budget:
    """How many characters of pictures may still come into the page."""

    def __init__(self, left: int) -> None:
        self.left = left

    def can_take(self, size: int) -> bool:
        """Whether so much is left."""
        return size <= self.left

    def take(self, size: int) -> bool:
        """Use some of it up, if there is enough."""
        if not self.can_take(size):
            return False
        self.left -= size
        return True


def joined(content: object) -> str:
    """Give a notebook's text, which may be a list of lines, as one text."""
    if isinstance(content, list):
        return "".join(part for part in content if isinstance(part, str))
    return content if isinstance(content, str) else ""


def cut(content: str) -> tuple[str, str]:
    """Shorten a long text from its middle; and say how much is missing.

    Returns
    -------
    (str, str)
        The text, and a note that is empty if nothing is missing.
    """
    if len(content) <= _MOST_TEXT:
        return content, ""
    head, tail = content[: _MOST_TEXT - _TAIL], content[-_TAIL:]
    missing = len(content) - _MOST_TEXT
    return f"{head}\n…\n{tail}", f"{missing:,} characters left out here; the file has them all."


def view_outputs(
    outputs: Sequence[Mapping[str, Any]], where: str, budget: Budget
) -> tuple[OutputView, ...]:
    """Prepare a cell's outputs.

    Parameters
    ----------
    outputs : sequence of mapping
        As the notebook holds them; nothing in them is trusted.
    where : str
        Names the place in the texts that stand for pictures.
    budget : Budget
        Pictures beyond it are left out, with a note.
    """
    views = [_output(item, where, budget) for item in _merged(outputs)[:_MOST_OUTPUTS]]
    if len(outputs) > _MOST_OUTPUTS:
        views.append(_note(f"{len(outputs) - _MOST_OUTPUTS:,} further outputs are left out."))
    return tuple(views)


def _merged(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Join neighbouring streams of one name, as a person saw them."""
    merged: list[Mapping[str, Any]] = []
    for item in outputs:
        is_stream = item.get("output_type") == "stream"
        last = merged[-1] if merged else {}
        if is_stream and last.get("output_type") == "stream" and last["name"] == item.get("name"):
            merged[-1] = {**last, "text": last["text"] + joined(item.get("text"))}
        elif is_stream:
            merged.append({**item, "name": item.get("name"), "text": joined(item.get("text"))})
        else:
            merged.append(item)
    return merged


def _note(words: str) -> OutputView:
    return OutputView(kind="note", html=escape(words))


def _text(content: str, kind: str = "text") -> OutputView:
    shown, note = cut(content)
    html = ansi_to_html(shown)
    return OutputView(kind=kind, html=f"{html}\n[{escape(note)}]" if note else html)


def _output(item: Mapping[str, Any], where: str, budget: Budget) -> OutputView:
    match item.get("output_type"):
        case "stream":
            return _text(item["text"], "stderr" if item["name"] == "stderr" else "text")
        case "error":
            lines = item.get("traceback")
            parts = (
                [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
            )
            plain = f"{joined(item.get('ename'))}: {joined(item.get('evalue'))}"
            return _text("\n".join(parts) or plain, "error")
    data = item.get("data")
    if not isinstance(data, dict):
        return _note("An output of an unknown kind is left out.")
    return next(_candidates(item, data, where, budget))


def _candidates(
    item: Mapping[str, Any], data: Mapping[str, Any], where: str, budget: Budget
) -> Iterator[OutputView]:
    """The forms in which an output can be shown, the best first."""
    plain = joined(data.get("text/plain"))
    for kind in ("image/png", "image/jpeg", "image/svg+xml", "image/gif", "image/webp"):
        address = picture_uri(kind, joined(data.get(kind))) if kind in data else None
        if address is not None and budget.take(len(address)):
            words = _alternative(item, kind) or f"{where}: {strip_ansi(plain)[:200]}".rstrip(": ")
            image = f'<img src="{address}" alt="{escape(words, quote=True)}">'
            yield OutputView(kind="picture", html=image, address=address, alternative=words)
        elif kind in data:
            yield _note(f"{where}: the picture is too large to embed.")
    for kind, render in (("text/html", clean_html), ("text/markdown", markdown_to_html)):
        html = render(joined(data[kind])) if kind in data else None
        if html is not None and html.strip():
            yield OutputView(kind="rich", html=html)
    if plain:
        yield _text(plain)
    if "application/json" in data:
        yield _text(json.dumps(data["application/json"], indent=2, ensure_ascii=False))
    yield _note("An output that cannot be shown here is left out.")


def _alternative(item: Mapping[str, Any], kind: str) -> str:
    """The text that stands for a picture, if the notebook gave one."""
    metadata = item.get("metadata")
    own = metadata.get(kind) if isinstance(metadata, dict) else None
    return joined(own.get("alt"))[:500] if isinstance(own, dict) else ""
