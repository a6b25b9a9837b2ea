"""The features of pipeline.yaml, each as a few small stages and what has to come of them.

A place where pipelines run takes all features that it does not refuse as one pipeline; what each
feature was there is told by its own stages. `FEATURES` is the only list: the table in
docs/engines.md has a row for each.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkit.core.states import Status
from mlkit.testing import write_notebook

__all__ = [
    "ENVIRON",
    "FEATURES",
    "PROFILE",
    "SECRET",
    "Expected",
    "Feature",
    "given",
    "with_needs",
    "write_features",
]

SECRET = "correct-horse-battery"
ENVIRON = {"FEATURES_TOKEN": SECRET, "FEATURES_PLACE": "harbour"}
"""What `${NAME}` finds."""

MARKER = "MARKER"
"""What stands for the path of a file that a stage makes when it is tried for the first time."""

PROFILE = "prod"

Content = str | Mapping[str, str] | None
"""Of an artifact: a text, a folder's files, or None for one that is missing."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How one instance ends.

    Parameters
    ----------
    status : Status
        Its state; a reused result counts as a success.
    outputs : mapping of str to Content
        What it has written, by output name.
    error : str, optional
        The type of its error.
    attempts : int, optional
        How many there are in a run that nothing disturbs.
    holding : str, optional
        What the executed notebook, as an output, holds in place of bytes that are known.
    """

    status: Status
    outputs: Mapping[str, Content] = field(default_factory=dict)
    error: str | None = None
    attempts: int | None = None
    holding: str | None = None


def made(out: str | None = None, **outputs: Content) -> Expected:
    """A success, and what it has written."""
    own = {} if out is None else {"out": out}
    return Expected(status=Status.SUCCEEDED, outputs={**own, **outputs})


def failed(error: str, attempts: int = 1) -> Expected:
    """A failure."""
    return Expected(status=Status.FAILED, error=error, attempts=attempts)


SKIPPED = Expected(status=Status.SKIPPED)
BEHIND = Expected(status=Status.UPSTREAM_FAILED)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Something that pipeline.yaml can say.

    Parameters
    ----------
    name : str
        Its row in the table.
    stages : str
        The stages that show it, as they stand in pipeline.yaml.
    expects : mapping of str to Expected
        Every instance of these stages.
    notebooks : mapping of str to tuple or str
        Notebooks of its own: parameters cell and code, or a text that is written as it stands.
    files : mapping of str to str
        Further files beside pipeline.yaml.
    top, parameters, env, profile : str
        Lines on top of pipeline.yaml, and below `parameters`, `env` and the profile's parameters.
    given : mapping of str to object
        What a command line gives beside the file.
    needs : tuple of str
        Features whose stages it reads.
    refused : mapping of str to str
        The engines that refuse it, each with what the sentence says.
    undecided : tuple of str
        Instances of which nobody can say before a second run whether they are reused in it.
    shown : tuple of str
        What the report says of it beside its instances and their states.
    """

    name: str
    stages: str
    expects: Mapping[str, Expected]
    notebooks: Mapping[str, tuple[str, str] | str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    top: str = ""
    parameters: str = ""
    env: str = ""
    profile: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


ENGINES = ("airflow", "argo", "dagster", "kubeflow", "prefect", "stepfunctions")
_READ = "from pathlib import Path\n"
_OUT = 'out: str = "scratch/out.txt"'

NOTEBOOKS: Mapping[str, tuple[str, str] | str] = {
    "make.ipynb": (f'word: str = "made"\nn: int = 0\n{_OUT}', _READ + "Path(out).write_text(word)"),
    "pair.ipynb": (
        f'word: str = ""\nn: int = 0\n{_OUT}',
        _READ + 'Path(out).write_text(f"{word}{n}")',
    ),
    "add.ipynb": (
        f'word: str = ""\nn: int = 0\nmine: str | None = ""\n{_OUT}',
        _READ
        + 'Path(out).write_text(("nothing" if mine is None else Path(mine).read_text()) + "+")',
    ),
    "join.ipynb": (
        f'word: str = ""\nthese: list[str] = []\n{_OUT}',
        _READ + 'Path(out).write_text("|".join(Path(one).read_text() for one in these))',
    ),
    "list.ipynb": (
        f"values: list = []\n{_OUT}",
        _READ + "import json\nPath(out).write_text(json.dumps(values))",
    ),
    "fail.ipynb": (_OUT, 'raise ValueError("wrong for good")'),
    "nothing.ipynb": ("", "print('done')"),
    "fill.ipynb": (
        'word: str = "x"\nparts: str = "scratch/parts"',
        _READ + 'Path(parts, "in", word).mkdir(parents=True)\n'
        'Path(parts, "in", word, "one.txt").write_text(word)\n'
        'Path(parts, "two.txt").write_text("the same everywhere")',
    ),
    "count.ipynb": (
        f'word: str = ""\nfolder: str | None = ""\n{_OUT}',
        _READ + "files = sorted(p for p in Path(folder).rglob('*') if p.is_file())\n"
        "Path(out).write_text(' '.join(\n"
        "    f'{p.relative_to(folder).as_posix()}={p.read_text()}' for p in files))",
    ),
}
"""Those that several features use; an unused one is written by nobody."""


def _folder(word: str) -> dict[str, str]:
    return {f"in/{word}/one.txt": word, "two.txt": "the same everywhere"}


def _counted(word: str) -> str:
    return " ".join(f"{name}={text}" for name, text in sorted(_folder(word).items()))


FEATURES = (
    Feature(
        name="order: `inputs`, `after`",
        stages="""
        order-1: {notebook: make.ipynb, parameters: {word: first}, outputs: {out: out.txt}}
        order-2: {notebook: add.ipynb, inputs: {mine: order-1.out}, outputs: {out: out.txt}}
        order-3: {notebook: nothing.ipynb, after: [order-2]}
        """,
        expects={"order-1": made("first"), "order-2": made("first+"), "order-3": made()},
    ),
    Feature(
        name="a file from outside (`file:PATH`)",
        stages="""
        outside:
          notebook: add.ipynb
          inputs: {mine: "file:given/one.txt"}
          outputs: {out: out.txt}
        """,
        files={"given/one.txt": "one"},
        expects={"outside": made("one+")},
    ),
    Feature(
        name="a folder from outside (`file:PATH/`)",
        stages="""
        outsides: {notebook: count.ipynb, inputs: {folder: "file:taken/"}, outputs: {out: out.txt}}
        """,
        files={"taken/in/one.txt": "1", "taken/two.txt": "2"},
        expects={"outsides": made("in/one.txt=1 two.txt=2")},
    ),
    Feature(
        name="folders (`parts/`)",
        stages="""
        folder: {notebook: fill.ipynb, outputs: {parts: parts/}}
        folder-2: {notebook: count.ipynb, inputs: {folder: folder.parts}, outputs: {out: out.txt}}
        """,
        expects={"folder": made(parts=_folder("x")), "folder-2": made(_counted("x"))},
        shown=("in/x/one.txt",),
    ),
    Feature(
        name="folders of a map",
        stages="""
        folders: {notebook: fill.ipynb, foreach: {word: [x, y]}, outputs: {parts: parts/}}
        folders-all:
          notebook: folders-all.ipynb
          inputs: {folders: folders.parts}
          outputs: {out: out.txt}
        """,
        notebooks={
            "folders-all.ipynb": (
                f"folders: list[str] = []\n{_OUT}",
                _READ
                + "names = [p.name for f in folders for p in sorted(Path(f, 'in').iterdir())]\n"
                "Path(out).write_text(' '.join(names))",
            )
        },
        expects={
            "folders[x]": made(parts=_folder("x")),
            "folders[y]": made(parts=_folder("y")),
            "folders-all": made("x y"),
        },
    ),
    Feature(
        name="outputs that may be missing, and are there",
        stages="""
        there:
          notebook: may.ipynb
          parameters: {full: true}
          outputs: {extra: "extra.txt?", parts: "parts/?"}
        there-2:
          notebook: took.ipynb
          inputs: {extra: there.extra, parts: there.parts}
          outputs: {out: out.txt}
        """,
        expects={
            "there": made(extra="more", parts={"part.txt": "more"}),
            "there-2": made("more more"),
        },
    ),
    Feature(
        name="outputs that are missing",
        stages="""
        missing: {notebook: may.ipynb, outputs: {extra: "extra.txt?", parts: "parts/?"}}
        missing-2:
          notebook: took.ipynb
          inputs: {extra: missing.extra, parts: missing.parts}
          outputs: {out: out.txt}
        """,
        expects={"missing": made(extra=None, parts=None), "missing-2": made("None None")},
    ),
    Feature(
        name="the executed notebook (`@notebook.html`)",
        stages="""
        page: {notebook: page.ipynb, outputs: {page: "@notebook.html"}}
        page-sent: {notebook: sent.ipynb, inputs: {page: page.page}, outputs: {out: out.txt}}
        """,
        notebooks={
            "page.ipynb": ("rows: int = 6", "print(rows, 'rows')"),
            "sent.ipynb": (
                f'page: str = ""\n{_OUT}',
                _READ + "Path(out).write_text(str('6 rows' in Path(page).read_text()))",
            ),
        },
        expects={
            "page": Expected(status=Status.SUCCEEDED, holding="6 rows"),
            "page-sent": made("True"),
        },
    ),
    Feature(
        name="a text notebook (`.py`)",
        stages="""
        script: {notebook: script.py, parameters: {word: script}, outputs: {out: out.txt}}
        """,
        notebooks={
            "script.py": '# %% tags=["parameters"]\nword = ""\nout = "scratch/out.txt"\n\n'
            "# %%\nfrom pathlib import Path\n\nPath(out).write_text(word)\n"
        },
        expects={"script": made("script")},
    ),
    Feature(
        name="a text notebook (`.md`)",
        stages="""
        prose: {notebook: prose.md, parameters: {word: prose}, outputs: {out: out.txt}}
        """,
        notebooks={
            "prose.md": "---\nkernelspec: {name: python3, display_name: Python 3}\n---\n\n"
            "# Prose\n\n"
            '```{code-cell}\n:tags: [parameters]\nword = ""\nout = "scratch/out.txt"\n```\n\n'
            "```{code-cell}\nfrom pathlib import Path\n\nPath(out).write_text(word)\n```\n"
        },
        expects={"prose": made("prose")},
    ),
    Feature(
        name="another environment's Python (`kernel`)",
        stages="""
        other: {notebook: other.ipynb, kernel: other, outputs: {out: out.txt, parts: parts/}}
        other-2: {notebook: add.ipynb, inputs: {mine: other.out}, outputs: {out: out.txt}}
        """,
        notebooks={
            "other.ipynb": (
                f'{_OUT}\nparts: str = "scratch/parts"',
                "import importlib.util\nfrom pathlib import Path\n"
                "Path(out).write_text(f\"mlkit: {importlib.util.find_spec('mlkit')}\")\n"
                "Path(parts, 'part.txt').write_text('part')",
            )
        },
        expects={
            "other": made("mlkit: None", parts={"part.txt": "part"}),
            "other-2": made("mlkit: None+"),
        },
    ),
    Feature(
        name="bash (`kernel: bash`)",
        stages="""
        shell: {notebook: make.ipynb, parameters: {word: it's $x}, outputs: {out: out.txt}}
        shell-2:
          notebook: shell.ipynb
          kernel: bash
          inputs: {mine: shell.out}
          outputs: {out: out.txt, parts: parts/}
        shell-3: {notebook: add.ipynb, inputs: {mine: shell-2.out}, outputs: {out: out.txt}}
        """,
        notebooks={
            "shell.ipynb": (
                "mine=in.txt\nout=out.txt\nparts=parts",
                'tr a-z A-Z < "$mine" > "$out"\ncp "$out" "$parts/copy.txt"',
            )
        },
        expects={
            "shell": made("it's $x"),
            "shell-2": made("IT'S $X", parts={"copy.txt": "IT'S $X"}),
            "shell-3": made("IT'S $X+"),
        },
    ),
    Feature(
        name="R (`kernel: ir`)",
        stages="""
        r: {notebook: make.ipynb, parameters: {word: it's R}, outputs: {out: out.txt}}
        r-2:
          notebook: r.ipynb
          kernel: ir
          inputs: {mine: r.out}
          outputs: {out: out.txt, parts: parts/}
        r-3: {notebook: add.ipynb, inputs: {mine: r-2.out}, outputs: {out: out.txt}}
        """,
        notebooks={
            "r.ipynb": (
                "mine <- 'in.txt'\nout <- 'out.txt'\nparts <- 'parts'",
                "text <- toupper(readLines(mine, warn = FALSE))\ncat(text, file = out)\n"
                "cat(text, file = file.path(parts, 'copy.txt'))",
            )
        },
        expects={
            "r": made("it's R"),
            "r-2": made("IT'S R", parts={"copy.txt": "IT'S R"}),
            "r-3": made("IT'S R+"),
        },
    ),
    Feature(
        name="a map over a list in the file",
        stages="""
        listed: {notebook: make.ipynb, foreach: {word: [b, "c,d"]}, outputs: {out: out.txt}}
        listed-all: {notebook: join.ipynb, inputs: {these: listed.out}, outputs: {out: out.txt}}
        """,
        expects={
            "listed[b]": made("b"),
            'listed["c,d"]': made("c,d"),
            "listed-all": made("b|c,d"),
        },
    ),
    Feature(
        name="a map over a list of the pipeline (`parameters.NAME`)",
        parameters="letters: [z]",
        given={"letters": ["a", "ä b"]},
        stages="""
        letters-each:
          notebook: make.ipynb
          foreach: {word: parameters.letters}
          outputs: {out: out.txt}
        letters-all:
          notebook: join.ipynb
          inputs: {these: letters-each.out}
          outputs: {out: out.txt}
        """,
        expects={
            "letters-each[a]": made("a"),
            "letters-each[ä b]": made("ä b"),
            "letters-all": made("a|ä b"),
        },
    ),
    Feature(
        name="a map over a JSON list",
        stages="""
        json-list:
          notebook: list.ipynb
          parameters: {values: ["x y", z]}
          outputs: {out: out.json}
        json-each: {notebook: make.ipynb, foreach: {word: json-list.out}, outputs: {out: out.txt}}
        json-all: {notebook: join.ipynb, inputs: {these: json-each.out}, outputs: {out: out.txt}}
        """,
        expects={
            "json-list": made('["x y", "z"]'),
            "json-each[x y]": made("x y"),
            "json-each[z]": made("z"),
            "json-all": made("x y|z"),
        },
    ),
    Feature(
        name="an empty list",
        stages="""
        empty-list: {notebook: list.ipynb, outputs: {out: out.json}}
        empty-each: {notebook: make.ipynb, foreach: {word: empty-list.out}, outputs: {out: out.txt}}
        empty-all:
          notebook: join.ipynb
          inputs: {these: empty-each.out}
          trigger: none_failed
          outputs: {out: out.txt}
        """,
        expects={"empty-list": made("[]"), "empty-each": SKIPPED, "empty-all": made("")},
    ),
    Feature(
        name="a product of lists",
        stages="""
        grid: {notebook: pair.ipynb, foreach: {word: [a, b], n: [1, 2]}, outputs: {out: out.txt}}
        grid-all: {notebook: join.ipynb, inputs: {these: grid.out}, outputs: {out: out.txt}}
        """,
        expects={
            "grid[a,1]": made("a1"),
            "grid[a,2]": made("a2"),
            "grid[b,1]": made("b1"),
            "grid[b,2]": made("b2"),
            "grid-all": made("a1|a2|b1|b2"),
        },
    ),
    Feature(
        name="a product with a JSON list",
        stages="""
        mixed-list: {notebook: list.ipynb, parameters: {values: [5]}, outputs: {out: out.json}}
        mixed:
          notebook: pair.ipynb
          foreach: {word: [a, b], n: mixed-list.out}
          outputs: {out: out.txt}
        """,
        expects={"mixed-list": made("[5]"), "mixed[a,5]": made("a5"), "mixed[b,5]": made("b5")},
        refused=dict.fromkeys(ENGINES, "one of the lists stands in an artifact"),
    ),
    Feature(
        name="chained maps (`collect[month].parts`)",
        stages="""
        chain-1: {notebook: fill.ipynb, foreach: {word: [p, q]}, outputs: {parts: parts/}}
        chain-2:
          notebook: count.ipynb
          foreach: {word: [p, q]}
          inputs: {folder: "chain-1[word].parts"}
          outputs: {out: out.txt}
        chain-3:
          notebook: add.ipynb
          foreach: {word: [p, q]}
          inputs: {mine: "chain-2[word].out"}
          outputs: {out: out.txt}
        """,
        expects={
            **{f"chain-1[{word}]": made(parts=_folder(word)) for word in "pq"},
            **{f"chain-2[{word}]": made(_counted(word)) for word in "pq"},
            **{f"chain-3[{word}]": made(_counted(word) + "+") for word in "pq"},
        },
    ),
    Feature(
        name="maps chained over a JSON list",
        stages="""
        links: {notebook: list.ipynb, parameters: {values: [u, v]}, outputs: {out: out.json}}
        link-1: {notebook: make.ipynb, foreach: {word: links.out}, outputs: {out: out.txt}}
        link-2:
          notebook: add.ipynb
          foreach: {word: links.out}
          inputs: {mine: "link-1[word].out"}
          outputs: {out: out.txt}
        """,
        expects={
            "links": made('["u", "v"]'),
            **{f"link-1[{word}]": made(word) for word in "uv"},
            **{f"link-2[{word}]": made(word + "+") for word in "uv"},
        },
    ),
    Feature(
        name="chained to fewer parameters, and to more",
        stages="""
        part:
          notebook: join.ipynb
          foreach: {word: [a, b]}
          inputs: {these: "grid[word].out"}
          outputs: {out: out.txt}
        wider:
          notebook: add.ipynb
          foreach: {word: [a, b], n: [7]}
          inputs: {mine: "part[word].out"}
          outputs: {out: out.txt}
        """,
        needs=("a product of lists",),
        expects={
            "part[a]": made("a1|a2"),
            "part[b]": made("b1|b2"),
            "wider[a,7]": made("a1|a2+"),
            "wider[b,7]": made("b1|b2+"),
        },
    ),
    Feature(
        name="one instance (`train[1,tree].score`)",
        stages="""
        one: {notebook: add.ipynb, inputs: {mine: "grid[b,1].out"}, outputs: {out: out.txt}}
        """,
        needs=("a product of lists",),
        expects={"one": made("b1+")},
    ),
    Feature(
        name="a part of a map (`train[*,tree].score`)",
        stages="""
        some: {notebook: join.ipynb, inputs: {these: "grid[*,2].out"}, outputs: {out: out.txt}}
        """,
        needs=("a product of lists",),
        expects={"some": made("a2|b2")},
    ),
    Feature(
        name="conditions (`when`), a join behind them",
        stages="""
        decide: {notebook: decide.ipynb, outputs: {out: out.json}}
        left: {notebook: make.ipynb, when: {decide.out: left}, outputs: {out: out.txt}}
        right: {notebook: make.ipynb, when: {decide.out: [right, never]}, outputs: {out: out.txt}}
        joined:
          notebook: joined.ipynb
          inputs: {left: left.out, right: right.out}
          trigger: none_failed_min_one_success
          outputs: {out: out.txt}
        """,
        notebooks={
            "decide.ipynb": (_OUT, _READ + "Path(out).write_text('\"left\"')"),
            "joined.ipynb": (
                f"left: str | None = None\nright: str | None = None\n{_OUT}",
                _READ + "Path(out).write_text(f'{Path(left).read_text()} {right}')",
            ),
        },
        expects={
            "decide": made('"left"'),
            "left": made("made"),
            "right": SKIPPED,
            "joined": made("made None"),
        },
    ),
    Feature(
        name="`mlkit.skip`",
        stages="""
        skips: {notebook: skips.ipynb, outputs: {out: out.txt}}
        skips-2: {notebook: add.ipynb, inputs: {mine: skips.out}, outputs: {out: out.txt}}
        """,
        notebooks={"skips.ipynb": (_OUT, "import mlkit\nmlkit.skip('nothing new')")},
        expects={"skips": SKIPPED, "skips-2": SKIPPED},
        shown=("nothing new",),
    ),
    Feature(
        name="a failure, and what stands behind it",
        stages="""
        bad: {notebook: fail.ipynb, outputs: {out: out.txt}}
        behind: {notebook: add.ipynb, inputs: {mine: bad.out}, outputs: {out: out.txt}}
        """,
        expects={"bad": failed("ValueError"), "behind": BEHIND},
        shown=("wrong for good",),
    ),
    Feature(
        name="trigger rules behind a failure",
        stages="""
        worse: {notebook: fail.ipynb, outputs: {out: out.txt}}
        well: {notebook: make.ipynb, outputs: {out: out.txt}}
        cleanup:
          notebook: make.ipynb
          after: [worse, well]
          trigger: all_done
          outputs: {out: out.txt}
        rescue:
          notebook: add.ipynb
          inputs: {mine: worse.out}
          trigger: one_failed
          outputs: {out: out.txt}
        never:
          notebook: make.ipynb
          after: [worse, well]
          trigger: all_failed
          outputs: {out: out.txt}
        """,
        expects={
            "worse": failed("ValueError"),
            "well": made("made"),
            "cleanup": made("made"),
            "rescue": made("nothing+"),
            "never": SKIPPED,
        },
        undecided=("rescue",),  # whether it starts depends on how a failed stage ends next time
    ),
    Feature(
        name="retries (`retry`)",
        parameters='marker: ""',
        given={"marker": MARKER},
        stages="""
        again:
          notebook: again.ipynb
          retry: {max_retries: 2, delay: 100ms, on: [ConnectionError]}
          outputs: {out: out.txt}
        for-good:
          notebook: fail.ipynb
          retry: {max_retries: 2, delay: 100ms, on: [ConnectionError]}
          outputs: {out: out.txt}
        """,
        notebooks={
            "again.ipynb": (
                f'marker: str = ""\n{_OUT}',
                _READ + "if not Path(marker).exists():\n"
                "    Path(marker).touch()\n"
                '    raise ConnectionError("the first time it does not answer")\n'
                'Path(out).write_text("answered")',
            )
        },
        expects={
            "again": Expected(status=Status.SUCCEEDED, outputs={"out": "answered"}, attempts=2),
            "for-good": failed("ValueError"),
        },
    ),
    Feature(
        name="deadlines (`timeout`)",
        stages="""
        late: {notebook: late.ipynb, timeout: 2s, outputs: {out: out.txt}}
        """,
        notebooks={"late.ipynb": (_OUT, "import time\ntime.sleep(600)")},
        expects={"late": failed("StageTimeout")},
    ),
    Feature(
        name="`critical: false`",
        stages="""
        extra: {notebook: fail.ipynb, critical: false, outputs: {out: out.txt}}
        extra-2: {notebook: add.ipynb, inputs: {mine: extra.out}, outputs: {out: out.txt}}
        """,
        expects={"extra": failed("ValueError"), "extra-2": BEHIND},
    ),
    Feature(
        name="sensors (`wait_for`)",
        stages="""
        sensor:
          notebook: make.ipynb
          wait_for: {path: ready/*.txt, every: 500ms, timeout: 1m}
          outputs: {out: out.txt}
        """,
        files={"ready/now.txt": ""},
        expects={"sensor": made("made")},
    ),
    Feature(
        name="`cache: false`",
        stages="""
        afresh: {notebook: make.ipynb, cache: false, outputs: {out: out.txt}}
        """,
        expects={"afresh": made("made")},
    ),
    Feature(
        name="parameters (`-p NAME=…`, `-p STAGE.NAME=…`)",
        parameters="all: 1",
        given={"all": 8, "given.one": 9},
        stages="""
        given: {notebook: given.ipynb, outputs: {out: out.txt}}
        """,
        notebooks={
            "given.ipynb": (
                f"one: int = 1\nall: int = 1\n{_OUT}",
                _READ + "Path(out).write_text(f'{all} {one}')",
            )
        },
        expects={"given": made("8 9")},
    ),
    Feature(
        name="a stage's own `parameters`, over the pipeline's",
        parameters="whose: the pipeline's",
        stages="""
        own: {notebook: own.ipynb, parameters: {whose: its own}, outputs: {out: out.txt}}
        own-not: {notebook: own.ipynb, outputs: {out: out.txt}}
        """,
        notebooks={
            "own.ipynb": (f'whose: str = ""\n{_OUT}', _READ + "Path(out).write_text(whose)")
        },
        expects={"own": made("its own"), "own-not": made("the pipeline's")},
    ),
    Feature(
        name="`env`",
        env="FEATURES_COMMON: everywhere",
        stages="""
        env: {notebook: env.ipynb, env: {FEATURES_OWN: "007"}, outputs: {out: out.txt}}
        """,
        notebooks={
            "env.ipynb": (
                _OUT,
                _READ + "import os\n"
                "names = ('FEATURES_OWN', 'FEATURES_COMMON')\n"
                "Path(out).write_text(' '.join(os.environ[name] for name in names))",
            )
        },
        expects={"env": made("007 everywhere")},
    ),
    Feature(
        name="profiles (`--profile`)",
        parameters="where: at home",
        profile="where: abroad",
        stages="""
        profile: {notebook: profile.ipynb, outputs: {out: out.txt}}
        """,
        notebooks={
            "profile.ipynb": (
                f'where: str = ""\n{_OUT}',
                _READ + "Path(out).write_text(where)",
            )
        },
        expects={"profile": made("abroad")},
    ),
    Feature(
        name="metrics",
        stages="""
        measured:
          notebook: measured.ipynb
          metrics: {accuracy: out.deep.accuracy}
          outputs: {out: out.json}
        """,
        notebooks={
            "measured.ipynb": (
                _OUT,
                _READ + 'Path(out).write_text(\'{"deep": {"accuracy": 0.875}}\')',
            )
        },
        expects={"measured": made('{"deep": {"accuracy": 0.875}}')},
        shown=("accuracy", "0.875"),
    ),
    Feature(
        name="`<<` and `x-` keys",
        top="x-usual: &usual {notebook: make.ipynb, outputs: {out: out.txt}, timeout: 2m}",
        stages="""
        merged: {<<: *usual, parameters: {word: merged}}
        """,
        expects={"merged": made("merged")},
    ),
    Feature(
        name="secrets (`mlkit.Secret`)",
        parameters="token: ${FEATURES_TOKEN}",
        stages="""
        secret: {notebook: secret.ipynb, outputs: {out: out.txt}}
        """,
        notebooks={
            "secret.ipynb": (
                f'import mlkit\ntoken: mlkit.Secret = ""\n{_OUT}',
                _READ + "print(token)\nPath(out).write_text(str(len(token)))",
            )
        },
        expects={"secret": made(str(len(SECRET)))},
    ),
    Feature(
        name="`${NAME}` in a value",
        parameters="place: to the ${FEATURES_PLACE}",
        stages="""
        place: {notebook: place.ipynb, outputs: {out: out.txt}}
        """,
        notebooks={
            "place.ipynb": (
                f'place: str = ""\n{_OUT}',
                _READ + "Path(out).write_text(place)",
            )
        },
        expects={"place": made("to the harbour")},
    ),
)
"""All of them, in the order of the table."""

_MAY = {
    "may.ipynb": (
        'full: bool = False\nextra: str = "scratch/e.txt"\nparts: str = "scratch/parts"',
        _READ + "if full:\n    Path(extra).write_text('more')\n"
        "    Path(parts, 'part.txt').write_text('more')",
    ),
    "took.ipynb": (
        f"extra: str | None = None\nparts: str | None = None\n{_OUT}",
        _READ + "texts = [extra and Path(extra).read_text(),\n"
        "         parts and Path(parts, 'part.txt').read_text()]\n"
        "Path(out).write_text(f'{texts[0]} {texts[1]}')",
    ),
}


def with_needs(features: Iterable[Feature]) -> list[Feature]:
    """Add what some features read, each once, in the order of the table."""
    names = {name for feature in features for name in (feature.name, *feature.needs)}
    return [feature for feature in FEATURES if feature.name in names]


def given(features: Iterable[Feature], marker: Path) -> dict[str, Any]:
    """Collect what a command line gives a pipeline of some features.

    Parameters
    ----------
    features : iterable of Feature
        Which.
    marker : Path
        A file of which a stage knows whether it is tried for the first time.
    """
    found = {name: value for item in features for name, value in item.given.items()}
    return {name: str(marker) if value == MARKER else value for name, value in found.items()}


def write_features(folder: Path, features: Iterable[Feature], *, interleaved: bool = False) -> Path:
    """Write features as one pipeline, with what they need.

    Parameters
    ----------
    folder : Path
        Where to; it is made.
    features : iterable of Feature
        Which.
    interleaved : bool
        Write the first stage of every feature before the second one of any: a run takes stages in
        the order of the file, and so a run that is cut off leaves all features half done.

    Returns
    -------
    Path
        The pipeline.yaml.
    """
    chosen = with_needs(features)
    folder.mkdir(parents=True)
    text = "\n".join([*_top(chosen), "stages:", *_stages(chosen, interleaved=interleaved)]) + "\n"
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    known = {**NOTEBOOKS, **_MAY}
    for feature in chosen:
        for name, content in feature.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        known |= feature.notebooks
    for name, notebook in known.items():
        if name in text:
            _write_notebook(folder / name, notebook)
    return folder / "pipeline.yaml"


def _top(features: list[Feature]) -> list[str]:
    lines = ["name: features", *(feature.top for feature in features if feature.top)]
    for key, indent in (("parameters", 2), ("env", 2), ("profile", 6)):
        found = [" " * indent + text for f in features if (text := getattr(f, key))]
        if key == "profile":
            lines += ["profiles:", f"  {PROFILE}:", *(["    parameters:", *found] if found else [])]
            lines[-1] += "" if found else " {}"
        elif found:
            lines += [f"{key}:", *found]
    return lines


def _stages(features: list[Feature], *, interleaved: bool) -> list[str]:
    texts = [textwrap.dedent(feature.stages).strip() for feature in features]
    stages = [re.split(r"\n(?=\S)", text) for text in texts]
    rows = itertools.zip_longest(*stages, fillvalue="") if interleaved else stages
    return [textwrap.indent(text, "  ") for row in rows for text in row if text]


def _write_notebook(path: Path, notebook: tuple[str, str] | str) -> None:
    if isinstance(notebook, str):
        path.write_text(notebook, encoding="utf-8")
        return
    parameters, code = notebook
    write_notebook(path, code, parameters=parameters or None)
