"""References to mapped stages: every bracket of a few words, against a search in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest

from mlkit.core.pipeline import Axis, Foreach, Node, Stage
from mlkit.load.brackets import BracketError, with_picks

Lists = Mapping[str, Sequence[object]]
WORDS = ("*", "m", "k", "1", "a", "b", '"m"', "zz", "")
UPSTREAM: list[Lists] = [
    {"m": [1, 2]},
    {"k": ["a", "m"]},
    {"m": [1, 2], "k": ["a", "b"]},
    {"k": ["a", "b"], "m": [1, 2]},
    {"m": [1, 2], "k": ["a", "m"]},
    {"m": ["a", "1"], "k": ["a", "b"]},
]
READERS: list[Lists] = [
    {},
    {"m": [1, 2]},
    {"m": [2, 1]},
    {"m": [1, 2, 3]},
    {"k": ["a", "b"], "m": [1, 2]},
    {"k": ["m", "a"]},
    {"x": [1, 2]},
]


def stage(name: str, lists: Lists) -> Stage:
    """A stage that maps over these lists, or over none."""
    axes = tuple(Axis(parameter=n, values=tuple(values)) for n, values in lists.items())
    foreach = Foreach(axes=axes) if axes else None
    return Stage(name=name, notebook=Path(f"{name}.ipynb"), foreach=foreach)


def instances(lists: Lists) -> Iterator[dict[str, str]]:
    """The values of every instance, as they stand in ids."""
    for values in product(*lists.values()):
        yield dict(zip(lists, map(str, values), strict=True))


def means(words: Sequence[str], upstream: Lists, reader: Lists | None) -> dict[str, str] | None:
    """Say what is asked of each parameter: `=` (as mine) or a value; None: it means nothing.

    A reader of None is a command line, where every word is a value.
    """
    if len(words) > len(upstream):
        return None
    asked: dict[str, str] = {}
    for word, parameter in zip(words, upstream, strict=False):
        known = {name: [str(value) for value in values] for name, values in upstream.items()}
        if word == "*":
            continue
        if reader is not None and word in upstream:
            if any(word in values for values in known.values()):
                return None  # it reads as a value, too
            if word not in reader or sorted(map(str, reader[word])) != sorted(known[word]):
                return None
            name, value = word, "="
        else:
            name, value = parameter, word.strip('"')
            if value not in known[parameter]:
                return None
        if name in asked:
            return None
        asked[name] = value
    return asked


def found(node: Node, upstream: Lists, own: Mapping[str, str]) -> list[dict[str, str]]:
    """The instances that a reference means for one reader."""
    return [
        other
        for other in instances(upstream)
        if all(pick.value_for(own) == other[pick.parameter] for pick in node.picks)
    ]


@pytest.mark.parametrize("upstream", UPSTREAM, ids=str)
@pytest.mark.parametrize("reader", [*READERS, None], ids=str)
def test_brackets_mean_what_a_search_finds_or_are_refused(
    upstream: Lists, reader: Lists | None
) -> None:
    """All of one, two and three words, for every instance of the reader."""
    stages = {"c": stage("c", upstream), "d": stage("d", reader or {})}
    for words in (w for count in (1, 2, 3) for w in product(WORDS, repeat=count)):
        node, asked = Node(stage="c", value=",".join(words)), means(words, upstream, reader)
        mine = None if reader is None else stages["d"]
        if asked is None:
            with pytest.raises(BracketError):
                with_picks(node, mine, stages)
            continue
        known = with_picks(node, mine, stages)
        for own in instances(reader or {}):
            wanted = {n: own[n] if value == "=" else value for n, value in asked.items()}
            assert found(known, upstream, own) == [
                other for other in instances(upstream) if wanted.items() <= other.items()
            ], (words, own)


def test_a_stage_that_is_not_mapped_has_no_brackets() -> None:
    """Whatever stands in them."""
    stages = {"c": stage("c", {}), "d": stage("d", {"m": [1]})}
    for word in WORDS:
        with pytest.raises(BracketError, match="stage 'c' is not mapped"):
            with_picks(Node(stage="c", value=word), stages["d"], stages)
