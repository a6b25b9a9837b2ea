"""What programs for notebooks make of a file when they save it.

Written after files that these programs save. A trait changes a notebook in place; a program has
several.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["PROGRAMS", "TRAITS", "write"]

Notebook = dict[str, Any]
Trait = Callable[[Notebook], None]


def _code(notebook: Notebook) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _new(kind: str, source: str, **metadata: Any) -> dict[str, Any]:
    code: Notebook = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {
        "cell_type": kind,
        "id": uuid.uuid4().hex[:8],
        "metadata": metadata,
        "source": source,
    } | code


def ids_are_dropped(notebook: Notebook) -> None:
    """Format 4.4 and older have none."""
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        cell.pop("id", None)


def ids_are_new(notebook: Notebook) -> None:
    """Each cell has another one."""
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"{number * 2654435761 % 2**32:08x}"


def ids_are_numbers(notebook: Notebook) -> None:
    """Not even texts, as some scripts write them."""
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = number


def ids_move_into_metadata(notebook: Notebook) -> None:
    """Where Colab keeps them."""
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell["metadata"] = {**(cell["metadata"] or {}), "id": cell.pop("id", "aBcDeF12")}


def metadata_of_cells_are_dropped(notebook: Notebook) -> None:
    """Those that the program does not know."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def metadata_are_null(notebook: Notebook) -> None:
    """`null` in the place of none."""
    for cell in notebook["cells"]:
        cell["metadata"] = None


def lines_are_a_list(notebook: Notebook) -> None:
    """A source is a list of lines with their ends."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


def lines_end_as_in_windows(notebook: Notebook) -> None:
    """A source has a carriage return before each new line."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def lines_end_in_blanks(notebook: Notebook) -> None:
    """And a source in an empty line."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n\n", "\n    \n") + "\n"


def titles_stand_above(notebook: Notebook) -> None:
    """Colab's form: the first line of a code cell is its title."""
    for number, cell in enumerate(_code(notebook)):
        title = f'#@title Step {number} {{ display-mode: "form" }}'
        cell["source"] = f"{title}\n{''.join(cell['source'])}"
        cell["metadata"] = {**(cell["metadata"] or {}), "cellView": "form"}


def cells_were_timed(notebook: Notebook) -> None:
    """The answers' cells begin with a magic."""
    for cell in _code(notebook):
        if str(cell.get("id", "")).startswith("answer-"):
            cell["source"] = f"%%time\n{''.join(cell['source'])}"


def languages_are_named(notebook: Notebook) -> None:
    """Databricks: the first line of a cell says what it is written in; some are no Python."""
    for cell in _code(notebook):
        cell["source"] = f"%python\n{''.join(cell['source'])}"
    for text in (
        "%md\n# Some words\ndef of(a): is no code",
        "%sql\nSELECT month, AVG(delay) AS mean FROM flights GROUP BY month",
        "%sh ls -l /databricks",
        "%r\nlibrary(SparkR)",
        "# MAGIC %md\n# MAGIC ## A source that was made into a notebook",
        "dbutils.widgets.text('month', '1')",
    ):
        notebook["cells"].insert(len(notebook["cells"]) // 2, _new("code", text))


def packages_were_installed(notebook: Notebook) -> None:
    """A cell for the place of work on top, and lines for the shell in the answers."""
    mount = "from google.colab import drive\ndrive.mount('/content/drive')\n%cd /content/drive"
    notebook["cells"].insert(0, _new("code", f"!pip install pandas -q\n{mount}"))
    for cell in _code(notebook):
        if str(cell.get("id", "")).startswith("answer-"):
            cell["source"] = f"{''.join(cell['source'])}\nwhere_i_am = !pwd\n%pwd\n!true"


def a_cell_stands_on_top(notebook: Notebook) -> None:
    """What Kaggle writes into each new notebook."""
    text = (
        "# This Python 3 environment comes with many helpful analytics libraries installed\n"
        "import numpy as np # linear algebra\nimport pandas as pd # data processing\nimport os\n"
        "for dirname, _, filenames in os.walk('/kaggle/input'):\n"
        "    for filename in filenames:\n        print(os.path.join(dirname, filename))"
    )
    notebook["cells"].insert(0, _new("code", text, _kg_hide_input=True))


def empty_cells_stand_below(notebook: Notebook) -> None:
    """As each program leaves them, and what a hosted one adds."""
    notebook["cells"] += [_new("code", ""), _new("raw", "x"), _new("markdown", "<a>Made in …</a>")]


def kernel_has_another_name(notebook: Notebook) -> None:
    """One's own environment."""
    spec = {"name": "ml-env", "display_name": "Python 3.13 (ml-env)", "language": "python"}
    notebook["metadata"]["kernelspec"] = spec
    notebook["metadata"]["language_info"] = {"name": "python", "version": "3.13.1"}


def kernel_is_unknown(notebook: Notebook) -> None:
    """No metadata of the notebook at all."""
    notebook["metadata"] = {}


def metadata_are_the_programs(notebook: Notebook) -> None:
    """Each program notes its own things in cells, outputs and the notebook."""
    notebook["metadata"] |= {
        "colab": {"provenance": [], "toc_visible": True},
        "accelerator": "GPU",
        "deepnote_notebook_id": uuid.UUID(int=7).hex,
        "kaggle": {"accelerator": "none", "dataSources": [], "isGpuEnabled": False},
        "vscode": {"interpreter": {"hash": "31f2aee4e71d21fbe5cf8b01ff0e069b"}},
        "application/vnd.databricks.v1+notebook": {"dashboards": [], "language": "python"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {}},
        "toc": {"nav_menu": {}},
    }
    for number, cell in enumerate(notebook["cells"]):
        cell["block_group"] = f"{number:05}"
        cell["metadata"] = (cell["metadata"] or {}) | {
            "collapsed": False,
            "pycharm": {"name": "#%%\n", "is_executing": False},
            "vscode": {"languageId": "python"},
            "_uuid": uuid.UUID(int=number).hex,
            "_cell_guid": str(uuid.UUID(int=number)),
            "cell_id": f"{number:05}-{uuid.UUID(int=number)}",
            "deepnote_cell_type": cell["cell_type"],
            "marimo": {"config": {"hide_code": True}},
            "execution": {"iopub.status.busy": "2026-01-01T00:00:00.000Z"},
            "trusted": True,
            "application/vnd.databricks.v1+cell": {"nuid": str(uuid.UUID(int=number))},
        }


def outputs_are_kept(notebook: Notebook) -> None:
    """Of a run, in the order in which the cells were run."""
    stream = {"output_type": "stream", "name": "stdout", "text": ["seen\n"]}
    for number, cell in enumerate(_code(notebook)):
        cell["execution_count"] = 400 - 3 * number
        cell["outputs"] = [
            stream,
            {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
        ]


def counts_are_missing(notebook: Notebook) -> None:
    """Neither outputs nor counts, which the format asks for."""
    for cell in _code(notebook):
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def texts_are_numbered(notebook: Notebook) -> None:
    """Headings have numbers, and the text between the cells is another one."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            cell["source"] = f"{number}. {''.join(cell['source'])}"


def cells_with_text_are_gone(notebook: Notebook) -> None:
    """Only code is left."""
    notebook["cells"] = _code(notebook)


def format_is_the_third(notebook: Notebook) -> None:
    """Of IPython 2 and some tools: sheets, `input`, and headings that are cells."""
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            code = {"input": source, "language": "python", "prompt_number": 1, "collapsed": False}
            cells.append({"cell_type": "code", "metadata": cell["metadata"], "outputs": []} | code)
        elif source.startswith("# "):
            cells.append({"cell_type": "heading", "level": 1, "metadata": {}, "source": source[2:]})
        else:
            cells.append({"cell_type": "markdown", "metadata": {}, "source": source})
    del notebook["cells"]
    notebook.update(nbformat=3, nbformat_minor=0, worksheets=[{"cells": cells, "metadata": {}}])


TRAITS: tuple[Trait, ...] = (
    ids_are_dropped,
    ids_are_new,
    ids_are_numbers,
    ids_move_into_metadata,
    metadata_of_cells_are_dropped,
    metadata_are_null,
    lines_are_a_list,
    lines_end_as_in_windows,
    lines_end_in_blanks,
    titles_stand_above,
    languages_are_named,
    a_cell_stands_on_top,
    empty_cells_stand_below,
    kernel_has_another_name,
    kernel_is_unknown,
    metadata_are_the_programs,
    outputs_are_kept,
    counts_are_missing,
    texts_are_numbered,
    cells_with_text_are_gone,
)
"""Those that leave the answers as they are, to be had in any order and number."""

PROGRAMS: Mapping[str, Sequence[Trait]] = {
    "colab": (
        packages_were_installed,
        cells_were_timed,
        titles_stand_above,
        metadata_of_cells_are_dropped,
        ids_move_into_metadata,
        metadata_are_the_programs,
        lines_are_a_list,
        outputs_are_kept,
    ),
    "colab-of-today": (ids_are_new, metadata_of_cells_are_dropped, ids_are_dropped),
    "vs-code": (lines_end_in_blanks, kernel_has_another_name, metadata_are_the_programs),
    "vs-code-4.4": (ids_are_dropped, kernel_has_another_name, metadata_are_the_programs),
    "vs-code-on-windows": (lines_end_as_in_windows, lines_are_a_list, ids_are_new),
    "jupyterlab-3": (ids_are_dropped, lines_are_a_list, outputs_are_kept),
    "jupyterlite": (kernel_is_unknown, ids_are_new, empty_cells_stand_below),
    "deepnote": (
        ids_are_dropped,
        metadata_of_cells_are_dropped,
        metadata_are_the_programs,
        empty_cells_stand_below,
    ),
    "kaggle": (
        a_cell_stands_on_top,
        ids_are_dropped,
        metadata_of_cells_are_dropped,
        metadata_are_the_programs,
        outputs_are_kept,
    ),
    "databricks": (
        languages_are_named,
        cells_with_text_are_gone,
        ids_are_dropped,
        metadata_of_cells_are_dropped,
        metadata_are_the_programs,
    ),
    "marimo": (ids_are_new, metadata_of_cells_are_dropped, counts_are_missing, texts_are_numbered),
    "pycharm": (ids_are_dropped, metadata_are_the_programs, lines_end_as_in_windows),
    "dataspell": (ids_are_new, metadata_are_the_programs, kernel_has_another_name),
    "jupytext": (metadata_of_cells_are_dropped, ids_are_new, counts_are_missing),
    "a-script": (ids_are_numbers, metadata_are_null, kernel_is_unknown, counts_are_missing),
    "ipython-2": (kernel_is_unknown, format_is_the_third),
}


def write(path: Path, notebook: Notebook, traits: Sequence[Trait], *, seed: int = 0) -> Path:
    """Save a notebook as a program with these traits does; its bytes differ, too."""
    for trait in traits:
        trait(notebook)
    draw = random.Random(seed)
    text = json.dumps(
        notebook,
        indent=draw.choice([None, 1, 2, 4]),
        sort_keys=draw.random() < 0.5,
        ensure_ascii=draw.random() < 0.5,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        text.replace("\n", draw.choice(["\n", "\r\n"])).encode(draw.choice(["utf-8", "utf-8-sig"]))
    )
    return path
