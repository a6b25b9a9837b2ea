"""Take secrets out of everything that is kept."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from mlkit.core.configuration import HIDDEN

__all__ = ["Scrubber"]


class Scrubber:
    """Replaces secrets, raw or encoded as JSON, `repr`, URL or HTML, by `***`.

    Parameters
    ----------
    secrets : iterable of str
        The values; empty ones are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = tuple(secret for secret in secrets if secret)
        forms = {form for secret in self.secrets for form in _forms(secret)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self.longest = len(ordered[0]) if ordered else 0
        self._forms = tuple(ordered)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return self._pattern is not None

    @property
    def spans_lines(self) -> bool:
        """Whether a secret can run over the end of a line."""
        return any("\n" in secret or "\r" in secret for secret in self.secrets)

    def text(self, text: str) -> str:
        """Scrub one text."""
        if self._pattern is None or not any(form in text for form in self._forms):
            return text
        return self._pattern.sub(HIDDEN, text)

    def value(self, value: Any) -> Any:
        """Scrub every text of a JSON value, the keys of its mappings included; makes a copy."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def _forms(secret: str) -> set[str]:
    """Give every way in which a secret is commonly written, and these written once more."""
    once = _encodings(secret)
    return once | {form for one in once for form in _encodings(one)}


def _encodings(text: str) -> set[str]:
    safe = text.encode("utf-8", "surrogatepass")
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        *_reprs(text),
        *_reprs(safe),
        quote(safe),
        quote(safe, safe=""),
        quote_plus(safe),
        html.escape(text),
        html.escape(text, quote=False),
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    }


def _reprs(text: str | bytes) -> set[str]:
    """Give what `repr` makes of a text alone, and beside quotes that make it escape its own."""
    start = 2 if isinstance(text, bytes) else 1
    inner = repr(text)[start:-1]
    return {inner, inner.replace("\\'", "'"), re.sub(r"(?<!\\)'", r"\\'", inner)}
