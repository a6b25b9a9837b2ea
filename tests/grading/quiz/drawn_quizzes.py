"""Quizzes drawn at random: texts that break exports, each with what a person must read."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from mlkit.grading.quiz.bank import LETTERS, Quiz, read_quiz

__all__ = ["Drawn", "Said", "quizzes"]

NASTY = (
    *("]]>", "<![CDATA[", "<!-- x -->", "</mattext>", "</text>", "&", "&amp;", "&#36;", "<b>"),
    *("a<b", '"', "'", "$", "$$", "$x$", "a$b$c", "${NAME}", r"\$", r"\num{3}", r"\(x\)", "\\"),
    *("~", "=", "#", "{", "}", "{.python}", "~ = # { }", "{=a~b}", "%100%", "::t::", "[a1]"),
    *("[[x]]", "...", "--", "---", "'q'", '"q"', "*", "_a_", "**", "|", "^", "@@PLUGINFILE@@"),
    *("$IMS-CC-FILEBASE$", "a)", "*a)", "[ ]", "[*]", "Points: 2", "Title: x", "END_GROUP"),
    *("- [x] y", "1. z", "print('x')", "if a < b:", "é", "ß", "漢字", "עברית", "🎉", "e\u0301"),
    *("\u00a0", "𝒳", "\ufffd"),
)
"""Signs of XML, TeX, Moodle's GIFT and cloze, text2qti and Markdown; other scripts."""
_SIGNS = "".join(chr(n) for n in range(33, 127) if not chr(n).isalnum())


@dataclass(frozen=True)
class Said:
    """A text as it is written, and as it is read."""

    written: str
    read: str


@dataclass(frozen=True)
class Drawn:
    """A quiz; what is read of each question's text, and of answers and reasons by their source."""

    quiz: Quiz
    asked: tuple[str, ...]
    read: dict[str, str]


def _code(text: str) -> Said:
    ticks = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    return Said(f"{ticks} {text} {ticks}", text)


def _runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()


def _escaped(text: str) -> Said:
    return Said("".join(f"\\{c}" if c in _SIGNS else c for c in text), text)


_raw = st.one_of(
    st.sampled_from(NASTY),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map(" ".join),
    st.text(_SIGNS, min_size=1, max_size=5),
)
_pieces = st.one_of(
    _raw.map(_code),
    _raw.map(_escaped),
    st.sampled_from(["word", "Zürich", "*"]).map(
        lambda w: Said(f"**{w}**", w) if w != "*" else _code(w)
    ),
)
_texts = st.lists(_pieces, min_size=1, max_size=3).map(
    lambda parts: Said(" ".join(p.written for p in parts), " ".join(p.read for p in parts))
)
_blocks = st.lists(_raw, min_size=1, max_size=3).map(
    lambda lines: Said(
        "\n".join(["", "~~~~~~~~python", *(f"x {line}" for line in lines), "~~~~~~~~", ""]),
        " ".join(f"x {line}" for line in lines),
    )
)


@st.composite
def quizzes(draw: st.DrawFn) -> Drawn:
    """One to three questions, with one or two right answers, in the form that people write."""
    lines = [f"# Lesson 1: {draw(_titles)}"]
    asked: list[str] = []
    read: dict[str, str] = {}
    for number in range(draw(st.integers(1, 3))):
        right = draw(st.integers(1, 2))
        ask, block = draw(_texts), draw(st.just(Said("", "")) | _blocks)
        count = "" if right == 1 else "Choose two."
        asked.append(f"Ask {ask.read} {block.read} {count}")
        lines += ["", f"## {number} {draw(_titles)}", "", f"Ask {ask.written}"]
        lines += [*block.written.split("\n"), count, ""]
        for letter in LETTERS[: right + draw(st.integers(2, 3))]:
            for mark, first in (
                ("- [x]" if letter in LETTERS[:right] else "- [ ]", letter),
                ("  >", "Since"),
            ):
                text = draw(_texts)
                lines.append(f"{mark} {first} {text.written}")
                read[f"{first} {text.written}".rstrip()] = f"{first} {text.read}"
    quiz = read_quiz("\n".join([*lines, ""]), "01-drawn", "01-drawn.md")
    return Drawn(quiz, tuple(asked), read)


_titles = st.lists(st.sampled_from([n for n in NASTY if "<" not in n]), max_size=3).map(
    lambda parts: " ".join(["On", *parts])[:60].strip()
)
