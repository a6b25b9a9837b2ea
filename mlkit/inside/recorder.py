"""What an attempt reads, written down by the interpreter itself while it happens.

The kernel of an attempt, the worker processes that it forks and the Python processes that it starts
each append what they read to one file, a JSON list a line, at the moment of reading: workers end by
`os._exit` or SIGKILL, so nothing may wait for their end. What the lines mean for the result (which
of these files count, whether they are still the same) is the planner's business; the recorder
leaves out only what can never count, since it stands in the way of everything that a notebook does.

It hears of what happens by `interpreter_hooks`; `counting_places` tells which paths may count,
`callers` who is behind a call, and `started_programs` what a program is told to read.

It is imported before the first cell of every kernel: what few notebooks need of the standard
library is imported where it is needed. And it needs the standard library alone, since other
environments' Pythons are handed it.

Readers in compiled code (pyarrow, DuckDB) and programs that are no Python are not seen; of a
program that is started, the files named in its arguments count, and the variables that a shell is
asked for. Where a package asks whether a file is there before its compiled part opens it, as pandas
and polars do, the file counts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from _thread import get_ident
from collections.abc import Callable, Iterator
from hashlib import sha256
from types import FrameType
from typing import Any

# By their distance: in another environment's Python this package has another name.
from .callers import ASKS_FOR_OTHERS, FOR_STATUS, OF_METADATA, Callers
from .counting_places import ELSEWHERE, Places, installation, is_hidden, kind_of_mode
from .interpreter_hooks import import_project_modules_from_source, watch
from .started_programs import SETTINGS, StartedPrograms

__all__ = ["SETTINGS", "Recorder", "in_any_case", "start", "start_child", "stop"]

DIGESTED_AT_ONCE_BYTES = 1 << 20
"""A file up to this size is digested when it is opened; a larger one is known by its marks, and
digested when the attempt has ended, if they are still the same."""

TEMPORARY = ("/tmp/", "/var/tmp/")
READ_ONLY = os.O_RDONLY
ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

_recorder: Recorder | None = None


def start(settings: str, folder: str) -> None:
    """Record in a kernel, from its first cell on.

    Parameters
    ----------
    settings : str
        The file with the settings, see `Recorder`.
    folder : str
        The notebook's folder, which stands first on `sys.path` already.
    """
    os.environ[SETTINGS] = settings
    _start(settings, in_kernel=True)
    _active().write("begin", os.getpid(), folder, list(sys.path))


def stop() -> None:
    """Record nothing more; the hook itself cannot be taken back."""
    os.environ.pop(SETTINGS, None)
    if _recorder is not None:
        _recorder.record = os.devnull


def start_child() -> None:
    """Record in a Python process that an attempt has started; called while it starts."""
    settings = os.environ.get(SETTINGS, "")
    if _recorder is None and os.path.isfile(settings):
        _start(settings, in_kernel=False)
        import_project_modules_from_source()


def _start(settings: str, *, in_kernel: bool) -> None:
    global _recorder  # audit hooks cannot be taken back, so there is one a process
    with open(settings, encoding="utf-8") as file:
        document = json.load(file)
    if _recorder is None:
        _recorder = Recorder(document, in_kernel=in_kernel)
        watch(_recorder)
    else:
        _recorder.set_up(document, in_kernel=in_kernel)


def _active() -> Recorder:
    assert _recorder is not None
    return _recorder


class Recorder:
    """Writes down what this process reads.

    Parameters
    ----------
    settings : dict
        `record`: the file to append to; `roots`: the folders whose files count by whatever way they
        are read; `never`: folders and files that count never, such as the runs folder and inputs.
    in_kernel : bool
        Whether this process is the attempt's kernel, or was forked by it.
    """

    def __init__(self, settings: dict[str, Any], *, in_kernel: bool) -> None:
        self._busy: set[int] = set()
        self._walked: dict[int, set[str]] = {}
        self._look: Callable[..., os.stat_result] = os.stat
        self._installation = installation()
        self._handlers: dict[str, Callable[[tuple[Any, ...]], object]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._scanned,
            "glob.glob/2": self._globbed,
            "pathlib.Path.glob": self._globbed_by_path,
            "pathlib.Path.rglob": self._globbed_deeply,
            "os.rename": lambda args: self._made(args[1]),
            "os.link": self._linked_hard,
            "os.symlink": self._linked,
            "os.mkdir": lambda args: self._made(args[0]),
            "os.truncate": lambda args: self._touched(args[0]),
            "os.putenv": lambda args: self._set.add(_text(args[0])),
            "os.unsetenv": lambda args: self._set.add(_text(args[0])),
            "sqlite3.connect": self._connected,
            "ctypes.dlopen": self._loaded,
            "subprocess.Popen": lambda args: self._programs.started(*args),
            "os.posix_spawn": lambda args: self._programs.started(args[0], args[1], None, args[2]),
            "os.spawn": lambda args: self._programs.started(args[1], args[2], None, args[3]),
            "os.exec": lambda args: self._programs.started(args[0], args[1], None, args[2]),
            "os.system": lambda args: self._programs.started(None, args[0], None),
            "os.fork": lambda _: self.places.may_have_links(),
            "os.forkpty": lambda _: self.places.may_have_links(),
        }
        self.set_up(settings, in_kernel=in_kernel)

    def set_up(self, settings: dict[str, Any], *, in_kernel: bool) -> None:
        """Begin anew, with other settings."""
        self.in_kernel = in_kernel
        self.record: str = settings["record"]
        roots = [root for root in settings["roots"] if root]
        self.places = Places(
            roots,
            settings["never"],
            self._installation,
            has_links=not in_kernel,  # a child's parent may have made them
        )
        self.callers = Callers(self._installation, in_kernel=in_kernel)
        self._seen: set[Any] = set()
        self._marks: dict[tuple[str, str], Any] = {}
        self._set: set[str] = set()
        self._path: list[str] = []
        self._programs = StartedPrograms(self)

    def forked(self) -> None:
        """Begin the search path anew in a child, which is told from its parent by its number."""
        self._path = []
        self._busy.clear()

    # What happens, as the interpreter tells it

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Take in an audit event; whatever goes wrong here is no fault of the notebook."""
        handler = self._handlers.get(event)
        if handler is not None:
            self._take_in(event, handler, args)

    def _take_in(self, event: str, handler: Callable[..., object], *told: Any) -> None:
        """Have something recorded, unless it is the recorder's own doing."""
        me = get_ident()
        if me in self._busy:
            return
        self._busy.add(me)
        try:
            handler(*told)
        except Exception as error:  # noqa: BLE001 - the notebook's own call must go on as it would
            self._fault(event, error)
        finally:
            self._busy.discard(me)

    def _fault(self, event: str, error: Exception) -> None:
        """Say that something could not be recorded: then the result is not to be reused."""
        if ("fault", event) not in self._seen:
            self._seen.add(("fault", event))
            self.write("fault", event, f"{type(error).__name__}: {error}")

    def write(self, *record: Any) -> None:
        """Append one record, in one piece; the file is opened for it.

        A number of an open file would not do: programs close numbers that are not theirs, and
        another file may then have it.
        """
        line = json.dumps(record, ensure_ascii=True) + "\n"
        number = os.open(self.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(number, line.encode())
        finally:
            os.close(number)

    def once(self, *record: Any) -> None:
        """Append one record, if it does not stand there yet."""
        key = json.dumps(record)
        if key not in self._seen:
            self._seen.add(key)
            self.write(*record)

    def _opened(self, args: tuple[Any, ...]) -> None:
        path, _, flags = args
        place = self.places.at(path)
        if place is None:
            return
        if isinstance(flags, int) and flags & ACCESS != READ_ONLY:
            if flags & ACCESS == os.O_RDWR and not flags & os.O_TRUNC:
                self._reads(place)
            self._writes(place, is_new=bool(flags & os.O_TRUNC))
        else:
            self._reads(place)

    def _reads(self, place: str, *, how: str = "read") -> None:
        """Record a file as it is now; by whom it is read matters only outside the project.

        A file that is only `named` to a program may be one that the program writes.
        """
        if place.endswith(".pyc"):
            place = _source_of(place)
        if self.places.is_project(place):
            counts = self.places.is_plain(place) or self._may_be_hidden(place)
        else:
            counts = self.callers.asks_itself(place)
        if not counts:
            return
        try:
            stat = self._look(place)
        except (OSError, ValueError):
            self.once("absent", place)
            return
        if stat.st_mode & 0o170000 != 0o100000:  # folders, pipes and devices are no files to digest
            return
        marks = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if self._marks.get((how, place)) != marks:
            self._marks[how, place] = marks
            small = stat.st_size <= DIGESTED_AT_ONCE_BYTES
            self.write(how, place, _digest(place) if small else None, marks)

    def _writes(self, place: str, *, is_new: bool) -> None:
        if is_new or not self._exists(place):
            self.once("made", place)
        elif ("touched", place) not in self._seen:
            self._seen.add(("touched", place))
            self.write("touched", place, self._look(place).st_ctime_ns)

    def _exists(self, place: str) -> bool:
        try:
            self._look(place)
        except (OSError, ValueError):
            return False
        return True

    def _made(self, path: Any) -> None:
        place = self.places.at(path)
        if place is not None:
            self.once("made", place)

    def _linked_hard(self, args: tuple[Any, ...]) -> None:
        """Take in a second name for a file: who reads it there reads the file."""
        place = self.places.at(args[0])
        if place is not None:
            self._reads(place)
        self._made(args[1])

    def _linked(self, args: tuple[Any, ...]) -> None:
        """Take in a link, behind which there may be what counts."""
        self._made(args[1])
        self.places.may_have_links()

    def _loaded(self, args: tuple[Any, ...]) -> None:
        """Take in a compiled library; one that is named without a folder is the system's."""
        name = _text(args[0]) if isinstance(args[0], str | bytes | os.PathLike) else ""
        place = self.places.at(name) if os.sep in name else None
        if place is not None:
            self._reads(place)

    def _touched(self, path: Any) -> None:
        place = self.places.at(path)
        if place is not None:
            self.once("touched", place)

    def looked_for(self, name: str) -> None:
        """Take in that a module is looked for that is not loaded yet."""
        self._take_in("import", self._look_for, name)

    def _look_for(self, name: str) -> None:
        if self.in_kernel and not self.callers.is_in_cell():
            return
        top, dot, _ = name.partition(".")
        if dot and not self._may_be_project(top):
            return
        self._tell_path()
        self.once("import", os.getpid(), name)

    def _tell_path(self) -> None:
        here = os.getcwd()  # an empty entry stands for the working folder, where that is
        entries = [entry or here for entry in sys.path if isinstance(entry, str)]
        if entries != self._path:
            self._path = entries
            self.write("path", os.getpid(), entries)

    def _may_be_project(self, top: str) -> bool:
        """Whether a package's modules may stand outside the installation."""
        package = sys.modules.get(top)
        try:
            places = list(package.__path__)  # type: ignore[union-attr] # whatever it is
        except Exception:  # noqa: BLE001 - what stands in sys.modules may be anything
            return False
        return not all(str(place).startswith(self._installation) for place in places)

    def _scanned(self, args: tuple[Any, ...]) -> None:
        """Take in a listing that tells of each name, without a further question, what it is."""
        place = self._listed(args)
        if place is None:
            return
        with os.scandir(place) as entries:
            kinds = {
                entry.name: os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
                for entry in entries
            }
        self.once("folders", place, sorted(name for name in kinds if kinds[name]))
        if self.callers.asks_for_status(sys._getframe(3)):
            for path in sorted(os.path.join(place, name) for name in kinds if not kinds[name]):
                self.named(path, is_path=False)
                if self._exists(path) and self.places.is_plain(path):
                    self._has_status(path, self._look(path))

    def _listed(self, args: tuple[Any, ...]) -> str | None:
        """Take in a listing, and give its folder if it counts and is there."""
        path = args[0]
        if path is None:
            path = "."
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        place = self.places.at(path)
        if place is None or not self._may_ask(place, lists=True):
            return None
        try:
            names = sorted(os.listdir(place))
        except OSError:
            self.once("absent", place)
            return None
        self.once("list", place, names)
        return place

    def folder_told(self, path: str, what: str) -> None:
        """Record of a folder the names in it, the names of all below it, or its files, too."""
        place = self.places.at(path)
        if place is None or not self.places.is_project(place):
            return
        for inner, folders, names in os.walk(place):
            self._listed((inner,))
            folders[:] = [n for n in folders if what != "names" and not is_hidden(n)]
            if what == "files":
                for name in names:
                    self.named(os.path.join(inner, name), is_path=False)

    def globbed(self, pattern: str) -> None:
        """Record which names a pattern matches, seen from the working folder."""
        self._glob(os.getcwd(), pattern, recursive=False)

    def _globbed(self, args: tuple[Any, ...]) -> None:
        pattern, recursive, root = _text(args[0]), bool(args[1]), args[2]
        base = _text(root) if root is not None else "."
        if args[3] is not None:
            base = os.path.join(os.readlink(f"/proc/self/fd/{args[3]}"), base)
        self._glob(os.path.abspath(base), pattern, recursive=recursive)

    def _globbed_by_path(self, args: tuple[Any, ...]) -> None:
        pattern = _as_matched(str(args[1]), sys._getframe(3))
        self._glob(os.path.abspath(str(args[0])), pattern, recursive=True)

    def _globbed_deeply(self, args: tuple[Any, ...]) -> None:
        pattern = os.path.join("**", _as_matched(str(args[1]), sys._getframe(3)))
        self._glob(os.path.abspath(str(args[0])), pattern, recursive=True)

    def _glob(self, base: str, pattern: str, *, recursive: bool) -> None:
        """Record which names a pattern matches, rather than all that stand beside them."""
        from glob import escape, glob

        whole = pattern if os.path.isabs(pattern) else os.path.join(escape(base), pattern)
        start = _fixed_part(whole)
        fixed = self.places.at(start)
        if fixed is None or not self._may_ask(fixed):
            return
        whole = os.path.join(escape(fixed), os.path.relpath(whole, start))
        found = sorted(glob(whole, recursive=recursive))
        self.once("glob", fixed, whole, recursive, found)

    def _connected(self, args: tuple[Any, ...]) -> None:
        name = _text(args[0]) if isinstance(args[0], str | bytes | os.PathLike) else ""
        if name.startswith("file:"):
            from urllib.parse import unquote, urlsplit

            name = unquote(urlsplit(name).path)
        place = self.places.at(name) if name and name != ":memory:" else None
        if place is not None and self._exists(place):
            self._reads(place)
        elif place is not None:
            self.once("made", place)

    def named(self, path: str, *, is_path: bool) -> None:
        """Record a file that an argument names, if it names one of the project's."""
        if "\n" in path or "\0" in path or len(path) > 4096:
            return
        place = self.places.at(path)
        if place is not None and self.places.is_project(place) and self.places.is_plain(place):
            if self._exists(place):
                self._reads(place, how="named")
            elif is_path:
                self.once("missing", place)

    # What has no event

    def asked(
        self,
        path: Any,
        found: os.stat_result | None,
        *,
        follows: bool = True,
        may: tuple[int, bool] | None = None,
    ) -> None:
        """Take in that somebody asked whether something exists, of what kind it is, and more.

        What the asker `may` do with it is a mode, as `os.access` takes it, and the answer.
        """
        self._take_in("stat", self._ask, path, found, follows, may)

    def _ask(
        self,
        path: Any,
        found: os.stat_result | None,
        follows: bool,  # noqa: FBT001 - as `asked` hands it on
        may: tuple[int, bool] | None,
    ) -> None:
        place = self.places.at(path, itself=not follows)
        if place is None or not (follows or self.places.is_project(place)):
            return
        kind = kind_of_mode(found.st_mode) if found is not None else None
        key = ("asked", place, follows, kind)
        if key not in self._seen and self._may_ask(place):
            self._seen.add(key)
            self._answered(place, kind, follows=follows)
        if found is not None and follows:
            self._answered_beside(place, found, may)
        if kind is None or ("content", place) in self._seen:
            return
        if kind == "file" and self.callers.wants_content():
            self._seen.add(("content", place))
            self._reads(place)
        elif kind == "folder" and self.callers.reads_folder_natively(place):
            self._seen.add(("content", place))
            self.folder_told(place, "files")

    def _answered(self, place: str, kind: str | None, *, follows: bool) -> None:
        if not follows:
            self.write("itself", place, kind)
        elif kind is None:
            self.write("made" if self.callers.is_written_natively() else "absent", place)
        else:
            self.write("present", place, kind)

    def _answered_beside(
        self, place: str, found: os.stat_result, may: tuple[int, bool] | None
    ) -> None:
        """Take in what else an answer tells: dates, permissions, or that two paths are one."""
        if may is not None:
            if may[0] != os.F_OK and self._may_ask(place):
                self.once("may", place, *may)
            return
        way = self.callers.way_of_asking()
        if way in FOR_STATUS and kind_of_mode(found.st_mode) == "file" and self._may_ask(place):
            self._has_status(place, found)
        elif way == "samefile" and ("leads", place) not in self._seen:
            self._seen.add(("leads", place))
            self._leads(place)

    def _has_status(self, place: str, found: os.stat_result) -> None:
        self.once("status", place, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)

    def _leads(self, place: str) -> None:
        """Record where the links lead by which something of the project is reached."""
        while self.places.is_project(place) and f"{place}/" not in self.places.roots:
            if os.path.islink(place):
                self.once("link", place, os.readlink(place))
            self.once("itself", place, kind_of_mode(os.lstat(place).st_mode))
            place = os.path.dirname(place)

    def link_read(self, path: Any, target: Any) -> None:
        """Take in that somebody asked where a link leads."""
        self._take_in("readlink", self._read_link, path, target)

    def _read_link(self, path: Any, target: Any) -> None:
        place = self.places.at(path, itself=True)
        leads_here = place is not None and any(f"{place}/" in root for root in self.places.roots)
        if place is not None and not leads_here and self._may_ask(place):
            self.once("link", place, _text(target))

    def read_variable(self, name: Any) -> None:
        """Take in that a variable of the environment was read; None stands for all of them."""
        me = get_ident()
        if me in self._busy:
            return
        walked = self._walked.get(me)
        if name is not None and walked and _text(name) in walked:
            walked.discard(_text(name))  # a copy of all of them takes each value once
            return
        self._take_in("environ", lambda: self.variable("*" if name is None else _text(name)))

    def variable(self, key: str) -> None:
        """Record that a variable was read, `*` for all of them, if it counts who asked."""
        if key in self._set or ("env", "*", "own") in self._seen:
            return  # made by the stage itself; or all of them count already
        asker = self.callers.asker(by_name=True)
        counts = asker == "own" or (
            asker == "package" and (key != "*" or self.callers.is_for_settings())
        )
        if counts and ("env", key, asker) not in self._seen:
            self._seen.add(("env", key, asker))
            self.write("env", key, asker, sorted(self._set) if key == "*" else [])

    def whole_environment(self) -> None:
        """Record that a program was told all variables but those that the stage has set."""
        if self.callers.asker() in ("own", "package"):
            self.once("env", "*", "own", sorted(self._set))

    def walk(self, names: Iterator[Any]) -> Iterator[Any]:
        """Pass on the names of all variables; their values are read next, one after the other."""
        walked = self._walked.setdefault(get_ident(), set())
        walked.clear()
        for name in names:
            walked.add(_text(name))
            yield name

    def distributions_asked(self, name: str | None) -> None:
        """Take in that code asks for a package's metadata, or for that of all packages."""
        self._take_in("metadata", self._ask_distribution, name)

    def _ask_distribution(self, name: str | None) -> None:
        if self.callers.is_own_question(OF_METADATA):
            self._tell_path()
            self.once("distribution", name)

    def path_at(self, path: Any, folder: Any) -> Any:
        """A path that the notebook's code tells by the number of an open folder; else None.

        Functions of the library that walk or remove folders in this way tell of them already.
        """
        if folder is None:
            return path
        if self.callers.kind(sys._getframe(2)) != "own":
            return None
        try:
            return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), _text(path))
        except (OSError, TypeError, ValueError):  # the call itself says what is wrong
            return None

    def _may_be_hidden(self, place: str) -> bool:
        """Whether a hidden file counts: `.env` does, by which people set variables; no other."""
        folder, name = os.path.split(place)
        is_settings = name == ".env" or name.startswith(".env.")
        return is_settings and self.places.is_plain(folder) and self.callers.is_asked_for()

    def _may_ask(self, place: str, *, lists: bool = False) -> bool:
        """Whether an answer counts: of the project what anybody asks for it, else what it asks."""
        if self.places.is_project(place):
            if not self.places.is_plain(place):
                return self._may_be_hidden(place)
            return self.callers.is_asked_for(lists=lists)
        if f"{place}/".startswith(ELSEWHERE):  # the folder itself is listed, too
            return False
        asks = self.callers.is_own_question(ASKS_FOR_OTHERS)
        return asks and (not lists or self.callers.is_asked_for(lists=True))


def _source_of(path: str) -> str:
    from importlib.util import source_from_cache

    try:
        return source_from_cache(path)
    except ValueError:
        return path


def _as_matched(pattern: str, search: FrameType) -> str:
    """A pattern of `pathlib`, to which may be said, since Python 3.12, that case is nothing."""
    is_any_case = search.f_locals.get("case_sensitive") is False
    return in_any_case(pattern) if is_any_case else pattern


def in_any_case(pattern: str) -> str:
    """Write a pattern so that it matches, whatever the case of letters, what it matched before.

    A choice of letters becomes any letter: a name too many that counts makes no result stale.
    """
    written = ""
    for part in re.split(r"(\[!?\]?[^]]*\])", pattern):
        if part.startswith("[") and part.endswith("]"):
            written += "?"
        else:
            written += "".join(
                f"[{c.lower()}{c.upper()}]" if c.lower() != c.upper() else c for c in part
            )
    return written


def _fixed_part(pattern: str) -> str:
    """The folder in which a pattern begins to leave a choice."""
    from glob import has_magic

    folder = pattern
    while has_magic(folder):
        folder = os.path.dirname(folder)
    return folder


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return sha256(file.read()).hexdigest()


def _text(value: Any) -> str:
    return os.fsdecode(value)
