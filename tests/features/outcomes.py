"""What became of each feature in each place, and the file that keeps it.

`results.json` holds what the suite has seen; docs/engines.md shows it. Every place's test compares
what it sees with that file, and so a table that is out of date fails the test of its place. With
`MLKIT_FEATURES_WRITE=1` the tests write down what they have seen.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.engines.registry import ENGINES
from mlkit.store.trees import Leaf, Tree
from tests.features.catalogue import Content, Expected, Feature

__all__ = [
    *("PLACES", "REFUSED", "SAME", "WRITTEN"),
    *("Results", "compare", "outcomes", "read_results", "settle"),
]

RESULTS = Path(__file__).parent / "results.json"
SAME = "same"
REFUSED = "refused: "

PLACES = {
    "run": "run",
    "resume": "resume",
    "plan": "plan",
    "report": "report",
    "airflow": "Airflow",
    "kubeflow": "Kubeflow",
    "prefect": "Prefect",
    "dagster": "Dagster",
    "stepfunctions": "Step Functions",
    "argo": "Argo",
    "dask": "Dask",
}
"""Where features are tried, with the words of the table."""

WRITTEN = frozenset(engine.name for engine in ENGINES.values() if engine.written_only)
"""Places that were not at hand: what is exported for them is read and carried out here."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What the suite has seen.

    Parameters
    ----------
    versions : mapping of str to str
        The versions of the places that are somebody else's.
    seen : mapping of str to mapping
        By place and feature: `same`, `refused: …`, or what was otherwise than expected.
    """

    versions: Mapping[str, str]
    seen: Mapping[str, Mapping[str, str]]


def read_results() -> Results:
    """Read what is kept."""
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    return Results(versions=document["versions"], seen=document["seen"])


def settle(place: str, found: Mapping[str, str], version: str | None = None) -> None:
    """See that a place did what is kept of it, or keep it, where that is asked for.

    Parameters
    ----------
    place : str
        One of `PLACES`.
    found : mapping of str to str
        What became of some of the features.
    version : str, optional
        The place's own version.
    """
    bad = {name: text for name, text in found.items() if not _is_good(text)}
    assert bad == {}, f"{place}: {bad}"
    if os.environ.get("MLKIT_FEATURES_WRITE"):
        _keep(place, found, version)
    kept = read_results()
    told = {name: kept.seen.get(place, {}).get(name) for name in found}
    assert (told, kept.versions.get(place)) == (dict(found), version), (
        f"{RESULTS.name} says otherwise of {place}; see it with MLKIT_FEATURES_WRITE=1"
    )


def _is_good(text: str) -> bool:
    return text == SAME or text.startswith(REFUSED)


def _keep(place: str, found: Mapping[str, str], version: str | None) -> None:
    """Add what was seen to the file; tests of several processes take turns."""
    with RESULTS.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        document = json.loads(file.read() or '{"versions": {}, "seen": {}}')
        document["seen"].setdefault(place, {}).update(found)
        if version is not None:
            document["versions"][place] = version
        file.truncate(0)
        file.write(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def outcomes(
    features: Iterable[Feature],
    record: RunRecord,
    *,
    reference: RunRecord | None = None,
    undisturbed: bool = True,
) -> dict[str, str]:
    """Tell of each feature whether its stages ended as expected.

    Parameters
    ----------
    features : iterable of Feature
        Which.
    record : RunRecord
        The run.
    reference : RunRecord, optional
        A run whose artifacts have to be the same to the byte.
    undisturbed : bool
        Whether the numbers of attempts are those of a run that nobody killed.
    """
    return {
        feature.name: "; ".join(compare(feature, record, reference, undisturbed=undisturbed))
        or SAME
        for feature in features
    }


def compare(
    feature: Feature, record: RunRecord, reference: RunRecord | None, *, undisturbed: bool
) -> Iterator[str]:
    """Say what is otherwise than expected."""
    names = {key.partition("[")[0] for key in feature.expects}
    there = {key: item for key, item in record.stages.items() if item.stage in names}
    for key in there.keys() ^ feature.expects.keys():
        yield f"{key} is {'not expected' if key in there else 'not there'}"
    for key, expected in feature.expects.items():
        if key not in there:
            continue
        for fact in _facts(there[key], expected, undisturbed=undisturbed):
            yield f"{key} {fact}"
        if reference is not None and not expected.holding:
            pair = [_digests(run.stages[key]) for run in (record, reference)]
            if pair[0] != pair[1]:
                yield f"{key} has made other bytes"


def _digests(item: StageRecord) -> dict[str, str]:
    return {name: artifact.digest for name, artifact in item.artifacts.items()}


def _facts(item: StageRecord, expected: Expected, *, undisturbed: bool) -> Iterator[str]:
    status = Status.SUCCEEDED if item.status is Status.CACHED else item.status
    error = None if item.error is None else item.error.type
    if (status, error) != (expected.status, expected.error):
        yield f"is {status.value} ({error or item.reason}), not {expected.status.value}"
        return
    if undisturbed and expected.attempts not in (None, item.attempts):
        yield f"has had {item.attempts} attempts, not {expected.attempts}"
    if expected.holding is not None:
        pages = [Path(artifact.path).read_text("utf-8") for artifact in item.artifacts.values()]
        if not pages or not all(expected.holding in page for page in pages):
            yield f"is a page without '{expected.holding}'"
        return
    wanted = {name: digest_of(content) for name, content in expected.outputs.items()}
    found: dict[str, Any] = {**dict.fromkeys(item.absent), **_digests(item)}
    if found != wanted:
        yield f"has made other artifacts than expected: {found}"
    for name, artifact in item.artifacts.items():
        if _on_disk(Path(artifact.path)) != expected.outputs.get(name):
            yield f"has another '{name}' in the run's folder"


def digest_of(content: Content) -> str | None:
    """The digest that an artifact of some content has to have; None of one that is missing."""
    if content is None:
        return None
    if isinstance(content, str):
        return sha256(content.encode()).hexdigest()
    leaves = [
        Leaf(name=name, digest=sha256(text.encode()).hexdigest(), size_bytes=len(text.encode()))
        for name, text in content.items()
    ]
    return Tree.of(leaves, ()).digest


def _on_disk(path: Path) -> Content:
    """What stands in the run's folder."""
    if not path.is_dir():
        return path.read_text("utf-8")
    files = [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_text("utf-8") for file in files}
