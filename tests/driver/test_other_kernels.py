"""Stages on kernels that are not mlkit's own Python: bash, R, another environment; real ones."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlkit import RunOptions, plan, run
from mlkit.core.events import EventKind
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.services import Services
from mlkit.load import load_pipeline
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.testing import RecordingObserver, write_notebook
from tests.other_kernels import Environment, add_kernel, make_environment

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Another Python's environment, without mlkit."""
    return make_environment(tmp_path_factory.mktemp("other") / "env")


@pytest.fixture(scope="module")
def jupyter(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which Jupyter finds bash and the other environment."""
    folder = tmp_path_factory.mktemp("jupyter")
    add_kernel(folder, "bash", [sys.executable, "-m", "bash_kernel"], "bash")
    add_kernel(folder, "other", [str(environment.python), "-m", "ipykernel_launcher"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield folder


def runs(folder: Path, stages: str, **options: object) -> RunRecord:
    """Run a pipeline of some stages."""
    (folder / "pipeline.yaml").write_text(
        f"name: mixed\nparameters: {{rows: 7}}\nstages:\n{stages}"
    )
    return run(load_pipeline(folder), options=RunOptions(**options))  # type: ignore[arg-type] # few


def reasons(folder: Path, stage: str) -> str:
    """What today's run would do with a stage, and why."""
    found = plan(load_pipeline(folder))[stage]
    return f"{found.action}: {'; '.join(found.reasons)}"


def there_and_back(folder: Path) -> None:
    """A stage in Python, and one that reads what came back from another language."""
    write_notebook(
        folder / "make.ipynb",
        "open(made, 'w').write('\\n'.join(f\"{i},it's\" for i in range(rows)) + '\\n')",
        parameters="rows: int = 3\nmade: str = 'scratch/m.csv'",
    )
    write_notebook(
        folder / "take.ipynb",
        "open(taken, 'w').write(open(counted).read())",
        parameters="counted: str = ''\ntaken: str = 'scratch/t.txt'",
    )


THERE_AND_BACK = """\
  make: {{notebook: make.ipynb, outputs: {{made: "m, 'x' $y.csv"}}}}
  count:
    notebook: count.ipynb
    kernel: {kernel}
    inputs: {{made: make.made}}
    outputs: {{counted: c.txt}}
  take: {{notebook: take.ipynb, inputs: {{counted: count.counted}}, outputs: {{taken: t.txt}}}}
"""
BASH = ('wc -l < "$made" > "$counted"\necho "$rows $word"',)
BASH_PARAMETERS = 'rows=3\nword="it\'s \\"so\\""\nmade="m.csv"\ncounted=c.txt'


@pytest.mark.usefixtures("jupyter")
def test_artifacts_and_parameters_go_to_bash_and_back(tmp_path: Path) -> None:
    """Paths with spaces and quotes too; what is printed is in the log, and all is reused."""
    there_and_back(tmp_path)
    write_notebook(tmp_path / "count.ipynb", *BASH, parameters=BASH_PARAMETERS)
    stages = THERE_AND_BACK.format(kernel="bash")
    record = runs(tmp_path, stages)
    assert record.status is RunStatus.SUCCEEDED
    assert Path(record.stages["take"].outputs["taken"]).read_text().strip() == "7"
    folder = Path(record.stages["count"].outputs["counted"]).parent
    log = (folder / "attempts" / "1" / "log.txt").read_text()
    assert '7 it\'s "so"' in log.splitlines()  # libzmq may have had a last word as the kernel ended
    executed = json.loads((folder / "notebook.ipynb").read_text())
    assert executed["metadata"]["kernelspec"]["language"] == "bash"
    assert {item.status for item in runs(tmp_path, stages).stages.values()} == {Status.CACHED}
    found = plan(load_pipeline(tmp_path))
    assert {name: item.unseen for name, item in found.items()} == {
        "make": (),
        "count": ("bash",),
        "take": (),
    }
    write_notebook(tmp_path / "count.ipynb", *BASH, "ls", parameters=BASH_PARAMETERS)
    assert reasons(tmp_path, "count") == "run: code added: cell 3 (ls)"


@pytest.mark.r
def test_artifacts_and_parameters_go_to_r_and_back(tmp_path: Path) -> None:
    """By a data frame of R's; the notebook itself names its kernel."""
    there_and_back(tmp_path)
    path = write_notebook(
        tmp_path / "count.ipynb",
        "d <- read.csv(made, header = FALSE)\nwriteLines(as.character(nrow(d)), counted)",
        'stopifnot(rows == 7, word == "it\'s", identical(unlist(list_of), c(1, 2)))',
        parameters='rows <- 3 # many\nword <- "it\'s"\nlist_of = c(1, 2)\n'
        "made <- 'm.csv'\ncounted <- 'c.txt'",
    )
    document = json.loads(path.read_text())
    document["metadata"] = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    path.write_text(json.dumps(document))
    record = runs(tmp_path, THERE_AND_BACK.format(kernel="null"))
    assert record.status is RunStatus.SUCCEEDED
    assert Path(record.stages["take"].outputs["taken"]).read_text().strip() == "7"
    write_notebook(tmp_path / "fails.ipynb", "stop('too few')")
    error = runs(tmp_path, "  fails: {notebook: fails.ipynb, kernel: ir}\n").stages["fails"].error
    assert error is not None
    assert (error.type, "too few" in error.message) == ("ERROR", True)


FOUR = """\
  make: {notebook: make.ipynb, outputs: {made: made.csv}}
  mean: {notebook: mean.ipynb, kernel: ir, inputs: {made: make.made}, outputs: {means: means.csv}}
  sort: {notebook: sort.ipynb, kernel: bash, inputs: {means: mean.means}, outputs: {first: one.txt}}
  take: {notebook: take.ipynb, inputs: {counted: sort.first}, outputs: {taken: t.txt}}
"""


@pytest.mark.r
@pytest.mark.usefixtures("jupyter")
def test_one_pipeline_goes_through_python_r_bash_and_python(tmp_path: Path) -> None:
    """A table, its means by group, the largest of them, and back; unchanged, nothing runs again."""
    there_and_back(tmp_path)
    write_notebook(
        tmp_path / "make.ipynb",
        "open(made, 'w').write('g,x\\n' + ''.join(f'{i % 3},{i}\\n' for i in range(rows)))",
        parameters="rows: int = 3\nmade: str = 'scratch/made.csv'",
    )
    write_notebook(
        tmp_path / "mean.ipynb",
        "d <- aggregate(x ~ g, read.csv(made), mean)",
        "write.table(d, means, sep = ',', row.names = FALSE, col.names = FALSE)",
        parameters="made <- 'made.csv'\nmeans <- 'means.csv'",
    )
    write_notebook(
        tmp_path / "sort.ipynb",
        'sort -t, -k2 -nr "$means" | head -n 1 > "$first"',
        parameters="means=means.csv\nfirst=one.txt",
    )
    record = runs(tmp_path, FOUR)
    assert record.status is RunStatus.SUCCEEDED
    assert Path(record.stages["take"].outputs["taken"]).read_text().strip() == "2,3.5"
    assert {item.status for item in runs(tmp_path, FOUR).stages.values()} == {Status.CACHED}


@pytest.mark.r
def test_deadlines_and_cancellation_reach_r(tmp_path: Path) -> None:
    """Within seconds."""
    write_notebook(tmp_path / "sleeps.ipynb", "Sys.sleep(600)")
    stages = "  sleeps: {notebook: sleeps.ipynb, kernel: ir, timeout: 6s}\n"
    error = runs(tmp_path, stages).stages["sleeps"].error
    assert error is not None
    assert error.type == "StageTimeout"
    cancellation = Cancellation()
    threading.Timer(5, cancellation.request).start()
    record = run(tmp_path, services=Services(cancellation=cancellation))
    assert record.status is RunStatus.CANCELLED


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["false"], ("Error", "exit status 1", 0)),
        (["echo a; exit 3", "echo b"], ("SystemExit", "the notebook ended its own kernel", 0)),
        (
            ["set -e", "false\necho not here"],
            ("SystemExit", "the notebook ended its own kernel", 1),
        ),
    ],
)
def test_a_command_that_fails_in_bash_fails_the_stage(
    tmp_path: Path, cells: list[str], expected: tuple[str, str, int]
) -> None:
    """By its exit status, and where it has ended its bash."""
    write_notebook(tmp_path / "fails.ipynb", *cells)
    record = runs(tmp_path, "  fails: {notebook: fails.ipynb, kernel: bash}\n")
    error = record.stages["fails"].error
    assert error is not None
    assert (error.type, error.message, error.cell) == expected


@pytest.mark.usefixtures("jupyter")
def test_deadlines_and_cancellation_reach_bash_and_what_it_has_started(tmp_path: Path) -> None:
    """Within seconds; the stage's own processes go with it."""
    write_notebook(tmp_path / "sleeps.ipynb", "sleep 600")
    stages = "  sleeps: {notebook: sleeps.ipynb, kernel: bash, timeout: 4s}\n"
    error = runs(tmp_path, stages).stages["sleeps"].error
    assert error is not None
    assert error.type == "StageTimeout"
    cancellation = Cancellation()
    threading.Timer(4, cancellation.request).start()
    record = run(tmp_path, services=Services(cancellation=cancellation))
    assert record.status is RunStatus.CANCELLED


@pytest.fixture
def traced(tmp_path: Path, environment: Environment, jupyter: Path) -> Path:
    """A pipeline whose stage ran in the other environment, and reads in many ways there."""
    environment.install("tabletop", "1.0", "VALUE = 1\n")
    for name in ("side", "child"):
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "own.py").write_text("V = 1\n")
    write_notebook(
        tmp_path / "reads.ipynb",
        "import os, subprocess, sys, tabletop, own",
        "here = os.path.dirname(own.__file__)\ntext = open(here + '/side.txt').read()",
        "os.path.exists(here + '/absent.txt')\ncolour = os.environ.get('COLOUR_OF_TEST')",
        "program = f\"print(open('{here}/child.txt').read())\"\n"
        "subprocess.run([sys.executable, '-c', program], check=True)",
        "try:\n    import mlkit\nexcept ImportError:\n    open(out, 'w').write(sys.prefix)",
        parameters="out: str = 'scratch/out.txt'",
    )
    record = runs(
        tmp_path, "  reads: {notebook: reads.ipynb, kernel: other, outputs: {out: o.txt}}\n"
    )
    assert record.status is RunStatus.SUCCEEDED, record.stages["reads"].error
    written = Path(record.stages["reads"].outputs["out"]).read_text()
    assert written == str(environment.python.parents[1])
    assert reasons(tmp_path, "reads") == "reuse: nothing changed"
    return tmp_path


Change = Callable[[Path, Environment, pytest.MonkeyPatch], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "module": (lambda p, *_: (p / "own.py").write_text("V = 2\n"), "module own changed (own.py)"),
    "file": (lambda p, *_: (p / "side.txt").write_text("x"), "file side.txt changed"),
    "file of a child": (lambda p, *_: (p / "child.txt").write_text("x"), "file child.txt changed"),
    "absence": (lambda p, *_: (p / "absent.txt").touch(), "absent.txt exists now"),
    "variable": (
        lambda _, __, patch: patch.setenv("COLOUR_OF_TEST", "red"),
        "environment variable COLOUR_OF_TEST was set",
    ),
    "version": (
        lambda _, environment, __: environment.install("tabletop", "2.0", "VALUE = 2\n"),
        "package tabletop: 1.0 → 2.0",
    ),
    "shadow": (
        lambda p, *_: (p / "tabletop.py").write_text("VALUE = 3\n"),
        "module tabletop now comes from tabletop.py",
    ),
}


def test_what_is_read_in_another_environment_is_seen_as_in_ours(
    traced: Path, environment: Environment
) -> None:
    """Each kind of change runs the stage again, and says why; one that is undone does not."""
    for change, reason in CHANGES.values():
        before = {f: f.read_text() for f in traced.iterdir() if f.suffix in (".py", ".txt")}
        with pytest.MonkeyPatch.context() as patch:
            change(traced, environment, patch)
            assert reasons(traced, "reads") == f"run: {reason}"
        for file in [f for f in traced.iterdir() if f.suffix in (".py", ".txt")]:
            file.write_text(before[file]) if file in before else file.unlink()
        environment.install("tabletop", "1.0", "VALUE = 1\n")
    assert reasons(traced, "reads") == "reuse: nothing changed"


def test_the_kernel_is_a_part_of_the_fingerprint(traced: Path) -> None:
    """By its name, and a Python by its version."""
    file = traced / "pipeline.yaml"
    file.write_text(file.read_text().replace("kernel: other, ", ""))
    assert reasons(traced, "reads").startswith("run: kernel: other → mlkit's own")


@pytest.mark.parametrize("place", ["installed", "on the path"])
def test_a_sitecustomize_of_ones_own_still_runs(
    tmp_path: Path,
    environment: Environment,
    jupyter: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """As without mlkit, in the kernel and in its children, and no entry stays on the search path.

    An installed one may stand behind the distribution's own, as on Debian, and then does not run.
    """
    folder = environment.site if place == "installed" else tmp_path / "mine"
    folder.mkdir(exist_ok=True)
    if place == "on the path":
        monkeypatch.setenv("PYTHONPATH", str(folder))
    custom = folder / "sitecustomize.py"
    custom.write_text("import sys\nsys.custom = 'mine'\n")
    look = (
        "import sys; print('look', getattr(sys, 'custom', ''), "
        "any('handed' in entry for entry in sys.path))"
    )
    write_notebook(
        tmp_path / "looks.ipynb",
        look,
        f"import subprocess\nsubprocess.run([sys.executable, '-c', {look!r}], check=True)",
    )
    try:
        stock = subprocess.check_output([environment.python, "-c", look], text=True).strip()
        record = runs(tmp_path, "  looks: {notebook: looks.ipynb, kernel: other}\n")
    finally:
        custom.unlink()
    assert "mine" in stock or place == "installed"
    log = Path(record.runs_dir) / record.run_id / "looks" / "attempts" / "1" / "log.txt"
    assert [line for line in log.read_text().splitlines() if "look" in line] == [stock] * 2


def test_a_python_that_cannot_be_handed_the_recorder_is_never_reused(
    tmp_path: Path, environment: Environment, jupyter: Path
) -> None:
    """An isolated interpreter looks at no PYTHONPATH; `plan` says why it runs again."""
    argv = [str(environment.python), "-I", "-m", "ipykernel_launcher"]
    add_kernel(jupyter, f"isolated-{tmp_path.name}", argv)
    write_notebook(
        tmp_path / "n.ipynb", "open(out, 'w').write('x')", parameters="out: str = 'o.txt'"
    )
    stage = (
        f"  n: {{notebook: n.ipynb, kernel: isolated-{tmp_path.name}, outputs: {{out: o.txt}}}}\n"
    )
    assert runs(tmp_path, stage).status is RunStatus.SUCCEEDED
    assert reasons(tmp_path, "n") == ("run: not reusable: its kernel did not tell what it had read")


DRAWN = """\
import sys, time
for n in range(1, 9):
    sys.stderr.write(f"\\rfit: {n * 100 // 8:3d}%|{'#' * n}| {n}/8 [00:01<00:01]")
    sys.stderr.flush()
    time.sleep(0.5)"""
WRITTEN_BY_BASH = """\
for n in 1 2 3 4 5 6 7 8; do
  echo '{"progress": "batch", "done": '$n', "total": 8}' >> "$MLKIT_METRICS"
  sleep 0.5
done"""
DRAWN_BY_BASH = """\
for n in 1 2 3 4 5 6 7 8; do
  printf '\\rfit: %s%%|##| %s/8 [00:01<00:01]' $((n * 12)) $n
  sleep 0.5
done
echo"""
DRAWN_BY_R = """\
bar <- txtProgressBar(max = 8, style = 3)
for (n in 1:8) { setTxtProgressBar(bar, n); flush.console(); Sys.sleep(0.5) }"""


@pytest.mark.usefixtures("jupyter")
@pytest.mark.parametrize(
    ("key", "cell", "label", "total"),
    [
        ("", DRAWN, "fit", 8),
        ("kernel: other", DRAWN, "fit", 8),
        ("kernel: bash", DRAWN_BY_BASH, "fit", 8),
        ("kernel: bash", WRITTEN_BY_BASH, "batch", 8),
        pytest.param("kernel: ir", DRAWN_BY_R, "", 100, marks=pytest.mark.r),
    ],
)
def test_progress_is_told_from_every_kernel(
    tmp_path: Path, key: str, cell: str, label: str, total: int
) -> None:
    """A stock kernel, another Python's, bash's also by its file, R's bar by its percentage."""
    write_notebook(tmp_path / "work.ipynb", cell)
    stage = f"  work: {{{', '.join(filter(None, ['notebook: work.ipynb', key]))}}}\n"
    (tmp_path / "pipeline.yaml").write_text(f"name: p\nstages:\n{stage}")
    seen = RecordingObserver()
    services = Services(observers=[seen])
    record = run(tmp_path, options=RunOptions(start="spawn"), services=services)
    assert record.status is RunStatus.SUCCEEDED
    bars = [event.data for event in seen.events if event.kind is EventKind.PROGRESS]
    told = [bar["done"] for bar in bars if (bar["label"], bar["total"]) == (label, total)]
    assert told, bars
    assert told == sorted(set(told))
