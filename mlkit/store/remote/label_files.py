"""Labels of runs behind a URL: a small file for each, and one that tells what was promoted."""

from __future__ import annotations

import json

from mlkit.errors import UsageError
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.labels import SWEEPS, taken
from mlkit.store.latest import PROMOTED, Promotion, take_in_promotion
from mlkit.store.remote.files import Remote
from mlkit.store.remote.seen import Seen
from mlkit.store.sweeps import Sweep
from mlkit.store.writing import json_text, write_json

__all__ = ["remove_label", "send_label", "send_promotion", "take_in_labels"]

_FOLDER = ".labels"


def take_in_labels(folder: RunsFolder, database: Database, remote: Remote) -> None:
    """Bring labels and `latest` of the working copy up to date with those behind the URL.

    Parameters
    ----------
    folder : RunsFolder
        The working copy.
    database : Database
        Its database, which knows the runs.
    remote : Remote
        The runs folder behind the URL.
    """
    entries = remote.entries(_FOLDER)
    there = {entry.name.partition("/")[2]: entry for entry in entries}
    here = folder.labels.all()
    for label in here.keys() - there.keys():
        folder.labels.take(label)
    seen = Seen(folder.path)
    news = {entry.name for entry in seen.news(entries)}
    wanted = [e.name for label, e in there.items() if e.name in news or label not in here]
    for name, data in remote.read_all(wanted).items():
        _take_in(folder, name.partition("/")[2], data)
    seen.keep(entries)
    _take_in_sweeps(folder, remote, seen)
    promoted = remote.read(PROMOTED)
    if promoted is not None:
        take_in_promotion(folder, database, promoted)


def _take_in_sweeps(folder: RunsFolder, remote: Remote, seen: Seen) -> None:
    entries = remote.entries(f".{SWEEPS}")
    for name, data in remote.read_all(entry.name for entry in seen.news(entries)).items():
        try:
            found = Sweep.from_json(json.loads(data))
        except (ValueError, KeyError, TypeError):
            continue
        if name == f".{SWEEPS}/{found.name}.json" and "/" not in found.name:
            folder.sweeps.path.mkdir(exist_ok=True)
            write_json(found.to_json(), folder.sweeps.file(found.name))
    seen.keep(entries)


def _take_in(folder: RunsFolder, label: str, data: bytes) -> None:
    """Give a label as another machine has; what could lead out of the folder is none."""
    run_id = _run_id(data)
    if run_id is None:
        return
    try:
        known = folder.check_label(label)
    except UsageError:
        return
    if known == label:
        folder.labels.give(label, run_id, moves=True)


def _run_id(data: bytes) -> str | None:
    try:
        run_id = json.loads(data)["run_id"]
    except (ValueError, KeyError, TypeError):
        return None
    is_name = isinstance(run_id, str) and run_id and "/" not in run_id and run_id[0] != "."
    return run_id if is_name else None


def send_label(remote: Remote, label: str, run_id: str, *, moves: bool) -> None:
    """Give a label to a run for all who share the runs.

    Raises
    ------
    UsageError
        If another run has it, and it is not to be moved.
    """
    data = remote.read(f"{_FOLDER}/{label}")
    had = None if data is None else _run_id(data)
    if had == run_id:
        return
    if had is not None and not moves:
        raise taken(label, had)
    remote.write(f"{_FOLDER}/{label}", json_text({"run_id": run_id}).encode())


def remove_label(remote: Remote, label: str) -> None:
    """Take a label from its run for all who share the runs."""
    remote.remove([f"{_FOLDER}/{label}"])


def send_promotion(remote: Remote, promotion: Promotion) -> None:
    """Tell all who share the runs what was promoted."""
    remote.write(PROMOTED, json_text(promotion.to_json()).encode())
