"""Commands in other people's surroundings: terminals, encodings, streams that fail, Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkit.cli.main import COMMANDS, main
from mlkit.testing import Sketch, run_fake, write_pipeline

NARROW = ("ascii", "latin-1", "cp1252", "koi8-r")
"""Encodings that lack some of the signs, or all."""

LINES: dict[str, tuple[str, int]] = {
    "init": ("init {out}/größe", 0),
    "add": ("add größe {out}/größe", 2),
    "convert": ("convert {out}/größe.ipynb --to {out}/数据", 2),
    "edit": ("edit reed {p}", 2),
    "run": ("run {p}", 0),
    "plan": ("plan {p} -p name=größe", 0),
    "resume": ("resume latest {p}", 0),
    "runs": ("runs {p}", 0),
    "show": ("show latest {p}", 0),
    "label": ("label latest größe {p} --move", 0),
    "unlabel": ("unlabel größer {p}", 2),
    "promote": ("promote latest {p}", 0),
    "compare": ("compare latest latest {p}", 0),
    "graph": ("graph {p} --run latest", 0),
    "report": ("report latest {p} --out {out}/report.html", 0),
    "debug": ("debug latest read {p} --no-open", 0),
    "kernels": ("kernels stop größe", 2),
    "sweep": ("sweep {p} -p name=größe", 0),
    "backfill": ("backfill {p} --from 2026-01-01 --to 2026-01-03 --dry-run", 0),
    "serve": ("serve {p} --timezone Europe/Nirgends", 2),
    "export": ("export airflow {p} --to {out}", 0),
    "notify": ("notify latest größe {p}", 2),
    "clean": ("clean {p} --keep 1 --dry-run", 0),
    "learn": ("learn {out}/größe", 0),
    "check": ("check {out}/größe.ipynb", 2),
    "exercise": ("exercise check größe --solutions {out}", 2),
    "exercises": ("exercises --folder {out}/größe", 2),
    "grade": ("grade {out}/größe.ipynb", 2),
    "class": ("class collect {out}/größe --to {out}/数据", 2),
    "explain": ("explain größe", 2),
    "completion": ("completion bash", 0),
    "schema": ("schema pipeline --to {out}/größe.json", 0),
    "render": ("render {out}/größe", 2),
    "doctor": ("doctor {p}", 0),
}
"""A line of each command, and the exit code that it has in any surroundings."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that has run, whose names no narrow encoding holds."""
    file = write_pipeline(
        tmp_path_factory.mktemp("größe 数据 🙂") / "…",
        Sketch(name="make", declares='name: str = "größe"'),
        Sketch(name="read", upstream=("make",), keys={"foreach": {"which": ["größe", "数据"]}},
               declares='which: str = "größe"'),
        parameters={"name": "größe"},
        schedule="@daily",
        description="größe → 数据 ✓",
    )  # fmt: skip
    run_fake(file)
    return file.parent


Ran = Callable[[str, Any, Any], int]


@pytest.fixture(name="ran")
def _ran(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Run a line in this process with these streams; gives the exit code."""

    def run(line: str, out: Any, err: Any) -> int:
        places = {"{p}": str(pipeline), "{out}": str(tmp_path)}
        words = line.split()
        for mark, place in places.items():
            words = [word.replace(mark, place) for word in words]
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main(words)
        return int(ended.value.code or 0)

    return run


def test_every_command_has_a_line() -> None:
    """A new command is tried in all surroundings, too."""
    assert set(LINES) == set(COMMANDS)


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize("command", [name for name in LINES if name != "doctor"])
def test_any_encoding_will_do(command: str, encoding: str, ran: Ran) -> None:
    """Plain signs where the terminal has no others; the exit code is the same."""
    raw = [io.BytesIO(), io.BytesIO()]
    streams = [io.TextIOWrapper(item, encoding=encoding) for item in raw]
    line, code = LINES[command]
    assert ran(line, *streams) == code
    said = b"".join(item.getvalue() for item in raw).decode(encoding)
    assert said.strip()
    assert "Traceback" not in said
    assert "inside mlkit" not in said


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize("command", [name for name in LINES if name != "doctor"])
def test_a_document_is_whole_in_any_encoding(command: str, encoding: str, ran: Ran) -> None:
    """JSON is ASCII where stdout is not UTF-8: no reader needs to know the encoding."""
    raw = io.BytesIO()
    line, code = LINES[command]
    out = io.TextIOWrapper(raw, encoding=encoding)
    assert ran(f"{line} --json", out, io.StringIO()) == code
    assert isinstance(json.loads(raw.getvalue().decode("ascii")), dict)


@pytest.mark.parametrize("broken", ["out", "err", "both"])
@pytest.mark.parametrize("command", [name for name in LINES if name != "doctor"])
def test_a_full_disk_below_the_output_decides_nothing(command: str, broken: str, ran: Ran) -> None:
    """The exit code says what was done, not what became of the words about it."""
    out: Any = io.StringIO()
    err: Any = io.StringIO()
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        Path("/dev/full").open("w", encoding="utf-8") as other,
    ):
        out = full if broken in ("out", "both") else out
        err = other if broken in ("err", "both") else err
        line, code = LINES[command]
        assert ran(line, out, err) == code
    told = "" if broken in ("err", "both") else err.getvalue()
    assert "Traceback" not in told
    if broken == "out" and code == 0 and command != "clean":
        assert "the output could not be written: No space left on device" in told


def _mlkit(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mlkit", *words],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("redirection", "words"),
    [
        ("2>&-", "run {p}"),
        (">&-", "run {p}"),
        ("<&- >&- 2>&-", "run {p} --json"),
        (">&-", "show latest {p} --json"),
        ("<&- >&- 2>&-", "runs {p}"),
    ],
)
def test_closed_streams_decide_nothing(pipeline: Path, redirection: str, words: str) -> None:
    """Neither does the next file that is opened take their number: it would get the words."""
    line = words.replace("{p}", '"$1"')
    command = f'"$0" -m mlkit {line} {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(pipeline)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert _mlkit("runs", str(pipeline), "--json").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_ask_for_the_end_unwind_any_command(
    pipeline: Path, tmp_path: Path, number: int
) -> None:
    """Not only a run: so no temporary folder stays. Their code is that of Ctrl-C."""
    asked = tmp_path / "asked.yaml"
    os.mkfifo(asked)
    words = [sys.executable, "-m", "mlkit", "plan", str(pipeline), "-f", str(asked)]
    # The file is open once the command waits for what it says.
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process, asked.open("w"):
        process.send_signal(number)
        told = process.communicate(timeout=60)[1]
    assert (process.returncode, told) == (130, b"")


def test_who_ignores_a_closed_terminal_goes_on(pipeline: Path, tmp_path: Path) -> None:
    """As under `nohup`."""
    asked = tmp_path / "asked.yaml"
    os.mkfifo(asked)
    command = 'trap "" HUP; exec "$0" -m mlkit plan "$1" -f "$2"'
    words = ["sh", "-c", command, sys.executable, str(pipeline), str(asked)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        with asked.open("w") as file:
            process.send_signal(signal.SIGHUP)
            file.write("{}")
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_user_whom_no_list_has_lives_as_in_a_container(pipeline: Path) -> None:
    """Without `HOME` and without a line in /etc/passwd Jupyter would start no kernel."""
    code = (
        "import os, pwd, sys\n"
        "def unknown(number): raise KeyError(number)\n"
        "pwd.getpwuid = unknown\n"
        "del os.environ['HOME']\n"
        "from mlkit.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print(os.environ['HOME'])\n"
    )
    for words in (["runs", str(pipeline)], ["kernels"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "/"), done.stderr


@pytest.mark.parametrize("words", ["runs {p}", "show latest {p} --json", "plan {p}"])
def test_a_reader_that_has_had_enough_decides_nothing(pipeline: Path, words: str) -> None:
    """As in `mlkit runs | head -1`."""
    line = words.replace("{p}", '"$1"')
    command = f'( "$0" -m mlkit {line}; echo code $? >&2 ) | true'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(pipeline)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode().splitlines()[-1:] == ["code 0"]


@pytest.mark.kernel
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "en_US.ISO-8859-1"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
)
def test_a_locale_names_no_files(tmp_path: Path, environment: dict[str, str]) -> None:
    """Folders, parameters and what notebooks write are the same in any locale."""
    body = "from pathlib import Path\nopen(out, 'w').write(f'{which} ✓')"
    file = write_pipeline(
        tmp_path / "größe",
        Sketch(name="make", body=body, keys={"foreach": {"which": ["größe", "数据"]}},
               declares='which: str = "x"'),
    )  # fmt: skip
    env = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
    done = _mlkit("run", str(file), "--json", env={**env, **environment})
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["stages"]) == {"make[größe]", "make[数据]"}
    written = file.parent / "runs" / "latest" / "make[数据]" / "make.txt"
    assert written.read_text(encoding="utf-8") == "数据 ✓"
    shown = _mlkit("show", "latest", str(file), env={**env, **environment})
    assert shown.returncode == 0, shown.stderr


STRIKER = """
import os, sys

def strike(event, arguments):
    if event == "import":
        with open(os.environ["IMPORTS"], "a") as file:
            file.write(arguments[0] + chr(10))
        if arguments[0] == os.environ["STRIKE_AT"]:
            os.kill(os.getpid(), 2)

sys.addaudithook(strike)
"""
"""A `sitecustomize.py`: it lists what is imported, and strikes Ctrl-C as a certain one begins."""


def test_ctrl_c_at_the_start_ends_quietly(pipeline: Path, tmp_path: Path) -> None:
    """From the module of the command on, at whatever import: exit code 130, nothing is said."""
    script = shutil.which("mlkit", path=str(Path(sys.executable).parent))
    assert script is not None
    (tmp_path / "sitecustomize.py").write_text(STRIKER)

    def struck_at(module: str) -> tuple[list[str], tuple[int, bytes]]:
        imports = tmp_path / f"before-{module}"
        environment = {"PYTHONPATH": str(tmp_path), "STRIKE_AT": module, "IMPORTS": str(imports)}
        done = subprocess.run(
            [script, "plan", str(pipeline)],
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
        )
        return imports.read_text().splitlines(), (done.returncode, done.stderr)

    imported, ended = struck_at("")
    assert ended == (0, b"")
    begun = imported.index("mlkit.__main__")
    assert imported[begun + 1] == "mlkit"
    earlier = set(imported[: begun + 2])
    later = [name for name in dict.fromkeys(imported) if name not in earlier]
    assert len(later) > 100
    at = [*later[:3], *later[3::40], later[-1]]
    assert {module: struck_at(module)[1] for module in at} == dict.fromkeys(at, (130, b""))


def test_the_script_is_the_same_as_the_module() -> None:
    """`mlkit`, where it is installed, is what `python -m mlkit` is."""
    script = shutil.which("mlkit", path=str(Path(sys.executable).parent))
    assert script is not None
    assert _mlkit("--version").stdout == subprocess.check_output([script, "--version"])
