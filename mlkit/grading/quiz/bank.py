"""Read a bank of questions: one Markdown file a lesson, which people read as it is.

    # Lesson 5: idempotency and safe reruns

    ## Idempotent and not safe

    A step opens its result with mode `"w"`, and … Is it idempotent?

    - [ ] Neither.
      > Why this is wrong.
    - [x] It is idempotent, but not safe.
      > Why this is right.

A question with more than one right answer says so in its text: *Choose two.*
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import EllipsisType

from mlkit.core.suggesting import did_you_mean
from mlkit.errors import GradingError, UsageError
from mlkit.grading.quiz.commonmark import local_pictures

__all__ = ["Choice", "Question", "Quiz", "kit_questions", "question", "read_bank", "read_quiz"]

LETTERS = "abcdefgh"
MOST_OF_A_TITLE = 70
"""Characters: with the lesson's name, Moodle keeps a hundred."""
COUNTS = {"two": 2, "three": 3, "four": 4}
_CHOOSE = re.compile(r"\bChoose (\w+)\.")
_CHOICE = re.compile(r"- \[(?P<mark>[x ])\] (?P<text>\S.*)")
_NOT_IN_XML = re.compile("[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REASON = re.compile(r"  > (?P<text>\S.*)")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer that may be chosen.

    Parameters
    ----------
    text : str
        The answer, in Markdown.
    why : str
        Why it is right or wrong, in Markdown.
    is_right : bool
        Whether it is.
    """

    text: str
    why: str
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with answers to choose from.

    Parameters
    ----------
    name : str
        How it is asked for: `05-idempotency/idempotent-and-not-safe`.
    title : str
        A few words.
    ask : str
        The question, in Markdown.
    choices : tuple of Choice
        The answers as they are shown: in an order that follows from their texts, so that it tells
        nothing.
    """

    name: str
    title: str
    ask: str
    choices: tuple[Choice, ...]

    @property
    def lettered(self) -> dict[str, Choice]:
        """The answers by their letters."""
        return dict(zip(LETTERS, self.choices, strict=False))

    @property
    def right(self) -> str | set[str]:
        """The letter of the right answer; a set of letters if there are several."""
        letters = {letter for letter, choice in self.lettered.items() if choice.is_right}
        return letters if len(letters) > 1 else min(letters)

    def explain(self, answer: str | Iterable[str] | EllipsisType) -> str:
        """Say of each answer that was chosen and is wrong why it is.

        Parameters
        ----------
        answer : str or iterable of str
            Letters; `...`, or what is no letter, is passed over.
        """
        chosen = [] if isinstance(answer, EllipsisType) else [*answer]
        wrong = [self.lettered[c] for c in chosen if c in self.lettered]
        return " ".join(choice.why for choice in wrong if not choice.is_right)


@dataclass(frozen=True, kw_only=True)
class Quiz:
    """The questions on one lesson.

    Parameters
    ----------
    name : str
        The stem of its file, which is that of the lesson's notebook.
    title : str
        The lesson's title.
    questions : tuple of Question
        In the order of the file.
    source : str
        The file's content.
    """

    name: str
    title: str
    questions: tuple[Question, ...]
    source: str


@dataclass(frozen=True)
class _Line:
    """A line and its place."""

    number: int
    text: str


def read_quiz(text: str, name: str, file: str) -> Quiz:
    """Read one file of questions.

    Parameters
    ----------
    text : str
        Its content.
    name : str
        Its stem.
    file : str
        Its name in errors.

    Raises
    ------
    GradingError
        If it does not keep to the form, or an answer is not marked, explained or told apart.
    """
    lines = [_Line(number, line.rstrip()) for number, line in enumerate(text.splitlines(), 1)]
    for line in lines:
        _check_signs(line, file)
    heads = [n for n, line in enumerate(lines) if line.text.startswith("## ")]
    if not lines or not lines[0].text.startswith("# "):
        raise _fault("the first line is no heading", "Begin with: # Lesson N: TITLE", file, 1)
    if not heads:
        raise _fault("there is no question", "A question begins with: ## TITLE", file, 1)
    questions: list[Question] = []
    for start, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        found = _question(lines[start:end], name, file)
        if found.name in {earlier.name for earlier in questions}:
            raise _fault(
                f"two questions are called '{found.title}'",
                "Give each a title of its own",
                file,
                lines[start].number,
            )
        questions.append(found)
    return Quiz(name=name, title=lines[0].text[2:].strip(), questions=tuple(questions), source=text)


def _question(lines: Sequence[_Line], name: str, file: str) -> Question:
    title = lines[0].text[3:].strip()
    slug = re.sub(r"[\W_]+", "-", title.casefold()).strip("-")
    if not slug or "<" in title or len(title) > MOST_OF_A_TITLE:
        raise _fault(
            f"'{title}' is no title that every platform keeps",
            f"Give it words, no '<', and {MOST_OF_A_TITLE} characters at most",
            file,
            lines[0].number,
        )
    begin = next((n for n, line in enumerate(lines) if _CHOICE.match(line.text)), len(lines))
    ask = "\n".join(line.text for line in lines[1:begin]).strip()
    if not ask:
        remedy = "Write the question below its title"
        raise _fault(f"'{title}' asks nothing", remedy, file, lines[0].number)
    choices = list(_choices(lines[begin:], file))
    _check_choices(title, ask, choices, file, lines[0].number)
    for text in (ask, *(part for choice in choices for part in (choice.text, choice.why))):
        for address in local_pictures(text):
            raise _fault(
                f"'{title}' shows {address}, a file that no platform would get",
                "Name a picture by its https address, or say in words what it shows",
                file,
                lines[0].number,
            )
    shown = sorted(choices, key=lambda one: hashlib.sha256(f"{title}{one.text}".encode()).digest())
    return Question(name=f"{name}/{slug}", title=title, ask=ask, choices=tuple(shown))


def _check_signs(line: _Line, file: str) -> None:
    """No sign that XML cannot hold."""
    if found := _NOT_IN_XML.search(line.text):
        raise _fault(
            f"the character U+{ord(found[0]):04X} cannot be exported",
            "Leave it out, or write its number in words",
            file,
            line.number,
        )


def _choices(lines: Sequence[_Line], file: str) -> Iterator[Choice]:
    """The answers, each with the reason below it."""
    left = [line for line in lines if line.text]
    while left:
        first = left.pop(0)
        match = _CHOICE.fullmatch(first.text)
        if match is None:
            raise _fault(
                "this is neither an answer nor a reason",
                "An answer is '- [ ] TEXT' or '- [x] TEXT', its reason below it '  > TEXT'",
                file,
                first.number,
            )
        reason = _REASON.fullmatch(left[0].text) if left else None
        if reason is None:
            raise _fault(
                f"the answer '{match['text']}' has no reason",
                "Say below it why it is right or wrong: '  > TEXT'",
                file,
                first.number,
            )
        left.pop(0)
        yield Choice(text=match["text"], why=reason["text"], is_right=match["mark"] == "x")


def _check_choices(title: str, ask: str, choices: Sequence[Choice], file: str, line: int) -> None:
    """As many right answers as the text says, at least two wrong ones, none twice."""
    right = sum(choice.is_right for choice in choices)
    said = _CHOOSE.search(ask)
    wanted = COUNTS.get(said[1], 0) if said else 1
    if right != wanted:
        raise _fault(
            f"'{title}' asks for {wanted or said} and marks {right} right",
            "Mark the right answer by [x]; for several the question ends with 'Choose two.'",
            file,
            line,
        )
    if not len(choices) - right >= 2 or len(choices) > len(LETTERS):
        raise _fault(
            f"'{title}' has {len(choices)} answers",
            f"Give two wrong ones at least, and {len(LETTERS)} answers at most",
            file,
            line,
        )
    texts = [" ".join(choice.text.rstrip(".").casefold().split()) for choice in choices]
    if len(set(texts)) < len(texts):
        raise _fault(f"'{title}' offers an answer twice", "Leave one out", file, line)


def _fault(message: str, remedy: str, file: str, line: int) -> GradingError:
    return GradingError(message, file=file, line=line, remedy=remedy)


def read_bank(folder: Path, wanted: Sequence[str] = ()) -> tuple[Quiz, ...]:
    """Read the files of a folder, or those whose names begin as asked for.

    Parameters
    ----------
    folder : Path
        Holds a file `NN-name.md` for each lesson.
    wanted : sequence of str, optional
        Beginnings of names: `05`, or `5`; all, if there are none.

    Raises
    ------
    UsageError
        If the folder has no such file.
    GradingError
        If a file does not keep to the form.
    """
    found = {path.stem: path for path in sorted(folder.glob("[0-9]*.md"))}
    if not found:
        raise UsageError(
            f"there are no questions in {folder}", remedy="They are files such as 05-idempotency.md"
        )
    kept: set[str] = set()
    for word in wanted:
        start = f"{int(word):02d}-" if word.isdecimal() else word
        fitting = {name for name in found if name.startswith(start)}
        if not fitting:
            raise UsageError(
                f"no lesson begins with '{word}'",
                remedy=f"There are: {', '.join(found)}",
                code="E101",
            )
        kept |= fitting
    return tuple(
        read_quiz(_text_of(path), name, str(path))
        for name, path in found.items()
        if not wanted or name in kept
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        remedy = "Save the file as UTF-8"
        raise _fault("this is no text in UTF-8", remedy, str(path), line) from problem


def kit_questions() -> Path:
    """The folder of the questions that come with mlkit."""
    return Path(str(files("mlkit.grading.quiz"))) / "questions"


@cache
def _kit_bank() -> dict[str, Question]:
    quizzes = read_bank(kit_questions())
    return {one.name: one for quiz in quizzes for one in quiz.questions}


def question(name: str) -> Question:
    """Give a question of the kit by its name; the notebooks of `mlkit class quiz` ask so.

    Parameters
    ----------
    name : str
        Such as `05-idempotency/skip-if-it-exists`.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    bank = _kit_bank()
    if name not in bank:
        raise UsageError(
            f"there is no question '{name}'",
            remedy=did_you_mean(name, bank) or "mlkit class quiz writes all there are",
            code="E101",
        )
    return bank[name]
