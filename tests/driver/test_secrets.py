"""Secrets stand nowhere in a runs folder, in no encoding, whatever a notebook does with them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from mlkit.reports.html import write_report
from mlkit.testing import FakeRunner, RecordingNotifier, Sketch, run_fake, write_pipeline

SECRETS = ["hunter2-plain", "pa ss/w\"or'd&<ä>%", "line one\nline two"]

LEAKS = {
    "printed": "print(token, repr(str(token)), [str(token)])",
    "raised": "raise ValueError('the token is ' + token)",
    "encoded": "import json, urllib.parse\nprint(json.dumps(token), urllib.parse.quote(token))\n"
    "raise ConnectionError('https://u:' + urllib.parse.quote_plus(token) + '@host')",
    "skipped": "import mlkit\nmlkit.skip('because of ' + token)",
}


def _forms(secret: str) -> set[bytes]:
    texts = {secret, repr(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}
    texts |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {text.encode() for text in texts}


def _leaks(runs: Path, secret: str) -> list[str]:
    return [
        f"{path.relative_to(runs)}: {form!r}"
        for path in runs.rglob("*")
        if path.is_file() and not path.is_symlink()
        for form in _forms(secret)
        if form in path.read_bytes()
    ]


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
    record = run_fake(file, parameters={"token": secret})
    runs = tmp_path / "runs"
    write_report(record, runs / record.run_id / "report.html")
    assert record.stages["a"].attempts >= 1
    assert record.stages["a"].parameters["token"] == "***"
    assert _leaks(runs, secret) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_the_value_of_a_variable_in_the_file_appears_nowhere(tmp_path: Path, secret: str) -> None:
    """Of `${NAME}` in parameters and in addresses; the notebook receives it all the same."""
    body = "open(out, 'w').write(str(len(url)))\nprint(url)\nraise ValueError(url)"
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="a",
            body=body,
            declares='url: str = ""',
            keys={"notify": {"on_failure": ["json://${DB_PASSWORD}@host"]}},
        ),
        parameters={"url": "postgres://me:${DB_PASSWORD}@host/db"},
    )
    notifier = RecordingNotifier(ValueError(f"no way to json://{secret}@host"))
    runner = FakeRunner()
    record = run_fake(file, environ={"DB_PASSWORD": secret}, notifier=notifier, runner=runner)
    handed = {item.name: item.value for item in runner.requests[0].assignments}
    assert handed["url"] == f"postgres://me:{secret}@host/db"
    assert record.parameters == {"url": "postgres://me:${DB_PASSWORD}@host/db"}
    assert notifier.sent[0][0] == f"json://{secret}@host"
    assert _leaks(tmp_path / "runs", secret) == []
