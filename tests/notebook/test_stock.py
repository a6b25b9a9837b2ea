"""What a notebook sets before it imports is obeyed: begun again in a stock kernel, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlkit import RunOptions, run
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.load.parameters import Layers
from mlkit.notebook.stock import StockList, code_digest
from mlkit.testing import Sketch, write_pipeline
from tests.notebook.conftest import Bench

pytestmark = pytest.mark.kernel

KIND = (
    "import os; print('stock' if os.environ['JPY_PARENT_PID'] == str(os.getppid()) else 'forked')"
)
THREADS = (
    "from threadpoolctl import threadpool_info\n"
    "import numpy\n"
    "print([each['num_threads'] for each in threadpool_info() if each['user_api'] == 'blas'][0])"
)
SPELLINGS = {
    "item": "import os; os.environ['OPENBLAS_NUM_THREADS'] = '1'",
    "update": "import os; os.environ.update(OPENBLAS_NUM_THREADS='1')",
    "or": "import os; os.environ |= {'OPENBLAS_NUM_THREADS': '1'}",
    "setdefault": "import os; os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')",
    "putenv": "import os; os.putenv('OPENBLAS_NUM_THREADS', '1')",
    "magic": "%env OPENBLAS_NUM_THREADS=1",
    "module": "import its_settings",
    "dotenv": (
        "from pathlib import Path; import dotenv\n"
        "_ = Path('.env').write_text('OPENBLAS_NUM_THREADS=1')\n_ = dotenv.load_dotenv('.env')"
    ),
}


@pytest.mark.parametrize("setting", SPELLINGS.values(), ids=SPELLINGS)
def test_what_is_set_before_an_import_is_obeyed(forked: Bench, setting: str) -> None:
    """However it is spelled; the attempt is one, and its notebook shows one execution."""
    (forked.folder / "its_settings.py").write_text(
        "import os\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
    )
    outcome = forked.run("print('first')", setting, THREADS, KIND, stock=_list(forked))
    assert outcome.result.status is Status.SUCCEEDED
    texts = ["".join(o.get("text", "") for o in c["outputs"]) for c in outcome.notebook["cells"]]
    assert [texts[0], *texts[2:]] == ["first\n", "1\n", "stock\n"]
    assert outcome.result.unstable == ()
    assert "begun again in a stock kernel: the notebook sets OPENBLAS_NUM_THREADS" in outcome.log
    again = forked.run("print('first')", setting, THREADS, KIND, stock=_list(forked))
    assert "begun again" not in again.log
    assert "from the start" in again.log


def test_the_working_folder_is_emptied_before(forked: Bench) -> None:
    """What the first kernel wrote there is not there for the second."""
    outcome = forked.run(
        "import os\nprint(os.listdir())\n_ = open('mine.txt', 'x').write('x')\nos.mkdir('inner')",
        SPELLINGS["item"],
        KIND,
    )
    assert outcome.result.error is None
    assert outcome.log.endswith("[]\nstock\n")


@pytest.mark.parametrize(
    "deed",
    [
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "_ = open({elsewhere!r}, 'w').write('x')",
        "from pathlib import Path; Path({elsewhere!r}).mkdir()",
        "import socket; s = socket.socket(); s.connect_ex(('127.0.0.1', 9))",
    ],
)
def test_what_has_acted_outside_goes_on_and_is_not_reused(forked: Bench, deed: str) -> None:
    """To act twice would be worse than a setting that comes too late; the log says what to do."""
    elsewhere = str(forked.folder / "elsewhere")
    outcome = forked.run(deed.format(elsewhere=elsewhere), SPELLINGS["item"], KIND)
    assert outcome.result.status is Status.SUCCEEDED
    assert len(outcome.result.unstable) == 1
    assert "OPENBLAS_NUM_THREADS" in outcome.result.unstable[0]
    for word in ("forked\n", "warning", "env:", "--start spawn"):
        assert word in outcome.log


@pytest.mark.parametrize(
    "setting",
    [
        "import os; os.environ['COLOUR'] = 'green'",
        "import numpy, os; os.environ['COLOUR'] = 'green'",
        "import sklearn",
    ],
)
def test_settings_that_nobody_reads_change_nothing(forked: Bench, setting: str) -> None:
    """Nor do those that packages make while they are imported."""
    outcome = forked.run(setting, KIND)
    assert outcome.log == "forked\n"
    assert outcome.result.unstable == ()


def test_the_deadline_is_one_for_both_kernels(forked: Bench) -> None:
    """To begin again gives no second helping."""
    sleep = "import time; time.sleep(1.5)"
    outcome = forked.run(sleep, SPELLINGS["item"], "time.sleep(60)", timeout_s=4.0)
    assert outcome.result.error is not None
    assert outcome.result.error.type == "StageTimeout"
    assert outcome.seconds < 20


def test_a_run_remembers_in_its_folder_and_reuses_what_is_sound(tmp_path: Path) -> None:
    """One attempt; a result that came too late is computed again, any other reused."""
    setting = "import os\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\nimport numpy\n"
    write = "_ = open(out, 'w').write(str(os.environ['JPY_PARENT_PID'] == str(os.getppid())))"
    file = write_pipeline(
        tmp_path,
        Sketch(name="sound", body=setting + write),
        Sketch(name="late", body="import os\nos.system('true')\n" + setting + write),
    )
    first = _run(file)
    assert Path(first.stages["sound"].outputs["out"]).read_text() == "True"
    assert first.stages["sound"].attempts == 1
    assert len((tmp_path / "runs" / ".stock-kernels").read_text().splitlines()) == 1
    second = _run(file)
    assert {name: stage.status for name, stage in second.stages.items()} == {
        "sound": "cached",
        "late": "succeeded",
    }


def test_the_list_is_small_and_forgiving(tmp_path: Path) -> None:
    """A digest and a reason on a line; without the file nothing is known."""
    cells = [
        {"cell_type": "code", "source": ["a\n", "b"]},
        {"cell_type": "markdown", "source": "x"},
    ]
    digest = code_digest({"cells": cells})
    assert digest == code_digest({"cells": [{"cell_type": "code", "source": "a\nb"}]})
    stock = StockList(folder=tmp_path)
    assert stock.reason_for(digest) == ""
    stock.add(digest, "two\nlines")
    assert stock.reason_for(digest) == "two lines"
    assert stock.reason_for("other") == ""
    StockList(folder=tmp_path / "missing").add(digest, "nothing happens")
    (tmp_path / ".stock-kernels").write_bytes(os.urandom(100))
    assert stock.reason_for(digest) == ""


def _list(bench: Bench) -> StockList:
    return StockList(folder=bench.folder)


def _run(file: Path) -> RunRecord:
    return run(file, layers=Layers(), options=RunOptions(workers=1))
