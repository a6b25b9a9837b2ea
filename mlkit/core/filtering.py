"""The language of `--filter`: comparisons of a table's columns, joined by and, or, not.

    rows > 1000 and status == succeeded
    model in (tree, forest) and not (evaluate.roc_auc < 0.7 or evaluate.roc_auc is missing)

A filter is read once, into a function of a row; nothing of it is ever executed as Python.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final, NoReturn

from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["MISSING", "Filter", "kind_of", "read_filter"]

Row = Mapping[str, Any]
Filter = Callable[[Row], bool]
Resolve = Callable[[str], str | None]
"""Gives the column that a name means; None if there is none."""


class _Missing:
    """What stands in a row where it has no value."""

    def __repr__(self) -> str:
        """As one writes it."""
        return "missing"


MISSING: Final = _Missing()
"""A value that is not there. Every comparison with it is false; `x is missing` asks for it."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<quoted>`[^`]+`)
    | (?P<word>[^\W\d]\w*(?:\[[^\]]*\])?(?:\.\w+(?:\[[^\]]*\])?)*)
    | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
_KEYWORD = re.compile(r"\s*(?P<word>and|or|not|in|is)(?=[\s(\[)]|$)")
"""`in[1, 2]` is a list, and no instance of a stage called `in`."""
_WORDS = {"true": True, "false": False, "True": True, "False": False}
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INSTEAD = {
    "=": "Two values are compared with ==",
    "&": "Conditions are joined by 'and'",
    "|": "Conditions are joined by 'or'",
    "!": "A condition is turned round by 'not'",
    "'": "The text has no end",
    '"': "The text has no end",
    "`": "The name has no end",
}
_MOST_DEPTH = 100
"""Deeper parentheses are no question that a person asks, and Python's own stack ends somewhere."""
_MOST_DIGITS = 1_000
"""Python reads no whole number of more than 4,300; a float takes any."""


@dataclass(frozen=True, kw_only=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def value(self) -> Any:
        """What a literal stands for."""
        if self.kind == "number":
            digits = self.text.replace("_", "")
            is_whole = re.fullmatch(r"[+-]?\d+", digits) and len(digits) <= _MOST_DIGITS
            return int(digits) if is_whole else float(digits)
        if self.kind == "text":
            return re.sub(r"\\(.)", r"\1", self.text[1:-1])
        return self.text.strip("`")


@dataclass(frozen=True, kw_only=True)
class _Operand:
    """A column or a value."""

    token: _Token
    column: str | None = None
    value: Any = None
    is_bare: bool = False

    def of(self, row: Row) -> Any:
        """The value in a row."""
        return self.value if self.column is None else plain_value(row.get(self.column, MISSING))


def read_filter(
    text: str, resolve: Resolve, names: Collection[str], words: Mapping[str, Collection[str]]
) -> Filter:
    """Read a filter.

    Parameters
    ----------
    text : str
        The filter as it was typed.
    resolve : callable
        The column that a name means.
    names : collection of str
        The names that can be meant, for who has mistyped one.
    words : mapping of str to collection of str
        Columns that know few values, with these: another one is a slip.

    Returns
    -------
    callable
        Whether a row passes.

    Raises
    ------
    UsageError
        With the place marked.
    """
    return _Reader(text, resolve, names, words).read()


def kind_of(value: Any) -> str:
    """Values of one kind can be put in order: `number`, `text`, `truth`, `other`, `missing`."""
    if value is MISSING or value is None:
        return "missing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def plain_value(value: Any) -> Any:
    """A parameter's value as a filter sees it: dates and paths are their texts, null is missing."""
    if value is None:
        return MISSING
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, PurePath) else value


def compared(sign: str, left: Any, right: Any) -> bool:
    """Compare two values; those of different kinds are unequal, and neither is the smaller one.

    A list equals each of its items: `labels == best` is what people write.
    """
    kinds = kind_of(left), kind_of(right)
    if "missing" in kinds:
        return False
    for many, one in ((left, right), (right, left)):
        if isinstance(many, list | tuple) and not isinstance(one, list | tuple):
            return sign in ("==", "!=") and contained(one, many) == (sign == "==")
    if kinds[0] != kinds[1] or (kinds[0] == "other" and sign not in ("==", "!=")):
        return sign == "!="
    return bool(_SIGNS[sign](left, right))


def contained(value: Any, among: Any) -> bool:
    """Whether a value is one of a list's, or a text stands in a text."""
    if kind_of(value) == "missing":
        return False
    if isinstance(among, str):
        return isinstance(value, str) and value in among
    if isinstance(among, list | tuple):
        return any(compared("==", value, plain_value(item)) for item in among)
    return False


class _Reader:
    """Recursive descent: or, and, not, comparison, operand."""

    def __init__(
        self,
        text: str,
        resolve: Resolve,
        names: Collection[str],
        words: Mapping[str, Collection[str]],
    ) -> None:
        self.text = text
        self.resolve = resolve
        self.names = names
        self.words = words
        self.tokens = self._tokens()
        self.place = 0
        self.depth = 0

    def _tokens(self) -> list[_Token]:
        found, at, end = [], 0, len(self.text.rstrip())
        while at < end:
            match = _KEYWORD.match(self.text, at) or _TOKEN.match(self.text, at)
            if match is None:
                start = at + len(self.text[at:]) - len(self.text[at:].lstrip())
                sign = self.text[start]
                here = _Token(kind="sign", text=sign, start=start, end=start + 1)
                self._fail(f"'{sign}' is not understood here", here, _INSTEAD.get(sign))
            kind = match.lastgroup or ""
            start, at = match.span(kind)
            text = match[kind]
            is_keyword = match.re is _KEYWORD
            found.append(
                _Token(kind="keyword" if is_keyword else kind, text=text, start=start, end=at)
            )
        found.append(_Token(kind="end", text="", start=end, end=end))
        return found

    @property
    def _next(self) -> _Token:
        return self.tokens[self.place]

    def _take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of these keywords or signs."""
        token = self._next
        if token.kind in ("keyword", "sign") and token.text in texts:
            self.place += 1
            return token
        return None

    def read(self) -> Filter:
        """Read all of it."""
        found = self._or()
        if self._next.kind != "end":
            token = self._next
            self._fail(
                f"there is more than one condition, and '{token.text}' joins none",
                token,
                "Join them by 'and' or 'or'; quote a text that holds blanks",
            )
        return found

    def _or(self) -> Filter:
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _and(self) -> Filter:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _not(self) -> Filter:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            self._fail("conditions are nested too deep", replace(self._next, end=self._next.start))
        try:
            if self._take("not"):
                inner = self._not()
                return lambda row: not inner(row)
            if self._take("("):
                inner = self._or()
                if not self._take(")"):
                    self._fail("')' is missing", self._next, "Close what opens")
                return inner
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> Filter:
        left = self._operand(is_left=True)
        sign = self._take(*_SIGNS)
        if sign is not None:
            right = self._operand(is_left=False)
            if right.is_bare and sign.text not in ("==", "!="):
                self._unknown(right.token)
            self._check_word(left, right)
            return lambda row: compared(sign.text, left.of(row), right.of(row))
        if self._take("is"):
            turned = self._take("not") is not None
            token = self._next
            if token.text not in ("missing", "None", "null"):
                self._fail(
                    "'is' asks only whether a value is missing",
                    token,
                    "Write 'is missing' or 'is not missing', and == to compare",
                )
            self.place += 1
            return lambda row: (kind_of(left.of(row)) == "missing") != turned
        turned = self._take("not") is not None
        if self._take("in"):
            return self._membership(left, turned=turned)
        if turned:
            self._fail("'not' is followed by 'in' here", self._next)
        if left.column is None:
            self._fail(
                "a condition compares something",
                replace(left.token, end=self._next.start),
                "For example rows > 1000",
            )
        return lambda row: left.of(row) is True

    def _membership(self, left: _Operand, *, turned: bool) -> Filter:
        """`x in (a, b)`, `'tree' in model`: whether it is one of a list, or a part of a text."""
        opening = self._take("(", "[")
        if opening is None:
            right = self._operand(is_left=False)
            if right.is_bare:
                self._unknown(right.token)
            if right.column is None and not isinstance(right.value, str):
                self._fail(
                    "'in' is followed by a list or a text", right.token, "For example: in (1, 2, 3)"
                )
            return lambda row: self._is_in(left.of(row), right.of(row), turned=turned)
        among: list[_Operand] = []
        closing = ")" if opening.text == "(" else "]"
        while not self._take(closing):
            if among and not self._take(","):
                self._fail(
                    "the values of a list stand between commas",
                    self._next,
                    f"Write a comma or {closing} here",
                )
            item = self._operand(is_left=False)
            self._check_word(left, item)
            among.append(item)
        return lambda row: self._is_in(
            left.of(row), [item.of(row) for item in among], turned=turned
        )

    @staticmethod
    def _is_in(value: Any, among: Any, *, turned: bool) -> bool:
        if kind_of(value) == "missing" or kind_of(among) == "missing":
            return False
        return contained(value, among) != turned

    def _operand(self, *, is_left: bool) -> _Operand:
        token = self._next
        self.place += 1
        if token.kind in ("number", "text"):
            return _Operand(token=token, value=token.value)
        if token.kind in ("word", "quoted"):
            if token.text in _WORDS:
                return _Operand(token=token, value=_WORDS[token.text])
            column = self.resolve(token.value)
            if column is not None:
                return _Operand(token=token, column=column)
            if token.kind == "word" and not is_left:
                if token.text in ("missing", "None", "null"):
                    self._fail(
                        "a comparison with what is missing is never true",
                        token,
                        "Write 'is missing' or 'is not missing'",
                    )
                return _Operand(token=token, value=token.text, is_bare=True)
            self._unknown(token)
        where = "at the end" if token.kind == "end" else f"before '{token.text}'"
        return self._fail(f"a column or a value is missing {where}", token)

    def _check_word(self, left: _Operand, right: _Operand) -> None:
        """Of a column that knows few words, another one is a slip."""
        known = self.words.get(left.column or "")
        text = right.value
        if known is None or right.column is not None or not isinstance(text, str) or text in known:
            return
        self._fail(f"'{left.column}' is never '{text}'", right.token, did_you_mean(text, known))

    def _unknown(self, token: _Token) -> NoReturn:
        rest = self.text[token.start :]
        blanks = [name for name in self.names if " " in name and rest.startswith(name)]
        self._fail(
            f"there is no column '{token.value}'",
            token,
            f"A name with blanks stands in backticks: `{max(blanks, key=len)}`"
            if blanks
            else did_you_mean(token.value, self.names),
        )

    def _fail(self, fact: str, at: _Token, remedy: str | None = None) -> NoReturn:
        """Say what is wrong, with the place marked below the filter."""
        line = "".join(char if char.isprintable() else " " for char in self.text)
        marks = " " * at.start + "^" * max(1, at.end - at.start)
        raise UsageError(
            f"--filter: {fact}\n    {line}\n    {marks}",
            remedy=remedy or "For example: --filter 'rows > 1000 and status == succeeded'",
        )
