"""What crosses a cut and what joins two parts, planned from made runs of the original."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pytest

from mlkit.converting.given_names import given_names
from mlkit.converting.named_files import plan_files
from mlkit.converting.observing import Look, Marks, Observation
from mlkit.converting.originals import Original, Originals
from mlkit.converting.parts import Cell, Part
from mlkit.converting.planning import Conversion, plan_stages
from mlkit.converting.snapshot import RANDOM
from mlkit.converting.stage_files import documents_of, texts_of
from mlkit.errors import PipelineError
from mlkit.load.yaml_tree import read_yaml

OLD: Marks = (1, 1, "")


def value(digest: str, holds: Sequence[int] = (), **other: Any) -> dict[str, Any]:
    """What is seen of a plain value."""
    told = {"type": "builtins.list", "kind": "value", "form": "json", "shape": "", "digest": digest}
    return {**told, "holds": list(holds), **other}


def definition(state: str = "") -> dict[str, Any]:
    """What is seen of a function or class."""
    return {"type": "builtins.function", "kind": "definition", "state": state, "holds": []}


def parts_of(*sources: str) -> list[Part]:
    """Parts of one code cell each."""
    return [
        Part(name=f"p{n}", title="", cells=(Cell(index=n, kind="code", source=source),))
        for n, source in enumerate(sources)
    ]


def seen(
    *names: Mapping[str, Any],
    files: Sequence[Mapping[str, Marks]] = (),
    failed: Mapping[int, str] | None = None,
    read: Sequence[Sequence[str]] = (),
) -> Observation:
    """A run in which these names, files and reads were seen behind each part."""
    looks = {}
    for number, told in enumerate([{}, *names], start=-1):
        here = files[number + 1] if files else {}
        looks[number] = Look(
            names={**dict.fromkeys(RANDOM, value("same")), **told},
            files=here,
            folder=Path(),
            read=frozenset(read[number + 1] if read else ()),
            folders=frozenset(str(Path(path).parent) for path in here) - {"."},
        )
    return Observation(looks=looks, failed=failed or {})


def planned(sources: Sequence[str], run: Observation) -> Conversion:
    """The plan if both runs of the original are this one."""
    return plan_stages(parts_of(*sources), run, run)


def names(conversion: Conversion) -> list[str]:
    """The stages' names."""
    return [stage.part.name for stage in conversion.stages]


def written(conversion: Conversion, run: Observation) -> dict[str, str]:
    """The texts of all files."""
    plans, _ = plan_files(conversion, run)
    cells = tuple(cell for stage in conversion.stages for cell in stage.part.cells)
    originals = Originals(notebooks=(Original(file=Path("/src/book.ipynb"), cells=cells),))
    target = Path("/out")
    documents = documents_of(conversion, plans, originals=originals, target=target, raising={})
    return texts_of(conversion, plans, documents, name="x", originals=originals, target=target)


def test_two_names_that_share_an_object_stay_together_if_it_changes() -> None:
    """The part mentions both: each would come from a file of its own, and be another object."""
    book = ["train = [f()]\nboth = [train]", "both[0].append(2)\nprint(train)", "print(train)"]
    first = {"train": value("1", [7]), "both": value("1", [8, 7])}
    then = {"train": value("2", [7]), "both": value("2", [8, 7])}
    joined = planned(book, seen(first, then, then))
    assert names(joined) == ["p0", "p2"]
    assert "share an object" in joined.remarks[0]
    apart = {"train": value("1", [7]), "both": value("1", [8, 9])}
    later = {"train": value("1", [7]), "both": value("2", [8, 9])}
    assert names(planned(book, seen(apart, later, later))) == ["p0", "p1", "p2"]
    assert names(planned(book, seen(first, first, first))) == ["p0", "p1", "p2"]  # unchanged


def test_a_name_of_pythons_own_that_the_notebook_binds_is_handed_on() -> None:
    """Without it the later part would take Python's, and say nothing."""
    run = seen({"sum": value("1")}, {"sum": value("1"), "y": value("2")})
    book = planned(["sum = f(3)", "y = g(sum)"], run)
    assert [carried.name for carried in book.stages[1].takes] == ["sum"]


def test_functions_and_classes_that_are_written_as_calls_are_definitions() -> None:
    """A stage cannot take them from a file, and an object finds its class in a module only."""
    first = {"P": definition(), "twice": definition(), "p": value("1")}
    run = seen(first, first)
    source = "P = namedtuple('P', 'x')\ntwice = lambda x: 2 * x\np = [P(1)]"
    book = planned([f"from collections import namedtuple\n{source}", "print(twice(p))"], run)
    assert set(book.helpers) == {"P", "twice"}
    assert "P = namedtuple" in written(book, run)["helpers.py"]


def test_a_function_that_keeps_something_between_calls_stays_where_it_is() -> None:
    """Its default grows; a copy would begin with an empty one."""
    book = [
        "def f(n, kept=[]):\n    kept.append(n)\n    return kept\nx = f(1)",
        "y = f(2)\nprint(y)",
    ]
    grows = seen({"f": definition("1"), "x": value("1")}, {"f": definition("2"), "y": value("1")})
    assert names(planned(book, grows)) == ["p0"]
    steady = seen({"f": definition("1"), "x": value("1")}, {"f": definition("1"), "y": value("1")})
    assert names(planned(book, steady)) == ["p0", "p1"]


def test_an_import_that_fails_stays_in_its_cell() -> None:
    """Moved to the stage's imports it would fail there, where the original goes on."""
    run = seen({"x": value("1")}, {"x": value("1")}, failed={0: "ModuleNotFoundError: nothing"})
    book = planned(["x = [f()]\nimport nothing as n", "print(x)"], run)
    assert not book.stages[0].imports
    assert "import nothing as n" in written(book, run)["01-p0.ipynb"]


def test_a_setting_behind_work_stays_there_and_holds_for_later_parts() -> None:
    """What was drawn before it must not see it."""
    run = seen({"x": value("1")}, {"x": value("1")})
    source = "import pandas as pd\nx = [f()]\npd.set_option('a', 1)"
    book = planned([source, "print(x)"], run)
    first, second = book.stages
    assert [placed.text for placed in first.settings] == []
    assert [placed.text for placed in second.settings] == ["pd.set_option('a', 1)"]


def test_files_under_computed_names_are_handed_on() -> None:
    """What is read comes to where the code looks for it; what is written becomes an output."""
    start = {"data/a.csv": OLD, "data/b.csv": OLD, "other.txt": OLD}
    new = {f"out/{n}.csv": (1, 2, str(n)) for n in range(2)}
    run = seen(
        {"x": value("1")},
        {},
        {},
        files=[start, start, {**start, **new}, {**start, **new}],
        read=[(), ["data/a.csv"], (), ["out/0.csv"]],
    )
    book = planned(["x = [read(n) for n in 'a']", "write(x)", "print(read(x))"], run)
    plans, remarks = plan_files(book, run)
    assert plans["p0"].inputs == {"a_file": "file:data/a.csv"}
    assert plans["p0"].brought == {"a_file": "data/a.csv"}
    assert plans["p0"].folders == ("data",)
    assert plans["p1"].outputs == {"out_folder": "out/"}
    assert plans["p1"].kept == {"out_folder": "out/"}
    assert plans["p2"].inputs == {"out_folder": "p1.out_folder"}
    assert plans["p2"].brought == {"out_folder": "out/"}
    assert remarks == []


def test_a_folder_in_which_a_part_writes_is_not_handed_to_it() -> None:
    """What it writes would come into the folder that was given, beside the original's files."""
    start = {"data/a.csv": OLD}
    after = {**start, "data/b.csv": (1, 2, "b")}
    run = seen({"x": value("1")}, files=[start, after], read=[(), ["data/a.csv"]])
    source = "x = open(join('data', 'a.csv'))\nopen(join('data', 'b.csv'), 'w')"
    plans, _ = plan_files(planned([source], run), run)
    assert plans["p0"].edits == ()
    assert plans["p0"].brought == {"a_file": "data/a.csv"}
    assert plans["p0"].kept == {"b_file": "data/b.csv"}


def test_a_folder_in_which_an_earlier_part_wrote_is_the_original_s_with_the_new_files() -> None:
    """A part that lists it finds both, and the newer of two by one name."""
    start = {"data/a.csv": OLD, "data/b.csv": OLD}
    after = {**start, "data/b.csv": (1, 2, "b")}
    run = seen({"x": value("1")}, {"y": value("2")}, files=[start, after, after])
    looks = {**run.looks, 1: replace(run.looks[1], listed=frozenset({"data"}))}
    book = planned(["x = write('data/b.csv')", "y = os.listdir('data')"], run)
    plans, _ = plan_files(book, replace(run, looks=looks))
    assert plans["p1"].edits == ()
    assert plans["p1"].inputs == {"data_folder": "file:data/", "b_file": "p0.b_file"}
    assert plans["p1"].brought == {"data_folder": "data/", "b_file": "data/b.csv"}


def test_a_file_whose_name_is_written_out_is_not_copied_as_well() -> None:
    """The parameter stands in its place; only a name that is put together needs the file there."""
    run = seen({"x": value("1")}, files=[{"data/a.csv": OLD}] * 2, read=[(), ["data/a.csv"]])
    plain, _ = plan_files(planned(["x = pd.read_csv('data/a.csv')"], run), run)
    assert (plain["p0"].inputs, plain["p0"].brought) == ({"a_file": "file:data/a.csv"}, {})
    both = ["x = pd.read_csv('data/a.csv'), open('data/{}.csv'.format(n))"]
    twice, _ = plan_files(planned(both, run), run)
    assert twice["p0"].brought == {"a_file": "data/a.csv"}


def test_what_a_command_names_is_brought_though_python_is_given_it() -> None:
    """The text of a command stays."""
    run = seen({"x": value("1")}, files=[{"a.csv": OLD}] * 2, read=[(), ["a.csv"]])
    plans, _ = plan_files(planned(["x = open('a.csv').read()\n!wc a.csv"], run), run)
    assert plans["p0"].inputs == {"a_file": "file:a.csv"}
    assert plans["p0"].brought == {"a_file": "a.csv"}


def test_a_word_that_is_also_a_folder_is_left_alone_unless_it_names_it() -> None:
    """A column may be called as a folder is."""
    start = {"data/a.csv": OLD}
    run = seen({"x": value("1")}, files=[start, start])
    book = planned(["x = [table.drop('data'), os.listdir('data')]"], run)
    plans, _ = plan_files(book, run)
    assert [(edit.start, edit.text) for edit in plans["p0"].edits] == [(36, "data_folder")]


def test_two_outputs_of_one_name_get_two_files() -> None:
    """They lie in two folders of the original, and in one of the stage."""
    new = {"a/x.csv": (1, 2, "a"), "b/x.csv": (1, 2, "b")}
    run = seen({}, files=[{}, new])
    book = planned(["write(f, 'a/x.csv')\nwrite(f, 'b/x.csv')"], run)
    plans, _ = plan_files(book, run)
    assert len(set(plans["p0"].outputs.values())) == 2


def test_comments_go_with_the_values_and_definitions_that_they_are_on() -> None:
    """Into pipeline.yaml as well; what is said of the cell stays in it."""
    source = "#@title Settings\nA = 1\n# how many\nB = 2  # two\n\nx = [f(A, B)]"
    told = {"A": value(joblib.hash(1)), "B": value(joblib.hash(2)), "x": value("3")}
    run = seen(told)
    texts = written(planned([source], run), run)
    assert "  A: 1\n  # how many\n  B: 2\n" in texts["pipeline.yaml"]
    cells = ["".join(cell["source"]) for cell in json.loads(texts["01-p0.ipynb"])["cells"]]
    assert cells[0] == "A = 1\n# how many\nB = 2  # two"
    assert cells[-1] == "#@title Settings\n\nx = [f(A, B)]"


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("rate: Final = 0.5  # of it", "rate = 0.5  # of it"),
        ("größe: Row[\n    int\n] = [1,\n  2]", "größe = [1,\n  2]"),
        ("# how many\nn: (np.int64)=3", "# how many\nn =3"),
        ("rate: int = 0.5", "rate = 0.5"),
        ("rate: float = 1", "rate: float = 1"),
        ("names: list[str] = ['a']", "names: list[str] = ['a']"),
    ],
)
def test_an_annotation_that_no_parameter_has_is_left_out(text: str, declared: str) -> None:
    """Else the pipeline that was written would not load."""
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.AnnAssign)
    assert isinstance(node.target, ast.Name)
    assert node.value is not None
    digest = joblib.hash(ast.literal_eval(node.value))
    run = seen({node.target.id: value(digest), "x": value("3")})
    texts = written(planned([f"{text}\nx = [f({node.target.id})]"], run), run)
    cells = ["".join(cell["source"]) for cell in json.loads(texts["01-p0.ipynb"])["cells"]]
    assert cells[0] == declared


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", "'${HOME}/x'", "{'a': '${'}"])
def test_what_pipeline_yaml_cannot_say_is_no_parameter(text: str) -> None:
    """Infinity was written, which is a text there, and a variable was filled in."""
    source = f"rate = 0.5\nodd = {text}\nx = [rate, odd]"
    odd = ast.literal_eval(text)
    run = seen({"rate": value(joblib.hash(0.5)), "odd": value(joblib.hash(odd)), "x": value("3")})
    assert list(planned([source], run).roles.literals) == ["rate"]


def test_signs_that_no_file_shows_are_written_as_codes() -> None:
    """YAML refuses some of them, and takes others for the end of a line."""
    text = "\x7f \x85 \u2028 \ufeff é"
    run = seen({"sep": value(joblib.hash(text)), "x": value("3")})
    made = written(planned([f"sep = {text!r}\nx = [f(sep)]"], run), run)
    read = read_yaml(made["pipeline.yaml"], "f", PipelineError).plain()
    assert read["parameters"] == {"sep": text}


def test_values_behind_what_installs_and_tries_imports_are_parameters() -> None:
    """As notebooks for Colab begin; what Colab marks is one wherever it stands."""
    top = "!pip install a\ntry:\n    import a\n    IN = True\nexcept ImportError:\n    IN = False"
    cell = f"{top}\nrate = 0.5\nx = [f(IN)]\nother = 3\nname = 'n' #@param ['n', 'm']\nx += [name]"
    told = {"rate": 0.5, "other": 3, "name": "n"}
    run = seen({name: value(joblib.hash(one)) for name, one in told.items()})
    assert list(planned([cell], run).roles.literals) == ["rate", "name"]


def test_a_file_that_goes_is_a_copy_that_goes() -> None:
    """Another stage's file stays; later parts do not find it."""
    book = ["x = [f()]\nopen('a.txt', 'w').write('x')", "import os\ny = [f()]\nos.remove('a.txt')"]
    book.append("import os\nz = [f()]\nprint(os.path.exists('a.txt'))")
    run = seen({"x": value("1")}, {}, {}, files=[{}, {"a.txt": (1, 2, "a")}, {}, {}])
    texts = written(planned(book, run), run)
    _, second, third = re.split(r"\n  p[12]:\n", texts["pipeline.yaml"])
    assert "a_file: p0.a_file" in second
    assert "shutil.copyfile(a_file, 'a.txt')" in texts["02-p1.ipynb"]
    assert "os.remove('a.txt')" in texts["02-p1.ipynb"]
    assert "a_file" not in third


def test_a_value_brings_the_functions_that_are_in_it() -> None:
    """Its file has only their names; what they need in turn is handed on as well."""
    has = {"limit": value("1"), "f": definition(), "x": value("2", refers=["f"], form="joblib")}
    run = seen(has, has)
    book = planned(["limit = [3]\ndef f(n):\n    return limit\nx = [f]", "print(x)"], run)
    second = book.stages[1]
    assert [placed.text for placed in second.copied] == ["def f(n):\n    return limit"]
    assert {carried.name for carried in second.takes} == {"limit", "x"}


def test_a_class_that_has_kept_something_by_its_first_cut_is_one_stage() -> None:
    """Seen right behind its cell: at the cut it has changed already, and changes no more."""
    run = seen({"C": definition("n=1"), "x": value("1")}, {"C": definition("n=1")})
    book = ["class C:\n    n = 0\nC.n += 1\nx = [C.n]", "print(C.n, x)"]
    assert len(planned(book, run).stages) == 2
    kept = replace(run, states={0: {"C": "n=0"}})
    assert len(planned(book, kept).stages) == 1


def test_a_name_behind_a_dollar_may_be_the_shells() -> None:
    """The notebook has none of it: nothing is told of it; what it has is needed."""
    run = seen({"x": value("1")}, {"x": value("1")})
    book = planned(["x = [f()]", "!echo $HOME $x"], run)
    assert [carried.name for carried in book.stages[1].takes] == ["x"]
    assert not any("HOME" in remark for remark in book.remarks)


def test_what_a_shell_command_names_is_there_when_it_runs() -> None:
    """Nothing that Python sees reads it."""
    start = {"data/a.csv": OLD, "notes.txt": OLD, "other.txt": OLD}
    run = seen({"x": value("1")}, files=[start, start])
    book = planned(["x = !ls data\n!cat notes.txt | head"], run)
    plans, _ = plan_files(book, run)
    assert plans["p0"].brought == {"data_folder": "data/", "notes_file": "notes.txt"}
    book = planned(["x = !wc -l data/*.csv n*.txt"], run)
    plans, _ = plan_files(book, run)
    assert sorted(plans["p0"].brought.values()) == ["data/a.csv", "notes.txt"]


def test_where_modules_are_looked_for_is_set_before_they_are_imported() -> None:
    """The order is the notebook's; other settings come behind all imports."""
    run = seen({"x": value("1")}, {"x": value("1")})
    source = "import sys\nimport pandas as pd\npd.set_option('a', 1)\nsys.path.append('src')"
    book = planned([f"{source}\nimport lib\nx = [lib.f()]", "y = lib.g(pd)"], run)
    for notebook in ("01-p0.ipynb", "02-p1.ipynb"):
        cells = json.loads(written(book, run)[notebook])["cells"]
        imports = next("".join(c["source"]) for c in cells if c["id"] == "mlkit-imports")
        assert imports.endswith("import pandas as pd\nsys.path.append('src')\nimport lib")


def test_a_path_that_is_handed_on_stays_as_it_is() -> None:
    """The part that reads there has the input: it is stale if the file changes."""
    path = value("1", kind="value", type="pathlib.PosixPath", form="joblib")
    files = [{"data/a.csv": OLD}] * 3
    run = seen({"ROOT": path}, {"x": value("2")}, files=files, read=[(), (), ["data/a.csv"]])
    source = "from pathlib import Path\nROOT = Path('data')"
    book = planned([f"{source}\nprint(ROOT)", "x = read(ROOT / 'a.csv')"], run)
    plans, _ = plan_files(book, run)
    assert (plans["p0"].inputs, plans["p0"].edits) == ({}, ())
    assert plans["p1"].brought == {"a_file": "data/a.csv"}


def test_what_a_part_imports_is_not_imported_twice() -> None:
    """Also if it stands beside others, or has a comment."""
    told = {"x": value("1", type="pandas.DataFrame", form="parquet")}
    run = seen(told, {"y": value("2")})
    source = "import numpy as np, pandas as pd  # tables\nfrom pathlib import PurePath, Path"
    book = planned([f"{source}\nx = [pd.f()]", "y = [pd.g(x), Path('.')]\nnp.h(y)"], run)
    cells = json.loads(written(book, run)["02-p1.ipynb"])["cells"]
    assert next("".join(c["source"]) for c in cells if c["id"] == "mlkit-imports") == source


def test_a_parameter_of_a_file_has_no_name_that_the_notebook_uses_otherwise() -> None:
    """It is bound before the first cell, and the cell would bind it anew."""
    run = seen({}, files=[{"a.csv": OLD, "b.csv": OLD}] * 2)
    source = "a_file = open('a.csv')\nb_file = 'b.csv'\nprint(read('a.csv'), read(b_file))"
    book = planned([source], run)
    plans, _ = plan_files(book, run)
    assert plans["p0"].inputs == {"a_file_2": "file:a.csv", "b_file": "file:b.csv"}


def test_given_names_are_none_that_the_notebook_uses() -> None:
    """Of inputs, outputs, and the modules that load and save: a value would be lost otherwise."""
    first = {"x": value("1"), "x_in": value("2"), "json": value("3"), "Path": value("4")}
    sources = [
        "x = f()\nx_in = g()\njson = h()\nPath = h()",
        "print(x, x_in, json, Path)  # x_out",
    ]
    run = seen(first, first)
    files = written(planned(sources, run), run)
    told = "".join(json.loads(files["02-p1.ipynb"])["cells"][-2]["source"])
    assert "x = _json.loads(_Path(x_in_).read_text())" in told
    assert "json = _json.loads(_Path(json_in).read_text())" in told
    assert "x_out_: x.json" in files["pipeline.yaml"]
    imports = "".join("".join(c["source"]) for c in json.loads(files["02-p1.ipynb"])["cells"])
    assert "import json as _json" in imports
    assert "from pathlib import Path as _Path" in imports


def test_modules_that_the_notebook_imports_itself_keep_their_names() -> None:
    """Under another meaning of that name they do not."""
    sources = ["import json\nx = json.loads(f())", "import numpy.random as np\nprint(x, np)"]
    run = seen({"x": value("1")}, {"x": value("1")})
    names_given = given_names(planned(sources, run), {})
    assert names_given.modules["json"] == "json"
    assert names_given.modules["np"] == "_np"
    assert names_given.import_of("np") == "import numpy as _np"
    assert names_given.import_of("pd") == "import pandas as pd"


def test_an_import_that_shows_something_stays_though_nobody_uses_it() -> None:
    """It may be there for that."""
    run = replace(seen({"x": value("1")}, {"x": value("1")}), lines={0: ("shown",)})
    book = planned(["import this, math\nx = f()", "print(x)"], run)
    assert [p.text for p in book.stages[0].imports] == ["import this, math"]
    assert [
        p.text
        for p in planned(
            ["import this\nx = f()", "print(x)"], seen({"x": value("1")}, {"x": value("1")})
        )
        .stages[0]
        .imports
    ] == []


def test_what_a_pattern_in_the_code_means_is_there_when_it_is_looked_for() -> None:
    """The files are listed by their names, and nobody opens them."""
    start = {"plot_1.png": OLD, "plot_2.png": OLD, "other.txt": OLD}
    run = seen({"x": value("1")}, files=[start, start])
    plans, _ = plan_files(planned(["x = glob.glob('plot_*.png')"], run), run)
    assert sorted(plans["p0"].brought.values()) == ["plot_1.png", "plot_2.png"]
    plans, _ = plan_files(planned(["x = f('*')"], run), run)
    assert not plans["p0"].brought


def test_a_name_is_that_of_the_file_that_was_read() -> None:
    """Not of another one of that name beside the notebook."""
    start = {"sales.csv": OLD, "data/sales.csv": OLD}
    run = seen({"x": value("1")}, files=[start, start], read=[[], ["data/sales.csv"]])
    plans, _ = plan_files(planned(["x = read(join('data', 'sales.csv'))"], run), run)
    assert "file:sales.csv" not in plans["p0"].inputs.values()


def test_an_imported_name_that_is_bound_anew_is_a_value() -> None:
    """Later parts take what it holds then, not the module."""
    first, then = {"y": value("1")}, {"y": value("1"), "json": value("2")}
    sources = ["import json\ny = json.loads(f())", "json = g(y)", "z = json[0]"]
    book = planned(sources, seen(first, then, then))
    assert [carried.name for carried in book.stages[2].takes] == ["json"]
    again = planned([*sources[:2], "import json\nz = json.a"], seen(first, then, then))
    assert not again.stages[2].takes


def test_what_a_part_imports_in_its_own_way_later_parts_import_plainly() -> None:
    """By `try`, by `if`, or in one line with other statements: a module crosses no cut."""
    module = {
        "type": "builtins.module",
        "kind": "module",
        "import": "import json as js",
        "holds": [],
    }
    function = definition() | {"import": "from textwrap import dedent"}
    run = seen({"js": module, "dedent": function}, {"js": module, "dedent": function})
    tried = "try:\n    import json as js\n    from textwrap import dedent"
    first = f"{tried}\nexcept ImportError:\n    js = dedent = None"
    conversion = planned([first, "js.dumps(dedent(''))"], run)
    assert names(conversion) == ["p0", "p1"]
    assert [p.text for p in conversion.stages[0].imports] == []
    brought = {p.text for p in conversion.stages[1].imports}
    assert brought == {"import json as js", "from textwrap import dedent"}


def test_all_that_is_imported_by_a_star_is_imported() -> None:
    """Each star brings other names, and nobody knows which."""
    conversion = planned(["from math import *\nfrom os.path import *", "floor(1)"], seen({}, {}))
    for stage in conversion.stages:
        assert [p.text for p in stage.imports] == ["from math import *", "from os.path import *"]
