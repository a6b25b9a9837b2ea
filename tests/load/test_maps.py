"""What `foreach` and the brackets of references may say, and how a mistake in them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.core.pipeline import Axis, Foreach, Node, Pick, StageOutput, gives_list
from mlkit.errors import ConfigurationError
from mlkit.load import Layers, configure
from mlkit.load.lists import with_lists
from tests.load.conftest import Project

OVER_MONTHS = "{month: parameters.months}"
HEAD = "name: p\nparameters: {months: [1, 2, 3], other: [1, 2], rows: 5}\nstages:\n"
COLLECT = """\
  collect:
    notebook: month.ipynb
    foreach: {month: parameters.months}
    outputs: {made: made.txt}
"""
GRID = """\
  grid:
    notebook: grid.ipynb
    foreach: {month: parameters.months, model: [a, "b,c"]}
    outputs: {made: made.txt}
"""
LISTS = """\
  lists:
    notebook: lists.ipynb
    outputs: {one: one.json, other: other.json}
"""


@pytest.fixture
def maps(project: Project) -> Project:
    """A folder with notebooks that map over a month, and over a month and a model."""
    project.notebook("month.ipynb", 'month = 1\nraw: str | list[str] = ""\nmade = ""\n')
    project.notebook("text.ipynb", 'month = "1"\nraw: str | list[str] = ""\nmade = ""\n')
    project.notebook("grid.ipynb", 'month = 1\nmodel = "a"\nraw: str | list[str] = ""\nmade = ""\n')
    project.notebook("lists.ipynb", 'one = ""\nother = ""\n')
    project.notebook("join.ipynb", 'raw: str | list[str] = ""\nmade = ""\n')
    return project


def reader(reference: str, *, notebook: str = "month", foreach: str = "") -> str:
    """A stage `use` that reads one thing: lines 1 to 4 and 5 of its text."""
    return (
        f"  use:\n    notebook: {notebook}.ipynb\n"
        + (f"    foreach: {foreach}\n" if foreach else "")
        + f"    inputs:\n      raw: {reference}\n"
    )


def test_a_notebook_that_is_handed_its_own_file_need_not_know_the_value(maps: Project) -> None:
    """Through others that do not either; the values are of the type that the first one declares."""
    text = HEAD + COLLECT
    for name, before in (("clean", "collect"), ("use", "clean")):
        text += (
            f"  {name}:\n    notebook: join.ipynb\n    foreach: {{month: parameters.months}}\n"
            f"    inputs: {{raw: '{before}[month].made'}}\n    outputs: {{made: made.txt}}\n"
        )
    stages = maps.load(text).stages
    assert [sorted(stages[name].followed) for name in stages] == [[], ["month"], ["month"]]
    assert str(stages["use"].type_of_values("month")) == "int"
    refused = maps.refused(text.replace("collect[month].made", "collect.made"))
    assert "maps over 'month', which join.ipynb does not declare" in refused
    assert "Declare it, or read an input of its own month: STAGE[month].OUTPUT" in refused


def test_a_value_under_a_name_nearly_the_same_is_missed(maps: Project) -> None:
    """The notebook was to receive it: its default would be used for all."""
    maps.notebook("join.ipynb", 'mnth = 1\nraw: str | list[str] = ""\nmade = ""\n')
    text = HEAD + COLLECT + reader("collect[month].made", notebook="join", foreach=OVER_MONTHS)
    assert "Did you mean 'mnth'?" in maps.refused(text)


def test_a_product_and_a_list_of_the_pipeline(maps: Project) -> None:
    """The first parameter is the slowest; a list parameter has its default's values."""
    foreach = maps.load(HEAD + GRID).stages["grid"].foreach
    assert foreach == Foreach(
        axes=(
            Axis(parameter="month", values=(1, 2, 3), listed="months"),
            Axis(parameter="model", values=("a", "b,c")),
        )
    )
    assert (foreach.size, foreach.parameters) == (6, ("month", "model"))


@pytest.mark.parametrize(
    ("reference", "picks", "is_list"),
    [
        ("grid.made", {}, True),
        ("grid[month].made", {"month": None}, True),
        ("grid[month,a].made", {"month": None, "model": "a"}, False),
        ("grid[*,a].made", {"model": "a"}, True),
        ('grid[2,"b,c"].made', {"month": "2", "model": '"b,c"'}, False),
        ("grid[2, a].made", {"month": "2", "model": "a"}, False),
        ("grid[2].made", {"month": "2"}, True),
        ('grid[month,"a"].made', {"month": None, "model": "a"}, False),
        ("collect[month].made", {"month": None}, False),
        ("collect[3].made", {"month": "3"}, False),
        ("collect[*].made", {}, True),
        ("collect.made", {}, True),
    ],
)
def test_what_brackets_mean(
    maps: Project,
    reference: str,
    picks: dict[str, str | None],
    is_list: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Values at their places, `*`, and *the same value as mine* wherever its name stands."""
    pipeline = maps.load(
        HEAD + COLLECT + GRID + reader(reference, foreach="{month: parameters.months}")
    )
    source = pipeline.stages["use"].inputs["raw"]
    assert isinstance(source, StageOutput)
    assert {pick.parameter: pick.value for pick in source.node.picks} == picks
    assert gives_list(source.node, pipeline.stages) is is_list
    assert str(source) == reference


def test_a_reader_of_more_parameters_picks_by_name(maps: Project) -> None:
    """It reads the one that matches, also in `after`."""
    after = "    after: ['collect[month]']\n"
    pipeline = maps.load(HEAD + COLLECT + GRID + after)
    assert pipeline.stages["grid"].after == (
        Node(stage="collect", value="month", picks=(Pick(parameter="month"),)),
    )
    assert pipeline.stages["grid"].is_chained


def test_one_parameter_may_have_a_value_with_commas(maps: Project) -> None:
    """Quoted, or as it stands where nothing else could be meant."""
    texts = COLLECT.replace("parameters.months", '["a,b", c]').replace("month.ipynb", "text.ipynb")
    for reference in ("collect[a,b].made", 'collect["a,b"].made'):
        stages = maps.load(HEAD + texts + reader(reference, notebook="join")).stages
        (node,) = stages["use"].upstream
        assert node.picks == (Pick(parameter="month", value='"a,b"'),)


SAME = "stage 'use': input 'raw' names 'collect[month]', but 'month' is the same value as mine"
OVER = "{month: parameters.months}"
REFUSALS: dict[str, tuple[str, str]] = {
    "an unknown name in brackets": (
        COLLECT + reader("collect[mnth].made", foreach=OVER),
        "pipeline.yaml:12: stage 'use': input 'raw' names 'collect[mnth]', but 'mnth' is not among "
        "the stage's values, and no parameter that it maps over. Did you mean 'month'?",
    ),
    "a value that is not in the list": (
        COLLECT + reader("collect[7].made", notebook="join"),
        "pipeline.yaml:11: stage 'use': input 'raw' names 'collect[7]', but '7' is not among the "
        "stage's values. Known: 1, 2, 3",
    ),
    "the same value as mine, and mine has none": (
        COLLECT + reader("collect[month].made", notebook="join"),
        f"pipeline.yaml:11: {SAME}"
        ", and stage 'use' maps over no 'month'. Map it over the same list, foreach: "
        "{month: …}, or write 'collect' for all",
    ),
    "literal lists that differ": (
        COLLECT + reader("collect[month].made", foreach="{month: [1, 2]}"),
        f"pipeline.yaml:12: {SAME}"
        ", and the lists differ: 'use' maps over [1, 2], 'collect' over "
        "parameters.months ([1, 2, 3]). Give both the same list, such as a parameter of the "
        "pipeline: month: parameters.NAME",
    ),
    "parameters that differ": (
        COLLECT + reader("collect[month].made", foreach="{month: parameters.other}"),
        f"pipeline.yaml:12: {SAME}"
        ", and the lists differ: 'use' maps over parameters.other ([1, 2]), 'collect' "
        "over parameters.months ([1, 2, 3]). Give both the same list, such as a parameter of the "
        "pipeline: month: parameters.NAME",
    ),
    "artifacts that differ": (
        LISTS
        + COLLECT.replace("parameters.months", "lists.one")
        + reader("collect[month].made", foreach="{month: lists.other}"),
        f"pipeline.yaml:15: {SAME}"
        ", and the lists do not come from one artifact: 'use' maps over lists.other, "
        "'collect' over lists.one. Give both the same list, such as a parameter of the pipeline: "
        "month: parameters.NAME",
    ),
    "an artifact and a list": (
        LISTS
        + COLLECT.replace("parameters.months", "lists.one")
        + reader("collect[month].made", foreach="{month: [1]}"),
        f"pipeline.yaml:15: {SAME}"
        ", and the lists do not come from one artifact: 'use' maps over [1], 'collect' over "
        "lists.one. Give both the same list, such as a parameter of the pipeline: month: "
        "parameters.NAME",
    ),
    "one artifact as two types": (
        LISTS
        + COLLECT.replace("parameters.months", "lists.one")
        + reader("collect[month].made", notebook="text", foreach="{month: lists.one}"),
        "pipeline.yaml:15: stage 'use': 'collect[month]' means the same month as mine, but "
        "text.ipynb declares str and month.ipynb int. Declare the same type in both notebooks",
    ),
    "a value that reads as the parameter": (
        COLLECT.replace("parameters.months", "[month, may]").replace("month.ipynb", "text.ipynb")
        + reader("collect[month].made", notebook="text", foreach="{month: [month, may]}"),
        "pipeline.yaml:12: stage 'use': input 'raw' names 'collect[month]', but 'month' is a "
        "parameter that stage 'collect' maps over, and one of its values. Write \"month\" in "
        "double quotes for the value, or give the parameter another name",
    ),
    "too many values": (
        COLLECT + reader("collect[1,2].made", notebook="join"),
        "pipeline.yaml:11: stage 'use': input 'raw' names 'collect[1,2]', but 2 values stand in "
        "the brackets, and stage 'collect' maps over 1 parameter. Write collect[MONTH]; a value "
        "with a comma stands in double quotes",
    ),
    "a quote that is not closed": (
        GRID + reader("'grid[1,\"b].made'", notebook="join"),
        "pipeline.yaml:11: stage 'use': input 'raw' names 'grid[1,\"b]', but a double quote is not "
        "closed. Write grid[MONTH,MODEL]",
    ),
    "a parameter said twice": (
        GRID + reader("grid[2,month].made", foreach=OVER),
        "pipeline.yaml:12: stage 'use': input 'raw' names 'grid[2,month]', but 'month' is said "
        "twice. Write grid[MONTH,MODEL]",
    ),
    "when on a chained output": (
        COLLECT + "  use:\n    notebook: join.ipynb\n    when:\n      collect[1].made: 1\n",
        "pipeline.yaml:11: stage 'use': 'when' reads 'collect[1].made', an output of a mapped "
        "stage, which is a list of files. Gather the list in a stage of its own and read that "
        "stage's output",
    ),
    "a product of too many": (
        "  use:\n    notebook: grid.ipynb\n    foreach:\n"
        f"      month: {list(range(101))}\n      model: {[str(n) for n in range(100)]}\n",
        "pipeline.yaml:6: stage 'use', foreach: 101 × 100 are 10,100 instances, and a product may "
        "have 10,000. Map over fewer values, or do a part of the work within the notebook",
    ),
    "a value twice in a parameter": (
        COLLECT.replace("parameters.months", "parameters.twice"),
        "pipeline.yaml:6: stage 'collect', foreach: 'parameters.twice': the value 1 stands twice. "
        "Write each value once: instances are told apart by them",
    ),
    "no such parameter": (
        COLLECT.replace("parameters.months", "parameters.month"),
        "pipeline.yaml:6: stage 'collect', foreach: the pipeline has no parameter 'month'. "
        "Did you mean 'months'?",
    ),
    "a parameter by its bare name": (
        COLLECT.replace("parameters.months", "months"),
        "pipeline.yaml:6: stage 'collect', foreach: 'months' is not a reference to an output. "
        "The pipeline's parameter is written month: parameters.months",
    ),
    "a parameter that is no list": (
        COLLECT.replace("parameters.months", "parameters.rows"),
        "pipeline.yaml:6: stage 'collect', foreach: 'parameters.rows' is 5, and 'month' needs a "
        "list. Write rows: [VALUE, …] under 'parameters'",
    ),
    "a parameter of another type": (
        COLLECT.replace("parameters.months", "parameters.texts"),
        "pipeline.yaml:6: stage 'collect': 'foreach': 'a' is not an int (as month.ipynb declares). "
        "Change the value, or the annotation in the notebook",
    ),
    "a stage called parameters": (
        "  parameters:\n    notebook: join.ipynb\n",
        "pipeline.yaml:4: stage 'parameters': a stage cannot be called 'parameters'. "
        "'parameters.NAME' is a parameter of the pipeline; choose another name",
    ),
    "a list of files for one path": (
        GRID + reader("grid[month].made", notebook="one", foreach=OVER),
        "pipeline.yaml:12: stage 'use': input 'raw' comes from the mapped stage 'grid[month].made' "
        "as a list of paths, but one.ipynb declares str. Declare it 'raw: list[str]'",
    ),
    "all of a map where one's own is meant": (
        COLLECT + reader("collect.made", notebook="one", foreach=OVER),
        "pipeline.yaml:12: stage 'use': input 'raw' comes from the mapped stage 'collect.made' as "
        "a list of paths, but one.ipynb declares str. Declare it 'raw: list[str]', or write "
        "collect[month].made for its own one",
    ),
    "all of a larger map": (
        GRID + reader("grid.made", notebook="one", foreach=OVER),
        "pipeline.yaml:12: stage 'use': input 'raw' comes from the mapped stage 'grid.made' as "
        "a list of paths, but one.ipynb declares str. Declare it 'raw: list[str]'",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_refused(maps: Project, case: str) -> None:
    """With file and line, the fact and the remedy."""
    maps.notebook("one.ipynb", 'month = 1\nraw = ""\nmade = ""\n')
    text, expected = REFUSALS[case]
    head = HEAD.replace("rows: 5", "rows: 5, twice: [1, 2, 1], texts: [a]")
    assert maps.refused(head + text) == expected


BROKEN: dict[str, tuple[str, str]] = {
    "a chain in braces": (
        "    inputs: {raw: collect[month].made, x: a.b}\n",
        'inputs: {raw: "collect[month].made", x: a.b}',
    ),
    "a list of nodes": ("    after: [collect[month], end]\n", 'after: ["collect[month]", end]'),
    "quotes within": (
        '    inputs: {raw: grid["b,c",1].made}\n',
        "inputs: {raw: 'grid[\"b,c\",1].made'}",
    ),
    "an output that may be missing": (
        "    outputs: {extra: extra.json?}\n",
        'outputs: {extra: "extra.json?"}',
    ),
    "a folder": ("    inputs: {raw: file:data/x}\n", 'inputs: {raw: "file:data/x"}'),
    "a variable": ("    parameters: {url: ${URL}}\n", 'parameters: {url: "${URL}"}'),
    "a line of its own": (
        "    inputs: {one: two.three,\n      raw: collect[month].made}\n",
        'raw: "collect[month].made"}',
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_line_that_flow_style_breaks_is_printed_corrected(maps: Project, case: str) -> None:
    """And what is printed is understood."""
    broken, corrected = BROKEN[case]
    error = maps.refusal(HEAD + COLLECT + "  use:\n    notebook: month.ipynb\n" + broken)
    assert error.remedy == f"Within {{}} and [] it needs quotes. Write: {corrected}"
    assert error.line == 9 + broken.count("\n")


def test_other_broken_lines_have_no_such_remedy(maps: Project) -> None:
    """Quotes would not help them."""
    error = maps.refusal(HEAD + "  use: {notebook: month.ipynb\n  end: {}\n")
    assert error.remedy is None or "quotes" not in error.remedy


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ("3", "is 3, and a list is needed"),
        ("[1, 1]", "cannot be mapped over: the value 1 stands twice"),
        ("[a]", "does not fit 'month': 'a' is not an int (as month.ipynb declares)"),
    ],
)
def test_the_lists_of_a_profile_are_checked_when_the_file_is_loaded(
    maps: Project, value: str, fact: str
) -> None:
    """Also where it is not chosen; what a variable holds is not known before a run."""
    profiles = "profiles:\n  small: {{parameters: {{months: {}}}}}\n"
    error = maps.refusal(profiles.format(value) + HEAD + COLLECT)
    assert (
        error.message
        == f"parameter 'months', which stage 'collect' maps over, {fact} (profile 'small')"
    )
    assert error.line == 2
    assert error.remedy is not None
    for fine in ("[]", "[7]", '"${MONTHS}"'):
        maps.load(profiles.format(fine) + HEAD + COLLECT)


def test_the_lists_of_a_run(maps: Project) -> None:
    """`-p months=[4]` maps over that list; both stages of a chain have it."""
    pipeline = maps.load(HEAD + COLLECT + reader("collect[month].made", foreach=OVER))
    bound = with_lists(pipeline, configure(pipeline, Layers(assignments=["months=[4]"])))
    axes = [stage.foreach.axes[0].values for stage in bound.stages.values() if stage.foreach]
    assert axes == [(4,), (4,)]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("months=3", "is 3, and a list is needed (command line)"),
        ("months=[1, 1]", "cannot be mapped over: the value 1 stands twice (command line)"),
        ("months=[[1]]", "cannot be mapped over: the value [1] is not a scalar (command line)"),
        (
            "months=[a]",
            "does not fit 'month': 'a' is not an int (as month.ipynb declares) (command line)",
        ),
    ],
)
def test_a_list_that_a_run_cannot_map_over(maps: Project, assignment: str, expected: str) -> None:
    """Refused before anything runs, with the layer that it came from."""
    pipeline = maps.load(HEAD + COLLECT)
    with pytest.raises(ConfigurationError) as caught:
        with_lists(pipeline, configure(pipeline, Layers(assignments=[assignment])))
    assert str(caught.value) == (
        f"parameter 'months', which stage 'collect' maps over, {expected}. "
        "Give a list of different values, such as -p 'months=[1, 2]'"
    )


def test_chained_lists_that_a_run_makes_differ(maps: Project) -> None:
    """They are equal in the file, and not with what the run is given."""
    pipeline = maps.load(
        HEAD + COLLECT + reader("collect[month].made", foreach="{month: [1, 2, 3]}")
    )
    with pytest.raises(ConfigurationError, match="with the parameters of this run") as caught:
        with_lists(pipeline, configure(pipeline, Layers(assignments=["months=[1]"])))
    assert "the lists differ" in str(caught.value)


def test_a_list_with_a_variable_is_known_to_a_run_only(maps: Project) -> None:
    """It holds what the environment says."""
    head = HEAD.replace("[1, 2, 3]", '["a", "${MONTH_X}"]')
    pipeline = maps.load(head + COLLECT.replace("month.ipynb", "text.ipynb"))
    foreach = pipeline.stages["collect"].foreach
    assert foreach is not None
    assert foreach.size is None
    configuration = configure(pipeline, Layers(environ={"MONTH_X": "b"}))
    bound = with_lists(pipeline, configuration).stages["collect"].foreach
    assert bound is not None
    assert bound.axes[0].values == ("a", "b")


def test_a_pipeline_without_lists_is_left_alone(maps: Project) -> None:
    """Nothing is made anew."""
    pipeline = maps.load("name: p\nstages:\n  end: {notebook: end.ipynb}\n")
    assert with_lists(pipeline, configure(pipeline)) is pipeline
    assert Path(pipeline.file).is_file()
