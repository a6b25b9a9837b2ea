"""Shorten a failure: to one stage, one cell that reads, and one change, where that still fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tests.planner.never_stale.edits import SEVERAL, Edit
from tests.planner.never_stale.machine import Failure
from tests.planner.never_stale.state import Project, Read, State
from tests.planner.never_stale.trial import Bench, Finding, Trial

__all__ = ["Short", "as_it_is", "shorten", "with_fresh_process"]


_MOST_PARTS = 4
"""So many of the changes of one edit are tried alone: each takes a second or two."""

_MOST_CANDIDATES = 9
"""So many shorter forms are tried of one failure."""


@dataclass(frozen=True, kw_only=True)
class Short:
    """A failure that was shortened.

    Parameters
    ----------
    failure : Failure
        What is left of it.
    read : Read, optional
        The one cell that reads, if one is enough.
    fresh : bool, optional
        Whether it also fails if the last run has a process of its own; None if that was not tried,
        because nothing was installed or removed.
    reproduced : bool
        Whether any shorter form failed again.
    """

    failure: Failure
    read: Read | None
    fresh: bool | None
    reproduced: bool
    alone: bool = True

    @property
    def edit(self) -> Edit | None:
        """The last edit; None if nothing was edited."""
        return self.failure.edits[-1] if self.failure.edits else None

    @property
    def words(self) -> str:
        """The failure as a list of what was done."""
        finding = self.failure.finding
        lines = [] if self.reproduced else ["Not shortened: no shorter form failed again."]
        lines.append("A pipeline whose stages read:")
        for stage in self.failure.start.stages:
            lines.append(
                f"  {stage.name} ({stage.notebook}), reading {stage.upstream or 'nothing'}"
            )
            lines += [f"    {read.words}" for read in stage.reads]
        lines.append(f"Files: {', '.join(sorted(self.failure.start.files))}")
        lines.append("It is run; then:")
        lines += [f"  {n}. {edit.words}; run" for n, edit in enumerate(self.failure.edits, 1)]
        if not self.failure.edits:
            lines.append("  it is run again")
        lines.append(f"→ {finding.symptom}: {finding.instance} ({finding.reason})")
        lines += [f"  got      {finding.got}", f"  expected {finding.expected}"]
        return "\n".join(lines)


def shorten(bench: Bench, failure: Failure) -> Short:
    """Find a shorter sequence that fails in the same way.

    Parameters
    ----------
    bench : Bench
        Where to try.
    failure : Failure
        What failed.
    """
    suspects = _suspects(failure)
    for candidate, read in islice(_candidates(failure), _MOST_CANDIDATES):
        finding = _try(bench, candidate)
        if finding is None or finding.symptom != failure.finding.symptom:
            continue
        found = replace(candidate, finding=finding)
        fresh = None
        if finding.symptom == "stale" and _is_about_packages(found):
            fresh = _try(bench, _with_fresh_processes(found)) is not None
        suspect = read or next(iter(suspects), None)
        return Short(
            failure=found, read=suspect, fresh=fresh, reproduced=True, alone=read is not None
        )
    return as_it_is(failure)


def as_it_is(failure: Failure) -> Short:
    """A failure that is not shortened; what it is about is guessed from what differs."""
    read = next(iter(_suspects(failure)), None)
    last = failure
    if failure.edits:
        about = [part for part in _singles(failure) if read and part.edits[0].about == read]
        last = next(iter(about), None) or next(_tails(failure))
    fresh = True if last.edits and last.edits[-1].fresh else None
    return Short(failure=last, read=read, fresh=fresh, reproduced=False, alone=False)


def _singles(failure: Failure) -> Iterator[Failure]:
    """Each edit of a step of several, by itself, after those before it."""
    if not failure.edits or failure.edits[-1].kind != SEVERAL:
        return
    last = failure.edits[-1]
    before = failure.edits[-2].state if len(failure.edits) > 1 else failure.start
    for part in last.parts:
        yield replace(failure, start=before, edits=(replace(part, fresh=last.fresh),))
        before = part.state


def _is_about_packages(failure: Failure) -> bool:
    """Whether what a process remembers of packages can be to blame."""
    states = [failure.start, *(edit.state for edit in failure.edits)]
    return any(state.packages != states[0].packages for state in states)


def with_fresh_process(bench: Bench, failure: Failure) -> Short | None:
    """Try the last edit of a whole pipeline again, with another process for the last run.

    What a process remembers can hide that the result would also be stale without it.
    """
    tail = next(_tails(failure))
    if not tail.edits:
        return None
    whole = _with_fresh_processes(tail)
    finding = _try(bench, whole)
    if finding is None or finding.symptom != "stale":
        return None
    found = replace(whole, finding=finding)
    suspects = _suspects(found)
    return Short(
        failure=found,
        read=next(iter(suspects), None),
        fresh=True,
        reproduced=True,
        alone=False,
    )


def _try(bench: Bench, failure: Failure) -> Finding | None:
    """Follow a sequence to its end; a finding before the end counts as well."""
    trial = Trial(bench, failure.start)
    try:
        found = trial.findings
        for edit in failure.edits:
            if found:
                break
            found = trial.take(edit)
        return found[0] if found else None
    finally:
        trial.close()


def _candidates(failure: Failure) -> Iterator[tuple[Failure, Read | None]]:
    """Shorter sequences, the shortest first."""
    tails = list(_tails(failure))
    suspects = _suspects(failure)
    for read in suspects[:1]:
        singles = sorted(_singles(failure), key=lambda single: single.edits[0].about != read)
        for part in (*singles, *_parts(tails[0])):
            yield _only(part, failure.finding.stage, read), read
    for read in suspects[:2]:
        for tail in tails[:2]:
            yield _only(tail, failure.finding.stage, read), read
    for tail in tails[:2]:
        yield _only(tail, failure.finding.stage, None), None
    for tail in tails[:2]:
        yield tail, None


def _tails(failure: Failure) -> Iterator[Failure]:
    """The last edits, after whichever state the result that was reused came from."""
    states = [failure.start, *(edit.state for edit in failure.edits)]
    if not failure.edits:
        yield failure
        return
    last = failure.edits[-1]
    for number in range(len(failure.edits) - 1, -1, -1):
        edit = failure.edits[number]
        if edit.meanwhile:
            ends = (edit, last) if edit is not last else (edit,)
            yield replace(failure, start=states[number], edits=ends)
        words = "; ".join(edit.words for edit in failure.edits[number:])
        is_last = number == len(states) - 2
        jump = last if is_last else replace(last, words=words, renamed=None, parts=())
        yield replace(failure, start=states[number], edits=(jump,))
        if len(failure.edits) - number > 4:
            return


def _parts(tail: Failure) -> Iterator[Failure]:
    """Single changes of an edit that brought an earlier state back."""
    if len(tail.edits) != 1 or tail.edits[0].kind != "back to before":
        return
    before, after = tail.start, tail.edits[0].state
    changed = [
        path
        for path in sorted({**before.files, **after.files})
        if before.files.get(path) != after.files.get(path)
    ]
    states = {
        f"{path} is as it was before": before.with_files(_with(before, after, path))
        for path in changed
    }
    states |= {
        "the variables are as before": replace(before, variables=after.variables),
        "the packages are as before": replace(before, packages=after.packages),
        "IPython's start-up file is as before": replace(before, start_up=after.start_up),
        "PYTHONPATH is as before": replace(before, search=after.search),
    }
    real = {words: state for words, state in states.items() if state.key != before.key}
    if len(real) > 1 or before.stages != after.stages:
        for words, state in list(real.items())[:_MOST_PARTS]:
            yield replace(tail, edits=(replace(tail.edits[0], words=words, state=state),))


def _with(before: State, after: State, path: str) -> dict[str, str]:
    """The files before, but for one that is as it is after."""
    files = {name: text for name, text in before.files.items() if name != path}
    return {**files, path: after.files[path]} if path in after.files else files


def _suspects(failure: Failure) -> list[Read]:
    """The cells whose values differ; all of the stage, if that is not known."""
    state = failure.edits[-1].state if failure.edits else failure.start
    before = failure.start
    known = {
        read.key: read
        for one in (before, state)
        for stage in one.stages
        if stage.name == failure.finding.stage
        for read in stage.reads
    }
    keys = failure.finding.keys or tuple(known)
    return [known[key] for key in keys[:4] if key in known]


def _only(failure: Failure, stage: str, read: Read | None) -> Failure:
    """The sequence with one stage alone, and one of its cells."""
    return replace(
        failure,
        start=_reduced(failure.start, stage, read),
        edits=tuple(
            replace(
                edit,
                state=_reduced(edit.state, stage, read),
                parts=tuple(
                    replace(part, state=_reduced(part.state, stage, read)) for part in edit.parts
                ),
            )
            for edit in failure.edits
        ),
    )


def _reduced(state: State, name: str, read: Read | None) -> State:
    projects = {key: _project(project, name, read) for key, project in state.projects.items()}
    return replace(state, projects=projects)


def _project(project: Project, name: str, read: Read | None) -> Project:
    needs_upstream = read is not None and read.how.kind == "input names"
    stages = []
    for stage in project.stages:
        if stage.name == name:
            cells = tuple(r for r in stage.reads if read is None or r.key == read.key)
            upstream = stage.upstream if needs_upstream else ()
            if upstream == stage.upstream or read is not None or not stage.upstream:
                stages.append(replace(stage, reads=cells, upstream=upstream))
            else:
                cells = tuple(r for r in cells if r.how.kind != "input names")
                stages.append(replace(stage, reads=cells, upstream=()))
        elif needs_upstream and stage.values:
            stages.append(replace(stage, reads=()))
    return replace(project, stages=tuple(stages))


def _with_fresh_processes(failure: Failure) -> Failure:
    """The same with another process before the last run."""
    *others, last = failure.edits
    return replace(failure, edits=(*others, replace(last, fresh=True)))
