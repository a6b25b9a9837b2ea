"""Labels: the names that people give to runs, each a link `labels/NAME -> ../RUN_ID`.

They stand beside `latest` and as it does: a notebook can read below one, they need no database, and
a run that goes on does not write over them.
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.store.refusals import readable_os_errors

__all__ = ["FOLDER", "SWEEPS", "Labels", "check_label"]

FOLDER = "labels"
"""Where they stand in a runs folder."""

SWEEPS = "sweeps"
"""Where sweeps are told of beside them: no label bears the name of one."""

MOST_CHARACTERS = 80
_ID = re.compile(r"\d{1,8}|\d{8}-\d{0,6}|\d{8}-\d{6}-\d{0,3}|\d{8}-\d{6}-\d{3}-[0-9a-f]{0,4}")
"""Whatever an id of a run may begin with: a beginning stands for the run, too."""

_RULE = (
    f"Write letters, digits and . _ - +, a letter or digit first, at most {MOST_CHARACTERS} "
    "characters"
)


def check_label(text: str, reserved: frozenset[str]) -> str:
    """Give a label in its one form, or refuse it.

    Parameters
    ----------
    text : str
        As somebody wrote it.
    reserved : frozenset of str
        Words that mean something else.

    Raises
    ------
    UsageError
        If it cannot be told from something else, or could not be a file's name.
    """
    label = unicodedata.normalize("NFC", text)
    fact = remedy = None
    if not label:
        fact, remedy = "a run's name is empty", _RULE
    elif label in reserved or label == FOLDER:
        fact, remedy = f"'{label}' means something else", "Choose another name for the run"
    elif _ID.fullmatch(label):
        fact, remedy = f"'{label}' reads as the id of a run", f"Begin otherwise: 'run-{label}'"
    elif len(label) > MOST_CHARACTERS or len(label.encode("utf-8", "replace")) > 200:
        fact, remedy = f"the name '{label[:20]}…' has {len(label)} characters", _RULE
    elif not label[0].isalnum() or not all(char.isalnum() or char in "._-+" for char in label):
        fact, remedy = f"{label!r} cannot be the name of a run", _RULE
    if fact is not None:
        raise UsageError(fact, remedy=remedy, code="E503")
    return label


class Labels:
    """The labels of a runs folder.

    Parameters
    ----------
    path : Path
        The runs folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path / FOLDER

    def all(self) -> dict[str, str]:
        """Each label with the id of its run, in the order of the labels."""
        if not self.path.is_dir():
            return {}
        with readable_os_errors(self.path):
            found = {
                entry.name: Path(entry.path).readlink().name
                for entry in os.scandir(self.path)
                if entry.is_symlink() and not entry.name.startswith(".")
            }
        return dict(sorted(found.items()))

    def by_run(self) -> Mapping[str, tuple[str, ...]]:
        """Each labelled run's id with its labels."""
        found: dict[str, tuple[str, ...]] = {}
        for label, run_id in self.all().items():
            found[run_id] = (*found.get(run_id, ()), label)
        return found

    def of(self, run_id: str) -> tuple[str, ...]:
        """The labels of a run."""
        return self.by_run().get(run_id, ())

    def run_id(self, label: str) -> str | None:
        """The id of the run that has a label; None if none has it."""
        link = self.path / unicodedata.normalize("NFC", label)
        if link.parent != self.path:
            return None
        with contextlib.suppress(OSError, ValueError):
            return link.readlink().name
        return None

    def give(self, label: str, run_id: str, *, moves: bool = False) -> str | None:
        """Give a label to a run, in one step.

        Parameters
        ----------
        label : str
            One that `check_label` has seen.
        run_id : str
            The run.
        moves : bool
            Take it from a run that has it.

        Returns
        -------
        str, optional
            The run that had it.

        Raises
        ------
        UsageError
            If another run has it, and it is not to be moved.
        """
        with readable_os_errors(self.path):
            self.path.mkdir(exist_ok=True)
            while True:
                had = self.run_id(label)
                if had == run_id:
                    return had
                if had is not None and not moves:
                    raise taken(label, had)
                target = Path("..") / run_id
                try:
                    if had is None:
                        (self.path / label).symlink_to(target, target_is_directory=True)
                        return None
                except FileExistsError:  # somebody else was quicker
                    if self.run_id(label) is None:
                        raise
                    continue
                aside = self.path / f".{os.urandom(4).hex()}"
                aside.symlink_to(target, target_is_directory=True)
                aside.replace(self.path / label)
                return had

    def take(self, label: str) -> None:
        """Take a label from its run; nothing happens if no run has it."""
        with readable_os_errors(self.path):
            (self.path / label).unlink(missing_ok=True)


def taken(label: str, run_id: str) -> UsageError:
    """Say that another run has a label."""
    return UsageError(
        f"the name '{label}' is taken: run {run_id} has it",
        remedy=f"Choose another name, take it away ('mlkit unlabel {label}'), or move it "
        f"('mlkit label RUN {label} --move')",
        code="E503",
    )
