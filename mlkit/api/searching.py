"""What a sweep that searches asks Optuna, and tells it.

`optuna` (optional) and `sqlalchemy`, which comes with it, are imported where they are used. Optuna
keeps what it knows in a file of its own beside the sweep's; the sweep's own file and the records of
its runs are what counts, so that a file that is lost, or a run that was killed before Optuna heard
of it, costs nothing.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.early_stopping import stopped_early
from mlkit.core.record import RunRecord
from mlkit.core.search_space import Choices, Domain
from mlkit.core.states import RunStatus
from mlkit.core.values import canonical, encode
from mlkit.errors import RunsFolderError, UsageError, needing_extra
from mlkit.reports.metrics import measured, number_of
from mlkit.store.sweeps import Search, Sweep

if TYPE_CHECKING:
    import optuna

__all__ = ["Study", "check_optuna"]

_NUMBER = "mlkit_number"
"""The attribute of a trial that says which run of the sweep it is."""

_BY_MODEL = 8
"""So often a model may propose what there is already; then chance does."""


def check_optuna() -> None:
    """See that Optuna is there.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    with needing_extra("optuna", "a sweep that searches (--optuna)"):
        import optuna  # noqa: F401 - only whether it is there


class Study:
    """What Optuna knows of a sweep; used by one thread at a time.

    Parameters
    ----------
    file : Path
        Its file.
    found : Sweep
        The sweep, which has a search.
    """

    def __init__(self, file: Path, found: Sweep) -> None:
        check_optuna()
        import optuna

        assert found.search is not None
        self.search: Search = found.search
        self._file = file
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._readable():
            self._study = optuna.create_study(
                storage=f"sqlite:///{file}",
                study_name=found.name,
                direction="maximize" if found.search.maximize else "minimize",
                load_if_exists=True,
            )
            self._forget_what_never_began({item.number for item in found.combinations})

    def ask(self, number: int, attempt: int) -> tuple[int, dict[str, Any]]:
        """Propose values for the run of a number.

        Parameters
        ----------
        number : int
            The run's number in the sweep. What is proposed depends on it, on the seed and on what
            is known: a search that was broken off goes on as if it had not been.
        attempt : int
            From 0; a further one proposes something else.

        Returns
        -------
        int
            The trial.
        dict
            The values.
        """
        import optuna

        seed = (self.search.seed * 1_000_003 + number * 1_009 + attempt) % 2**31
        kind = optuna.samplers.TPESampler if attempt < _BY_MODEL else optuna.samplers.RandomSampler
        with self._readable():
            self._study.sampler = kind(seed=seed)
            trial = self._study.ask()
            values = {n: _suggested(trial, n, d) for n, d in self.search.space.items()}
            trial.set_user_attr(_NUMBER, number)
        return trial.number, values

    def drop(self, trial: int) -> None:
        """Take back a proposal: there is a run of it already, which was told."""
        import optuna

        with self._readable():
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def tell(
        self,
        number: int,
        values: Mapping[str, Any],
        record: RunRecord,
        last: tuple[float, float] | None = None,
    ) -> float | None:
        """Tell how a run has ended, once; gives what it measured.

        Parameters
        ----------
        number : int
            The run's number in the sweep.
        values : mapping
            Its values.
        record : RunRecord
            The run.
        last : tuple of float, optional
            Of one that was stopped early: the last step that it logged, and what.

        Raises
        ------
        UsageError
            If it succeeded without measuring what the search is about.
        """
        import optuna

        states = optuna.trial.TrialState
        is_stopped = bool(stopped_early(record))
        if not is_stopped and record.status not in (RunStatus.SUCCEEDED, RunStatus.FAILED):
            return None  # it goes on
        value = None
        if record.ok:
            value = number_of(record, self.search.metric)
            if value is None:
                raise _unmeasured(record, self.search.metric)
        state = states.FAIL if value is None else states.COMPLETE
        state = states.PRUNED if is_stopped else state
        points = {} if last is None or not is_stopped else {int(last[0]): last[1]}
        with self._readable():
            known = [t for t in self._study.trials if t.user_attrs.get(_NUMBER) == number]
            waiting = [t for t in known if not t.state.is_finished()]
            if waiting and not points:
                self._study.tell(waiting[-1].number, value, state=state)
            elif waiting or not any(t.state is state for t in known):
                for trial in waiting:  # what it logged can be told of a new trial only
                    self._study.tell(trial.number, state=states.FAIL)
                self._add(number, values, value, state, points)
        return value

    def _add(
        self,
        number: int,
        values: Mapping[str, Any],
        value: float | None,
        state: Any,
        points: dict[int, float],
    ) -> None:
        """Tell of a run that Optuna does not know, or knows as failed."""
        import optuna

        trial = optuna.trial.create_trial(
            state=state,
            value=value,
            params={n: _told(values[n], d) for n, d in self.search.space.items()},
            distributions={n: _distribution(d) for n, d in self.search.space.items()},
            user_attrs={_NUMBER: number},
            intermediate_values=points,
        )
        self._study.add_trial(trial)

    def _forget_what_never_began(self, numbers: set[int]) -> None:
        import optuna

        for trial in self._study.trials:
            if not trial.state.is_finished() and trial.user_attrs.get(_NUMBER) not in numbers:
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Say of a file that Optuna cannot use what to do about it."""
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (OptunaError, SQLAlchemyError, RuntimeError, ValueError) as error:
            said = str(error).strip().partition("\n")[0]
            raise RunsFolderError(
                f"Optuna cannot use {self._file}: {said}",
                remedy="Remove the file: Optuna is then told of the sweep's runs anew",
            ) from error


def _suggested(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        told = trial.suggest_categorical(name, [_plain(value) for value in domain.values])
        return next(value for value in domain.values if _same(_plain(value), told))
    if domain.is_int:
        step = 1 if domain.step is None else int(domain.step)
        return trial.suggest_int(name, int(domain.low), int(domain.high), step=step, log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)


def _told(value: Any, domain: Domain) -> Any:
    return _plain(value) if isinstance(domain, Choices) else value


def _distribution(domain: Domain) -> Any:
    from optuna import distributions as kinds

    if isinstance(domain, Choices):
        return kinds.CategoricalDistribution([_plain(value) for value in domain.values])
    if domain.is_int:
        step = 1 if domain.step is None else int(domain.step)
        return kinds.IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=step)
    return kinds.FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def _plain(value: Any) -> bool | int | float | str | None:
    """A choice as Optuna keeps it: what is no scalar by its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return canonical(encode(value))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _unmeasured(record: RunRecord, metric: str) -> UsageError:
    known = measured(record)
    named = ", ".join(known[:8]) if known else "nothing"
    return UsageError(
        f"run {record.run_id} succeeded and has not measured '{metric}'; measured: {named}",
        remedy="Name one of these, or have a stage measure it: "
        "mlkit.log_metric(NAME, VALUE), or a number in its output 'metrics'",
        code="E101",
    )
