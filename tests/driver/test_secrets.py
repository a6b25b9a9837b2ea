"""Secrets stand nowhere in a runs folder, in no encoding, whatever a notebook does with them."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import nbformat
import pytest

from mlkit.api.records import find_run, list_runs
from mlkit.api.resuming import own_layers
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.driver.event_log import read_events
from mlkit.load.parameters import configure
from mlkit.load.pipeline_file import load_pipeline
from mlkit.reports.html import write_report
from mlkit.testing import FakeRunner, RecordingNotifier, Sketch, run_fake, write_pipeline

SECRETS = [
    *("hunter2-plain", "pa ss/w\"or'd&<ä>%", "line one\nline two", "  blanks and end \n"),
    *("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ==\n-----END KEY-----\n", "C:\\new\\x"),
]
WORDS = [
    "stream",
    "source",
    "outputs",
    "succeeded",
    "parameters",
    "stdout",
    "ValueError",
    "python3",
]
"""Secrets that stand in notebooks and records anyway: as keys, states, kinds of output."""

LEAKS = {
    "printed": "print(token, repr(str(token)), [str(token)])",
    "raised": "raise ValueError('the token is ' + token)",
    "encoded": "import json, urllib.parse\nprint(json.dumps(token), urllib.parse.quote(token))\n"
    "raise ConnectionError('https://u:' + urllib.parse.quote_plus(token) + '@host')",
    "stripped": "print(token.strip())\nfor line in token.splitlines():\n    print('>', line)",
    "base64": "import base64\nfor before in ('', 'u', 'me', 'me:'):\n"
    "    text = (before + token).encode()\n"
    "    print(base64.b64encode(text), base64.urlsafe_b64encode(text + b'!').decode())\n"
    "    print(base64.encodebytes(b'x' * 50 + text + b'y' * 50).decode())",
    "in a key": "import json\nprint({token: 1}, json.dumps({token: [token]}))",
    "skipped": "import mlkit\nmlkit.skip('because of ' + token)",
    "a metric's name": "import mlkit\nmlkit.log_metric(token.strip().splitlines()[0], 1.0)",
}


def _forms(secret: str) -> set[bytes]:
    pieces = {secret.strip()} | {line.strip() for line in secret.splitlines()}
    texts = set()
    for piece in pieces:
        if len(piece) < 6:
            continue
        texts |= {piece, repr(piece)[1:-1], quote(piece), quote(piece, safe=""), quote_plus(piece)}
        texts |= {json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1]}
        for before in range(3):
            whole = base64.b64encode(b" " * before + piece.encode()).decode()
            texts.add(whole[(0, 2, 3)[before] :][: len(piece) * 8 // 6 - 2])
    return {text.encode() for text in texts} | {html.escape(text).encode() for text in texts}


def _leaks(runs: Path, secret: str) -> list[str]:
    found = []
    for path in runs.rglob("*"):
        if path.is_file() and not path.is_symlink() and "store" not in path.parts:
            content = path.read_bytes()
            unwrapped = content.replace(b"\\n", b"").replace(b"\n", b"")
            for form in _forms(secret):
                if form in content or form in unwrapped:
                    found.append(f"{path.relative_to(runs)}: {form!r}")
    return found


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("body", LEAKS.values(), ids=list(LEAKS))
def test_a_secret_parameter_appears_nowhere(tmp_path: Path, secret: str, body: str) -> None:
    """Neither in notebooks, logs, events, database, run.json nor the report."""
    keys = {"retry": {"max_retries": 1, "delay": 0}}
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="a",
            body=body + "\nopen(out, 'w').write('x')",
            declares='import mlkit\ntoken: mlkit.Secret = ""',
            keys=keys,
        ),
    )
    record = run_fake(file, parameters={"token": secret}, note=f"with {secret.strip()}")
    runs = tmp_path / "runs"
    write_report(record, runs / record.run_id / "report.html")
    assert record.stages["a"].attempts >= 1
    assert record.stages["a"].parameters["token"] == "***"
    assert _leaks(runs, secret) == []


@pytest.mark.parametrize("secret", [*SECRETS, *WORDS])
@pytest.mark.parametrize("end", ["print(token)", "print(token)\nraise ValueError(token)"])
def test_what_is_kept_stays_readable_whatever_the_secret_is(
    tmp_path: Path, secret: str, end: str
) -> None:
    """Valid notebooks; records that are read back; states, keys, names and paths as they are."""
    body = f"open(out, 'w').write('x')\n{end}"
    declares = 'import mlkit\ntoken: mlkit.Secret = ""'
    file = write_pipeline(tmp_path, Sketch(name="a", body=body, declares=declares))
    record = run_fake(file, parameters={"token": secret})
    folder = tmp_path / "runs" / record.run_id
    assert record.stages["a"].status is (Status.FAILED if "raise" in end else Status.SUCCEEDED)
    document = json.loads((folder / "a" / "attempts" / "1" / "notebook.ipynb").read_text("utf-8"))
    nbformat.validate(nbformat.from_dict(document))  # type: ignore[no-untyped-call] # untyped
    assert document["metadata"]["mlkit"]["stage"] == "a"
    kept = json.loads((folder / "run.json").read_text("utf-8"))
    assert RunRecord.from_json(kept).status is record.status
    found = find_run(record.run_id, tmp_path / "runs")
    assert (found.status, found.stages["a"].status) == (record.status, record.stages["a"].status)
    events, _ = read_events(folder / "events.jsonl", 0)
    assert events[-1].data["status"] == record.status.value
    told = next(e.data for e in events if e.kind == "stage_finished")
    assert told["status"] == record.stages["a"].status.value
    assert all(Path(path).exists() for path in record.stages["a"].outputs.values())
    assert secret.strip() not in (folder / "a" / "attempts" / "1" / "log.txt").read_text("utf-8")


@pytest.mark.parametrize("value", ["data", "source", "outputs", "cells", "runs", "{tmp}"])
def test_a_plain_variable_in_a_path_stays_readable(tmp_path: Path, value: str) -> None:
    """In notebook, record, database and events: it is no secret."""
    folder = tmp_path / value if value != "{tmp}" else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "x.csv").write_text("x")
    named = value if value != "{tmp}" else str(tmp_path)
    keys = {"inputs": {"src": "file:${DATA_DIR}/x.csv"}}
    body = "print(src)\nopen(out, 'w').write('')"
    sketch = Sketch(name="a", declares='src: str = ""', keys=keys, body=body)
    file = write_pipeline(tmp_path, sketch)
    record = run_fake(file, environ={"DATA_DIR": named})
    assert record.ok
    kept = find_run(record.run_id, tmp_path / "runs")
    assert kept.stages["a"].inputs == {"src": str(folder / "x.csv")}
    place = Path(record.runs_dir) / record.run_id
    assert "***" not in (place / "run.json").read_text("utf-8")
    assert "***" not in (place / "a" / "notebook.ipynb").read_text("utf-8")


def test_a_plain_variable_counts_by_its_value(tmp_path: Path) -> None:
    """In the fingerprint and in the record; a resumed run keeps its own."""
    sketch = Sketch(name="a", declares='month: str = ""', body="open(out, 'w').write(month)")
    file = write_pipeline(tmp_path, sketch, parameters={"month": "${MONTH_X}"})
    told = [
        run_fake(file, environ={"MONTH_X": month}).stages["a"] for month in ("jan", "jan", "feb")
    ]
    assert [stage.status.value for stage in told] == ["succeeded", "cached", "succeeded"]
    assert [stage.parameters["month"] for stage in told] == ["jan", "jan", "feb"]
    assert Path(told[2].outputs["out"]).read_text() == "feb"
    first = find_run(list_runs(tmp_path)[0].run_id, tmp_path / "runs")
    pipeline = load_pipeline(file)
    again = configure(pipeline, own_layers(first, pipeline, {}))
    assert again.shown() == {"month": "jan"}


@pytest.mark.parametrize("secret", SECRETS)
def test_the_value_of_a_variable_in_the_file_appears_nowhere(tmp_path: Path, secret: str) -> None:
    """Of `${NAME}` in secret parameters and in addresses; the notebook receives it all the same."""
    body = "open(out, 'w').write(str(len(url)))\nprint(url)\nraise ValueError(url)"
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="a",
            body=body,
            declares='import mlkit\nurl: mlkit.Secret = ""',
            keys={"notify": {"on_failure": ["json://${DB_PASSWORD}@host"]}},
        ),
        parameters={"url": "postgres://me:${DB_PASSWORD}@host/db"},
    )
    notifier = RecordingNotifier(ValueError(f"no way to json://{secret}@host"))
    runner = FakeRunner()
    record = run_fake(file, environ={"DB_PASSWORD": secret}, notifier=notifier, runner=runner)
    handed = {item.name: item.value for item in runner.requests[0].assignments}
    assert handed["url"] == f"postgres://me:{secret}@host/db"
    assert record.parameters == {"url": "***"}
    assert notifier.sent[0][0] == f"json://{secret}@host"
    assert _leaks(tmp_path / "runs", secret) == []
