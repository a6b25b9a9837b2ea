"""What platforms import says what its author wrote, whatever signs are in it, and is marked so."""

from __future__ import annotations

import io
import itertools
import json
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given

from mlkit.grading.quiz.bank import Question, Quiz, kit_questions, read_bank, read_quiz
from mlkit.grading.quiz.commonmark import as_html
from mlkit.grading.quiz.moodle import moodle_xml
from mlkit.grading.quiz.notebooks import quiz_notebook
from mlkit.grading.quiz.qti import qti_package
from tests.grading.quiz.drawn_quizzes import Drawn, quizzes
from tests.grading.quiz.qti_rules import SPACE, faults, marked

KIT = read_bank(kit_questions())
of_the_kit = pytest.mark.parametrize("quiz", KIT, ids=lambda quiz: quiz.name)
LONGEST_IDNUMBER = 100
"""Characters that Moodle keeps of a question's own number."""


class _Read(HTMLParser):
    """What a person reads of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def read(markup: str | None) -> str:
    """The text of a piece of HTML; a line end is a space."""
    return one_line("".join(_Read(markup or "").parts))


def one_line(text: str) -> str:
    """A text with single spaces."""
    return " ".join(text.split())


def questions_in(package: zipfile.ZipFile) -> ET.Element:
    """The file of the questions."""
    (name,) = [n for n in package.namelist() if n.count("assessment_") == 2 and "meta" not in n]
    return ET.fromstring(package.read(name))


def opened(quiz: Quiz) -> zipfile.ZipFile:
    """Its package for platforms that read QTI."""
    return zipfile.ZipFile(io.BytesIO(qti_package(quiz)))


def some_of(things: Sequence[str]) -> Iterator[frozenset[str]]:
    """What can be chosen where several may be."""
    for count in range(len(things) + 1):
        yield from map(frozenset, itertools.combinations(things, count))


def responses(labels: Sequence[str], one: Question) -> Iterator[frozenset[str]]:
    """What can be chosen."""
    if isinstance(one.right, set):
        return some_of(labels)
    return (frozenset({label}) for label in labels)


def read_by_qti(item: ET.Element) -> tuple[str, dict[str, str]]:
    """The question's text, and its answers by their idents."""
    asked = read(item.findtext(f"{SPACE}presentation/{SPACE}material/{SPACE}mattext"))
    labels = item.iter(f"{SPACE}response_label")
    return asked, {
        label.get("ident", ""): read(label.findtext(f".//{SPACE}mattext")) for label in labels
    }


def hold_to_qti(quiz: Quiz) -> None:
    """The file is as specified, and each response earns what its author means, with its reasons."""
    root = questions_in(opened(quiz))
    assert faults(root) == []
    items = [*root.iter(f"{SPACE}item")]
    assert [item.get("title") for item in items] == [one.title for one in quiz.questions]
    for item, one in zip(items, quiz.questions, strict=True):
        labels = [*read_by_qti(item)[1]]
        right = {label for label, c in zip(labels, one.choices, strict=True) if c.is_right}
        reasons = {
            feedback.get("ident", ""): read(feedback.findtext(f".//{SPACE}mattext"))
            for feedback in item.iter(f"{SPACE}itemfeedback")
        }
        for chosen in responses(labels, one):
            score, shown = marked(item, chosen)
            assert score == (100 if chosen == right else 0)
            whys = [c.why for label, c in zip(labels, one.choices, strict=True) if label in chosen]
            assert [reasons[ident] for ident in shown] == [read(as_html(why)) for why in whys]


def hold_to_moodle(quizzes_: Sequence[Quiz]) -> None:
    """Names that fit and are single, and a full grade for the right response alone."""
    root = ET.fromstring(moodle_xml(quizzes_).encode())
    asked = [node for node in root if node.get("type") == "multichoice"]
    every = [one for quiz in quizzes_ for one in quiz.questions]
    names = [node.findtext("idnumber") or "" for node in asked]
    assert names == [one.name for one in every]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= LONGEST_IDNUMBER
    for node, one in zip(asked, every, strict=True):
        assert node.findtext("name/text") == one.title
        assert {part.get("format") for part in node.iter() if part.get("format")} == {"html"}
        assert all(read(text.text) for text in node.iter("text"))
        grades = [float(answer.get("fraction", "")) for answer in node.iter("answer")]
        right = {str(n) for n, choice in enumerate(one.choices) if choice.is_right}
        for chosen in responses([*map(str, range(len(grades)))], one):
            earned = sum(grades[int(n)] for n in chosen)
            assert (earned > 99.9) == (chosen == right)


@of_the_kit
def test_the_kit_s_packages_keep_to_the_specification(quiz: Quiz) -> None:
    """Of QTI 1.2: elements, idents, links; and its rules mark every response rightly."""
    hold_to_qti(quiz)


def test_the_kit_s_questions_are_marked_rightly_by_moodle() -> None:
    """Every response that a learner can give."""
    hold_to_moodle(KIT)


@of_the_kit
def test_a_package_holds_what_its_manifest_names(quiz: Quiz) -> None:
    """Each file is there and named, and what depends on another names one that is there."""
    package = opened(quiz)
    assert package.testzip() is None
    manifest = ET.fromstring(package.read("imsmanifest.xml"))
    named = {element.get("href") for element in manifest.iter() if element.get("href")}
    files = {name for name in package.namelist() if not name.endswith("/")}
    assert named == files - {"imsmanifest.xml"}
    there = [element.get("identifier") for element in manifest.iter("{*}resource")]
    wanted = {element.get("identifierref") for element in manifest.iter("{*}dependency")}
    assert wanted <= set(there)
    assert len(set(there)) == len(there)


@given(quizzes())
def test_any_text_reaches_a_platform_as_it_was_written(drawn: Drawn) -> None:
    """Code, signs of XML, TeX and GIFT, other scripts: read by QTI and Moodle as by its author."""
    hold_to_qti(drawn.quiz)
    hold_to_moodle([drawn.quiz])
    items = questions_in(opened(drawn.quiz)).iter(f"{SPACE}item")
    nodes = ET.fromstring(moodle_xml([drawn.quiz]).encode()).iterfind("*[@type='multichoice']")
    for item, node, one, asked in zip(items, nodes, drawn.quiz.questions, drawn.asked, strict=True):
        wanted = [one_line(drawn.read[choice.text]) for choice in one.choices]
        whys = [one_line(drawn.read[choice.why]) for choice in one.choices]
        text, answers = read_by_qti(item)
        assert text == one_line(asked)
        assert [*answers.values()] == wanted
        assert read(node.findtext("questiontext/text")) == one_line(asked)
        given_ = [*node.iter("answer")]
        assert [read(answer.findtext("text")) for answer in given_] == wanted
        assert [read(answer.findtext("feedback/text")) for answer in given_] == whys


@given(quizzes())
def test_any_text_comes_back_from_its_source(drawn: Drawn) -> None:
    """The Markdown that is handed out reads as the bank does, and notebooks hold every question."""
    assert read_quiz(drawn.quiz.source, drawn.quiz.name, "01-drawn.md") == drawn.quiz
    cells = json.loads(quiz_notebook(drawn.quiz))["cells"]
    prose = "\n".join(cell["source"] for cell in cells)
    for one in drawn.quiz.questions:
        assert one.ask in prose
        assert all(choice.text in prose and choice.why in prose for choice in one.choices)


BROKEN = {
    "an answer that is not offered": ('"response1">text', '"response1">other', "no choice other"),
    "a response that is not declared": ('respident="response1"', 'respident="r"', "no response r"),
    "a score that is not declared": (
        'varname="SCORE" vartype',
        'varname="S" vartype',
        "not declared",
    ),
    "a link to no feedback": ('linkrefid="text', 'linkrefid="x', "linked or there, not both"),
    "an element in a wrong place": (
        "<outcomes>",
        "<presentation/><outcomes>",
        "<resprocessing> holds",
    ),
    "an unknown element": ("<outcomes>", "<br/><outcomes>", "<br> is no element"),
    "a way of answering that is none": ('"Single"', '"single"', "rcardinality='single'"),
    "stray text": ("<outcomes>", "x<outcomes>", "<resprocessing> holds text"),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_qti_is_found(old: str, new: str, said: str) -> None:
    """By the rules that the packages are held to."""
    text = ET.tostring(questions_in(opened(KIT[0])), encoding="unicode").replace("ns0:", "")
    text = text.replace("xmlns:ns0", "xmlns")
    assert faults(ET.fromstring(text)) == []
    assert old in text
    assert any(said in fault for fault in faults(ET.fromstring(text.replace(old, new, 1))))
