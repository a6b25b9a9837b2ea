"""What belongs to an exercise beside its notebook: `NAME.yaml`, in words that people write.

The sentences of checks, the files that learners get, further packages, and the wrong and right
answers that the exercise is tried on; these may also stand in files of a folder, `NAME.answers`,
which is read by nothing but trials. All of it may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.sandbox.limits import Limits

__all__ = ["Recorded", "Words", "data_files", "read_words", "with_answers", "words_file"]

PARTS: Mapping[str, type] = {
    "data": list,
    "packages": list,
    "limits": dict,
    "checks": dict,
    "wrong": list,
    "right": list,
}
OF_A_CHECK: Mapping[str, type | tuple[type, ...]] = {
    "title": str,
    "points": (int, float),
    "answers": list,
    "otherwise": str,
    "hints": list,
    "misconceptions": list,
    "tolerance": (int, float),
    "accept": dict,
    "witness": dict,
}
KINDS: tuple[Literal["right", "wrong"], ...] = ("right", "wrong")
OF_AN_ANSWER: Mapping[str, type] = {
    "name": str,
    "answers": dict,
    "edits": dict,
    "above": dict,
    "below": dict,
    "caught_by": str,
    "says": str,
}
IN_WORDS: Mapping[Any, str] = {
    str: "a text",
    list: "a list",
    dict: "a mapping",
    (int, float): "a number",
}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An answer that somebody has really written, and what it should get.

    Parameters
    ----------
    name : str
        What is done there.
    kind : str
        `right`: it must have full marks; `wrong`: a check catches it.
    answers : Mapping
        Answer cell id → source; answers that are not given are the model's.
    edits : Mapping
        Answer cell id → what is replaced in the model's (`old`, `new`), for long answers.
    above, below : Mapping
        Answer cell id → the source of a cell of the learner's own that stands there.
    caught_by : str
        Of a wrong answer: the check that it must not pass.
    says : str
        Of a wrong answer: a part of the sentence that its author must read there.
    file : Path
        The file that it stands in.
    line : int
        And where.
    """

    name: str
    kind: Literal["right", "wrong"]
    answers: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)
    below: Mapping[str, str] = field(default_factory=dict)
    caught_by: str = ""
    says: str = ""
    file: Path = Path()
    line: int = 1

    def sources(self, model: Mapping[str, str]) -> dict[str, str]:
        """Answer cell id → source, where the model's are given.

        Raises
        ------
        GradingError
            If a text that is to be replaced is not there.
        """
        sources = {**model, **self.answers}
        for name, edits in self.edits.items():
            for edit in edits:
                if edit["old"] not in sources[name]:
                    message = f"{self.name!r} replaces what {name!r} does not hold: {edit['old']!r}"
                    raise GradingError(message, self.file, self.line)
                sources[name] = sources[name].replace(edit["old"], edit["new"])
        return sources


@dataclass(frozen=True, kw_only=True)
class Words:
    """The content of one `NAME.yaml`.

    Parameters
    ----------
    file : Path
        The file, whether it is there or not.
    data : tuple of str
        Files that learners get, as they are called from the notebook's folder.
    packages : tuple of str
        What the exercise needs beside mlkit, as pip spells it.
    limits : Mapping
        Limits of grading (`Limits`) that the exercise sets itself.
    checks : Mapping
        Check id → its words.
    recorded : tuple of Recorded
        Answers that the exercise is tried on.
    lines : Mapping
        Check id → line.
    faults : tuple of GradingError
        Everything that is wrong with the file, each with its line.
    """

    file: Path
    data: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recorded: tuple[Recorded, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[GradingError, ...] = ()


def words_file(notebook: Path) -> Path:
    """Where the words of a solution stand."""
    return notebook.with_suffix(".yaml")


def read_words(notebook: Path) -> Words:
    """Read the file beside a solution; none is an empty one.

    What is wrong with it stands in `faults`; the rest is read all the same.
    """
    file = words_file(notebook)
    return _read(file, PARTS) if file.exists() else Words(file=file)


def with_answers(words: Words) -> Words:
    """The words, and the answers that stand in the files of the folder `NAME.answers`, too."""
    files = sorted(words.file.with_suffix(".answers").glob("*.yaml"))
    found = [words, *(_read(file, dict.fromkeys(KINDS, list)) for file in files)]
    return replace(
        words,
        recorded=tuple(answer for one in found for answer in one.recorded),
        faults=tuple(fault for one in found for fault in one.faults),
    )


def _read(file: Path, known: Mapping[str, type]) -> Words:
    try:
        whole = _Mapping.of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fault = GradingError(f"the file cannot be read ({error})", file)
        return Words(file=file, faults=(fault,))
    except _YamlError as error:
        fault = GradingError(f"the file is not YAML: {error.fact}", file, error.line)
        return Words(file=file, faults=(fault,))
    return _Reader(file).words(whole, known)


def data_files(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The single files behind the names of files and folders; `a/b.csv` → where it is."""
    found: dict[str, Path] = {}
    for name in names:
        place = folder / name
        paths = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in paths:
            inner = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in inner.parts):
                found[inner.as_posix()] = path
    return found


class _YamlError(Exception):
    """A text that is no YAML, or no mapping."""

    def __init__(self, fact: str, line: int | None) -> None:
        super().__init__(fact, line)
        self.fact, self.line = fact, line


@dataclass(frozen=True, kw_only=True)
class _Mapping:
    """Plain values, and beside them the values that know their lines."""

    plain: Any
    placed: Any

    @classmethod
    def of(cls, text: str) -> _Mapping:
        # 0.1 s, which an exercise without such a file, and the commands' help, do not pay.
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            plain, placed = YAML(typ="safe").load(text), YAML(typ="rt").load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + 1
            raise _YamlError(str(error.problem or error.context), line) from error
        except YAMLError as error:
            raise _YamlError(str(error), None) from error
        if plain is None:
            return cls(plain={}, placed={})
        if not isinstance(plain, dict):
            raise _YamlError("it holds no mapping", 1)
        return cls(plain=plain, placed=placed)

    def line(self, key: Any) -> int:
        """The line of a key or of a list's element."""
        place = getattr(self.placed, "lc", None)
        where = None if place is None else (place.data or {}).get(key)
        return int(where[0]) + 1 if where else 1

    def inner(self, key: Any) -> _Mapping:
        return _Mapping(plain=self.plain[key], placed=self.placed[key])


class _Reader:
    """Gathers what a file says, and what is wrong with it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[GradingError] = []

    def words(self, whole: _Mapping, known: Mapping[str, type]) -> Words:
        parts = self._parts(whole, known, "the file")
        checks = parts.get("checks", _Mapping(plain={}, placed={}))
        return Words(
            file=self.file,
            data=tuple(self._data(parts["data"])) if "data" in parts else (),
            packages=tuple(self._texts(parts["packages"])) if "packages" in parts else (),
            limits=self._limits(parts["limits"]) if "limits" in parts else {},
            checks={name: self._check(checks, name) for name in checks.plain},
            lines={name: checks.line(name) for name in checks.plain},
            recorded=tuple(
                answer
                for kind in KINDS
                if kind in parts
                for answer in self._recorded(parts[kind], kind)
            ),
            faults=tuple(self.faults),
        )

    def _fault(self, message: str, line: int, remedy: str | None = None) -> None:
        self.faults.append(GradingError(message, self.file, line, remedy))

    def _parts(self, whole: _Mapping, known: Mapping[str, Any], what: str) -> dict[str, _Mapping]:
        """The known keys of a mapping that hold what they should; empty ones are left out."""
        found: dict[str, _Mapping] = {}
        for key, value in whole.plain.items():
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
                self._fault(f"{what} has an unknown key {key!r}", whole.line(key), remedy)
            elif value is not None and not _is(value, known[key]):
                wanted = IN_WORDS[known[key]]
                self._fault(f"{what} has under {key!r} no {wanted[2:]}", whole.line(key))
            elif value is not None:
                found[key] = whole.inner(key)
        return found

    def _check(self, checks: _Mapping, name: str) -> dict[str, Any]:
        if not isinstance(checks.plain[name], dict):
            self._fault(f"{name!r} holds no words", checks.line(name), "Give it a title at least.")
            return {}
        inner = checks.inner(name)
        found = self._parts(inner, OF_A_CHECK, f"{name!r}")
        for number, entry in enumerate(inner.plain.get("misconceptions") or ()):
            told = entry.get("say", entry.get("asks")) if isinstance(entry, dict) else None
            if not isinstance(told, str):
                line = inner.inner("misconceptions").line(number)
                self._fault(f"a misconception of {name!r} has no sentence 'say' or 'asks'", line)
                found.pop("misconceptions", None)
        return {key: part.plain for key, part in found.items()}

    def _texts(self, part: _Mapping) -> Iterator[str]:
        for number, text in enumerate(part.plain):
            if isinstance(text, str) and text.strip():
                yield text
            else:
                self._fault(f"{text!r} is no text", part.line(number))

    def _data(self, part: _Mapping) -> Iterator[str]:
        for number, name in enumerate(part.plain):
            trouble = self._trouble_with(name) if isinstance(name, str) else "is no text"
            if trouble:
                remedy = "Name files and folders beside the notebook, as in data/flights.csv."
                self._fault(f"the data {name!r} {trouble}", part.line(number), remedy)
            else:
                yield str(PurePosixPath(name))

    def _trouble_with(self, name: str) -> str:
        folder, path = self.file.parent.resolve(), PurePosixPath(name)
        place = folder / path
        if path.is_absolute() or ".." in path.parts or path == PurePosixPath():
            return "do not lie below the notebook's folder"
        if not place.exists():
            return "are not there"
        if not place.resolve().is_relative_to(folder):
            return "are a link to a place outside the notebook's folder"
        files = data_files(folder, [str(path)])
        if not files:
            return "hold no file"
        for file in map(Path, files):
            if not (folder / file).resolve().is_relative_to(folder):
                return f"hold {file.as_posix()!r}, a link to a place outside the notebook's folder"
            if file.suffix == ".ipynb" or (folder / file.with_suffix(".ipynb")).exists():
                return f"would hand out {file.as_posix()!r}, which belongs to a solution"
        return ""

    def _limits(self, part: _Mapping) -> dict[str, float]:
        known = dict.fromkeys((one.name for one in fields(Limits)), (int, float))
        return {name: one.plain for name, one in self._parts(part, known, "'limits'").items()}

    def _recorded(self, part: _Mapping, kind: Literal["right", "wrong"]) -> Iterator[Recorded]:
        wanted = ("name", *(("caught_by", "says") if kind == "wrong" else ()))
        for number, entry in enumerate(part.plain):
            line = part.line(number)
            if not isinstance(entry, dict):
                remedy = f"It has {', '.join((*wanted, 'answers'))}."
                self._fault(f"a {kind} answer is no mapping", line, remedy)
                continue
            found = self._parts(part.inner(number), OF_AN_ANSWER, f"a {kind} answer")
            values = {key: one.plain for key, one in found.items()}
            missing = [key for key in wanted if not values.get(key)]
            if missing or not values.keys() & {"answers", "edits", "above", "below"}:
                self._fault(f"a {kind} answer has no {[*missing, 'answers'][0]!r}", line)
            elif not all(_is_cells(values.get(key, {})) for key in ("answers", "above", "below")):
                self._fault(f"an answer of {values['name']!r} is no text", line)
            elif not all(map(_is_edits, values.get("edits", {}).values())):
                remedy = "It has 'old', a text of the model's, and 'new'."
                self._fault(f"an edit of {values['name']!r} replaces nothing", line, remedy)
            else:
                yield Recorded(**values, kind=kind, file=self.file, line=line)


def _is_cells(value: Mapping[str, Any]) -> bool:
    return all(isinstance(source, str) for source in value.values())


def _is_edits(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(edit, dict)
        and edit.keys() == {"old", "new"}
        and all(isinstance(text, str) for text in edit.values())
        for edit in value
    )


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not (isinstance(value, bool) and kind == (int, float))
