"""What a sweep is to run, a file for each: so it can be shown, extended and resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlkit.core.search_space import Domain, domain_of
from mlkit.errors import RunsFolderError
from mlkit.frozen import dataclass
from mlkit.store.labels import SWEEPS
from mlkit.store.refusals import readable_os_errors

__all__ = ["Combination", "Search", "Sweep", "Sweeps"]


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One run of a sweep, as it is asked for.

    Parameters
    ----------
    number : int
        Its place, from 1.
    values : mapping
        What distinguishes it, encoded: the parameters that the sweep goes through.
    overrides : mapping
        All that is given beside pipeline.yaml, encoded; the run's record has the same.
    """

    number: int
    values: Mapping[str, Any]
    overrides: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The combination as it stands in the file."""
        return {
            "number": self.number,
            "values": dict(self.values),
            "overrides": dict(self.overrides),
        }


@dataclass(frozen=True, kw_only=True)
class Search:
    """How combinations are found, where nobody has listed them.

    Parameters
    ----------
    runs : int
        How many runs there are to be.
    metric : str
        What is to become as great, or as small, as it can: `NAME` or `STAGE.NAME`.
    maximize : bool
        Which of the two.
    seed : int
        Another one finds others.
    space : mapping of str to Range or Choices
        The parameters and their values.
    given : mapping
        All that every run is given beside pipeline.yaml, encoded.
    """

    runs: int
    metric: str
    maximize: bool
    seed: int
    space: Mapping[str, Domain]
    given: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The search as it stands in the sweep's file."""
        space = {name: domain.to_json() for name, domain in self.space.items()}
        return {**vars(self), "space": space, "given": dict(self.given)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Search:
        """Undo `to_json`."""
        space = {name: domain_of(item) for name, item in data["space"].items()}
        return cls(**{**data, "space": space})


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A group of runs, one for each combination.

    Parameters
    ----------
    name : str
        Its name; the runs' records have it as their group.
    pipeline : str
        The pipeline's name.
    named : bool
        Whether a person has named it; then its runs are `NAME-1`, `NAME-2`, ….
    options : mapping
        What every run is asked for, as in a record.
    combinations : tuple of Combination
        In order.
    parallel : int
        How many of its runs are made at once.
    search : Search, optional
        How further combinations are found.
    stop_if : str, optional
        The rule by which hopeless runs are stopped, as it was written.
    """

    name: str
    pipeline: str
    named: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    combinations: tuple[Combination, ...] = ()
    parallel: int = 1
    search: Search | None = None
    stop_if: str | None = None

    @property
    def size(self) -> int:
        """How many runs there are to be."""
        return max(len(self.combinations), 0 if self.search is None else self.search.runs)

    def to_json(self) -> dict[str, Any]:
        """The sweep as it stands in its file."""
        return {
            "name": self.name,
            "pipeline": self.pipeline,
            "named": self.named,
            "options": dict(self.options),
            "parallel": self.parallel,
            "stop_if": self.stop_if,
            "search": None if self.search is None else self.search.to_json(),
            "combinations": [item.to_json() for item in self.combinations],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sweep:
        """Undo `to_json`."""
        combinations = tuple(Combination(**item) for item in data["combinations"])
        search = None if data.get("search") is None else Search.from_json(data["search"])
        return cls(**{**data, "combinations": combinations, "search": search})


class Sweeps:
    """The sweeps of a runs folder.

    Parameters
    ----------
    path : Path
        The runs folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path / SWEEPS

    def names(self) -> list[str]:
        """The names of all sweeps."""
        if not self.path.is_dir():
            return []
        with readable_os_errors(self.path):
            return sorted(file.stem for file in self.path.glob("[!.]*.json"))

    def find(self, word: str) -> str | None:
        """The name that is meant, by itself or by the only beginning of one that fits."""
        names = self.names()
        fitting = [name for name in names if word and name.startswith(word)]
        if word in names:
            return word
        return fitting[0] if len(fitting) == 1 and word.startswith("sweep-") else None

    def read(self, name: str) -> Sweep | None:
        """Read a sweep; None if there is none."""
        try:
            text = self.file(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return Sweep.from_json(json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise RunsFolderError(
                f"{self.file(name)} is not what mlkit writes about a sweep: {error}",
                remedy="Put back what stood there, or remove the file; the sweep's runs stay",
            ) from error

    def file(self, name: str) -> Path:
        """Where a sweep stands."""
        return self.path / f"{name}.json"

    def study(self, name: str) -> Path:
        """Where Optuna keeps what it knows of a sweep."""
        return self.path / f"{name}.optuna.db"

    def drop(self, name: str) -> None:
        """Forget a sweep; its runs stay."""
        with readable_os_errors(self.path):
            self.file(name).unlink(missing_ok=True)
            self.study(name).unlink(missing_ok=True)
