"""What a shell's command line names: environment variables, and files that it reads or writes.

A shell is no Python and tells nothing of what it reads, but much of it stands in the text that it
is given, or of the script that it is to run. Only what is plain to see is taken: assignments of
plain values are followed, loops and substitutions are not.

Like `recorder`, which asks here, it is handed to other environments' Pythons: the standard library
is all that it needs, and what few stages use is imported where they do.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise, product

__all__ = [
    "ALL_VARIABLES",
    "READERS_OF_FOLDERS",
    "SHELLS",
    "WRITERS_OF_FILES",
    "named_files",
    "named_folders",
    "named_variables",
    "paths_in",
    "script_text",
]

SEPARATORS = frozenset(";&|()<>")
VARIABLE = re.compile(r"(?<![\\$])\$(?:(\w+)|\{[#!]?(\w+))")
SETTING = re.compile(r"(?<![^;&|(\s])(\w+)=|\b(?:for|read)\s+(\w+)\b")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
GIVEN = re.compile(r"\$(?:(\d)|\{(\d)\})")
OWN_FOLDER = re.compile(
    r'\$\(\s*dirname\s+"?\$(0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(\[0\])?\})"?\s*\)'
)
PLACE_OF_FOLDER = re.compile(
    r"""\$\(\s*(?:builtin\s+)?cd\s+(?:--\s+)?["']?([^"'$()&;]+?)["']?\s*"""
    r"""(?:&?>\s*/dev/null\s*(?:2>&1\s*)?)?(?:&&|;)\s*pwd(?:\s+-P)?\s*\)"""
)
"""`$(cd FOLDER && pwd)`: by which scripts make a path absolute, most often that of their folder."""

READERS_OF_FOLDERS = {
    "ls": ("names", ""),
    **dict.fromkeys(("find", "tree"), ("tree", "")),
    **dict.fromkeys(("du", "rsync"), ("files", "")),
    **dict.fromkeys(("grep", "egrep"), ("files", "rR")),
    **{
        "cp": ("files", "rRa"),
        "diff": ("files", "r"),
        "tar": ("files", "c"),
        "zip": ("files", "r"),
    },
}
"""Programs that read the folders which they are told: the names in one, those below it, too, or all
files; and the options of which they need one to do so."""
HERE_IF_UNTOLD = frozenset({"ls", "find", "tree", "du", "grep", "egrep"})
TO_THE_LAST = frozenset({"cp", "rsync"})
"""Of them those whose last path is where they write."""
WRITERS_OF_THE_LAST = frozenset({"cp", "mv", "install", "ln", "rsync"})
WRITERS_OF_ALL = {
    **dict.fromkeys(("mkdir", "truncate", "tee"), "made"),
    "touch": "touched",
    **dict.fromkeys(("rm", "rmdir", "unlink", "shred"), "gone"),
}
"""Programs that write, or remove, whatever they are told, without a look at what it held."""
OUTPUT_OPTIONS = {
    **dict.fromkeys(
        ("cc", "c++", "gcc", "g++", "clang", "clang++", "gfortran", "nvcc", "ld", "rustc"), "-o"
    ),
    **dict.fromkeys(("sort", "curl", "dot", "pandoc", "cython", "shuf"), "-o"),
    "wget": "-O",
}
"""By which option a program is told where to write; others mean other things by these letters."""
WRITERS_OF_FILES = frozenset(
    {*WRITERS_OF_THE_LAST, *WRITERS_OF_ALL, *OUTPUT_OPTIONS, "tar", "zip", "make"}
)
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
RUNS_TEXT = re.compile(r"-[A-Za-z]*c")
GLUED = re.compile(r"-[A-Za-z](?=[^=]*/)")
DOCUMENT = re.compile(r"(?<!<)<<-?\s*[\"']?(\w+)")
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
BEFORE_PROGRAMS = frozenset(
    {"!", "if", "then", "else", "elif", "while", "until", "do", "time", "exec", "command", "$"}
)

SEQUENCE = re.compile(r"(?<!\$)\{(\d{1,9})\.\.(\d{1,9})\}")
BRACES = re.compile(r"(?<!\$)\{([^{}]*,[^{}]*)\}")
MOST_WORDS = 100
"""Into as many words does a shell's `{a,b}` go that is looked at."""
LONGEST = 4096
LONGEST_LINE = 1 << 16
"""Up to so many characters of a line are read with their quotation marks, which takes the longer
the longer a word is; Linux takes no argument of more than twice as many."""

SHEBANG = re.compile(rb"#!.*\b(ba|z|da|k)?sh\b")
ALL_VARIABLES = "*"
"""What `named_variables` gives for a program that prints them all."""

SHELLS_OWN = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})
"""Variables that a shell sets itself: what they were outside is nothing that it reads."""


def named_variables(text: str) -> list[str]:
    """The variables that a command line takes values from, as `$NAME`, `${NAME}` or `${NAME:-x}`.

    What it has set itself by then is left out. `printenv NAME` counts, too; `env` and `printenv`
    alone print all of them.
    """
    found: dict[str, None] = {}
    set_at = dict.fromkeys(SHELLS_OWN, 0)
    for match in SETTING.finditer(text):
        set_at.setdefault(match[1] or match[2], match.end())
    for match in VARIABLE.finditer(text):
        name = match[1] or match[2]
        if not name[0].isdigit() and set_at.get(name, len(text)) > match.start():
            found[name] = None
    if "env" in text:
        found.update(dict.fromkeys(_printed_variables(text)))
    return list(found)


def _printed_variables(text: str) -> Iterator[str]:
    """What `env` and `printenv` print, where they stand at the beginning of a command."""
    for command in _commands(text, ""):
        words = command.words
        names = [word for word in words[1:] if not word.startswith("-")]
        program = os.path.basename(words[0])
        if program in ("env", "printenv") and not names:
            yield ALL_VARIABLES
        elif program == "printenv":
            yield from names


def named_files(text: str, folder: str) -> Iterator[tuple[str, str]]:
    """The words of a command line that may be files, in their order, and what becomes of them.

    Parameters
    ----------
    text : str
        The command line, or a script of several lines.
    folder : str
        Where the shell works at first; `cd` leads elsewhere.

    Yields
    ------
    tuple of (str, str)
        A path, which may hold a pattern, and `read`, `made` (whatever it held before), or
        `touched` (added to).
    """
    for command in _commands(text, folder):
        for word, use in (*_uses(command.words, command.folder), *command.redirected):
            for path in _braces(word) if use != "gone" else ():
                yield os.path.join(command.folder, os.path.expanduser(path)), use


def paths_in(word: str) -> Iterator[str]:
    """What of an argument may be a path: it, or what stands behind `=` or an option's letter."""
    if not word.startswith("-"):
        yield word
    behind = word.partition("=")[2]
    if behind and not behind.startswith("-"):
        yield behind
    elif GLUED.match(word):
        yield word[2:]


def _uses(words: list[str], folder: str) -> Iterator[tuple[str, str]]:
    """What a program does with each of its arguments: those that it reads come first."""
    program = os.path.basename(words[0])
    written = dict(_written(program, words, folder))
    times = Counter(words)
    for word in words:
        for path in paths_in(word):
            if path not in written or times[word] > 1:  # `sort -o a a` reads it, too
                yield path, "read"
    if program == "make":
        yield from ((path, "read") for path in _makefiles(words))
    yield from written.items()


def _written(program: str, words: list[str], folder: str) -> Iterator[tuple[str, str]]:
    """The arguments that a program writes, or the files that it makes in a folder of that name."""
    told = [word for word in words[1:] if not word.startswith("-")]
    options = [word for word in words[1:] if word.startswith("-")]
    if program in WRITERS_OF_ALL:
        use = "touched" if program == "tee" and "-a" in options else WRITERS_OF_ALL[program]
        yield from ((word, use) for word in told)
    elif program in WRITERS_OF_THE_LAST and len(told) > 1:
        if any(option.startswith(("-t", "--target")) for option in options):
            return
        if os.path.isdir(os.path.join(folder, os.path.expanduser(told[-1]))):
            yield from ((os.path.join(told[-1], os.path.basename(w)), "made") for w in told[:-1])
        else:
            yield told[-1], "made"
    elif program in OUTPUT_OPTIONS:
        option = OUTPUT_OPTIONS[program]
        alone = re.compile(f"-[A-Za-z]*{option[1]}")  # `curl -sSLo FILE`, too
        yield from ((w, "made") for before, w in pairwise(words) if alone.fullmatch(before))
        yield from (
            (w[len(option) :], "made") for w in options if w.startswith(option) and w != option
        )
    elif program == "zip" and told:
        yield told[0], "touched"
    elif program == "tar" and len(words) > 2 and re.fullmatch(r"-?[a-zA-Z]*c[a-zA-Z]*f", words[1]):
        yield words[2], "made"


def _makefiles(words: list[str]) -> Iterator[str]:
    """What `make` reads without being told: in its folder, or the one of `-C`."""
    inner = next((word for before, word in pairwise(words) if before == "-C"), "")
    if "-f" not in words:
        yield from (os.path.join(inner, name) for name in MAKEFILES)


def named_folders(text: str, folder: str) -> Iterator[tuple[str, str]]:
    """The folders that a command line has a program read, and what of them it reads.

    Parameters
    ----------
    text : str
        The command line, or a script of several lines.
    folder : str
        Where the shell works at first; `cd` leads elsewhere.

    Yields
    ------
    tuple of (str, str)
        A folder, and `names`, `tree` (the names of all that is below it), or `files`.
    """
    for command in _commands(text, folder):
        words, place = command.words, command.folder
        program = os.path.basename(words[0])
        what = _read_of_folders(program, words[1:], text)
        if what is None:
            continue
        told = [word for word in words[1:] if not word.startswith("-")]
        if program in TO_THE_LAST:
            told = told[:-1]
        if program in HERE_IF_UNTOLD:
            told = [*told, "."] if len(told) <= program.endswith("grep") else told
        for word in told:
            path = os.path.normpath(os.path.join(place, os.path.expanduser(word)))
            if os.path.isdir(path):
                yield path, what


def _read_of_folders(program: str, words: list[str], text: str) -> str | None:
    """What a program reads of a folder that it is told; None if it does not read folders."""
    what, needed = READERS_OF_FOLDERS.get(program, (None, ""))
    options = {letter for word in words if re.fullmatch(r"-[A-Za-z]+", word) for letter in word}
    if program == "tar" and words:
        options |= set(words[0])
    if needed and not options & set(needed) and not {"--recursive", "--archive"} & set(words):
        return None
    if program == "ls" and "R" in options:
        return "tree"
    if program == "find" and ("-exec" in words or "xargs" in text):
        return "files"
    return what


class _Command:
    """One command of a text.

    Parameters
    ----------
    words : list of str
        The program and its arguments.
    folder : str
        The folder in which it works.
    redirected : list of (str, str)
        The files that the shell itself opens for it, and what becomes of them.
    """

    def __init__(self, words: list[str], folder: str, redirected: list[tuple[str, str]]) -> None:
        self.words = words
        self.folder = folder
        self.redirected = redirected


def _commands(text: str, folder: str) -> Iterator[_Command]:
    """Each command of a text."""
    known: dict[str, str] = {}
    for line, is_document in _lines(text):
        words: list[str] = []
        redirected: list[tuple[str, str]] = []
        use = ""
        for word in [*_words(line), ";"]:
            if SEPARATORS.issuperset(word):
                use = "" if is_document else _use_behind(word)
                if words and not use:
                    yield from _with_inner(_Command(words, folder, redirected))
                    words, redirected = [], []
                continue
            word = _expanded(word, known)
            if use:
                redirected.append((word, use))
                use = ""
                continue
            if not words and word in BEFORE_PROGRAMS:
                continue
            assigned = ASSIGNMENT.fullmatch(word)
            if assigned is not None and words in ([], ["export"]):
                known[assigned[1]] = assigned[2][:LONGEST]  # no path is longer
                continue
            path = os.path.join(folder, os.path.expanduser(word))
            if words[-1:] == ["cd"] and os.path.isdir(path):
                folder = path
            words.append(word)
        if redirected:  # a file is emptied by `> FILE` alone
            yield _Command([":"], folder, redirected)


def _use_behind(sign: str) -> str:
    """What becomes of the file whose name stands behind a sign; nothing if it is none of these."""
    if sign in (">>", "&>>", "<>"):
        return "touched"
    return {">": "made", ">|": "made", "&>": "made", "<": "read"}.get(sign, "")


def _with_inner(command: _Command) -> Iterator[_Command]:
    """A command, and those of the text that it gives to another shell."""
    yield command
    words = command.words
    if os.path.basename(words[0]) in SHELLS:
        for option, text in pairwise(words):
            if RUNS_TEXT.fullmatch(option):
                yield from _commands(text, command.folder)
                return


def _braces(word: str) -> list[str]:
    """The words that a shell makes of one with `{a,b}` in it; itself where they would be many.

    What looks so may be quoted: a JSON text has braces and commas, too, and stands for no file.
    """
    words = [SEQUENCE.sub(_numbers, word)]
    while len(words) <= MOST_WORDS:
        made = [each for one in words for each in _innermost(one)]
        if made == words:
            return words
        words = made
    return [word]


def _numbers(match: re.Match[str]) -> str:
    """The choice that a shell makes of `{1..3}`, as it is written out; itself if that is long."""
    first, last = int(match[1]), int(match[2])
    step = 1 if first <= last else -1
    if abs(last - first) >= MOST_WORDS:
        return match[0]
    padded = any(len(each) > 1 and each[0] == "0" for each in match.groups())
    width = max(map(len, match.groups())) if padded else 0
    found = [str(number).zfill(width) for number in range(first, last + step, step)]
    return found[0] if len(found) == 1 else f"{{{','.join(found)}}}"


def _innermost(word: str) -> list[str]:
    """A word with each choice of its innermost braces, at most one more than there may be."""
    parts = BRACES.split(word)
    choices = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(each) for each in islice(product(*choices), MOST_WORDS + 1)]


def script_text(path: str, arguments: Sequence[str] = ()) -> str | None:
    """The text of a file if it is a shell's script, by its name or its first line, or `make`'s.

    How scripts ask for their own folder is replaced by it: `$(dirname "$0")`, and
    `$(cd "$(dirname "$0")/.." && pwd)`. So are `$1` and its like by what the script is given.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(128)
            is_named_so = path.endswith((".sh", ".bash", *MAKEFILES))
            if not is_named_so and SHEBANG.match(head) is None:
                return None
            text = (head + file.read(1 << 20)).decode("utf-8", "replace")
    except OSError:
        return None
    text = OWN_FOLDER.sub(lambda _: os.path.dirname(path), text)
    given = dict(enumerate(arguments, 1))
    text = GIVEN.sub(lambda m: given.get(int(m[1] or m[2]), m[0]), text)
    return PLACE_OF_FOLDER.sub(lambda m: os.path.normpath(m[1]) if m[1][0] == "/" else m[0], text)


def _expanded(word: str, known: dict[str, str]) -> str:
    """A word with the values of variables that the text has set, and of the environment's."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        found = known.get(name)
        return match[0] if found is None else found

    return os.path.expandvars(re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word))


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a text, and whether each is a part of a document that stands in it."""
    end = ""
    for line in text.replace("\\\n", " ").splitlines():
        yield line, bool(end)
        begins = DOCUMENT.search(line)
        if end:
            end = "" if line.strip() == end else end
        elif begins is not None:
            end = begins[1]


def _words(line: str) -> list[str]:
    import shlex

    if len(line) > LONGEST_LINE:
        return line.split()
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an open quotation mark
        return line.split()
