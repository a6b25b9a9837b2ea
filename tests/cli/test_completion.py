"""Completion by Tab: what is offered where, that it is taken, and that a real shell shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit import find_run, load_pipeline
from mlkit.cli.main import COMMANDS, main
from mlkit.cli.reference_pages import usage_of
from mlkit.cli.shells import VARIABLE
from mlkit.testing import chain, mapped, product, run_fake
from tests.cli.conftest import Call

Tab = Callable[..., list[str]]
OWN_WORDS = {
    "add": {"stage"},  # a name that is to be new
    "sweep": {"assignments"},  # a list of values, not the one that there is
}
"""By command: parameters that look like a completed one, and take a word of one's own."""


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch, call: Call) -> Tab:
    """Press Tab behind some words: what the last of them may become. Nothing is said beside it."""

    def press(*words: str) -> list[str]:
        monkeypatch.setenv(VARIABLE, "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["mlkit", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        spoken = call()
        assert spoken.err == ""
        return spoken.out.split()  # no word that is offered holds a blank

    return press


def test_whatever_means_a_thing_of_the_pipeline_is_completed() -> None:
    """Each command that takes a run, a stage, an artifact, a parameter, an engine or a code."""
    known = ("RUN", "STAGE", "NAME=VALUE", "ENGINE", "CODE")
    without, seen = [], 0
    for words, command in usage_of():
        for parameter in command.params:
            metavar = parameter.metavar or ""
            if any(word in metavar.replace("RUNS", "") for word in known):
                seen += 1
                own = parameter.name in OWN_WORDS.get(words, ())
                if getattr(parameter, "_custom_shell_complete", None) is None and not own:
                    without.append((words, parameter.name))
    assert without == []
    assert seen > 30


def test_commands_are_offered_without_importing_them(tab: Tab) -> None:
    """All of them, those that begin so, and those below one."""
    assert tab("") == list(COMMANDS)
    assert tab("re") == [name for name in COMMANDS if name.startswith("re")]
    assert tab("exercise", "") == ["new", "check", "release"]
    code = (
        "import sys\n"
        "from mlkit.cli.main import main\n"
        "try:\n"
        "    main([])\n"
        "except SystemExit:\n"
        "    print({'mlkit.cli.run', 'mlkit.cli.class_'} & set(sys.modules))\n"
    )
    asked = {VARIABLE: "complete_bash", "COMP_WORDS": "mlkit ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_runs_are_offered_by_name_and_id(
    tab: Tab, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is offered where RUN stands is a run; the newest come first."""
    file = chain(tmp_path, 1)
    first, second = run_fake(file), run_fake(file)
    monkeypatch.chdir(tmp_path)
    assert tab("show", "") == ["latest", second.run_id, first.run_id]
    monkeypatch.delenv(VARIABLE)
    assert call("label", first.run_id, "best").code == 0
    assert tab("show", "b") == tab("compare", "latest", "b") == tab("unlabel", "") == ["best"]
    assert {find_run(word, tmp_path).run_id for word in tab("resume", "")} == {
        first.run_id,
        second.run_id,
    }


@pytest.mark.parametrize("shape", [chain, mapped, product])
def test_every_stage_that_is_offered_is_taken(
    tab: Tab,
    shape: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
) -> None:
    """Of the pipeline for a run, of the record for what has run; none with signs of the shell."""
    file = shape(tmp_path) if shape is not chain else chain(tmp_path, 2)
    record = run_fake(file)
    monkeypatch.chdir(tmp_path)
    of_pipeline, of_record = tab("plan", "--until", ""), tab("debug", "latest", "")
    assert set(load_pipeline(file).stages) <= set(of_pipeline)
    assert set(of_record) == {word for word in record.stages if not set(word) & set(" '\"$*(){}")}
    monkeypatch.delenv(VARIABLE)
    for word in of_pipeline:
        assert call("plan", "--until", word).code == 0
    for word in of_record:
        assert call("show", "latest", word).code == 0


def test_a_parameter_is_offered_with_its_value(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """As one would type it; without a value that is secret, or that would have to be quoted."""
    (tmp_path / "one.py").write_text(
        "# %%\nfrom mlkit import Secret\n# %% tags=['parameters']\n"
        "rows: int = 1\ntoken: Secret = 'hushhush'\nfast: bool = True\nname: str = 'a b'\n"
        "depth: int = 3\n"
    )
    document = {
        "name": "words",
        "parameters": {"rows": 5, "fast": False, "name": "a b"},
        "stages": {"one": {"notebook": "one.py"}},
        "profiles": {"small": {"parameters": {"rows": 1}}, "smooth": {}},
    }
    (tmp_path / "pipeline.yaml").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    offered = tab("plan", "-p", "")
    assert sorted(offered) == ["fast=false", "name=", "one.depth=3", "one.token=", "rows=5"]
    assert tab("run", "--profile", "sm") == ["small", "smooth"]
    monkeypatch.delenv(VARIABLE)
    whole = [word for word in offered if not word.endswith("=")]
    assert call("plan", *(part for word in whole for part in ("-p", word))).code == 0


def test_words_of_mlkits_own_are_offered(tab: Tab) -> None:
    """Codes, documents, engines and forms."""
    assert tab("explain", "E20")[0] == "E200"
    assert "run" in tab("schema", "")
    assert tab("run", "--on", "pre") == tab("export", "pre") == ["prefect"]
    assert tab("export", "ar") == ["argo"]
    assert tab("run", "--on", "ar") == []  # its files are only written
    assert tab("graph", "--to", "") == ["text", "mermaid", "svg"]


@pytest.mark.parametrize(
    "content", [None, "stages: [", "name: x\nstages: {a: {notebook: no.py}}", "name: \xe9"]
)
@pytest.mark.parametrize(
    "words", [("show", ""), ("run", "--only", ""), ("run", "-p", ""), ("run", "--profile", "")]
)
def test_where_nothing_can_be_read_nothing_is_offered(
    tab: Tab,
    content: str | None,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nothing is said into the line that somebody types."""
    if content is not None:
        (tmp_path / "pipeline.yaml").write_text(content, encoding="latin-1")
    monkeypatch.chdir(tmp_path)
    assert tab(*words) == []
    assert not (tmp_path / "runs").exists()


def test_a_real_bash_asks_and_shows(tmp_path: Path) -> None:
    """By the text that `mlkit completion bash` prints."""
    mapped(tmp_path)
    path = Path(sys.executable).parent
    script = (
        f'PATH="{path}:$PATH"\neval "$(mlkit completion bash)"\n'
        "COMP_WORDS=(mlkit run --only ea)\nCOMP_CWORD=3\n_mlkit_completion mlkit\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\ncomplete -p mlkit\n'
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        *("each", "each[a]", "each[b]", "each[c]"),
        "complete -o default -F _mlkit_completion mlkit",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, call: Call) -> None:
    """As text and as a document; another shell is a mistake that names them."""
    text = call("completion", shell)
    assert VARIABLE in text.out
    document = call("completion", shell, "--json").json()
    assert document["script"] == text.out.rstrip("\n")
    unknown = call("completion", "tcsh")
    assert unknown.code == 2
    assert "'bash', 'zsh', 'fish'" in unknown.err


def test_an_unknown_question_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that asks in another way is told so, and no command runs."""
    monkeypatch.setenv(VARIABLE, "complete_tcsh")
    with pytest.raises(SystemExit) as ended:
        main(["run"])
    assert ended.value.code == 1
