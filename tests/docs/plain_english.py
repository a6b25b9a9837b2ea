"""Plain English by rule: proselint's own checks, a small vocabulary, and sentences of 25 words.

The vocabulary holds words that a German ear takes for English, and terms that have one spelling.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proselint import checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, CheckResult
from proselint.registry.checks.types import PreferredForms
from proselint.tools import LintFile

__all__ = ["check_words", "faults", "lesson_prose", "prose_of", "spoken"]

MOST_WORDS = 25
LEAST_WORDS = 4
"""A text of code with more words than these is for people."""
SHADOWS = {
    "mend": "repair, correct, fix",
    "mends": "repairs, corrects, fixes",
    "mended": "repaired, corrected, fixed",
    "mending": "repairing, correcting",
    "whoever": "if you, everybody who, the person who",
    "whomever": "everybody whom",
    "stands in": "is in",
    "stand in": "be in, are in",
    "stands beside": "is next to",
    "stands behind": "comes after",
    "told": "reported, said, shown",
    "anew": "again",
    "held against": "compared with",
    "in vain": "without success",
    "as it stands": "exactly as shown",
    "else than": "other than",
    "hangs on": "depends on",
    "sees to it": "makes sure",
    "mistaken for": "taken for",
    "of an own": "of its own",
    "belongs into": "belongs in",
    "belong into": "belong in",
    "how it looks like": "what it looks like",
    "informations": "information",
    "softwares": "programs",
    "eventually passes": "may pass",
    "actual version": "current version",
}
"""Words to avoid → what says the same in plain English."""
SPELLINGS = {
    "data set": "dataset",
    "e-mail": "email",
    "Jupyterlab": "JupyterLab",
    "Jupyter Lab": "JupyterLab",
    "Github": "GitHub",
    "Gitlab": "GitLab",
    "Mlflow": "MLflow",
    "MLFlow": "MLflow",
    "PaperMill": "Papermill",
    "KubeFlow": "Kubeflow",
    "AirFlow": "Airflow",
    "Postgres database": "PostgreSQL database",
    "parametrize": "parameterize",
    "parameterise": "parameterize",
    "work flow": "workflow",
    "time-out": "timeout",
    "back-fill": "backfill",
    "web site": "website",
}
"""Terms → their one spelling."""
_OTHERS = re.compile(rf"\b({'|'.join(map(re.escape, SPELLINGS))})\b")
NOT_ASKED = ("annotations", "dates_times", "lexical_illusions", "typography", "weasel_words.very")
"""Of proselint: what is about typing and layout, of which Markdown has its own."""
_FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_MASKED = re.compile(r"<!--.*?-->|`+[^`]*`+|(?<=\])\([^)\s]*\)|https?://\S+|<[^>\n]+>", re.DOTALL)
_BREAK = re.compile(
    r"\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.)\s)|\n(?=#)|\n(?=\|)|(?<=\|)\n"  # paragraphs, items, rows
)
_SENTENCE = re.compile(r"(?<=[.?!])[\")*_]*\s+(?=[(\"'*_x\[A-Z])")


def _blank(match: re.Match[str]) -> str:
    """Code as one word of the same length; its line ends stay."""
    return re.sub(r"[^\n]", "x", match[0])


def prose_of(markdown: str) -> str:
    """The text without code, in the same places: blocks are blank, code in a line is one word."""
    text = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), markdown)
    return _MASKED.sub(
        lambda match: (
            _blank(match) if match[0].startswith("`") else re.sub(r"[^\n]", " ", match[0])
        ),
        text,
    )


def _long_sentences(text: str, check: Check) -> Iterator[CheckResult]:
    """Sentences of running text with too many words; headings and tables have none."""
    begin = 0
    for end in [*(match.start() for match in _BREAK.finditer(text)), len(text)]:
        part = text[begin:end]
        if part.strip()[:1] not in ("#", "|", "<"):
            place = begin
            for sentence in _SENTENCE.split(part):
                place = text.index(sentence, place)
                words = re.sub(r"^\s*(?:[-*>]|\d+\.)\s", "", sentence).split()
                if len(words) > MOST_WORDS:
                    said = f"{len(words)} words: {' '.join(words)[:90]} …"
                    start = place + len(sentence) - len(sentence.lstrip())
                    yield CheckResult(check.path, said, (start, place + len(sentence)), None)
        begin = end


def _spellings(text: str, check: Check) -> Iterator[CheckResult]:
    """Terms that are written in another way; capitals count, which proselint passes over."""
    for match in _OTHERS.finditer(text):
        said = check.message.format(SPELLINGS[match[0]], match[0])
        yield CheckResult(check.path, said, match.span(), SPELLINGS[match[0]])


OWN: tuple[Check, ...] = (
    Check(PreferredForms(SHADOWS), path="mlkit.shadow", message="Write '{}' instead of '{}'."),
    Check(_spellings, path="mlkit.spelling", message="Write '{}', not '{}'."),
    Check(_long_sentences, path="mlkit.sentence"),
)
CheckRegistry().register_many((*checks.__register__, *OWN))
_CONFIG: Any = {
    **DEFAULT,
    "checks": {
        **dict.fromkeys(sorted(NOT_ASKED, key=len, reverse=True), False),
        **{name: on for name, on in DEFAULT["checks"].items() if name not in NOT_ASKED},
        "mlkit": True,
    },
}


def faults(markdown: str, name: str) -> list[str]:
    """What is not plain in a text: `NAME:LINE: what to write`."""
    text = prose_of(markdown)
    found = LintFile(Path(name), text).lint(_CONFIG)
    places = ((result, text.count("\n", 0, result.span[0]) + 1) for result, _ in found)
    return [f"{name}:{line}: {one.message} [{one.check_path}]" for one, line in places]


def lesson_prose(notebook: Path) -> str:
    """The Markdown cells of a notebook, one after the other."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return "\n\n".join(texts)


def check_words(notebook: Path) -> Iterator[tuple[str, str]]:
    """What learners read of the checks of a solution: check id, and a title, hint or sentence."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        about = cell["metadata"].get("mlkit", {})
        sentences = [one.get("say", one.get("asks")) for one in about.get("misconceptions", ())]
        for text in (
            about.get("title"),
            about.get("otherwise"),
            *about.get("hints", ()),
            *sentences,
        ):
            if text:
                yield cell["id"], text


def spoken(module: Path) -> Iterator[tuple[int, str]]:
    """The sentences in a module's own texts, each with its line; documentation is none of them."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in documentation and len(node.value.split()) > LEAST_WORDS:
            yield node.lineno, node.value
