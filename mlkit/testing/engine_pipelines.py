"""The small pipelines that every engine must run; each is written into a folder."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mlkit.testing.shapes import dynamic_map
from mlkit.testing.sketches import Sketch, write_pipeline

__all__ = [
    "Inbox",
    "chains",
    "decided_elsewhere",
    "dynamic_chain",
    "empty_list",
    "endless",
    "everything",
    "flaky",
    "held_up",
    "many_failures",
    "never_comes",
    "no_lists",
    "not_critical",
    "told",
    "typed",
]

_WRITE_JSON = "import json\nfrom pathlib import Path\nPath(out).write_text(json.dumps({value}))"
_EACH = "from pathlib import Path\nPath(out).write_text(f'{value}:{Path(top).read_text()}')"
_ALL = "from pathlib import Path\nPath(out).write_text('|'.join(Path(p).read_text() for p in {of}))"
_ONCE = """from pathlib import Path
if not Path(marker).exists():
    Path(marker).touch()
    raise ConnectionError("the first time it does not answer")
Path(out).write_text("answered")"""


def _json(name: str, value: Any, **keys: Any) -> Sketch:
    """A stage that writes a JSON value."""
    body = _WRITE_JSON.format(value=repr(value))
    return Sketch(name=name, body=body, file=f"{name}.json", keys=keys)


def _each(name: str, values: list[str] | str) -> Sketch:
    """A mapped stage that also reads `top`."""
    return Sketch(
        name=name,
        declares='value: str = "a"\ntop: str = ""',
        body=_EACH,
        file="each.txt",
        keys={"foreach": {"value": values}, "inputs": {"top": "top.out"}},
    )


def everything(folder: Path) -> Path:
    """Every construct that can succeed, in one pipeline."""
    return write_pipeline(
        folder,
        Sketch(name="top"),
        Sketch(name="left", upstream=("top",)),
        Sketch(name="right", upstream=("top",)),
        _json("decide", "yes", after=["left", "right"]),
        Sketch(name="yes", upstream=("left",), keys={"when": {"decide.out": "yes"}}),
        Sketch(name="no", upstream=("right",), keys={"when": {"decide.out": ["no", "never"]}}),
        Sketch(
            name="join",
            upstream=("yes", "no"),
            keys={"trigger": "none_failed_min_one_success"},
        ),
        _each("static", ["a", "b"]),
        _json("list-values", ["x y", "z"]),
        _each("dynamic", "list-values.out"),
        Sketch(
            name="gather",
            declares="one: list[str] = []\ntwo: list[str] = []",
            body=_ALL.format(of="[*one, *two]"),
            keys={"inputs": {"one": "static.out", "two": "dynamic.out"}},
        ),
        Sketch(
            name="flaky",
            declares='marker: str = ""',
            body=_ONCE,
            keys={"retry": {"max_retries": 2, "delay": "100ms", "on": ["ConnectionError"]}},
        ),
        Sketch(
            name="sensing",
            keys={"wait_for": {"path": "../ready.txt", "every": "1s", "timeout": "2m"}},
        ),
        parameters={"marker": ""},
        schedule="0 2 * * *",
    )


_MONTH = "month: int = 1"
_COLLECT = """from pathlib import Path
if month == 3:
    raise ValueError("there is no March")
Path(out).write_text(f"{100 * month}")"""
_TRAIN = """from pathlib import Path
again = Path(marker + str(month))
if model == "linear" and not again.exists():
    again.touch()
    raise ConnectionError("the first time it does not answer")
Path(out).write_text(f"{model} of {Path(flights).read_text()}")"""
_JOINED = (
    "from pathlib import Path\nPath(out).write_text('|'.join(Path(p).read_text() for p in of))"
)


def chains(folder: Path) -> Path:
    """Maps whose instances wait for their own upstream: further parameters on either side.

    The third month fails, the others go on; behind a condition stands a product, one model of
    which is tried again.
    """
    over = {"month": "parameters.months"}
    product = {**over, "model": ["tree, small", "linear"]}
    retry = {"max_retries": 2, "delay": "100ms", "on": ["ConnectionError"]}
    return write_pipeline(
        folder,
        _json("decide", "yes"),
        Sketch(name="collect", declares=_MONTH, body=_COLLECT, keys={"foreach": over}),
        Sketch(
            name="train",
            declares=f"{_MONTH}\nmodel: str = ''\nflights: str = ''\nmarker: str = ''",
            body=_TRAIN,
            keys={
                "foreach": product,
                "inputs": {"flights": "collect[month].out"},
                "when": {"decide.out": "yes"},
                "retry": retry,
            },
        ),
        Sketch(
            name="best",
            declares=f"{_MONTH}\nof: list[str] = []",
            body=_JOINED,
            keys={"foreach": over, "inputs": {"of": "train[month].out"}},
        ),
        Sketch(
            name="tidy",
            declares=_MONTH,
            keys={"foreach": over, "after": ["best[month]"], "trigger": "all_done"},
        ),
        Sketch(
            name="second", declares="of: list[str] = []", body=_JOINED, keys={"inputs": _SECOND}
        ),
        Sketch(name="every", declares="of: list[str] = []", body=_JOINED, keys={"inputs": _EVERY}),
        Sketch(name="some", keys={"after": ["best"], "trigger": "one_success"}),
        name="chained",
        parameters={"months": [1, 2, 3], "marker": ""},
    )


def dynamic_chain(folder: Path, trigger: str) -> Path:
    """A chain over a list that a stage writes; one value fails in the first of its stages."""
    over = {"value": "list-values.out"}
    declares = 'value: str = ""\nmine: str = ""'
    mine = "from pathlib import Path\nPath(out).write_text(Path(mine).read_text() + value)"
    fails = "assert value != 'c,d'\nfrom pathlib import Path\nPath(out).write_text(value)"
    return write_pipeline(
        folder,
        _json("list-values", ["a b", "c,d", "{{ e }}"]),
        Sketch(name="aside"),
        Sketch(name="first", declares=declares, body=fails, keys={"foreach": over}),
        Sketch(
            name="next",
            declares=declares,
            body=mine,
            keys={"foreach": over, "inputs": {"mine": "first[value].out"}, "after": ["aside"]},
        ),
        Sketch(
            name="tidy",
            declares=declares,
            keys={"foreach": over, "after": ["next[value]"], "trigger": trigger},
        ),
        Sketch(name="every", declares="of: list[str] = []", body=_JOINED, keys={"inputs": _ALL_OF}),
        Sketch(name="last", keys={"after": ["next"], "trigger": "all_done"}),
        name="chained",
    )


def decided_elsewhere(folder: Path) -> Path:
    """Conditions on one value and on several, and a list, which an engine's own tasks read."""
    return write_pipeline(
        folder,
        _json("decide", "yes"),
        _json("list-values", ["x y", "z"]),
        Sketch(name="yes", keys={"when": {"decide.out": "yes"}}),
        Sketch(name="no", keys={"when": {"decide.out": ["no", "never"]}}),
        Sketch(
            name="join",
            upstream=("yes", "no"),
            keys={"trigger": "none_failed_min_one_success"},
        ),
        Sketch(
            name="first",
            declares='value: str = ""',
            body="open(out, 'w').write(value)",
            keys={"foreach": {"value": "list-values.out"}},
        ),
        Sketch(name="every", declares="of: list[str] = []", body=_JOINED, keys={"inputs": _ALL_OF}),
    )


_ALL_OF = {"of": "first.out"}
_SECOND = {"of": "train[2].out"}
_EVERY = {"of": "best.out"}


def flaky(folder: Path, max_retries: int = 2) -> Path:
    """A stage that never succeeds, however often it is tried."""
    return write_pipeline(
        folder,
        Sketch(
            name="flaky",
            body="raise TimeoutError('no answer')",
            keys={"retry": {"max_retries": max_retries, "delay": "100ms"}},
        ),
    )


def many_failures(folder: Path) -> Path:
    """A failure that may not be retried, one in time, and stages behind, after and beside them."""
    policy = {"max_retries": 2, "delay": "100ms", "on": ["ConnectionError"]}
    return write_pipeline(
        folder,
        Sketch(name="bad", body="raise ValueError('wrong for good')", keys={"retry": policy}),
        Sketch(name="behind", upstream=("bad",)),
        Sketch(name="late", body="import time\ntime.sleep(600)", keys={"timeout": "3s"}),
        Sketch(name="aside"),
        Sketch(name="cleanup", keys={"after": ["bad", "aside"], "trigger": "all_done"}),
    )


def empty_list(folder: Path) -> Path:
    """A list that turns out to be empty."""
    return dynamic_map(folder, ())


def endless(folder: Path) -> Path:
    """A stage that goes on for ten minutes."""
    return write_pipeline(folder, Sketch(name="endless", body="import time\ntime.sleep(600)"))


def held_up(folder: Path) -> Path:
    """A stage that waits until somebody lets it go on, and fails if it is told to."""
    body = (
        "import time\nfrom pathlib import Path\n"
        "while not Path(gate).exists():\n    time.sleep(0.1)\n"
        "assert Path(gate).read_text() == 'go on'\n"
        "Path(out).write_text('done')"
    )
    return write_pipeline(
        folder,
        Sketch(name="first"),
        Sketch(name="held", upstream=("first",), declares="gate: str = ''", body=body),
        Sketch(name="last", upstream=("held",)),
        parameters={"gate": str(folder / "gate.txt")},
    )


def no_lists(folder: Path) -> Path:
    """What maps over no list, behind a stage that takes longer than the one that was to write it.

    One artifact holds a number, another one was never made.
    """
    over = {"value": "bad.out"}
    return write_pipeline(
        folder,
        Sketch(name="aside", body="import time\ntime.sleep(2)\nopen(out, 'w').write('late')"),
        Sketch(name="bad", body="1 / 0"),
        Sketch(
            name="over",
            declares="value: str = ''",
            keys={"foreach": over, "after": ["aside"], "trigger": "all_done"},
        ),
        Sketch(
            name="next",
            declares="value: str = ''\nmine: str = ''",
            keys={"foreach": over, "inputs": {"mine": "over[value].out"}},
        ),
        _json("number", 7),
        Sketch(
            name="seven",
            declares="value: str = ''",
            keys={"foreach": {"value": "number.out"}, "after": ["aside"]},
        ),
    )


def never_comes(folder: Path) -> Path:
    """A sensor that finds nothing."""
    sensor = {"path": "nothing-*.txt", "every": "500ms", "timeout": "2s"}
    return write_pipeline(
        folder,
        Sketch(name="waiting", keys={"wait_for": sensor}),
        Sketch(name="behind", upstream=("waiting",)),
    )


def not_critical(folder: Path) -> Path:
    """A stage whose failure the run survives."""
    return write_pipeline(
        folder,
        Sketch(name="main"),
        Sketch(
            name="extra",
            upstream=("main",),
            body="raise ValueError('a pity')",
            keys={"critical": False},
        ),
        Sketch(name="behind", upstream=("extra",)),
    )


def typed(folder: Path) -> Path:
    """A stage that writes what it received."""
    return write_pipeline(
        folder,
        Sketch(
            name="show",
            declares='text: str = ""\nmany: list = []\nn: int = 1',
            body=_WRITE_JSON.format(value="[text, many, n]"),
        ),
        parameters={"text": "", "many": [], "n": 1},
    )


class Inbox:
    """A server on this machine that takes Apprise's JSON messages; a context manager."""

    def __init__(self) -> None:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take a message."""
                length = int(self.headers.get("Content-Length", 0))
                inbox.titles.append(json.loads(self.rfile.read(length))["title"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.titles: list[str] = []
        self.file = Path()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        """Start to listen."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def told(folder: Path) -> Inbox:
    """A success and a failure after a retry, and the server that is told of both."""
    inbox = Inbox()
    retry = {"max_retries": 1, "delay": "100ms"}
    inbox.file = write_pipeline(
        folder,
        Sketch(name="good", keys={"notify": {"on_success": [inbox.address]}}),
        Sketch(
            name="bad",
            body="raise ConnectionError('no')",
            keys={"retry": retry, "notify": {"on_failure": [inbox.address]}},
        ),
    )
    return inbox
