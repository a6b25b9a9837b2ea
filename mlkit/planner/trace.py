"""What a result was seen to depend on when it was computed.

`observe` turns what the recorder in the kernel wrote down (`mlkit.inside.recorder`) into a *trace*:
files by digest, names that were looked for in vain, listings, imports, environment variables and
package versions. `mlkit.planner.today` holds it against the present.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from glob import glob, has_magic
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlkit.core.scrubbing import names_a_secret
from mlkit.errors import DISTRIBUTION
from mlkit.inside.counting_places import is_hidden
from mlkit.inside.shell_text import named_files, named_folders, named_variables, script_text
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.imports import top_level_names
from mlkit.notebook.notebook_runner import ExecutionResult
from mlkit.planner.checkout import Checkout
from mlkit.planner.packages import Packages
from mlkit.planner.search_path import SearchPath
from mlkit.planner.variables import Circumstances, is_of_kernel, is_of_session
from mlkit.store.artifact_store import digest_file

__all__ = [
    "MEANWHILE",
    "TRACE_VERSION",
    "file_marks",
    "kept_names",
    "link_target",
    "observe",
    "start_up_files",
    "tree_digest",
    "tree_marks",
    "unseen_programs",
    "untold",
]

TRACE_VERSION = 3
"""Traces of another version are not understood: their stages run again, once."""

MEANWHILE = "while the stage ran"
"""When a file or package changed that makes a result not reusable."""

SHOWN_NAMES = 500
"""Names of a listing that are kept one by one, to say later which came and went."""

RACY_NS = 5_000_000
"""The clock of a file system is so much behind: a change in a run may bear a time before it."""


AT_START = ("sitecustomize", "usercustomize")
"""Modules that the interpreter imports by itself, where they are to be found."""

OF_ZONE = frozenset({"datetime", "time", "calendar", "dateutil", "arrow", "pendulum", "tzlocal"})
"""Modules of which many answers depend on the zone of the machine."""

OF_LOCALE = ("LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "LANG")

IMPLIED = (
    (r"setlocale|getlocale|getdefaultlocale|getpreferredencoding|nl_langinfo", OF_LOCALE),
    (r"assert|__debug__", ("PYTHONOPTIMIZE",)),
    (r"warnings|warnoptions", ("PYTHONWARNINGS",)),
)
"""Words of code, and the variables on which it then depends: the interpreter alone reads them."""

ASKED_OF_FILES = (
    ("st_mtime_ns", r"st_mtime|st_mtime_ns|getmtime|ST_MTIME"),
    ("st_ctime_ns", r"st_ctime|st_ctime_ns|getctime|ST_CTIME"),
    ("st_mode", r"st_mode|ST_MODE"),
)
"""What a file's status tells beside its size, and words of code by which it is asked for."""
ASKS_FOR_KINDS = r"S_IS(DIR|REG|LNK)|S_IFMT|S_IFDIR|S_IFREG"
"""Words of code that asks for a mode only in order to tell files from folders."""


def observe(
    result: ExecutionResult,
    notebook: NotebookSource,
    checkout: Checkout,
    circumstances: Circumstances,
    since: float,
) -> dict[str, Any]:
    """Say what a finished execution depended on.

    Parameters
    ----------
    result : ExecutionResult
        What the kernel and its children told.
    notebook : NotebookSource
        The notebook that was executed.
    checkout : Checkout
        Where its project stands.
    circumstances : Circumstances
        The environment that its kernel got.
    since : float
        When the execution began, in seconds since 1970 (UTC).

    Returns
    -------
    dict
        The trace, as JSON.
    """
    return _Reading(result, notebook, checkout, circumstances, since).trace()


def unseen_programs(trace: Mapping[str, Any]) -> tuple[str, ...]:
    """The programs that an attempt started and that do not tell what they read: all but Python."""
    programs = trace.get("programs", ())
    return tuple(name for name in programs if not name.startswith("python"))


def untold(reason: str) -> dict[str, Any]:
    """The trace of a result that is not to be reused, and nothing else."""
    return {"version": TRACE_VERSION, "unstable": [reason]}


class _Reading:
    """One pass over the records of an execution, in their order."""

    def __init__(
        self,
        result: ExecutionResult,
        notebook: NotebookSource,
        checkout: Checkout,
        circumstances: Circumstances,
        since: float,
    ) -> None:
        self.result = result
        self.notebook = notebook
        self.checkout = checkout
        self.circumstances = circumstances
        self.since_ns = int(since * 1e9)
        self.reads: dict[str, list[tuple[str | None, list[int]]]] = {}
        self.named: dict[str, list[tuple[str | None, list[int]]]] = {}
        self.missing: dict[str, None] = {}
        self.made: dict[str, None] = {}
        self.touched: set[str] = set()
        self.doubted: set[str] = set()
        self.absent: dict[str, None] = {}
        self.present: dict[str, str | None] = {}
        self.itself: dict[str, str | None] = {}
        self.links: dict[str, str] = {}
        self.status: dict[str, tuple[int, ...]] = {}
        self.may: dict[str, dict[str, bool]] = {}
        self.lists: dict[str, list[str]] = {}
        self.folders: dict[str, list[str]] = {}
        self.distributions: set[str | None] = set()
        self.globs: list[dict[str, Any]] = []
        self.variables: set[str] = set()
        self.reads_all = False
        self.programs: dict[str, None] = {}
        self.unstable: dict[str, None] = dict.fromkeys(result.unstable)
        self.begin: list[str] = []
        self.paths: dict[int, list[str]] = {}
        self.imports: dict[tuple[str, ...], dict[str, None]] = {}
        for record in result.records:
            getattr(self, f"_take_{record[0]}")(*record[1:])

    def _take_begin(self, pid: int, folder: str, path: list[str]) -> None:
        self.begin = [entry for entry in path if entry]
        self.paths[pid] = self.begin

    def _take_path(self, pid: int, path: list[str]) -> None:
        self.paths[pid] = path

    def _take_import(self, pid: int, name: str) -> None:
        path = tuple(self.paths.get(pid, self.begin))
        self.imports.setdefault(path, {})[name] = None

    def _take_read(self, place: str, digest: str | None, marks: list[int]) -> None:
        if place in self.made:
            return
        if place in self.touched:
            self._doubt(place, "was changed by the stage itself, and read")
        self.reads.setdefault(place, []).append((digest, marks))

    def _take_named(self, place: str, digest: str | None, marks: list[int]) -> None:
        """A file that a program is told: it is read, unless somebody tells that it is written."""
        if place in self.touched:
            self._take_read(place, digest, marks)
        elif place not in self.made:
            self.named.setdefault(place, []).append((digest, marks))

    def _take_missing(self, place: str) -> None:
        """A file that a program is told and that is not there: perhaps it makes it."""
        self.missing[place] = None

    def _take_written(self, place: str, use: str) -> None:
        """A file that a shell's text writes, if it came to that: much is done on a condition."""
        try:
            changed_ns = os.lstat(place).st_ctime_ns
        except (OSError, ValueError):
            changed_ns = self.since_ns
        if changed_ns < self.since_ns - RACY_NS:
            return
        if place in self.reads or place in self.named:
            self._doubt(place, f"changed {MEANWHILE}")
        if use == "made":
            self._take_made(place)
        else:
            self._take_touched(place)

    def _take_made(self, place: str) -> None:
        self.named.pop(place, None)
        if place in self.reads:
            self._doubt(place, "was read by the stage and then written by it")
        self.made[place] = None
        self.absent.pop(place, None)
        if self.itself.get(place, "") is None:
            del self.itself[place]

    def _take_touched(self, place: str, changed_ns: int = 0) -> None:
        """A file that was added to; one that had changed since the start was made unseen before."""
        if changed_ns > self.since_ns and place not in self.reads:
            self._take_made(place)
            return
        self.named.pop(place, None)
        if place in self.reads:
            self._doubt(place, "was read by the stage and then written by it")
        elif place not in self.made:
            self.touched.add(place)

    def _take_absent(self, place: str) -> None:
        self.absent[place] = None

    def _take_present(self, place: str, kind: str | None = None) -> None:
        if place not in self.made:
            self.present[place] = kind

    def _take_itself(self, place: str, kind: str | None) -> None:
        """A question that does not follow a link."""
        if place not in self.made:
            self.itself[place] = kind

    def _take_link(self, place: str, target: str) -> None:
        if place not in self.made:
            self.links[place] = target

    def _take_status(self, place: str, *status: int) -> None:
        """Dates and mode of a file, of which the code's words say whether it looks at them."""
        if place not in self.made:
            self.status[place] = status

    def _take_may(self, place: str, mode: int, answer: bool) -> None:  # noqa: FBT001 - a record's field
        """What the code may do with something, as `os.access` says."""
        if place not in self.made:
            self.may.setdefault(place, {})[str(mode)] = answer

    def _take_list(self, place: str, names: list[str]) -> None:
        self.lists[place] = names

    def _take_folders(self, place: str, names: list[str]) -> None:
        """Which of the names in a folder are folders."""
        self.folders[place] = names

    def _take_distribution(self, name: str | None) -> None:
        self.distributions.add(name)

    def _take_glob(self, base: str, pattern: str, recursive: bool, found: list[str]) -> None:  # noqa: FBT001 - a record's field
        self.globs.append(
            {"base": base, "pattern": pattern, "recursive": recursive, "found": found}
        )

    def _take_env(self, name: str, asker: str, already_set: list[str]) -> None:
        if name in self.circumstances.set_by_pipeline:
            return
        if name == "*":
            self.reads_all = True
            known = {*already_set, *self.circumstances.set_by_pipeline}
            names = self.circumstances.environ.keys() - known
            self.variables |= {each for each in names if not is_of_session(each)}
        elif not is_of_kernel(name) and (asker == "own" or not is_of_session(name)):
            self.variables.add(name)

    def _take_program(self, name: str) -> None:
        self.programs[name] = None

    def _take_fault(self, event: str, text: str) -> None:
        self.unstable[f"what it read could not be recorded ({event}: {text})"] = None

    def _doubt(self, place: str, what: str) -> None:
        """Say once of a file why the result must not be reused."""
        if place not in self.doubted:
            self.doubted.add(place)
            self.unstable[f"{self.checkout.shown(place)} {what}"] = None

    def trace(self) -> dict[str, Any]:
        """Put the trace together."""
        self._take_told()
        self._take_implied()
        if not self.result.told:
            self.unstable["its kernel did not tell what it had read"] = None
        search = {path: SearchPath(path, self.checkout) for path in self.imports}
        imports = [self._located(search[path], names) for path, names in self.imports.items()]
        files = self._files(imports)
        named = {n for group in imports for n in group["installed"]}
        packages = Packages.of(self._entries(), self.checkout.interpreter)
        secret = sorted(name for name in self.variables if names_a_secret(name))
        absent = self._names(p for p in self.absent if p not in self.reads)
        opened = [name for name, item in files.items() if not item["module"]]
        listed = self._names([*self.lists, *(item["base"] for item in self.globs)])
        return {
            "version": TRACE_VERSION,
            "ways_up": self.checkout.ways_up([*opened, *absent, *listed]),
            "files": files,
            "absent": absent,
            "present": self._names(p for p in self.present if p not in self.reads),
            "kinds": {
                self.checkout.name(place): kind
                for place, kind in sorted(self.present.items())
                if kind is not None and place not in self.reads
            },
            "itself": {
                name: kind
                for place, kind in sorted(self.itself.items())
                if not (name := self.checkout.name(place)).endswith(":")  # roots may be links
            },
            "links": {
                self.checkout.name(place): link_target(target, self.checkout)
                for place, target in sorted(self.links.items())
            },
            "status": self._status_asked(),
            "may": {self.checkout.name(place): told for place, told in sorted(self.may.items())},
            "lists": {
                self.checkout.name(place): kept_names(self._visible(place, names))
                for place, names in sorted(self.lists.items())
            },
            "folders": {
                self.checkout.name(place): kept_names(self._visible(place, names))
                for place, names in sorted(self.folders.items())
            },
            "globs": [self._glob(item) for item in self.globs],
            "begin": self.checkout.path_names(self.begin),
            "entries": self.checkout.path_names(self._entries()),
            "imports": imports,
            "environment": {
                "key": self.circumstances.key_id,
                "all": self.reads_all,
                "read": {
                    name: self.circumstances.digest(name)
                    for name in sorted(self.variables)
                    if not names_a_secret(name)
                },
                "secret": secret,
            },
            "packages": self._packages(packages, named),
            "installed": packages.all_versions() if None in self.distributions else None,
            "unowned": self._unowned(packages, named),
            "startup": start_up_files(self.circumstances.environ),
            "programs": sorted(self.programs),
            "made": self._names(self.made),
            "unstable": list(self.unstable),
        }

    def _take_told(self) -> None:
        """What programs were told: nobody said that they wrote it, but they may have made it."""
        for place, readings in self.named.items():
            self.reads.setdefault(place, []).extend(readings)
        for place in self.missing:
            if os.path.lexists(place):
                self._take_made(place)
            else:
                self._take_absent(place)

    def _take_implied(self) -> None:
        """What the kernel reads without telling, as its texts show.

        The interpreter looks for two modules as it starts, before anything can be recorded, and for
        what to do about warnings; and the C library asks for the zone and the language when code
        calls for them, as the compiler does whether to leave out what code asserts.
        """
        began = tuple(entry for entry in self.begin if entry != self.checkout.notebook)
        self.imports.setdefault(began, {}).update(dict.fromkeys(AT_START))
        names: set[str] = set()
        for text in self.texts:
            if OF_ZONE & top_level_names(text):
                names.add("TZ")
            for words, variables in IMPLIED:
                if re.search(rf"\b({words})\b", text):
                    names.update(variables)
        self.variables |= names - self.circumstances.set_by_pipeline

    def _status_asked(self) -> dict[str, dict[str, int]]:
        """Those parts of files' status for which the texts ask."""
        text = "\n".join(self.texts) if self.status else ""
        asked = [bool(re.search(rf"\b({words})\b", text)) for _, words in ASKED_OF_FILES]
        asked[-1] = asked[-1] and not re.search(rf"\b({ASKS_FOR_KINDS})\b", text)
        fields = [field for field, _ in ASKED_OF_FILES]
        return {
            self.checkout.name(place): {
                field: value
                for field, value, wanted in zip(fields, status, asked, strict=True)
                if wanted
            }
            for place, status in sorted(self.status.items())
            if any(asked)
        }

    def _take_script(self, text: str, folder: str) -> None:
        """A cell that is a script for a program is handed over where no event tells of it."""
        for name in named_variables(text):
            self._take_env(name, "own", [])
        for path, use in named_files(text, folder):
            place = os.path.abspath(path)
            if not self.checkout.is_project(place):
                continue
            if use != "read":
                self._take_written(place, use)
            elif any(sign in place for sign in "*?["):
                self._take_pattern(place)
            else:
                self._take_as_told(place)
        for path, what in named_folders(text, folder):
            self._take_folder(os.path.abspath(path), what)

    def _take_folder(self, folder: str, what: str) -> None:
        """A folder that a shell has a program read: names, all below it, or its files, too."""
        if not self.checkout.is_project(os.path.join(folder, "any")):
            return
        for inner, folders, names in os.walk(folder):
            self._take_list(inner, [*folders, *names])
            folders[:] = [name for name in folders if what != "names" and not is_hidden(name)]
            for name in names if what == "files" else ():
                place = os.path.join(inner, name)
                if self.checkout.is_project(place):
                    self._take_as_told(place)

    def _take_pattern(self, pattern: str) -> None:
        """The names that a shell puts in a pattern's place, and their files."""
        base = pattern
        while has_magic(base):
            base = os.path.dirname(base)
        if self.checkout.is_project(pattern):
            found = sorted(glob(pattern))
            self._take_glob(base, pattern, recursive=False, found=found)
            for place in found:
                self._take_as_told(place)

    def _take_as_told(self, place: str) -> None:
        """A file that a shell is told to read, and what it names itself if it is a script."""
        marks = file_marks(place)
        if marks is None:
            if not os.path.lexists(place):
                self._take_absent(place)
        elif place not in self.reads and place not in self.named:
            # Nobody has looked at it when it was read: it must have stood still since the start.
            self._take_named(place, None, marks if marks[2] <= self.since_ns else [])
            script = script_text(place)
            if script is not None:
                self._take_script(script, os.path.dirname(place))

    @cached_property
    def texts(self) -> list[str]:
        """The notebook's cells and the project's modules that were read."""
        texts = [cell.source for cell in self.notebook.code_cells]
        texts += [
            Path(place).read_text(encoding="utf-8", errors="replace")
            for place in self.reads
            if place.endswith(".py") and os.path.isfile(place)
        ]
        return texts

    def _entries(self) -> list[str]:
        """Where packages are looked for; what the stage installs for itself is its own."""
        seen = dict.fromkeys(entry for path in self.paths.values() for entry in path if entry)
        never = tuple(each + os.sep for each in self.checkout.never)
        return [entry for entry in seen if not (entry + os.sep).startswith(never)]

    def _names(self, places: Iterable[str]) -> list[str]:
        return sorted({self.checkout.name(place) for place in places})

    def _visible(self, place: str, names: Iterable[str]) -> list[str]:
        return [
            name
            for name in names
            if self.checkout.counts(os.path.join(place, name))
            and os.path.join(place, name) not in self.made
        ]

    def _glob(self, item: dict[str, Any]) -> dict[str, Any]:
        base = item["base"]
        found = [
            os.path.relpath(place, base)
            for place in item["found"]
            if self.checkout.counts(place) and place not in self.made
        ]
        return {
            "base": self.checkout.name(base),
            "pattern": os.path.relpath(item["pattern"], base),
            "recursive": item["recursive"],
            "found": kept_names(found),
        }

    def _located(self, search: SearchPath, names: Iterable[str]) -> dict[str, Any]:
        """Where each import leads; what leads to the installation is known by its version."""
        found: dict[str, str | None] = {}
        portions: dict[str, list[str]] = {}
        installed = []
        for name in sorted(names):
            place = search.locate(name)
            if place == SearchPath.INSTALLED:
                installed.append(name)
            elif place != SearchPath.BUILT_IN:
                found[name] = place if place is None else self.checkout.name(place)
                if self._lists_any(search.portions(name)):
                    portions[name] = self.checkout.path_names(search.portions(name))
        return {
            "path": search.names,
            "found": found,
            "installed": installed,
            "portions": portions,
        }

    def _lists_any(self, portions: Sequence[str]) -> bool:
        """Whether code listed what a package without a file of its own holds, all over the path."""
        return any(
            place in self.lists or any(item["base"] == place for item in self.globs)
            for place in portions
        )

    def _files(self, imports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Every file by its digest as it was read, if it is still the same."""
        modules = {
            place: name for group in imports for name, place in group["found"].items() if place
        }
        at_end = dict(self.result.modules)
        for group in imports:  # what is loaded without being opened: compiled modules
            at_end |= {
                name: str(self.checkout.place(place))
                for name, place in group["found"].items()
                if place and not place.endswith((os.sep, ".py"))
            }
        files: dict[str, Any] = {}
        for place, readings in self.reads.items():
            name = self.checkout.name(place)
            files[name] = {**self._file(place, readings), "module": modules.get(name)}
        for module, place in at_end.items():
            name = self.checkout.name(place)
            if name in files:
                files[name]["module"] = module
                continue
            if place in self.made or not self.checkout.counts(place) or not os.path.isfile(place):
                continue
            marks = file_marks(place)
            if marks is not None and marks[2] > self.since_ns - RACY_NS:
                self._doubt(place, f"changed {MEANWHILE}")
            files[name] = {"digest": digest_file(Path(place)), "marks": marks, "module": module}
        return dict(sorted(files.items()))

    def _file(self, place: str, readings: list[tuple[str | None, list[int]]]) -> dict[str, Any]:
        digests = {digest for digest, _ in readings if digest is not None}
        now = file_marks(place)
        if now is None:
            self._doubt(place, f"vanished {MEANWHILE}")
            return {"digest": readings[-1][0] or "", "marks": readings[-1][1]}
        same = all(marks == now for _, marks in readings)
        digest = next(iter(digests)) if len(digests) == 1 and same else digest_file(Path(place))
        if digests - {digest} or (not digests and not same):
            self._doubt(place, f"changed {MEANWHILE}")
        return {"digest": digest, "marks": now}

    def _packages(self, packages: Packages, named: Iterable[str]) -> dict[str, str | None]:
        """The packages behind imports that were seen, or that stand in a cell or project module.

        A package that came along with the process that a kernel was forked from may have been
        imported without an event; what a text imports counts if it was there at the end.
        """
        tops = {name.partition(".")[0] for name in named}
        loaded = {*self.result.imported, *tops}
        static = {name for text in self.texts for name in top_level_names(text)}
        found = packages.versions(name for name in self.distributions if name is not None)
        found |= packages.behind(sorted(tops | (static & loaded)), loaded)
        own = packages.version(DISTRIBUTION)
        if "mlkit" in tops | static and own is not None:
            found[DISTRIBUTION] = own  # also from a checkout, where no list of files names it
        for name in found:
            if packages.changed_ns(name) > self.since_ns:
                self.unstable[f"package {name} was changed {MEANWHILE}"] = None
        return found

    def _unowned(self, packages: Packages, named: Iterable[str]) -> dict[str, Any]:
        """Modules of the installation that belong to no package: they count by source."""
        found = {}
        for top in sorted({name.partition(".")[0] for name in named}):
            place = packages.unowned(top)
            if place is not None:
                found[top] = {"marks": tree_marks(place), "digest": tree_digest(place)}
        return found


def link_target(target: str, checkout: Checkout) -> str:
    """Where a link leads, for a record: below a root it is the same in every checkout."""
    return checkout.name(target) if os.path.isabs(target) else target


def kept_names(names: Sequence[str]) -> dict[str, Any]:
    """Names as they are recorded: by digest, and one by one if they are not too many."""
    ordered = sorted(names)
    text = "\0".join(ordered).encode("utf-8", "surrogatepass")
    return {
        "digest": sha256(text).hexdigest(),
        "names": ordered if len(ordered) <= SHOWN_NAMES else None,
    }


def file_marks(place: str) -> list[int] | None:
    """Size, times and inode of a regular file; None if there is none."""
    try:
        stat = os.stat(place)
    except (OSError, ValueError):
        return None
    if stat.st_mode & 0o170000 != 0o100000:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _sources(place: Path) -> list[Path]:
    """The files of a module or package that belongs to nobody, compiled copies left out."""
    if place.is_file():
        return [place]
    return sorted(
        file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )


def tree_marks(place: Path) -> str:
    """What tells at a glance that a module's files are unchanged."""
    rows = [
        [file.relative_to(place.parent).as_posix(), file_marks(str(file))]
        for file in _sources(place)
    ]
    return sha256(repr(rows).encode()).hexdigest()


def tree_digest(place: Path) -> str:
    """The digest of a module's files, by name and content."""
    whole = sha256()
    for file in _sources(place):
        whole.update(file.relative_to(place.parent).as_posix().encode() + b"\0")
        whole.update(digest_file(file).encode())
    return whole.hexdigest()


def start_up_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's files that IPython runs in every kernel, by name and digest."""
    home = environ.get("IPYTHONDIR") or os.path.join(environ.get("HOME", ""), ".ipython")
    profile = Path(home, "profile_default")
    files = [profile / name for name in ("ipython_config.py", "ipython_kernel_config.py")]
    try:
        files += [f for f in sorted((profile / "startup").iterdir()) if f.suffix in (".py", ".ipy")]
        return {file.name: digest_file(file) for file in files if file.is_file()}
    except OSError:
        return {file.name: digest_file(file) for file in files[:2] if file.is_file()}
