"""Take secrets out of everything that is kept.

Only values are scrubbed. The keys of documents, the states and the file names that mlkit writes
itself stay as they are, so that what is kept stays readable, whatever the secret is.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any
from urllib.parse import quote

from mlkit.core.configuration import HIDDEN
from mlkit.core.record import AttemptRecord, ErrorRecord, RunRecord, StageRecord

__all__ = ["SHORTEST_SECRET", "Scrubber", "names_a_secret"]

SHORTEST_SECRET = 6
"""A shorter secret would hide half of every text that is scrubbed for it."""

_WRAP = r"(?:\\+[rn]|\s)*"
"""What encoders of base64 put between its lines, also if the whole was written as JSON."""

_COLOURS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # a terminal's colours, and what else is said to it (grep: ESC [ K)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # links
    r"|\x1b[()][0-9A-Z]"  # alphabets (tput sgr0)
    r"|</?(?:a|b|code|del|em|font|i|ins|mark|s|span|strong|sub|sup|tspan|u|wbr)\b[^<>]*>"
)
"""What highlighters put between the characters of a text, in a terminal and in HTML."""

_BLANKS = " \u00a0\u2007\u202f"
"""What stands for a blank where lines must not break: a bar of tqdm in a notebook writes U+2007."""

_SECRET_WORDS = frozenset({"TOKEN", "PASSWORD", "SECRET", "CREDENTIAL", "CREDENTIALS"})


def names_a_secret(name: str) -> bool:
    """Whether the name of an environment variable says that its value is secret."""
    upper = name.upper()
    return upper.endswith("API_KEY") or not _SECRET_WORDS.isdisjoint(upper.split("_"))


class Scrubber:
    """Replaces secrets by `***`: raw, or encoded as JSON, `repr`, URL, HTML or base64.

    Each secret is looked for as a whole, without the blanks around it, and line by line.

    Parameters
    ----------
    secrets : iterable of str
        The values; empty ones are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = tuple(secret for secret in secrets if secret)
        pieces = {piece for secret in self.secrets for piece in _pieces(secret)}
        ordered = sorted(pieces, key=lambda piece: (-len(piece), piece))
        self._texts = tuple((_anchor(piece), _any_writing(piece)) for piece in ordered)
        cores = {core for piece in ordered for core in _base64_cores(piece)}
        self._base64 = tuple(
            (core, _any_wrapping(core)) for core in sorted(cores, key=lambda c: (-len(c), c))
        )

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self.secrets)

    @property
    def spans_lines(self) -> bool:
        """Whether a secret can run over the end of a line."""
        return any("\n" in secret.strip() or "\r" in secret.strip() for secret in self.secrets)

    def text(self, text: str) -> str:
        """Scrub one text; colours that cut a secret into pieces go, too."""
        if not self.secrets:
            return text
        text = self._without(text)
        if "\x1b" in text or "<" in text:
            bare = _COLOURS.sub("", text)
            hidden = self._without(bare)
            if hidden != bare:
                return hidden
        return text

    def _without(self, text: str) -> str:
        for anchor, pattern in self._texts:
            if anchor in text:
                text = _compiled(pattern).sub(HIDDEN, text)
        joined = _unwrapped(text)
        for core, pattern in self._base64:
            if core in joined:
                text = _compiled(pattern).sub(HIDDEN, text)
        return text

    def value(self, value: Any, *, keys: bool = False) -> Any:
        """Scrub every text of a JSON value; makes a copy.

        Parameters
        ----------
        value : object
            The value.
        keys : bool
            Whether the keys of its mappings are somebody's text as well, not mlkit's own.
        """
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(key) if keys and isinstance(key, str) else key: self.value(
                    item, keys=keys
                )
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(item, keys=keys) for item in value]
        return value

    def notebook(self, document: Mapping[str, Any]) -> Any:
        """Scrub a notebook: what its cells say and show; its structure stays valid."""
        if not self.secrets:
            return document
        metadata = document.get("metadata", {})
        kept = {key: metadata[key] for key in ("kernelspec", "language_info") if key in metadata}
        return {
            **document,
            "metadata": {**self.value(metadata), **kept},
            "cells": [self._cell(cell) for cell in document.get("cells", ())],
        }

    def _cell(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        scrubbed = {key: self.value(cell[key]) for key in ("source", "metadata") if key in cell}
        if "attachments" in cell:
            scrubbed["attachments"] = self.value(cell["attachments"])
        if "outputs" in cell:
            scrubbed["outputs"] = [self._output(output) for output in cell["outputs"]]
        return {**cell, **scrubbed}

    def _output(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """One output; its data are the notebook's own, down to the keys of JSON."""
        scrubbed = {
            key: self.value(output[key])
            for key in ("text", "ename", "evalue", "traceback")
            if key in output
        }
        for key in ("data", "metadata"):
            if key in output:
                bundle = output[key]
                scrubbed[key] = {kind: self.value(bundle[kind], keys=True) for kind in bundle}
        return {**output, **scrubbed}

    def error(self, error: ErrorRecord | None) -> ErrorRecord | None:
        """Scrub the record of an error."""
        if error is None or not self.secrets:
            return error
        return replace(
            error,
            type=self.text(error.type),
            message=self.text(error.message),
            bases=tuple(map(self.text, error.bases)),
            traceback=self.text(error.traceback),
        )

    def stage(self, stage: StageRecord) -> StageRecord:
        """Scrub the record of a stage; ids, states and paths stay."""
        if not self.secrets:
            return stage
        return replace(
            stage,
            reason=self.text(stage.reason),
            parameters=self.members(stage.parameters),
            error=self.error(stage.error),
            history=tuple(map(self._attempt, stage.history)),
        )

    def _attempt(self, attempt: AttemptRecord) -> AttemptRecord:
        return replace(attempt, error=self.error(attempt.error))

    def record(self, record: RunRecord) -> RunRecord:
        """Scrub the record of a run: one rule for run.json, the database and every report."""
        if not self.secrets:
            return record
        given = dict(record.options)
        if "overrides" in given:
            given["overrides"] = self.members(given["overrides"])
        if "note" in given:
            given["note"] = self.value(given["note"])
        return replace(
            record,
            parameters=self.members(record.parameters),
            options=given,
            warnings=tuple(map(self.text, record.warnings)),
            stages={key: self.stage(stage) for key, stage in record.stages.items()},
        )

    def members(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Scrub parameters: their names stay, all that is in their values may be a secret."""
        return {name: self.value(value, keys=True) for name, value in parameters.items()}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is needed first, which is seldom."""
    return re.compile(pattern)


def _pieces(secret: str) -> set[str]:
    """Give what is looked for of a secret: all of it, and each line that is long enough."""
    whole = secret.strip()
    pieces = {secret if len(whole) < SHORTEST_SECRET else whole}
    pieces |= {line.strip() for line in whole.splitlines()}
    return {piece for piece in pieces if len(piece) >= SHORTEST_SECRET or piece == secret}


def _anchor(piece: str) -> str:
    """Give the longest run of letters and digits, which every way of writing leaves as it is.

    To look for it is quick, and nearly every text that lacks the secret lacks it too.
    """
    return max(re.findall("[A-Za-z0-9]+", piece), key=len, default="")


def _any_writing(piece: str) -> str:
    """Match a text in any way of writing: each character raw, or escaped in any language.

    Escapes may be escaped again (JSON within JSON, in a URL, in HTML). Runs of backslashes are
    matched greedily and for good, so that the time stays linear.
    """
    parts = re.findall(r"\\+|[^\\]", piece, re.DOTALL)
    numbers = itertools.count()
    pattern = "".join(
        _slashes(len(part), numbers) if part[0] == "\\" else _character(part, numbers)
        for part in parts
    )
    # None begins within a run of backslashes, which would be looked through from each of them.
    return pattern if piece[0].isascii() and piece[0].isalnum() else rf"(?!(?<=\\)\\){pattern}"


_SLASH = r"(?:\\|%(?:25)*5[cC]|&(?:amp;)*#(?:92|x5[cC]);)"
"""A backslash, itself written in one of these ways."""


def _slashes(least: int, numbers: Iterator[int]) -> str:
    """At least so many backslashes, all that there are, and none given back.

    What a group has captured while looking ahead is not given back. A possessive quantifier would
    say the same, but around alternatives it misses matches in Python before 3.11.5 (CPython's
    issue 106052), and Debian 12 has 3.11.2.
    """
    name = f"s{next(numbers)}"
    return f"(?=(?P<{name}>{_SLASH}{{{least},}}))(?P={name})"


def _character(char: str, numbers: Iterator[int]) -> str:
    if char.isascii() and char.isalnum():
        return char
    if char == " ":
        return f"(?:{'|'.join(_written(blank, numbers) for blank in _BLANKS)}|&(?:amp;)*nbsp;)"
    return _written(char, numbers)


def _written(char: str, numbers: Iterator[int]) -> str:
    import html  # holds all entities of the web: only for who has a secret

    safe = char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass")
    plain = [
        re.escape(char),
        "".join(f"(?i:%(?:25)*{byte:02x})" for byte in safe),
        f"&(?:amp;)*#0*{ord(char)};",
        f"(?i:&(?:amp;)*#x0*{ord(char):x};)",
    ]
    plain += [f"&(?:amp;)*{re.escape(entity[1:])}" for entity in {html.escape(char)} - {char}]
    plain += [r"\+"] if char == " " else []
    slashes = partial(_slashes, 1, numbers)
    escaped = [
        "".join(f"{slashes()}(?i:x{byte:02x})" for byte in safe),
        "".join(f"{slashes()}(?i:u{units[i : i + 2].hex()})" for i in range(0, len(units), 2)),
        f"{slashes()}(?i:x{ord(char):02x})",
        f"{slashes()}(?i:U{ord(char):08x})",
    ]
    escaped += [f"{slashes()}{_ESCAPES[char]}"] if char in _ESCAPES else []
    return f"(?:{'|'.join(escaped)}|{_slashes(0, numbers)}(?:{'|'.join(plain)}))"


_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0"}


def _encodings(text: str) -> set[str]:
    """Give the ways in which a text is commonly written before it is encoded as base64."""
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        quote(text.encode("utf-8", "surrogatepass"), safe=""),
    }


def _base64_cores(piece: str) -> set[str]:
    """Give what base64 makes of a text, wherever in a longer text it stands.

    Three bytes become four characters, so there are three ways to stand; those characters at either
    end that hold bits of the neighbours as well are left out here.
    """
    cores: set[str] = set()
    for text in _encodings(piece):
        data = text.encode("utf-8", "surrogatepass")
        for before in range(3):
            whole = base64.b64encode(bytes(before) + data).decode()
            start = (0, 2, 3)[before]
            end = (before + len(data)) * 8 // 6
            once = whole[start:end]
            cores |= {once, once.replace("+", "-").replace("/", "_")}
    return {core for core in cores if len(core) >= SHORTEST_SECRET}


def _any_wrapping(core: str) -> str:
    """Match base64 though lines end within it or a URL escapes it, and what is left of its ends."""
    ends = {"+": r"(?:\+|%2[bB])", "/": r"(?:/|\\/|%2[fF])"}
    inner = _WRAP.join(ends.get(char, re.escape(char)) for char in core)
    return rf"[A-Za-z0-9+/_-]{{0,2}}{inner}[A-Za-z0-9+/_-]{{0,2}}(?:=|%3[dD]){{0,2}}"


def _unwrapped(text: str) -> str:
    """Give a text as base64's cores would stand in it, were they not wrapped or escaped."""
    if "%" in text:
        for code, char in (("%2B", "+"), ("%2b", "+"), ("%2F", "/"), ("%2f", "/")):
            text = text.replace(code, char)
    if "\\" in text:
        # from the first backslash of a run alone: the time stays linear
        text = re.sub(r"(?<!\\)\\+(?:[rn]|(?=/))", "", text)
    for blank in "\n\r\t ":
        text = text.replace(blank, "")
    return text
