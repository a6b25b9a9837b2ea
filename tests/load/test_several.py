"""Several mistakes of a pipeline are found in one reading; nothing is that follows from another."""

from __future__ import annotations

import pickle

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.errors import MlkitError
from tests.load.conftest import Project

RIGHT = "  {name}:\n    notebook: end.ipynb\n"
WRONG = {
    "an unknown key": RIGHT + "    outptus: {{a: a.txt}}\n",
    "two unknown keys": RIGHT + "    afetr: [nobody]\n    outptus: {{a: a.txt}}\n",
    "an unknown stage": RIGHT + "    after: [nobody]\n",
    "a missing file": RIGHT + "    inputs: {{x: 'file:gone.csv'}}\n",
    "a missing notebook": "  {name}:\n    notebook: gone.ipynb\n",
    "an undeclared output": RIGHT + "    outputs: {{undeclared: a.txt}}\n",
}
LATER = ("an unknown stage", "a missing file", "a missing notebook", "an undeclared output")
"""In the order in which the loader looks; only those of one look are found together."""


def _look(kind: str) -> int:
    """The look that finds a kind of mistake."""
    return 1 + LATER.index(kind) if kind in LATER else 0


def _all(error: MlkitError) -> list[tuple[str, int | None]]:
    return [(str(each.message), each.line) for each in (error, *error.others)]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kinds=st.lists(st.sampled_from(["right", *WRONG]), min_size=1, max_size=6))
def test_what_one_look_finds_is_found_at_once(project: Project, kinds: list[str]) -> None:
    """The slow way: a pipeline for each wrong stage alone gives the same mistakes, line by line."""
    texts = {"right": RIGHT, **WRONG}
    parts = [texts[kind].format(name=f"s{number}") for number, kind in enumerate(kinds)]
    wrong = [_look(kind) for kind in kinds if kind != "right"]
    if not wrong:
        assert project.load("name: p\nstages:\n" + "".join(parts)).stages
        return
    found = _all(project.refusal("name: p\nstages:\n" + "".join(parts)))
    slow = []
    for number, kind in enumerate(kinds):
        if kind != "right" and _look(kind) == min(wrong):
            others = [
                part if place == number else texts["right"].format(name=f"s{place}")
                for place, part in enumerate(parts)
            ]
            alone = project.refusal("name: p\nstages:\n" + "".join(others))
            assert len(alone.others) == kind.startswith("two")
            before = sum(part.count("\n") for part in parts[:number])
            shifted = sum(part.count("\n") for part in others[:number])
            slow += [(fact, (line or 0) + before - shifted) for fact, line in _all(alone)]
    assert found == slow


def test_the_others_cross_a_process(project: Project) -> None:
    """An error that a worker raises is pickled."""
    text = "name: p\nstages:\n" + "".join(
        WRONG["an unknown key"].format(name=name) for name in ("a", "b", "c")
    )
    error = pickle.loads(pickle.dumps(project.refusal(text)))
    assert [line for _, line in _all(error)] == [5, 8, 11]
