"""Whether what a result was seen to depend on is still so.

A trace is held against the present: everything is *resolved anew*, in today's folders and
environment, so that an equal checkout reuses a result and an unequal one does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from glob import escape, glob
from pathlib import Path
from typing import Any

from mlkit.core.scrubbing import names_a_secret
from mlkit.inside.counting_places import kind_of_mode
from mlkit.planner.checkout import Checkout
from mlkit.planner.packages import Packages
from mlkit.planner.reasons import OLDER
from mlkit.planner.search_path import SearchPath
from mlkit.planner.trace import (
    TRACE_VERSION,
    file_marks,
    kept_names,
    link_target,
    start_up_files,
    tree_digest,
    tree_marks,
)
from mlkit.planner.variables import Circumstances, is_of_session
from mlkit.store.artifact_store import digest_file

__all__ = ["Today"]


STATUS_WORDS = {"st_mtime_ns": "date", "st_ctime_ns": "date", "st_mode": "mode"}
"""What people call the parts of a file's status."""


class Today:
    """What is so at present, looked at once for each thing that several results depend on.

    Parameters
    ----------
    circumstances : Circumstances
        The environment of kernels.
    verify : bool
        Read every file, also where it is unchanged at a glance.
    """

    def __init__(self, circumstances: Circumstances, *, verify: bool = False) -> None:
        self.circumstances = circumstances
        self.verify = verify
        self.forget()

    def forget(self) -> None:
        """Look at everything anew from here on: a stage may have changed it."""
        self._marks: dict[str, list[int] | None] = {}
        self._digests: dict[str, str] = {}
        self._listings: dict[str, list[str]] = {}
        self._searches: dict[Any, SearchPath] = {}
        self._startup: Any = None
        self._packages: dict[tuple[str, ...], Packages] = {}
        self._installed: dict[Any, Packages] = {}

    def changes(self, trace: Mapping[str, Any], checkout: Checkout) -> tuple[str, ...]:
        """Say what has changed since a result was computed; empty if all of it still holds.

        Parameters
        ----------
        trace : mapping
            What `observe` gave.
        checkout : Checkout
            Where the stage's project stands today.
        """
        if trace.get("version") != TRACE_VERSION:
            return (OLDER,)
        if trace["unstable"]:
            return tuple(f"not reusable: {reason}" for reason in trace["unstable"])
        moved = dict(self._of_imports(trace, checkout))
        return (
            *moved.values(),
            *self._of_place(trace.get("ways_up", {}), checkout),
            *self._of_files(trace["files"], checkout, moved),
            *self._of_existence(trace, checkout),
            *self._of_status(trace, checkout),
            *self._of_listings(trace, checkout),
            *self._of_environment(trace["environment"]),
            *self._of_packages(trace, checkout),
            *self._of_start_up(trace["startup"]),
        )

    def _of_imports(
        self, trace: Mapping[str, Any], checkout: Checkout
    ) -> Iterable[tuple[str, str]]:
        """The modules that come from elsewhere today, and what to say of them."""
        for group in trace["imports"]:
            search = self._search(trace["begin"], group["path"], checkout)
            for name, was in group["found"].items():
                place = search.locate(name)
                now = place if place in SearchPath.MARKS else checkout.name(str(place))
                if now != was:
                    yield name, _moved(name, was, now)
            for name, was_in in group.get("portions", {}).items():
                if checkout.path_names(search.portions(name)) != was_in:
                    yield f"{name}.*", f"package {name} stands in other folders now"
            for name in search.shadowing(group["installed"]):
                place = search.locate(name)
                if place != SearchPath.INSTALLED:
                    now = place if place in SearchPath.MARKS else checkout.name(str(place))
                    yield name, _moved(name, SearchPath.INSTALLED, now)

    def _search(self, begin: Sequence[str], path: Sequence[str], checkout: Checkout) -> SearchPath:
        key = (tuple(begin), tuple(path), checkout)
        if key not in self._searches:
            base = checkout.base_path(self.circumstances.environ)
            self._searches[key] = SearchPath.today(begin, path, base, checkout)
        return self._searches[key]

    def _of_place(self, was: Mapping[str, str], checkout: Checkout) -> Iterable[str]:
        now = checkout.ways_up(f"{word}:" for word in was)
        if any(now.get(word, way) != way for word, way in was.items()):  # a copy has no repository
            yield "the notebook lies elsewhere, and read files outside of its own folder"

    def _of_files(
        self, files: Mapping[str, Any], checkout: Checkout, moved: Iterable[str]
    ) -> Iterable[str]:
        told = set(moved)
        for name, item in files.items():
            module, relative = item.get("module"), name.partition(":")[2]
            if module in told:
                continue
            shown = f"module {module}" if module else f"file {relative}"
            where = f" ({relative})" if module else ""
            place = checkout.place(name, self.circumstances.environ)
            marks = self._marks_of(place)
            if marks is None:
                yield f"{shown} is gone{where}"
            elif (self.verify or marks != item["marks"]) and self._digest(place) != item["digest"]:
                yield f"{shown} changed{where}"

    def _of_existence(self, trace: Mapping[str, Any], checkout: Checkout) -> Iterable[str]:
        asked = {**dict.fromkeys(trace["absent"]), **dict.fromkeys(trace["present"], "")}
        asked |= trace.get("kinds", {})
        for name, was in asked.items():
            yield from self._different_kind(name, was, checkout, os.stat)
        for name, was in trace.get("itself", {}).items():
            if name not in asked or was == "link":
                yield from self._different_kind(name, was, checkout, os.lstat)
        for name, was in trace.get("links", {}).items():
            place = checkout.place(name, self.circumstances.environ)
            try:
                now = link_target(os.readlink(place), checkout)
            except OSError:
                now = ""
            if now != was:
                yield f"link {_shown(name)} leads to {_shown(now) or 'nothing'} now"

    def _different_kind(
        self, name: str, was: str | None, checkout: Checkout, look: Callable[[str], os.stat_result]
    ) -> Iterable[str]:
        """Say that something came, went or became something else; an empty kind is any."""
        try:
            now = kind_of_mode(look(checkout.place(name, self.circumstances.environ)).st_mode)
        except (OSError, ValueError):
            if was is not None:
                yield f"{_shown(name)} is gone"
            return
        if was is None:
            yield f"{_shown(name)} exists now"
        elif was not in ("", now):
            yield f"{_shown(name)} is a {now} now (was a {was})"

    def _of_status(self, trace: Mapping[str, Any], checkout: Checkout) -> Iterable[str]:
        """The dates and permissions that changed; of a file whose content did, this is told."""
        for name, was in trace.get("status", {}).items():
            place = checkout.place(name, self.circumstances.environ)
            file = trace["files"].get(name)
            try:
                now = os.stat(place)
            except OSError:
                continue
            changed = [field for field, value in was.items() if getattr(now, field) != value]
            if changed and (file is None or self._digest(place) == file["digest"]):
                words = dict.fromkeys(STATUS_WORDS[field] for field in changed)
                yield f"the {' and the '.join(words)} of {_shown(name)} changed"
        for name, answers in trace.get("may", {}).items():
            place = checkout.place(name, self.circumstances.environ)
            there = os.path.exists(place)
            if there and any(os.access(place, int(mode)) != was for mode, was in answers.items()):
                yield f"what may be done with {_shown(name)} changed"

    def _of_listings(self, trace: Mapping[str, Any], checkout: Checkout) -> Iterable[str]:
        environ = self.circumstances.environ
        made = {checkout.place(name, environ) for name in trace["made"]}
        for name, was in trace["lists"].items():
            folder = checkout.place(name, environ)
            now = self._visible(folder, checkout, made)
            yield from _different_names(f"the names in {_folder_shown(name)}", was, now)
        for name, was in trace.get("folders", {}).items():
            folder = checkout.place(name, environ)
            found = self._visible(folder, checkout, made)
            now = [each for each in found if os.path.isdir(os.path.join(folder, each))]
            yield from _different_names(f"the folders in {_folder_shown(name)}", was, now)
        for item in trace["globs"]:
            base = checkout.place(item["base"], environ)
            pattern = os.path.join(escape(base), item["pattern"])
            places = sorted(glob(pattern, recursive=item["recursive"]))
            now = [
                os.path.relpath(place, base)
                for place in places
                if checkout.counts(place) and place not in made
            ]
            yield from _different_names(
                f"the names that match {item['pattern']}", item["found"], now
            )

    def _visible(self, folder: str, checkout: Checkout, made: set[str]) -> list[str]:
        if folder not in self._listings:
            try:
                self._listings[folder] = sorted(os.listdir(folder))
            except OSError:
                self._listings[folder] = []
        places = ((name, os.path.join(folder, name)) for name in self._listings[folder])
        return [name for name, place in places if checkout.counts(place) and place not in made]

    def _of_environment(self, recorded: Mapping[str, Any]) -> Iterable[str]:
        is_set = any(was is not None for was in recorded["read"].values())
        if (is_set or recorded["all"]) and recorded["key"] != self.circumstances.key_id:
            yield "environment variables cannot be compared: they were recorded with another key"
            return
        for name, was in recorded["read"].items():
            now = self.circumstances.digest(name)
            if now != was:
                how = "was set" if was is None else "is no longer set" if now is None else "changed"
                yield f"environment variable {name} {how}"
        if recorded["all"]:
            known = {*recorded["read"], *recorded["secret"], *self.circumstances.set_by_pipeline}
            fresh = self.circumstances.environ.keys() - known
            for name in sorted(fresh):
                if not is_of_session(name) and not names_a_secret(name):
                    yield f"environment variable {name} was set"

    def _of_packages(self, trace: Mapping[str, Any], checkout: Checkout) -> Iterable[str]:
        packages = self._packages_of(trace, checkout)
        for name, was in trace["packages"].items():
            now = packages.version(name)
            if now != was:
                yield f"package {name}: {was or 'not installed'} → {now or 'not installed'}"
        whole = trace.get("installed")
        if whole is not None and packages.all_versions() != whole:
            yield "the installed packages changed"
        for top, item in trace["unowned"].items():
            place = packages.unowned(top)
            if place is None:
                yield f"module {top} is no longer a package without metadata"
            elif (self.verify or tree_marks(place) != item["marks"]) and tree_digest(place) != item[
                "digest"
            ]:
                yield f"module {top} changed (a package without metadata)"

    def _packages_of(self, trace: Mapping[str, Any], checkout: Checkout) -> Packages:
        """The packages of today's search path, with the folders that the code puts on it itself."""
        begin = trace["begin"]
        own = tuple(trace.get("entries", begin))
        key = (tuple(begin), own, checkout)
        if key not in self._installed:
            entries = tuple(self._search(begin, own, checkout).entries)
            found = (checkout.program, *entries)
            if found not in self._packages:
                self._packages[found] = Packages.of(entries, checkout.interpreter)
            self._installed[key] = self._packages[found]
        return self._installed[key]

    def _of_start_up(self, was: Mapping[str, str]) -> Iterable[str]:
        if self._startup is None:
            self._startup = start_up_files(self.circumstances.environ)
        for name in sorted({*was, *self._startup}):
            if was.get(name) != self._startup.get(name):
                yield f"IPython's start-up file {name} changed"

    def _marks_of(self, place: str) -> list[int] | None:
        if place not in self._marks:
            self._marks[place] = file_marks(place)
        return self._marks[place]

    def _digest(self, place: str) -> str:
        if place not in self._digests:
            try:
                self._digests[place] = digest_file(Path(place))
            except OSError:
                self._digests[place] = ""
        return self._digests[place]


def _moved(name: str, was: str | None, now: str | None) -> str:
    """Say where an import leads now; the two differ."""
    before = "" if was is None or was in SearchPath.MARKS else was.partition(":")[2]
    if now is None:
        return f"module {name} is gone ({before or 'it was installed'})"
    place = "the installation" if now in SearchPath.MARKS else now.partition(":")[2]
    return f"module {name} now comes from {place}" + (f" (was {before})" if before else "")


def _shown(name: str) -> str:
    """A name for a person: below a root by its path there."""
    root, colon, relative = name.partition(":")
    return relative if colon and root.isalpha() else name


def _folder_shown(name: str) -> str:
    root, _, relative = name.partition(":")
    return relative or f"the {root}'s folder"


def _different_names(what: str, was: Mapping[str, Any], now: Sequence[str]) -> Iterable[str]:
    kept = kept_names(now)
    if kept["digest"] == was["digest"]:
        return
    if was["names"] is None or kept["names"] is None:
        yield f"{what} changed"
        return
    came = [f"+{name}" for name in kept["names"] if name not in set(was["names"])]
    went = [f"−{name}" for name in was["names"] if name not in set(kept["names"])]
    shown = [*came, *went]
    more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
    yield f"{what} changed ({', '.join(shown[:4])}{more})"
