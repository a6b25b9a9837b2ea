"""pipeline.yaml: each key, each default, each refusal with its text."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import NotebookError, PipelineError
from mlkit.load import load_pipeline
from tests.load.conftest import COLLECT, HEAD, Project


def test_a_folder_names_its_pipeline(project: Project) -> None:
    """PIPELINE is the file or its folder; paths come out absolute."""
    project.write(HEAD + COLLECT)
    here = Path(os.path.relpath(project.folder))
    assert load_pipeline(here) == load_pipeline(project.file)
    assert load_pipeline(here).folder.is_absolute()


def test_paths_with_braces_blanks_and_foreign_letters(tmp_path: Path, project: Project) -> None:
    """A folder's name may hold what a template would trip over."""
    folder = tmp_path / "a {b} ü 漢"
    folder.mkdir()
    (folder / "n {x}.ipynb").write_text((project.folder / "end.ipynb").read_text())
    (folder / "pipeline.yaml").write_text(
        "name: p\nstages: {end: {notebook: 'n {x}.ipynb'}}\n", encoding="utf-8"
    )
    assert load_pipeline(folder).stages["end"].notebook == folder / "n {x}.ipynb"


FILE_REFUSALS: dict[str, tuple[str, str]] = {
    "empty": (
        "# to come\n",
        "pipeline.yaml:1: the pipeline must be a mapping of names to values. It is empty: begin "
        "with 'name: …' and 'stages:', or let 'mlkit init DIR' write a first one",
    ),
    "a list": ("- a\n", "pipeline.yaml:1: the pipeline must be a mapping of names to values"),
    "no name": (
        "stages: {}\n",
        "pipeline.yaml:1: the pipeline: 'name' is missing. Give the pipeline a name: name: flights",
    ),
    "name is a number": (
        "name: 3\n",
        "pipeline.yaml:1: the pipeline: 'name' must be a text, not 3",
    ),
    "no stages": (
        "name: p\nstages: {}\n",
        "pipeline.yaml:2: the pipeline: there are no stages. Add a stage with its notebook, as "
        "'mlkit add NAME --out FILE' does",
    ),
    "stages is a list": (
        "name: p\nstages: [a]\n",
        "pipeline.yaml:2: stages must be a mapping of names to values",
    ),
    "unknown key": (
        "name: p\nstage: {}\n",
        "pipeline.yaml:2: the pipeline: unknown key 'stage'. Did you mean 'stages'?",
    ),
    "a stage's key": (
        HEAD + COLLECT + "depends_on_past: true\n",
        "pipeline.yaml:6: the pipeline: unknown key 'depends_on_past'. It belongs to a stage",
    ),
    "duplicate key": (
        "name: p\nstages: {}\nname: q\n",
        "pipeline.yaml:3: the key 'name' stands twice (first in line 1)",
    ),
    "duplicate stage": (
        HEAD + COLLECT + COLLECT,
        "pipeline.yaml:6: the key 'collect' stands twice (first in line 3)",
    ),
    "a default that is no policy": (
        "name: p\ndefaults: {notebook: a.ipynb}\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: defaults: unknown key 'notebook'. "
        "Known: retry, timeout, trigger, cache, critical, depends_on_past, notify, resources, "
        "image, volumes",
    ),
    "a cron of four fields": (
        'name: p\nschedule: "0 2 * *"\n' + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline: 'schedule': '0 2 * *' has 4 fields, a cron expression has "
        '5. Write a cron expression of five fields, such as "0 2 * * *", or a span, such as '
        "every 6h",
    ),
    "a cron of month 13": (
        'name: p\nschedule: "0 2 * 13 *"\n' + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline: 'schedule': '13' is no month (1 to 12) in '0 2 * 13 *'. "
        'Write a cron expression of five fields, such as "0 2 * * *", or a span, such as every 6h',
    ),
    "a parameter that is no variable": (
        "name: p\nparameters:\n  max-rows: 3\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:3: the pipeline's parameters: 'max-rows' cannot be the name of a variable",
    ),
    "a parameter that is a keyword": (
        "name: p\nparameters: {class: 3}\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:2: the pipeline's parameters: 'class' cannot be the name of a variable",
    ),
    "a parameter of another type": (
        "name: p\nparameters:\n  other: 1\n  rows: many\n" + HEAD[8:] + COLLECT,
        "pipeline.yaml:4: the pipeline's parameters: 'rows': 'many' is not an int (as "
        "collect.ipynb of stage 'collect' declares). "
        "Change the value, or the annotation in the notebook",
    ),
    "a cycle": (
        HEAD
        + "  a: {notebook: end.ipynb}\n"
        + "  b: {notebook: end.ipynb, after: [d, a]}\n"
        + "  c: {notebook: end.ipynb, after: [b]}\n"
        + "  d: {notebook: end.ipynb, after: [c]}\n",
        "pipeline.yaml:4: the stages form a cycle: b → c → d → b. "
        "Take one of these references away",
    ),
    "a stage after itself": (
        HEAD + "  a: {notebook: end.ipynb, after: [a]}\n",
        "pipeline.yaml:3: the stages form a cycle: a → a. Take one of these references away",
    ),
    "a tab": (
        "name: p\nstages:\n\tcollect: {}\n",
        "pipeline.yaml:3: this is not valid YAML: while scanning for the next token found "
        "character that cannot start any token. A tab stands in front of that line's text: YAML "
        "takes spaces only",
    ),
    "a colon in braces": (
        HEAD + "  a: {notebook: end.ipynb, inputs: {x: file:data.csv}}\n",
        "pipeline.yaml:3: this is not valid YAML: while scanning a plain scalar found unexpected "
        "':'. Within {} and [] it needs quotes. "
        'Write: a: {notebook: end.ipynb, inputs: {x: "file:data.csv"}}',
    ),
    "two documents": (
        "name: p\n---\nname: q\n",
        "pipeline.yaml:2: this is not valid YAML: expected a single document in the stream but "
        "found another document",
    ),
    "an unknown alias": (
        "name: *p\n",
        "pipeline.yaml:1: this is not valid YAML: found undefined alias",
    ),
    "a recursive alias": (
        "name: p\nparameters:\n  a: &a [1, *a, *a]\n",
        "pipeline.yaml:3: an alias stands in its own anchor. Take it away",
    ),
    "a tag": ("name: !secret p\n", "pipeline.yaml:1: the tag !secret is not understood"),
    "a list as a key": ("[a]: b\n", "pipeline.yaml:1: a key must be a plain name"),
    "a control character": (
        "name: p\nstages: \x01\n",
        "pipeline.yaml:2: this is not valid YAML: unacceptable character #x0001: control "
        "characters are not allowed",
    ),
}


@pytest.mark.parametrize("case", FILE_REFUSALS)
def test_a_file_is_refused(project: Project, case: str) -> None:
    """Each mistake in the file as a whole is named with file:line, the fact and the remedy."""
    text, expected = FILE_REFUSALS[case]
    project.file.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError) as caught:
        load_pipeline(project.file)
    assert expected == str(caught.value).replace(f"{project.folder}/", "")


def test_a_missing_pipeline_is_refused(tmp_path: Path) -> None:
    """Both the folder and the file are looked for."""
    with pytest.raises(PipelineError, match=r"pipeline\.yaml: there is no such pipeline"):
        load_pipeline(tmp_path)
    with pytest.raises(PipelineError, match=r"Name a pipeline\.yaml or its folder"):
        load_pipeline(tmp_path / "no.yaml")
    (tmp_path / "1-load.ipynb").write_text("{}")
    with pytest.raises(PipelineError, match="mlkit convert FOLDER --to DIR"):
        load_pipeline(tmp_path)
    with pytest.raises(PipelineError, match=r"Name a pipeline\.yaml or its folder"):
        load_pipeline(tmp_path / "no.yaml")


NOTEBOOKS: dict[str, tuple[str, str]] = {
    "empty": ("", "end.ipynb: the notebook is an empty file. Make a notebook in JupyterLab"),
    "not JSON": (
        '{\n"cells": [,]}',
        "end.ipynb:2: the notebook is not valid JSON (Expecting value: line 2 column 11 (char 12))",
    ),
    "a merge that stopped half-way": (
        '{\n<<<<<<< HEAD\n"cells": []\n=======\n"cells": [3]\n>>>>>>> other\n}',
        "end.ipynb:2: the notebook is not valid JSON (Expecting property name enclosed in double "
        "quotes: line 2 column 1 (char 2)). Git has left both sides of a merge there, from line 2 "
        "on: keep one of them",
    ),
    "a file that stayed behind": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
        "end.ipynb:1: the notebook is not valid JSON (Expecting value: line 1 column 1 (char 0)). "
        "Git LFS keeps the file elsewhere: fetch it with 'git lfs pull'",
    ),
    "format 3": (
        '{"nbformat": 3, "worksheets": []}',
        "end.ipynb: this is not a notebook of format 4. Open it in JupyterLab and save it, or use "
        "'jupyter nbconvert --to notebook'",
    ),
    "a list": (
        "[]",
        "end.ipynb: this is not a notebook of format 4. Open it in JupyterLab and save it, or use "
        "'jupyter nbconvert --to notebook'",
    ),
    "no cells": ('{"nbformat": 4}', "end.ipynb: the notebook has no list of cells"),
    "a broken cell": (
        '{"nbformat": 4, "cells": [3]}',
        "end.ipynb: cell 1 of the notebook is broken",
    ),
    "a cell of an unknown kind": (
        '{"nbformat": 4, "cells": [{"cell_type": "heading", "source": ""}]}',
        "end.ipynb: cell 1 of the notebook is of the unknown kind 'heading'",
    ),
    "a cell with broken metadata": (
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": 3}]}',
        "end.ipynb: cell 1 of the notebook has broken metadata",
    ),
    "tags that are no list": (
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": '
        '{"tags": "parameters"}}]}',
        "end.ipynb: cell 1 of the notebook has 'parameters' for its tags, which must be a list",
    ),
    "broken metadata": (
        '{"nbformat": 4, "cells": [], "metadata": []}',
        "end.ipynb: the notebook's metadata are broken",
    ),
    "another language": (
        '{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
        "end.ipynb: the notebook is written in R, not in Python, and names no kernel for it. "
        "Name one in pipeline.yaml by 'kernel:', or choose a kernel in JupyterLab and save the "
        "notebook",
    ),
    "nested without end": ("[" * 100_000, "end.ipynb: the notebook is nested too deeply"),
}


@pytest.mark.parametrize("case", NOTEBOOKS)
def test_a_broken_notebook_is_refused(project: Project, case: str) -> None:
    """Before anything runs, with the notebook's own name."""
    text, expected = NOTEBOOKS[case]
    (project.folder / "end.ipynb").write_text(text)
    error = project.refusal(HEAD + "  end: {notebook: end.ipynb}\n")
    assert isinstance(error, NotebookError)
    assert str(error).replace(f"{project.folder}/", "") == expected


def test_a_path_that_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    """With what the system says; the message is no longer than one can read."""
    with pytest.raises(PipelineError, match="cannot be looked at: File name too long") as caught:
        load_pipeline(tmp_path / ("x" * 5_000))
    assert len(str(caught.value)) < 200


def test_a_folder_is_no_notebook(project: Project) -> None:
    """A folder called like a notebook is told apart from a missing one."""
    (project.folder / "dir.ipynb").mkdir()
    assert project.refused(HEAD + "  end: {notebook: dir.ipynb}\n") == (
        "dir.ipynb: this is a folder, not a notebook. Name a notebook's file"
    )


def test_a_readme_is_offered_as_no_notebook(project: Project) -> None:
    """Jupytext reads Markdown, but a README is not what was meant by a missing notebook."""
    (project.folder / "README.md").write_text("# What this is\n")
    said = project.refused(HEAD + "  end: {notebook: quite-another.ipynb}\n")
    assert "'quite-another.ipynb' does not exist" in said
    assert "end.ipynb" in said
    assert "README" not in said


def test_loading_is_linear_in_the_number_of_stages(project: Project) -> None:
    """1,000 stages in a chain load fast, and ten times the stages cost about ten times as much."""

    def seconds(count: int) -> float:
        text = HEAD + "".join(
            f"  s{n}: {{notebook: end.ipynb, after: [{f's{n - 1}' if n else ''}]}}\n"
            for n in range(count)
        )
        project.file.write_text(text)
        started = time.process_time()
        assert len(load_pipeline(project.file).stages) == count
        return time.process_time() - started

    small = min(seconds(200) for _ in range(2))
    large = seconds(2_000)
    assert large < 5
    assert large < 40 * max(small, 0.01)


def _is_plain(value: Any) -> bool:
    return json.dumps(value) != ""


def test_a_pipeline_is_a_plain_value(project: Project) -> None:
    """Loading twice gives equal values, and parameters are plain JSON."""
    project.write("name: p\nparameters: {a: [1, {b: null}]}\n" + HEAD[8:] + COLLECT)
    first, second = load_pipeline(project.file), load_pipeline(project.file)
    assert first == second
    assert _is_plain(first.parameters)
