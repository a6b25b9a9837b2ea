"""From parts, roles and two runs to stages: what crosses each cut, and in which form."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlkit.converting.names import Names, names_of, names_of_all
from mlkit.converting.observing import Look, Observation
from mlkit.converting.parts import Cell, Part
from mlkit.converting.snapshot import FORMATS, RANDOM
from mlkit.converting.statement_roles import Placed, Roles, is_future, roles_of

__all__ = ["Carried", "Conversion", "StagePlan", "plan_stages", "unsteady_names"]

_MOST_WORDS = 80


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A value that crosses a cut, as an artifact.

    Parameters
    ----------
    name : str
        The notebook's name for it.
    by : str
        The stage that hands it on.
    form : str
        A key of `FORMATS`.
    kind, shape : str
        Its type and size, for people.
    """

    name: str
    by: str
    form: str
    kind: str = ""
    shape: str = ""

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.name}{FORMATS[self.form]}"


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """One stage to be written.

    Parameters
    ----------
    part : Part
        Its cells.
    roles : Roles
        What each statement of its notebook is there for.
    takes, gives : tuple of Carried
        What it reads and hands on.
    parameters : tuple of str
        Literals of the notebook that it uses.
    imports, settings, copied : tuple of Placed
        Statements from elsewhere that it needs.
    helpers : tuple of str
        Functions and classes that it takes from the helper module.
    scripts : tuple of str
        Files that it has to `%run`, for what they define.
    """

    part: Part
    roles: Roles
    takes: tuple[Carried, ...] = ()
    gives: tuple[Carried, ...] = ()
    parameters: tuple[str, ...] = ()
    imports: tuple[Placed, ...] = ()
    settings: tuple[Placed, ...] = ()
    copied: tuple[Placed, ...] = ()
    helpers: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """All stages, what goes into the helper module, and what people should know."""

    stages: tuple[StagePlan, ...]
    helpers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def roles(self) -> Roles:
        """Those of the first stage's notebook, which is the only one if it was cut."""
        return self.stages[0].roles


@dataclass(kw_only=True)
class _Needs:
    """What one part takes from outside of itself."""

    values: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    definitions: set[str] = field(default_factory=set)


def plan_stages(parts: Sequence[Part], first: Observation, second: Observation) -> Conversion:
    """Plan the stages; parts between which something cannot be handed on become one.

    Parameters
    ----------
    parts : sequence of Part
        As the notebook is cut.
    first, second : Observation
        Two runs of the original.
    """
    remarks: list[str] = []
    current = _with_work(parts)
    while True:
        planner = _Planner(current, first, second)
        join = planner.must_join()
        if join is None:
            return planner.conversion(remarks)
        start, end, why = join
        titles = " and ".join(f"'{part.name}'" for part in (current[start], current[end]))
        remarks.append(f"{titles} become one stage: {why}")
        whole = current[start]
        for part in current[start + 1 : end + 1]:
            whole = whole.joined(part)
        current[start : end + 1] = [whole]


def _with_work(parts: Sequence[Part]) -> list[Part]:
    """Join parts that only import, set up or define with the part behind them (or before)."""
    roles = roles_of(parts)
    work, modules = roles.work, set(roles.imports)
    joined: list[Part] = []
    waiting: Part | None = None
    for part in parts:
        whole = part if waiting is None else replace(part, cells=(*waiting.cells, *part.cells))
        waiting = None
        if any(_is_work(cell, work.get(cell.index, ()), modules) for cell in part.code):
            joined.append(whole)
        else:
            waiting = whole
    if waiting is not None:
        joined = [*joined[:-1], joined[-1].joined(waiting)] if joined else [waiting]
    return joined


def _is_work(cell: Cell, statements: Sequence[Placed], modules: set[str]) -> bool:
    """Whether a cell does more than to call something of a module, such as `np.random.seed`."""
    only_calls = all(
        isinstance(placed.statement.node, ast.Expr | ast.Pass) and placed.names.needs <= modules
        for placed in statements
    )
    return cell.is_opaque or bool(cell.scripts) or not only_calls


def _brief(text: str) -> str:
    """A library's own words, which may be long and hold addresses of one process."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_WORDS else f"{line[:_MOST_WORDS]}…"


def _is_lambda(placed: Placed) -> bool:
    return isinstance(getattr(placed.statement.node, "value", None), ast.Lambda)


def unsteady_names(parts: Sequence[Part], seen: Observation) -> set[str]:
    """Find the names that look plain, and were seen to change or never came to be.

    Parameters
    ----------
    parts : sequence of Part
        Of one kernel.
    seen : Observation
        What was seen of them.
    """
    return _changing(parts, seen) | _absent(parts, seen)


def _absent(parts: Sequence[Part], seen: Observation) -> set[str]:
    """Imports and definitions that never came to be: they stand behind what fails, or fail."""
    roles = roles_of(parts)
    there = {name for look in seen.looks.values() for name in look.names} | {"*"}
    hidden = {name for name in roles.imports if name.startswith("__") or name == "_"}
    failed = {cell.index for part in parts for cell in part.code if cell.index in seen.failed}
    placed = {n: p[0].cell.index for n, p in roles.imports.items()}
    placed |= {n: p.cell.index for n, p in roles.definitions.items()}
    placed |= {n: p.cell.index for n, p in roles.literals.items()}
    return {n for n, cell in placed.items() if cell in failed and n not in there} - hidden


def _changing(parts: Sequence[Part], seen: Observation) -> set[str]:
    """The literals that did not hold what their text says: changed by another name."""
    import joblib  # it brings numpy along, which the command's help needs not wait for

    roles = roles_of(parts)
    digests = {name: joblib.hash(roles.value_of(name)) for name in roles.literals}
    return {
        name
        for name, digest in digests.items()
        for look in seen.looks.values()
        if name in look.names and look.names[name].get("digest") != digest
    }


class _Planner:
    """Plans the stages of parts as they are cut now."""

    def __init__(self, parts: Sequence[Part], first: Observation, second: Observation) -> None:
        self.parts = parts
        self.first = first
        self.second = second
        self.roles = roles_of(parts, unsteady_names(parts, first))
        self.bound = {
            name
            for part in parts
            for cell in part.code
            for statement in cell.statements
            for name in names_of_all([statement.node]).binds
        }
        self.binds = [self._binds(index) for index in range(len(parts))]
        self.needs = [self._needs(index) for index in range(len(parts))]

    def work(self, part: Part) -> list[Placed]:
        return [placed for cell in part.code for placed in self.roles.work.get(cell.index, ())]

    def before(self, index: int) -> Look:
        return self.first.looks[self.parts[index - 1].end if index else -1]

    def after(self, index: int) -> Look:
        return self.first.looks[self.parts[index].end]

    def _needs(self, index: int) -> _Needs:
        """What a part's work needs, what its definitions need in turn, and what its values are of.

        An object's file has only the names of the functions and classes that are in it.
        """
        part, found = self.parts[index], _Needs()
        own = [placed.statement.node for placed in self.work(part)]
        waiting = self._wanted(names_of_all(own))
        for placed in self.roles.settings:
            if placed.cell in part.cells:
                waiting |= self._wanted(placed.names)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.roles.definitions:
                found.definitions.add(name)
                waiting |= self._wanted(self.roles.definitions[name].names)
            elif name in self.roles.literals:
                found.literals.add(name)
            elif name in self.roles.imports and not self._is_bound_anew(name, part):
                found.imports.add(name)
            else:
                found.values.add(name)
                by = self.source(name, index)
                told = {} if by is None else self.after(by).names.get(name, {})
                waiting |= set(told.get("refers", ()))
        return found

    def _is_bound_anew(self, name: str, part: Part) -> bool:
        """Whether an imported name has become another one's before a part: `json = {}`."""
        bound = (
            cell.index
            for other in self.parts
            for cell in other.code
            if cell.index < part.cells[0].index
            for placed in self.roles.work.get(cell.index, ())
            if name in placed.names.binds
        )
        imported = (p.cell.index for p in self.roles.imports[name] if p.cell.index <= part.end)
        return max(bound, default=-1) >= max(imported, default=0)

    def _wanted(self, names: Names) -> set[str]:
        """What some code needs of the notebook: also a name of Python's own that it binds anew."""
        return set(names.needs | (names.builtins & self.bound))

    def _binds(self, index: int) -> set[str]:
        """The names whose values are new behind a part: by its text, and by what was seen."""
        part, before, after = self.parts[index], self.before(index), self.after(index)
        told = names_of_all(placed.statement.node for placed in self.work(part))
        changed = {n for n in told.changes if n in before.names or n in told.binds}
        seen = {
            name
            for name, now in after.names.items()
            if now.get("digest") != before.names.get(name, {}).get("digest")
            and now["kind"] in ("value", "fixed")
        }
        return {*told.binds, *changed, *seen} - set(RANDOM)

    def source(self, name: str, index: int) -> int | None:
        """The last part before this one behind which a name has a new value."""
        return next((i for i in reversed(range(index)) if name in self.binds[i]), None)

    def must_join(self) -> tuple[int, int, str] | None:
        """Two parts, from one to the other, between which something cannot be handed on."""
        for index in range(1, len(self.parts)):
            for name in sorted(self.needs[index].values):
                by = self.source(name, index)
                if by is None:
                    continue
                told = self.after(by).names.get(name)
                if told is not None and self._is_lost(name, told, by):
                    why = f"'{name}' is a function or class that depends on where it is made"
                    return by, index, why
                if told is not None and told["kind"] == "fixed":
                    why = f"'{name}' ({told['type']}) cannot be kept in a file"
                    return by, index, f"{why} ({_brief(str(told.get('why', '')))})"
        for index in range(1, len(self.parts)):
            alias = (
                self._definition_changed(index)
                or self._alias_changed(index)
                or self._shared_changed(index)
            )
            if alias is not None:
                return alias
        return None

    def _is_lost(self, name: str, told: Mapping[str, Any], by: int) -> bool:
        """A function or class that no statement defines that could be copied."""
        return (
            told["kind"] == "definition"
            and not told.get("import")
            and "*" not in self.roles.imports
            and not any(cell.scripts for cell in self.parts[by].code)
        )

    def _definition_changed(self, index: int) -> tuple[int, int, str] | None:
        """A function or class that keeps something between calls: a copy would begin anew."""
        for name in sorted(self.needs[index].definitions):
            cell = self.roles.definitions[name].cell
            home = next(i for i, part in enumerate(self.parts) if cell in part.cells)
            end = self.parts[index].end
            looks = [look for n, look in self.first.looks.items() if cell.index <= n <= end]
            states = {look.names[name].get("state") for look in looks if name in look.names}
            states |= {
                kept[name]
                for n, kept in self.first.states.items()
                if name in kept and cell.index <= n <= end
            }
            if home < index and len(states) > 1:
                return home, index, f"'{name}' keeps something from one call to the next"
        return None

    def _shared_changed(self, index: int) -> tuple[int, int, str] | None:
        """Two names that a part takes and that share an object which it changes."""
        ends = self.after(index).names
        taken = {n: self.source(n, index) for n in sorted(self.needs[index].values)}
        known = {
            name: set(self.before(index).names[name].get("holds", ()))
            for name, by in taken.items()
            if by is not None and name in self.before(index).names
        }
        for name, held in known.items():
            for other, its in known.items():
                by = min(taken[name] or 0, taken[other] or 0)
                before = self.before(index).names
                changes = any(
                    before[n].get("digest") != ends.get(n, {}).get("digest") for n in (name, other)
                )
                if name < other and held & its and changes:
                    return by, index, f"'{name}' and '{other}' share an object, which changes"
        return None

    def _alias_changed(self, index: int) -> tuple[int, int, str] | None:
        """A name that a part does not mention, and whose object it changes all the same."""
        own = names_of_all(placed.statement.node for placed in self.work(self.parts[index]))
        mentioned = own.binds | own.needs | self.needs[index].values
        before, after = self.before(index).names, self.after(index).names
        later = {name for needs in self.needs[index + 1 :] for name in needs.values}
        for name in sorted((later & before.keys() & after.keys()) - mentioned):
            if before[name].get("digest") != after[name].get("digest"):
                by = self.source(name, index)
                if by is not None:
                    return by, index, f"the later one changes '{name}' by another name"
        return None

    def conversion(self, remarks: Sequence[str]) -> Conversion:
        """The stages, once nothing has to be joined any more."""
        helpers = self._helpers()
        takes: list[list[Carried]] = [[] for _ in self.parts]
        gives: list[dict[str, Carried]] = [{} for _ in self.parts]
        scripts: list[list[str]] = [[] for _ in self.parts]
        brought: list[list[Placed]] = [[] for _ in self.parts]
        told = list(remarks)
        for index, part in enumerate(self.parts):
            wanted = sorted(self.needs[index].values)
            wanted += [name for name in RANDOM if self._draws(index, name)]
            for name in wanted:
                by = self._drew_last(index, name) if name in RANDOM else self.source(name, index)
                known = None if by is None else self.after(by).names.get(name)
                script = self._defined_by_script(name, index)
                if known is not None and known["kind"] == "value" and by is not None:
                    carried = Carried(
                        name=name,
                        by=self.parts[by].name,
                        form=known["form"],
                        kind=known["type"].rpartition(".")[2],
                        shape=known["shape"],
                    )
                    gives[by].setdefault(name, carried)
                    takes[index].append(carried)
                elif script is not None:
                    scripts[index].append(script)
                elif by is not None and known is not None and known.get("import"):
                    brought[index].append(_brought(known["import"], self.parts[by].end))
                elif (
                    name not in self._bound_somewhere(index)
                    and "*" not in self.roles.imports
                    and not any(name in cell.perhaps_of_the_shell for cell in part.code)
                ):
                    told.append(
                        f"'{part.name}' uses '{name}', which no cell before it defines: "
                        "the notebook depends on an order of execution that it does not show"
                    )
        stages = [
            self._stage(index, takes[index], list(gives[index].values()), scripts[index], helpers)
            for index in range(len(self.parts))
        ]
        stages = [
            replace(stage, imports=(*stage.imports, *more))
            for stage, more in zip(stages, brought, strict=True)
        ]
        return Conversion(stages=tuple(stages), helpers=tuple(helpers), remarks=tuple(told))

    def _bound_somewhere(self, index: int) -> set[str]:
        """Names that the part binds itself: later than it seems to need them, or by a script."""
        own = names_of_all(placed.statement.node for placed in self.work(self.parts[index]))
        return {*own.binds, *self.before(index).names, *self.after(index).names}

    def _draws(self, index: int, generator: str) -> bool:
        """Whether a part goes on drawing random numbers where an earlier one had set the seed."""
        if index == 0 or self._drew_last(index, generator) is None:
            return False
        end = self.parts[index - 1].end
        before = self.first.looks[end].names[generator]["digest"]
        is_seeded = before == self.second.looks[end].names[generator]["digest"]
        return bool(is_seeded and before != self.after(index).names[generator]["digest"])

    def _drew_last(self, index: int, generator: str) -> int | None:
        for i in reversed(range(index)):
            looks = (self.before(i), self.after(i))
            digests = {look.names[generator]["digest"] for look in looks}
            if len(digests) > 1:
                return i
        return None

    def _defined_by_script(self, name: str, index: int) -> str | None:
        """The script that an earlier part runs and that defines a name."""
        for i in reversed(range(index)):
            files = [script for cell in self.parts[i].code for script in cell.scripts]
            if files and name in self.after(i).names and name not in self.before(i).names:
                return files[0]
        return None

    def _helpers(self) -> list[str]:
        """Definitions for the helper module: used by several parts, and complete in themselves."""
        users = {
            name: {i for i, needs in enumerate(self.needs) if name in needs.definitions}
            for name in self.roles.definitions
        }
        homes = {
            name: next(i for i, part in enumerate(self.parts) if placed.cell in part.cells)
            for name, placed in self.roles.definitions.items()
        }
        classes = {
            name
            for name, placed in self.roles.definitions.items()
            # an object finds its class in a module only
            if isinstance(placed.statement.node, ast.ClassDef)
            or (isinstance(placed.statement.node, ast.Assign) and not _is_lambda(placed))
        }
        wanted = {n for n in users if len(users[n]) > 1 or users[n] - {homes[n]}} | classes
        complete = set(self.roles.definitions)
        shrinking = True
        while shrinking:
            fitting = {
                name
                for name in complete
                if all(
                    need in complete or need in self.roles.imports
                    for need in self.roles.definitions[name].names.needs
                )
            }
            shrinking, complete = fitting != complete, fitting
        chosen = wanted & complete
        waiting = list(chosen)
        while waiting:  # and what they call in turn
            needs = (
                self.roles.definitions[waiting.pop()].names.needs & self.roles.definitions.keys()
            )
            waiting += needs - chosen
            chosen |= needs
        return [name for name in self.roles.definitions if name in chosen]

    def _stage(
        self,
        index: int,
        takes: list[Carried],
        gives: list[Carried],
        scripts: list[str],
        helpers: list[str],
    ) -> StagePlan:
        part, needs = self.parts[index], self.needs[index]
        definitions = needs.definitions
        own = {n for n, placed in self.roles.definitions.items() if placed.cell in part.cells}
        copied = [
            n for n in self.roles.definitions if n in definitions and n not in {*helpers, *own}
        ]
        modules = set(needs.imports)
        for name in (*copied, *(own - set(helpers))):
            modules |= self.roles.definitions[name].names.needs & self.roles.imports.keys()
        working = {id(placed) for placed in self.work(part)}
        settings = [
            placed
            for placed in self.roles.settings
            if placed.cell.index <= part.end
            and id(placed) not in working
            and (placed.cell in part.cells or self._reaches(placed, part, modules))
        ]
        for placed in settings:
            modules |= placed.names.needs & self.roles.imports.keys()
        modules |= {"*"} & self.roles.imports.keys()  # whatever they bind
        for name, placed_here in self.roles.imports.items():
            if any(is_future(placed) for placed in placed_here):
                modules.add(name)
            if any(
                p.cell in part.cells and self.first.lines.get(p.cell.index) for p in placed_here
            ):
                modules.add(name)  # it may be there for what it shows
        literals = set(needs.literals)
        for name in (*copied, *(own - set(helpers))):
            literals |= self.roles.definitions[name].names.needs & self.roles.literals.keys()
        return StagePlan(
            part=part,
            roles=self.roles,
            takes=tuple(takes),
            gives=tuple(gives),
            parameters=tuple(n for n in self.roles.literals if n in literals),
            imports=tuple(self._imports(modules, part.end)),
            settings=tuple(settings),
            copied=tuple(self.roles.definitions[name] for name in copied),
            helpers=tuple(n for n in helpers if n in definitions or n in own & self._called(part)),
            scripts=tuple(dict.fromkeys(scripts)),
        )

    def _reaches(self, setting: Placed, part: Part, modules: set[str]) -> bool:
        """Whether a setting of an earlier part has a bearing on this one.

        What is set in a module is set for all of its users, however they reach it; only what
        figures look like matters to nobody who draws none.
        """
        needs = setting.names.needs
        texts = "\n".join(p.text for name in needs for p in self.roles.imports.get(name, ()))
        if not any(library in texts for library in ("matplotlib", "seaborn", "plotly")):
            return True
        drawn = any(self.first.pictures.get(cell.index) for cell in part.code)
        return drawn or bool(needs & modules)

    def _called(self, part: Part) -> set[str]:
        return set(names_of_all(placed.statement.node for placed in self.work(part)).needs)

    def _imports(self, modules: set[str], end: int) -> list[Placed]:
        """The import statements that bind some names, as they hold at a part's end, in order."""
        found: dict[int, Placed] = {}
        for name in modules:
            everything = self.roles.imports[name]
            usable = [p for p in everything if p.cell.index <= end]
            dotted = [p for p in usable if f"import {name}." in p.text]  # each adds a submodule
            last = usable if name == "*" else usable[-1:]  # each star brings other names
            for placed in [*dotted, *(last or everything[:1])]:
                found[id(placed)] = placed
        return sorted(found.values(), key=lambda p: (p.cell.index, p.statement.first))


def _brought(text: str, index: int) -> Placed:
    """An import that stands in no cell, for what an earlier part has imported in its own way.

    Such as by `try` and `except ImportError`, or in one line with other statements.
    """
    cell = Cell(index=index, kind="code", source=text)
    (statement,) = cell.statements
    names = names_of(statement.node)
    return Placed(cell=cell, statement=statement, names=names, shares_a_line=False)


def failing(observations: Sequence[Observation], cells: Sequence[Cell]) -> Mapping[int, str]:
    """The cells that fail in every run of the original, and by what."""
    return {
        cell.index: observations[0].failed[cell.index]
        for cell in cells
        if all(cell.index in observation.failed for observation in observations)
    }
