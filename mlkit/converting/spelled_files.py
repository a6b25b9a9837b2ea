"""The files that a notebook reads and writes, as far as its text alone spells them.

Nothing runs for that. It says less than a run shows, but is known before the notebooks' order is.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Sequence

from mlkit.converting.parts import Cell
from mlkit.frozen import dataclass

__all__ = ["Spelled", "path_of", "spelled_in"]

_LONGEST = 250

_READS = re.compile(r"read|load|imread|scan_|genfromtxt|fromfile|from_(pretrained|file|csv|json)")
_WRITES = re.compile(r"to_[a-z]|save|dump|write|export|imsave|imwrite|urlretrieve|download")
_COPIES = frozenset({"copy", "copy2", "copyfile", "copytree", "move", "rename"})
_OPENS = frozenset({"open", "File", "ZipFile", "TarFile"})
"""What opens a file in a mode, which is its second argument."""

_OF_PATHS = frozenset({"Path", "PurePath", "join", "joinpath", "str", "fspath"})
_WORDS = frozenset({"path", "file", "filename", "fname", "fp", "filepath", "path_or_buf", "io"})
"""Arguments by whose names libraries take a file."""

_CHANGES_TABLES = re.compile(r"\bto_sql\b|\b(insert|create|update|delete|replace|drop)\s", re.I)
_ASKS_TABLES = re.compile(r"\bread_sql\w*|\bselect\s", re.I)
_WRITEFILE = re.compile(r"\s*%%(?:writefile|file)\s+(?:-\w+\s+)*(?P<path>\S+)")
_COMMAND = re.compile(r"^\s*(?:[\w, ]+=\s*)?!(?P<command>.*)$", re.MULTILINE)
_REDIRECTED = re.compile(r"(?:>>?|\s-[oO])\s*(?P<quote>['\"]?)(?P<path>[^\s'\"|;&>]+)(?P=quote)")
_SHOWN = re.compile(r"\b(?:cat|head|tail|wc)\s+(?P<words>[^|;&>]*)")


@dataclass(frozen=True, kw_only=True)
class Spelled:
    """What the text of one notebook spells.

    Parameters
    ----------
    reads : frozenset of str
        Files that it reads and has not written itself before, from its own folder.
    writes : frozenset of str
        Files that it writes.
    imports : frozenset of str
        Files of modules and scripts that it would load if they are beside it.
    fixed_reads, fixed_writes : frozenset of str
        The same of absolute paths, which are in no copy of the folder.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    imports: frozenset[str]
    fixed_reads: frozenset[str] = frozenset()
    fixed_writes: frozenset[str] = frozenset()


def spelled_in(cells: Iterable[Cell]) -> Spelled:
    """Find the files that cells spell out, from the first to the last."""
    code = [cell for cell in cells if cell.kind == "code"]
    reader = _Reader("\n".join(cell.source for cell in code))
    for cell in code:
        reader.take(cell)
    return Spelled(
        reads=frozenset(path for path in reader.reads if not path.startswith("/")),
        writes=frozenset(path for path in reader.writes if not path.startswith("/")),
        imports=frozenset(path for path in reader.imports if not path.startswith("/")),
        fixed_reads=frozenset(path for path in reader.reads if path.startswith("/")),
        fixed_writes=frozenset(path for path in reader.writes if path.startswith("/")),
    )


class _Reader(ast.NodeVisitor):
    """Goes through statements in their order, with the texts that names stand for."""

    def __init__(self, everything: str) -> None:
        self._changes_tables = bool(_CHANGES_TABLES.search(everything))
        self._asks_tables = bool(_ASKS_TABLES.search(everything))
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.imports: set[str] = set()
        self._texts: dict[str, str] = {}

    def take(self, cell: Cell) -> None:
        """Note what one cell spells: its Python, its commands and its magics."""
        written = _WRITEFILE.match(cell.source)
        if written is not None:
            self._write(written["path"])
        commands = [match["command"] for match in _COMMAND.finditer(cell.source)]
        if re.match(r"\s*%%(bash|sh|script|!)", cell.source):
            commands = cell.source.split("\n")[1:]
        for command in commands:
            for shown in _SHOWN.finditer(command):
                for word in re.findall(r"'[^']+'|\"[^\"]+\"|[^\s'\"]+", shown["words"]):
                    self._read(word.strip("'\""))
            for redirected in _REDIRECTED.finditer(command):
                self._write(redirected["path"])
        self.imports |= {path for script in cell.scripts if (path := _file(script))}
        for statement in cell.statements:
            self.visit(statement.node)

    def _read(self, text: str | None) -> None:
        path = _file(text)
        if path and path not in self.writes:
            self.reads.add(path)

    def _write(self, text: str | None) -> None:
        path = _file(text)
        if path:
            self.writes.add(path)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b` may be the file `a.py`."""
        self.imports |= {f"{alias.name.partition('.')[0]}.py" for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """So may `from a import b`."""
        if node.module and not node.level:
            self.imports.add(f"{node.module.partition('.')[0]}.py")

    def visit_Assign(self, node: ast.Assign) -> None:
        """A name stands for a text from here on, or does so no more."""
        self.visit(node.value)
        for target in node.targets:
            self._bind(target, self._text(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The same with a type."""
        if node.value is not None:
            self.visit(node.value)
            self._bind(node.target, self._text(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`name += ...` is another text, which is not followed."""
        self.visit(node.value)
        self._bind(node.target, None)

    def visit_For(self, node: ast.For) -> None:
        """What a loop goes over is not followed."""
        self.visit(node.iter)
        self._bind(node.target, None)
        for inner in (*node.body, *node.orelse):
            self.visit(inner)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Names in a function are its own; an argument stands for its default."""
        outside = dict(self._texts)
        arguments = [*node.args.posonlyargs, *node.args.args]
        for argument in (*arguments, *node.args.kwonlyargs):
            self._texts.pop(argument.arg, None)
        with_default = arguments[len(arguments) - len(node.args.defaults) :]
        for argument, default in zip(with_default, node.args.defaults, strict=True):
            self._bind(ast.Name(id=argument.arg), self._text(default))
        for inner in node.body:
            self.visit(inner)
        self._texts = outside

    def visit_Call(self, node: ast.Call) -> None:
        """Most files are named where a function is called that reads or writes them."""
        self.generic_visit(node)  # json.dump(x, open(...)): the inner call is made first
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        of = self._text(node.func.value) if isinstance(node.func, ast.Attribute) else None
        given = [self._text(argument) for argument in node.args]
        given += [self._text(word.value) for word in node.keywords if word.arg in _WORDS]
        if name in _OPENS:
            self._open(node, given if of is None else [of, *given])
        elif name in ("connect", "create_engine"):
            for text in given:
                self._ask((text or "").removeprefix("sqlite:///"))
        elif name in _COPIES:
            pair = [*([] if of is None else [of]), *given]
            if len(pair) == 2:
                self._read(pair[0])
                self._write(pair[1])
        elif _READS.match(name):
            self._each(self._read, of, given)
        elif _WRITES.match(name):
            self._each(self._write, of, given)

    def _each(
        self, note: Callable[[str | None], None], of: str | None, given: Sequence[str | None]
    ) -> None:
        """Of `Path("x").write_text("a.b")` only the path is a file."""
        for text in given if of is None else [of]:
            note(text)

    def _open(self, node: ast.Call, given: Sequence[str | None]) -> None:
        modes = [self._text(word.value) for word in node.keywords if word.arg == "mode"]
        mode = (modes or [*given[1:2], "r"])[0] or ""
        if given and (mode.startswith("r") or "+" in mode):
            self._read(given[0])
        if given and re.match(r"[wax]|r.?\+", mode):
            self._write(given[0])

    def _ask(self, path: str) -> None:
        """A database is read, changed, or both, as the notebook's words for it say."""
        if self._asks_tables or not self._changes_tables:
            self._read(path)
        if self._changes_tables:
            self._write(path)

    def _bind(self, target: ast.expr, text: str | None) -> None:
        for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
            self._texts.pop(name, None)
        if isinstance(target, ast.Name) and text is not None:
            self._texts[target.id] = text

    def _text(self, node: ast.expr) -> str | None:
        """The text, or the path, that an expression gives; None if that is not spelled."""
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Name(id=name):
                return self._texts.get(name)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._joined([left, right], os.path.join)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([left, right], lambda *texts: "".join(texts))
            case ast.JoinedStr(values=values):
                inner = [v.value if isinstance(v, ast.FormattedValue) else v for v in values]
                return self._joined(inner, lambda *texts: "".join(texts))
            case ast.Call(func=function, args=arguments):
                name = getattr(function, "attr", getattr(function, "id", ""))
                on = function.value if isinstance(function, ast.Attribute) else None
                if name in _OF_PATHS and arguments and not isinstance(on, ast.Constant):
                    before = [on] if on is not None and name == "joinpath" else []
                    return self._joined([*before, *arguments], os.path.join)
            case _:
                pass
        return None

    def _joined(self, nodes: Sequence[ast.expr], join: Callable[..., str]) -> str | None:
        texts = [self._text(node) for node in nodes]
        return None if None in texts else join(*texts)


def _file(text: str | None) -> str | None:
    """A path, if the text is like that of a file: other words are mostly something else."""
    if text is not None and text.startswith(("/", "~/")) and "\n" not in text:
        return os.path.normpath(os.path.expanduser(text))  # noqa: PTH111 - as text, like the others
    path = None if text is None else path_of(text)
    return path if path is not None and ("/" in path or "." in path) else None


def path_of(text: str) -> str | None:
    """A relative path in its plain form, if a text may be one of a file or of a folder in it."""
    if not text or len(text) > _LONGEST or "\n" in text or "\0" in text or "://" in text:
        return None
    plain = os.path.normpath(text).replace(os.sep, "/")
    return None if plain.startswith(("/", "~")) or {*plain.split("/")} <= {".", ".."} else plain
