"""Pictures whose title states the finding; drawn so that equal data give equal files.

Colours are Okabe and Ito's, which people with any colour vision can tell apart; lines also differ
in dash and are labelled directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "bars",
    "calibration_curve",
    "confusion",
    "dots",
    "new_axes",
    "roc_curves",
    "save",
    "split_days",
    "trials",
]

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#6E6E6E"
_SIZE_IN = (7.2, 3.8)
_DPI = 110


def new_axes(title: str, x_label: str, y_label: str) -> Axes:
    """Start a picture.

    Parameters
    ----------
    title : str
        The finding, as a sentence.
    x_label, y_label : str
        What the axes show, with units.

    Returns
    -------
    Axes
        Of a new figure; `axes.figure` is what `save` takes.
    """
    _, axes = plt.subplots(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
    axes.set_title(title, loc="left", fontsize=11, wrap=True)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _figure(axes: Axes) -> Figure:
    """The figure to which the axes belong."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes made by new_axes have a figure"
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a picture as PNG, without the date or the drawing program in it.

    Parameters
    ----------
    figure : Figure
        The picture.
    path : str or Path
        Where to; the folder is made if need be.
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})


def bars(axes: Axes, values: pd.Series, colour: str = BLUE) -> Figure:
    """Draw one bar for each entry.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    values : Series of shape (n_bars,)
        Heights; the index names the bars.
    colour : str
        Of the bars.
    """
    axes.bar([str(label) for label in values.index], values.to_numpy(), color=colour)
    return _figure(axes)


def dots(
    axes: Axes, values: pd.Series, highlighted: str, ends: pd.DataFrame | None = None
) -> Figure:
    """Draw one dot on a line of its own for each entry, with its value above it.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    values : Series of shape (n_dots,)
        Positions; the index names the lines, the first one is on top.
    highlighted : str
        The entry to draw as a diamond in another colour.
    ends : DataFrame of shape (n_dots, 2), optional
        The ends of each entry's interval, in the same order, drawn as a line behind its dot.
    """
    for row, (name, value) in enumerate(reversed(list(values.items()))):
        chosen = name == highlighted
        colour = ORANGE if chosen else BLUE
        if ends is not None:
            low, high = ends.iloc[len(values) - 1 - row].astype("float64")
            axes.hlines(row, low, high, color=colour, lw=1.2, alpha=0.6)
        axes.plot(value, row, "D" if chosen else "o", color=colour)
        axes.annotate(f"{value:.4f}", (value, row), (0, 6), textcoords="offset points", fontsize=8,
                      ha="center")  # fmt: skip
    axes.set_yticks(range(len(values)), [str(name) for name in reversed(list(values.index))])
    axes.margins(x=0.18, y=0.12)
    return _figure(axes)


def split_days(axes: Axes, parts: Mapping[str, pd.DataFrame], day: str, target: str) -> Figure:
    """Draw the daily share of late flights, one colour and mark for each part.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    parts : mapping of str to DataFrame of shape (n_flights, n_columns)
        The parts by name, in order of time.
    day, target : str
        The columns with the day and with 0 or 1.
    """
    styles = zip((BLUE, ORANGE, GREEN), ("o", "s", "^"), strict=True)
    for (name, part), (colour, mark) in zip(parts.items(), styles, strict=True):
        share = part.groupby(day)[target].mean() * 100
        axes.plot(share.index, share.to_numpy(), mark, ms=3.5, ls="-", lw=0.8, color=colour)
        axes.text(share.index[0], 1.0, f"{name}\n{len(part):,} flights", color=colour, fontsize=8,
                  va="top", transform=axes.get_xaxis_transform())  # fmt: skip
    axes.set_ylim(0, axes.get_ylim()[1] * 1.18)
    axes.tick_params(axis="x", rotation=20)
    return _figure(axes)


def roc_curves(axes: Axes, curves: Mapping[str, tuple[Any, Any]]) -> Figure:
    """Draw ROC curves above the diagonal of guessing.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    curves : mapping of str to (array of shape (n_flights,), array of shape (n_flights,))
        For each label the truth (0 or 1) and the predicted probability.
    """
    # A second, for which those that draw anything else need not wait.
    from sklearn.metrics import roc_curve

    styles = zip((BLUE, ORANGE, GREEN, PURPLE), ("-", "--", "-.", ":"), strict=True)
    for (label, (late, probability)), (colour, dash) in zip(curves.items(), styles, strict=False):
        false_rate, true_rate, _ = roc_curve(late, probability)
        axes.plot(false_rate, true_rate, dash, color=colour, label=label)
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    axes.annotate("guessing", (0.55, 0.5), color=GREY, fontsize=8)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return _figure(axes)


def calibration_curve(axes: Axes, bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw observed against predicted probability, beside the diagonal of perfect calibration.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    bins : sequence of mapping
        With `predicted` and `observed`, from `mlkit.ml.evaluation.calibration`; the interval of
        what was observed is drawn if there is one.
    """
    predicted = [entry["predicted"] for entry in bins]
    for entry in bins:
        if entry.get("observed_low") is not None:
            ends = (entry["observed_low"], entry["observed_high"])
            axes.vlines(entry["predicted"], *ends, color=BLUE, lw=1.2, alpha=0.6)
    axes.plot(predicted, [entry["observed"] for entry in bins], "o-", color=BLUE)
    top = max(*predicted, *(entry["observed"] for entry in bins))
    axes.plot([0, top], [0, top], color=GREY, lw=0.8)
    axes.annotate("perfect", (top * 0.8, top * 0.84), color=GREY, fontsize=8)
    return _figure(axes)


def confusion(axes: Axes, counts: Mapping[str, int]) -> Figure:
    """Draw the four counts of right and wrong answers.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    counts : mapping of str to int
        `confusion` of `mlkit.ml.evaluation.threshold_scores`.
    """
    grid = [
        [counts["on_time_called_on_time"], counts["on_time_called_late"]],
        [counts["late_called_on_time"], counts["late_called_late"]],
    ]
    axes.imshow(grid, cmap="Blues", aspect="auto")
    half = max(map(max, grid)) / 2
    for row, line in enumerate(grid):
        for column, count in enumerate(line):
            colour = "white" if count > half else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    axes.set_xticks([0, 1], ["called on time", "called late"])
    axes.set_yticks([0, 1], ["on time", "late"])
    return _figure(axes)


def trials(axes: Axes, table: pd.DataFrame) -> Figure:
    """Draw a halving search: the score of each trial over the rows that it was given.

    Parameters
    ----------
    axes : Axes
        From `new_axes`.
    table : DataFrame of shape (n_trials, n_columns)
        From `mlkit.ml.tuning.search_table`.
    """
    for number, (_, part) in enumerate(table.groupby("round")):
        mark, colour = ("o", "s", "^", "D")[number % 4], (BLUE, ORANGE, GREEN, PURPLE)[number % 4]
        axes.plot(part["rows"], part["roc_auc"], mark, color=colour, alpha=0.8)
        label = f"{len(part)} trials" if len(part) > 1 else "1 trial"
        axes.annotate(label, (part["rows"].iloc[0], part["roc_auc"].max()), (0, 6), color=colour,
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.margins(x=0.1, y=0.15)
    return _figure(axes)
