"""The form of a pipeline's parameters: a control and a place for its error each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ipywidgets

from mlkit.core.pipeline import Pipeline
from mlkit.errors import ConfigurationError
from mlkit.reports.svg import text as escaped
from mlkit.widgets.kit.controls import choice, column, number, row, text, tick
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.views.fields import Field, fields_of, read, written

__all__ = ["ParameterForm"]

_WIDTH = "100%"


class ParameterForm:
    """Controls for a pipeline's parameters.

    Parameters
    ----------
    pipeline : Pipeline
        Whose parameters they are.
    given : mapping of str to object
        Values that differ from the pipeline's, to begin with.
    settled : mapping of str to object
        Values that the environment gives, which differ from those of pipeline.yaml.
    """

    def __init__(
        self, pipeline: Pipeline, given: Mapping[str, Any], settled: Mapping[str, Any]
    ) -> None:
        self._fields = {
            field.name: replace(field, value=settled.get(field.name, field.value))
            for field in fields_of(pipeline)
        }
        _refuse_unknown(given, self._fields)
        self.controls = {name: _control(field, given) for name, field in self._fields.items()}
        self._begun = {name: written(field) for name, field in self._fields.items()}
        self.problems = {name: Markup(live=True) for name in self._fields}
        for name, control in self.controls.items():
            control.observe(lambda _, name=name: self._check(name), "value")
        self._own = [name for name, field in self._fields.items() if field.is_own]
        self._more = [name for name in self._fields if name not in self._own]

    def view(self) -> ipywidgets.VBox:
        """The form; values of single stages are folded away."""
        parts = [self._rows(self._own)]
        if self._more:
            fold = tick(
                "also show what single stages are given", any(map(self._is_new, self._more))
            )
            rest = self._rows(self._more)

            def show(_: object = None) -> None:
                rest.layout.display = "flex" if fold.value else "none"

            fold.observe(show, "value")
            show()
            parts += [fold, rest]
        return column(*parts)

    def _rows(self, names: list[str]) -> ipywidgets.HBox:
        """One grid: fields of one width below and beside each other, each below its label."""
        rows = row(*(column(self.controls[n], self.problems[n]) for n in names))
        rows.add_class("mlkit-form")
        return rows

    def _is_new(self, name: str) -> bool:
        return bool(self.controls[name].value != self._begun[name])

    def _check(self, name: str) -> Any:
        """Read a field; its error, if there is one, stands below it then."""
        try:
            value = read(self._fields[name], self.controls[name].value)
        except ConfigurationError as error:
            said = f"{error.message}. {error.remedy}."
            self.problems[name].markup = f'<div class="mlkit-problem">✗ {escaped(said)}</div>'
            return None
        self.problems[name].markup = ""
        return value

    def values(self) -> dict[str, Any] | None:
        """What differs from pipeline.yaml; None if a field holds no value of its type."""
        read_ = {name: self._check(name) for name in self.controls if self._is_new(name)}
        wrong = any(problem.markup for problem in self.problems.values())
        return None if wrong else read_

    def disable(self, *, off: bool) -> None:
        """Let nothing be changed while a run goes on, or let it again."""
        for control in self.controls.values():
            control.disabled = off


def _refuse_unknown(given: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    for name in given:
        if name not in fields:
            raise ConfigurationError(
                f"no parameter in pipeline.yaml is called '{name}'",
                remedy=f"There are {', '.join(fields) or 'none'}",
                code="E401",
            )


def _control(field: Field, given: Mapping[str, Any]) -> Any:
    if field.name in given:
        field = replace(field, value=given[field.name])
    shown = written(field)
    match field.kind:
        case "tick":
            return tick(field.label, shown)
        case "whole" | "number":
            return number(field.label, shown, width=_WIDTH)
        case "choice":
            return choice(field.label, list(field.spec.choices), shown, width=_WIDTH)
        case "date":
            return ipywidgets.DatePicker(
                description=field.label,
                value=shown,
                style={"description_width": "initial"},
                layout={"width": _WIDTH},
            )
        case "secret":
            return ipywidgets.Password(
                description=field.label,
                style={"description_width": "initial"},
                layout={"width": _WIDTH},
            )
    return text(field.label, shown, width=_WIDTH)
