"""Small pipelines drawn from a seed: what pipeline.yaml can say, in any combination.

Their notebooks need the standard library only, and write what they have received.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from mlkit.core.instances import written
from mlkit.frozen import dataclass
from mlkit.testing import Sketch, write_pipeline

__all__ = ["Drawn", "draw"]

NAMES = (
    *("a", "train", "get-data", "import", "_", "A", "print", "run", "upstream", "None", "ended"),
    *("n_1", "a-", "x--y", "value", "json", "task", "labels", "context", "item", "given", "done"),
)
TEXTS = (
    *("a", "b c", "c,d", "[e]", "*", "ä'\"$x", "{{ f }}", "%s", " g", "h ", "true", "1", "null"),
    *("a/b", "..", "日本", "x=y", "-k", "#l", "\\", "~", "m.n", "${", "1.0", '"q"', "it's", "{r}"),
    *("a\nb", "\u200b", "é", "e\u0301", "<&>", "${{ s }}", "A", "2024-01-02", "no value"),
)
TRIGGERS = (
    *("all_success", "all_done", "all_failed", "one_success", "one_failed", "none_failed"),
    *("none_failed_min_one_success", "always"),
)
ANSWERS: tuple[Any, ...] = ("yes", "no", True, False, 1, 0, 1.0, None, "it's", "", "{{ x }}")
PARAMETERS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "rows": ("int = 1", (2, -3, 10**20, 0)),
    "share": ("float = 0.5", (1.0, 1e-07, 2, 1e22, float("inf"))),
    "flag": ("bool = False", (True, False)),
    "text": ('str = ""', TEXTS),
    "many": ("list = []", ([], [1, 2.5, None, True, "a,b"], [[1], ["x"]])),
    "words": ("list[str] = []", ([], ["1", "b c"])),
    "options": ("dict = {}", ({}, {"a": {"b": [1]}, "c d": None})),
    "nothing": ("str | None = None", (None, "null", "x")),
}
_HEAD = """\
import json, os
from pathlib import Path
def read(given):
    if given is None or isinstance(given, (bool, int, float, dict)):
        return repr(given)
    if isinstance(given, list):
        return [read(item) for item in given]
    path = Path(given)
    if path.is_dir():
        return sorted([p.name, p.read_text()] for p in path.iterdir())
    return path.read_text()
"""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A pipeline that was drawn.

    Parameters
    ----------
    file : Path
        Its pipeline.yaml.
    assignments : tuple of str
        What the command line gives behind `-p`.
    """

    file: Path
    assignments: tuple[str, ...]

    def given(self, marks: Path) -> tuple[str, ...]:
        """What a run is given; what fails once leaves a mark in a folder of the run's own."""
        marks.mkdir()
        return (f"marks={marks}", *self.assignments)


class _Drawing:
    """Draws one pipeline."""

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)
        self.sketches: list[Sketch] = []
        self.axes: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[Any]] = {}
        self.values: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        self.assignments: list[str] = []

    def maybe(self, share: float) -> bool:
        """Yes, in that share of all cases."""
        return self.chance.random() < share

    def pick(self, *choices: Any) -> Any:
        """One of them."""
        return self.chance.choice(choices)

    def some_values(self) -> list[Any]:
        """What a stage may map over."""
        kind = self.chance.random()
        most = self.pick(1, 2, 2, 3)
        if kind < 0.6:
            return self.chance.sample(TEXTS, most)
        if kind < 0.75:
            return self.chance.sample([1, 2, -3, 10**20, 0], most)
        if kind < 0.85:
            return self.chance.sample([0.5, 1.0, 1e-07, 1e22], most)
        return list(self.pick([True, False], [False], [None], []))

    def draw(self, folder: Path) -> Drawn:
        """Write it into a folder."""
        chance = self.chance
        for name, (_, choices) in PARAMETERS.items():
            if self.maybe(0.5):
                self.values[name] = self.pick(*choices)
        for name in ("months", "kinds"):
            self.lists[name] = self.some_values()
            self.values[name] = self.lists[name]
        names = chance.sample(NAMES, chance.randint(3, 7))
        for name in names:
            self.sketches.append(self.stage(name))
        top: dict[str, Any] = {"parameters": self.values}
        if self.maybe(0.2):
            top["env"] = {"WHERE": self.pick("here", "a b", "{{ x }}", "é\"'")}
        if self.maybe(0.2):
            top["defaults"] = {"timeout": "2m", "retry": {"max_retries": 1, "delay": "10ms"}}
        if self.maybe(0.1):
            top["schedule"] = "0 2 * * *"
        if self.maybe(0.1):
            top["description"] = self.pick('say "x"', "it's\n{{ y }}", "\\")
        if self.maybe(0.2):
            self.assignments.append("text:=" + self.pick('"x,y"', "'{{ z }}'", '"a\\nb"'))
        if self.maybe(0.15):
            self.assignments.append("rows=7")
        if self.maybe(0.15):
            self.assignments.append(f"months={self.pick('[1, 2]', '[]', '[x, y]')}")
        top["parameters"] = {"marks": "", "text": "", "rows": 1, **self.values}
        file = write_pipeline(folder, *self.sketches, **top)
        return Drawn(file=file, assignments=tuple(self.assignments))

    def stage(self, name: str) -> Sketch:
        """A stage, behind some of those that were drawn before."""
        chance = self.chance
        over = self._over()
        keys: dict[str, Any] = {"inputs": {}, "after": []}
        declares: list[str] = []
        reads: list[str] = []
        if over:
            keys["foreach"] = over
            for parameter, listed in over.items():
                declares.append(f"{parameter}: {self._kind(listed)}")
        self.axes[name] = over
        before = [sketch.name for sketch in self.sketches]
        for other in chance.sample(before, min(len(before), self.pick(0, 1, 1, 2, 3))):
            said, is_list = self._reference(over, other)
            if self.maybe(0.3):
                keys["after"].append(said)
                continue
            outputs = list(next(s for s in self.sketches if s.name == other).outputs)
            given = f"in_{len(reads)}"
            keys["inputs"][given] = f"{said}.{chance.choice(outputs)}"
            declares.append(f"{given}: {'list[str | None]' if is_list else 'str'} | None = None")
            reads.append(given)
        plain = [other for other in before if not self.axes[other]]
        if plain and self.maybe(0.25):
            keys["when"] = self._conditions(plain)
        keys |= self._policies()
        shown = chance.sample(sorted(PARAMETERS), self.pick(0, 0, 1, 2))
        declares += [f"{p}: {PARAMETERS[p][0]}" for p in shown]
        if shown and self.maybe(0.3):
            own = self.pick(*shown)
            keys["parameters"] = {own: self.pick(*PARAMETERS[own][1])}
        if self.maybe(0.08):
            declares.append("logical_date: str = ''")
            shown.append("logical_date")
        declares.append("marks: str = ''")
        keys["outputs"], more = self._further_outputs()
        self.written[name], body = self._writes(name, [*shown, *over], reads)
        body = f"{_HEAD}{self._ends(name, over)}{more}{body}"
        return Sketch(
            name=name, declares="\n".join(declares), keys=keys, file="out.json", body=body
        )

    def _conditions(self, plain: list[str]) -> dict[str, Any]:
        """What a stage wants one or two artifacts to hold."""
        found = {}
        for other in self.chance.sample(plain, min(len(plain), self.pick(1, 1, 2))):
            wrote = self.written[other]
            likely = [wrote] if self.maybe(0.6) and _is_scalar(wrote) else []
            wanted = [*likely, *self.chance.sample(ANSWERS, self.pick(0, 1, 2))] or ["yes"]
            found[f"{other}.out"] = wanted[0] if len(wanted) == 1 else wanted
        return found

    def _policies(self) -> dict[str, Any]:
        """When a stage starts, and what becomes of its failure and of its result."""
        keys: dict[str, Any] = {}
        if self.maybe(0.45):
            keys["trigger"] = self.pick(*TRIGGERS)
        if self.maybe(0.15):
            keys["critical"] = False
        if self.maybe(0.1):
            keys["cache"] = False
        if self.maybe(0.15):
            keys["env"] = {"HOW": self.pick("x", "a b", '"{{ y }}"', "$HOME")}
        if self.maybe(0.3):
            keys["retry"] = {"max_retries": self.pick(1, 2), "delay": "10ms"}
            if self.maybe(0.4):
                keys["retry"]["on"] = [self.pick("ConnectionError", "OSError", "ValueError")]
        if self.maybe(0.08):
            path = self.pick("pipeline.yaml", "nothing-*.txt", "*.ipynb")
            keys["wait_for"] = {"path": path, "every": "100ms", "timeout": "300ms"}
        return keys

    def _over(self) -> dict[str, Any]:
        """What a stage maps over: nothing, the lists of an earlier stage, or others."""
        known = [over for over in self.axes.values() if over]
        kind = self.chance.random()
        if kind < 0.5:
            return {}
        if known and kind < 0.8:
            over = dict(self.pick(*known))
            if len(over) > 1 and self.maybe(0.3):
                over.pop(self.pick(*over))
            elif self.maybe(0.2):
                over.setdefault("third", self.some_values() or ["z"])
            return over
        listed = [n for n, wrote in self.written.items() if isinstance(wrote, list)]
        plain = [n for n in listed if not self.axes[n]]
        if plain and self.maybe(0.7):
            return {"value": f"{self.pick(*plain)}.out"}
        name = self.pick("value", "month", "kind", "x")
        if self.maybe(0.4):
            return {name: f"parameters.{self.pick(*self.lists)}"}
        over = {name: self.some_values()}
        if self.maybe(0.2):
            over["second"] = self.some_values()
        return over

    def _listed(self, over: Any) -> list[Any]:
        """The values of a list, wherever it stands."""
        if isinstance(over, list):
            return over
        stage, _, name = over.partition(".")
        if stage == "parameters":
            return self.lists[name]
        wrote = self.written[stage]
        return wrote if isinstance(wrote, list) else []

    def _kind(self, over: Any) -> str:
        """How a notebook declares what it is mapped over."""
        values = self._listed(over)
        if values and all(isinstance(item, float) for item in values):
            return "float = 0.5"
        if values and all(type(item) is int for item in values):
            return str(self.pick("int = 1", "float = 1.0", "int = 1"))
        if values and all(isinstance(item, str) for item in values):
            return 'str = ""'
        return "str | int | float | bool | None = None"

    def _reference(self, over: dict[str, Any], other: str) -> tuple[str, bool]:
        """A stage as a whole, one instance, or the same value; and whether that is a list."""
        theirs = self.axes[other]
        if not theirs:
            return other, False
        shared = [p for p in theirs if over.get(p) == theirs[p]]
        kind = self.chance.random()
        if shared and kind < 0.65:
            parts = [p if p in shared else "*" for p in theirs]
            while parts and parts[-1] == "*":
                parts.pop()
            return f"{other}[{','.join(parts)}]", len(shared) < len(theirs)
        if kind > 0.8:
            parts = []
            for listed in theirs.values():
                values = self._listed(listed)
                parts.append(written(self.pick(*values)) if values else "*")
            if "*" not in parts:
                return f"{other}[{','.join(parts)}]", False
        return other, True

    def _ends(self, name: str, over: dict[str, Any]) -> str:
        """How the stage ends: well, mostly."""
        kind = self.chance.random()
        if kind < 0.68:
            return ""
        guard = ""
        if over and self.maybe(0.6):
            parameter = self.pick(*over)
            values = self._listed(over[parameter])
            guard = f"if {parameter} == {self.pick(*values)!r}:\n    " if values else ""
        if kind < 0.8:
            error = self.pick("ValueError", "ConnectionError", "KeyError")
            return f"{guard}raise {error}('it fails')\n"
        if kind < 0.88:
            reason = self.pick("'nothing to do'", "'\"{{ x }}\" it\\'s'", "''")
            return f"import mlkit\n{guard}mlkit.skip({reason})\n"
        if kind < 0.9:
            return f"{guard}raise SystemExit({self.pick(0, 3)})\n"
        own = "+".join(["'-'", *(f"repr({p})" for p in over)])
        return (
            "import hashlib\n"
            f"mark = Path(marks) / hashlib.md5(('{name}' + {own}).encode()).hexdigest()\n"
            "if not mark.exists():\n    mark.touch()\n    raise ConnectionError('once')\n"
        )

    def _further_outputs(self) -> tuple[dict[str, str], str]:
        """Outputs beside `out`, and the code that writes them or does not."""
        if not self.maybe(0.25):
            return {}, ""
        kind = self.pick("extra?", "extra", "parts", "parts?")
        writes = self.maybe(0.6)
        if kind.startswith("extra"):
            code = "Path(extra).write_text('{\"a\": 1}')\n"
            optional = kind.endswith("?")
            return {"extra": "extra.json?" if optional else "extra.json"}, code if writes else ""
        code = "(Path(parts) / 'one.txt').write_text('1')\n"
        return {"parts": "parts/?" if kind.endswith("?") else "parts/"}, code if writes else ""

    def _writes(self, name: str, shown: list[str], reads: list[str]) -> tuple[Any, str]:
        """What the stage writes to `out`: what others decide by, or what it has received."""
        kind = self.chance.random()
        if kind < 0.2:
            wrote: Any = self.pick(*ANSWERS)
            return wrote, f"Path(out).write_text({json.dumps(wrote)!r})"
        if kind < 0.45:
            wrote = self.some_values()
            return wrote, f"Path(out).write_text({json.dumps(wrote)!r})"
        if kind < 0.5:
            text = self.pick("no JSON", "", '{"a": 1}', '["a", "a"]', "[[1]]", "[1, 1.0]")
            return None, f"Path(out).write_text({text!r})"
        given = ", ".join([f"repr({p})" for p in shown] + [f"read({r})" for r in reads])
        seen = "os.environ.get('HOW'), os.environ.get('WHERE')"
        return None, f"Path(out).write_text(json.dumps([{name!r}, {seen}, {given}]))"


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def draw(seed: str, folder: Path) -> Drawn:
    """Draw a pipeline, and write it into a folder.

    Parameters
    ----------
    seed : str
        What it is drawn from.
    folder : Path
        Where it is written.
    """
    return _Drawing(seed).draw(folder)
