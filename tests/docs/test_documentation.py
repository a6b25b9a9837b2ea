"""The documentation is whole: whatever there is has its page, and what pages say can be called."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from mlkit.cli.main import COMMANDS, load_command
from mlkit.cli.reference_pages import python_names, reference_pages, usage_of
from mlkit.core.error_kinds import ERROR_KINDS
from mlkit.core.pipeline_keys import KEYS, pipeline_schema
from mlkit.core.schemas import SCHEMAS
from mlkit.errors import MlkitError
from mlkit.load.yaml_tree import read_yaml
from mlkit.rendering.site_documents import MORE, Documents, find_documents, targets_of
from mlkit.testing import Sketch, run_fake, write_pipeline
from tests.docs.pages import FENCE, FOLLOWED, Command, File, reasons_of, steps_of

ALIKE = {"mlkit.testing.shapes"}
"""Modules whose functions take the same parameters, which their page tells of once."""
NOT_ASKED = {
    "ES01": "one sentence that says all needs no second one",
    "EX01": "examples stand on pages, which are followed; one below each function is not",
    "SA01": "the pages of reference list what belongs together",
    "RT01": "the first line says what is given, the signature of what type",
    "PR04": "types stand in the signature, and mypy holds the code to them",
}
"""What numpydoc looks for and this project does not want everywhere, with the reasons."""
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = reference_pages()
FOUND = find_documents(ROOT, REFERENCE)
assert FOUND is not None
DOCUMENTS: Documents = FOUND
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))
USAGE = dict(usage_of())


def unreached(documents: Documents) -> set[str]:
    """The pages that neither the first page links, nor any that it links."""
    first = {page for pages in documents.chapters.values() for page in pages}
    second = {target for page in first for target in targets_of(page, documents.texts[page])}
    return set(documents.texts) - first - second


def test_every_page_is_reached_in_two_clicks() -> None:
    """The first page links all that docs/index.md names; what those pages link comes second."""
    first = {page for pages in DOCUMENTS.chapters.values() for page in pages}
    assert first - set(DOCUMENTS.texts) == set(), "docs/index.md names pages that do not exist"
    assert unreached(DOCUMENTS) == set(), "Name them in docs/index.md, where they belong"


def test_a_page_that_takes_a_third_click_is_found() -> None:
    """One that only a page of the second click links, and one that no page links."""
    farther = {"docs/second": "[Third](third.md)", "docs/third": "# Third", "docs/lost": "# Lost"}
    tutorial = f"{DOCUMENTS.texts['docs/tutorial']}\n[Second](second.md)\n"
    texts = {**DOCUMENTS.texts, **farther, "docs/tutorial": tutorial}
    assert unreached(replace(DOCUMENTS, texts=texts)) == {"docs/third", "docs/lost"}


def test_no_page_stands_under_two_headings() -> None:
    """Sphinx would not know where it belongs."""
    named = [page for pages in DOCUMENTS.chapters.values() for page in pages]
    assert sorted(named) == sorted(set(named))


def test_the_chapters_are_those_that_one_looks_for() -> None:
    """Learning, doing, looking up, understanding; teaching; and where one comes from."""
    learners = ["Tutorial", "How-to", "Reference", "Explanation"]
    wanted = [*learners, "For instructors", "Coming from"]
    assert [title for title in DOCUMENTS.chapters if title != MORE] == wanted


def test_every_key_is_on_its_page() -> None:
    """With type, default and example; the loader allows no other."""
    page = REFERENCE["docs/reference/pipeline-yaml"]
    for key in KEYS:
        assert f"### {key.name}\n\n{key.says}\n" in page
        assert f"```yaml\n{key.example}\n```" in page


def test_every_error_is_on_its_page() -> None:
    """Under a heading with its code."""
    page = REFERENCE["docs/reference/errors"]
    assert re.findall(r"^### (E\d{3})", page, re.MULTILINE) == sorted(ERROR_KINDS)


def test_every_schema_has_a_page() -> None:
    """Linked from that of documents."""
    for name in SCHEMAS:
        assert f"docs/reference/documents/{name}" in REFERENCE


@pytest.mark.parametrize("words", USAGE)
def test_every_command_and_option_is_explained(words: str) -> None:
    """Each command has a sentence and examples that can be called, each parameter a text."""
    command = USAGE[words]
    page = REFERENCE[f"docs/reference/commands/{words.replace(' ', '-')}"]
    assert command.help
    context = click.Context(command, info_name=words)
    for parameter in command.params:
        told = getattr(parameter, "help", None) or getattr(parameter, "hidden", False)
        assert told, f"mlkit {words}: {parameter.opts} has no help text"
        name = parameter.opts[0] if parameter.param_type_name == "option" else None
        assert name is None or name in page, f"{name} is missing on the page of mlkit {words}"
    assert command.collect_usage_pieces(context) is not None
    examples = re.findall(rf"^ +(mlkit {re.escape(words)}\b.*?)(?:  .*)?$", command.help, re.M)
    assert examples, f"the help of mlkit {words} needs a paragraph 'Examples'"
    for example in examples:
        check_call(example)


def check_call(line: str) -> None:
    """See that a call of mlkit names a command, and options, that there are."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a text that goes on in the next line
        words = shlex.split(line[: max(line.rfind("'"), line.rfind('"'))].rstrip("$("))
    end = [place for place, word in enumerate(words) if word in ("|", ">", "&&", ";", "||")]
    words = words[1 : min(end, default=len(words))]
    words = [word for word in words if word not in ("--verbose", "--json")]
    if not words or words[0].startswith("-") or not words[0].islower():
        return
    assert words[0] in COMMANDS, f"{line}: there is no command {words[0]}"
    command: Any = load_command(words.pop(0))
    below = getattr(command, "commands", None)
    if below is not None and words and not words[0].startswith("-"):
        assert words[0] in below, f"{line}: there is no command {words[0]}"
        command = below[words.pop(0)]
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    takes = {name for p in command.params for name in p.opts if not getattr(p, "is_flag", True)}
    given = {
        word.partition("=")[0]
        for before, word in zip(["", *words], words, strict=False)
        if re.match(r"--?[a-z]", word) and before not in takes
    }
    given -= {"-h", "--help", "--start"}
    assert given - known == set(), line


def calls() -> Iterator[tuple[str, str]]:
    """Every call of mlkit on a written page, with its place."""
    for page in [*WRITTEN, ROOT / "README.md"]:
        for block in FENCE.finditer(page.read_text("utf-8")):
            if block[1] == "console":
                for line in re.sub(r"\\\n", " ", block[3]).splitlines():
                    match = re.match(r"\$ (?:[A-Z_]+=\S+ )*(mlkit .*)", line)
                    if match:
                        yield page.name, match[1]


def test_every_call_on_a_page_can_be_made() -> None:
    """Commands and options of every listing exist."""
    found = list(calls())
    assert len(found) > 100
    for _, line in found:
        check_call(line)


PAGES = [*WRITTEN, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
HELD = ("python", "yaml")
"""What stands on a page for itself is held here: Python is run, YAML keeps to the schema."""


def left_alone(page: Path) -> Iterator[str]:
    """Blocks that nothing runs, and above which stands no reason."""
    reasons, text = reasons_of(page), page.read_text("utf-8")
    for block in FENCE.finditer(text):
        language, name, _ = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        is_step = page in FOLLOWED and bool(name or language == "console")
        is_held = language in HELD and not name
        if language not in ("", "text") and not (is_step or is_held or line in reasons):
            yield f"{page.name}:{line}: no test follows it: {language}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_is_run_or_has_its_reason(page: Path) -> None:
    """Followed by the page's test or held here; a reason names tests that there are."""
    assert list(left_alone(page)) == []
    for reason in reasons_of(page).values():
        for name in re.findall(r"tests/[\w/.]*\w", reason):
            assert (ROOT / name).exists(), f"{page.name}: {reason}"


def test_a_block_that_nothing_runs_is_found(tmp_path: Path) -> None:
    """A listing without a reason; with one it is in order."""
    page = tmp_path / "page.md"
    block = "```console\n$ true\n```\n"
    page.write_text(f"# Page\n\n{block}\n<!-- not followed: it never ends -->\n{block}")
    assert list(left_alone(page)) == ["page.md:3: no test follows it: console"]
    assert [step.line for step in steps_of(page)] == [4]


def test_every_page_that_is_followed_has_its_test() -> None:
    """In the file that is named."""
    for page, test in FOLLOWED.items():
        text = (Path(__file__).parent / test).read_text("utf-8")
        assert page.exists()
        assert page.name in text or "FOLLOWED" in text


def blocks(language: str, *, alone: bool = False) -> Iterator[tuple[str, str]]:
    """Every block of a language that is to be held, with its place; or those without a file."""
    for page in PAGES:
        text, reasons = page.read_text("utf-8"), reasons_of(page)
        for block in FENCE.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            others = language == "yaml" and not (block[2] or "pipeline.yaml").endswith(
                "pipeline.yaml"
            )
            if block[1] == language and not (line in reasons or others or (alone and block[2])):
                yield f"{page.name}:{line}", block[3]


def test_every_piece_of_python_is_python() -> None:
    """And takes from mlkit only names that it has."""
    found = list(blocks("python"))
    assert len(found) > 30
    for place, code in found:
        for node in ast.walk(ast.parse(code, place)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlkit"):
                module = importlib.import_module(node.module or "")
                assert [n.name for n in node.names if not hasattr(module, n.name)] == [], place


def measured(name: str, metric: str, upstream: tuple[str, ...] = ()) -> Sketch:
    """A stage that measures one thing."""
    body = f"import json\njson.dump({{{metric!r}: 0.7}}, open(metrics, 'w'))"
    keys = {"outputs": {"metrics": "metrics.json"}}
    return Sketch(name=name, body=body, upstream=upstream, file="", keys=keys)


def test_every_piece_of_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pipeline in `notebooks/flights` that has run with their parameters already."""
    file = write_pipeline(
        tmp_path / "notebooks" / "flights",
        measured("train", "loss"),
        Sketch(**{**vars(measured("evaluate", "roc_auc")), "declares": "rows: int = 1"}),
        parameters={"rows": 2000},
    )
    for rows in (3000, 5000):
        run_fake(file, parameters={"rows": rows})
    monkeypatch.chdir(tmp_path)
    alone = list(blocks("python", alone=True))
    assert len(alone) >= 6
    for place, code in alone:
        names: dict[str, Any] = {"train_one_epoch": lambda: 0.5}
        exec(compile(code, place, "exec"), names)
        record = names.get("record")
        assert record is None or {str(s.status) for s in record.stages.values()} == {"cached"}, (
            place
        )


def test_every_yaml_on_a_page_keeps_to_the_schema() -> None:
    """Whole pipelines and parts of one: every key is known, and of the right shape."""
    schema = pipeline_schema()
    part = Draft202012Validator({key: value for key, value in schema.items() if key != "required"})
    rest = {key: value for key, value in schema["$defs"]["stage"].items() if key != "required"}
    stage = Draft202012Validator({**rest, "$defs": schema["$defs"]})
    whole = 0
    for place, text in blocks("yaml"):
        tree = read_yaml(textwrap.dedent(text), place, MlkitError).plain()
        assert isinstance(tree, dict), place
        is_stage = not set(tree) & {
            "name",
            "stages",
            "parameters",
            "profiles",
            "schedule",
            "defaults",
        }
        faults = [error.message for error in (stage if is_stage else part).iter_errors(tree)]
        assert faults == [], place
        if "name" in tree:
            Draft202012Validator(schema).validate(tree)
            whole += 1
    assert whole > 10


def test_what_is_followed_is_more_than_little() -> None:
    """Pages that are to be followed hold steps."""
    assert sum(bool(list(steps_of(page))) for page in WRITTEN) > 15


def public_objects(module: str) -> Iterator[tuple[str, Any]]:
    """Every class and function that a module exports, and the methods that a class of it has."""
    holder = importlib.import_module(module)
    for name in python_names()[module]:
        value = getattr(holder, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{module}.{name}", value
        for below, method in vars(value).items() if inspect.isclass(value) else ():
            if not below.startswith("_") and callable(getattr(value, below)):
                yield f"{module}.{name}.{below}", method


@pytest.mark.filterwarnings("ignore:Widget.*deprecated:DeprecationWarning")  # numpydoc looks at all
@pytest.mark.parametrize("module", python_names())
def test_every_public_name_is_explained(module: str) -> None:
    """The page lists each; numpydoc finds nothing amiss in what is said of it."""
    from numpydoc.validate import validate  # it imports Sphinx: a second of collecting tests

    page = REFERENCE[f"docs/reference/python/{module.replace('.', '-')}"]
    for name in python_names()[module]:
        assert f"{module}.{name}\n" in page or f".. py:data:: {name}\n" in page
    for path, value in public_objects(module):
        inherits = inspect.isclass(value) and "__init__" not in vars(value)
        left = {"PR01"} if inherits or getattr(value, "__module__", "") in ALIKE else set()
        faults = {f"{code}: {text}" for code, text in validate(path)["errors"]
                  if code not in NOT_ASKED and code not in left}  # fmt: skip
        assert faults == set(), path


def test_numpydoc_finds_what_is_amiss() -> None:
    """A parameter that nobody explains, and one that there is not."""
    from numpydoc.docscrape import get_doc_object  # as above
    from numpydoc.validate import validate

    def wanting(number: int) -> int:
        """Give a number.

        Parameters
        ----------
        numbre : int
            It.
        """
        return number

    found = {code for code, _ in validate(get_doc_object(wanting))["errors"]}
    assert {"PR01", "PR02"} <= found - set(NOT_ASKED)


def test_what_ci_runs_is_what_the_page_runs() -> None:
    """Every step of both workflows but the installation is a command that the page's test calls."""
    page = ROOT / "docs/how-to/ci.md"
    called = {step.text for step in steps_of(page) if isinstance(step, Command)}
    called |= {text.removeprefix("python -m ").removesuffix(" -q") for text in called}
    (gitlab,) = [step.text for step in steps_of(page) if isinstance(step, File)]
    github = (ROOT / "mlkit/beginning/project/github.yml").read_text("utf-8")
    workflow = read_yaml(github, "github.yml", MlkitError).plain()
    steps = workflow["jobs"]["pipeline"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    script = read_yaml(gitlab, ".gitlab-ci.yml", MlkitError).plain()["pipeline"]["script"]
    assert runs == script == ["pip install -r requirements.txt", "pytest", "mlkit run --report"]
    assert set(runs[1:]) <= called
