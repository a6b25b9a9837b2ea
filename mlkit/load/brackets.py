"""What stands in the brackets of a reference: values, `*`, or *the same value as mine*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlkit.core.instances import Piece, pieces, written
from mlkit.core.pipeline import Axis, Node, Pick, Stage
from mlkit.core.suggesting import did_you_mean

__all__ = ["BracketError", "differing_lists", "with_picks"]

_MOST_SHOWN = 6


class BracketError(ValueError):
    """What stands in brackets means nothing.

    Parameters
    ----------
    fact : str
        Why.
    remedy : str, optional
        What to write instead.
    """

    def __init__(self, fact: str, remedy: str | None = None) -> None:
        super().__init__(fact, remedy)
        self.fact = fact
        self.remedy = remedy


def with_picks(node: Node, mine: Stage | None, stages: Mapping[str, Stage]) -> Node:
    """Give a reference with what its brackets mean.

    A name of a parameter that the other stage maps over is *the same value as mine*; everything
    else is a value of the parameter at its place; parameters that are left out mean all values.

    Parameters
    ----------
    node : Node
        A reference to a stage that exists.
    mine : Stage, optional
        The stage that refers; None on a command line, where every name is a value.
    stages : mapping of str to Stage
        All stages.

    Raises
    ------
    BracketError
        If the stage is not mapped, a value is not in its list, or the two lists are not the same.
    """
    if node.value is None:
        return node
    other = stages[node.stage]
    if other.foreach is None:
        raise BracketError(f"stage '{node.stage}' is not mapped", f"Write '{node.stage}'")
    picks: dict[str, Pick] = {}
    for place, piece in enumerate(_pieces(node.value, other)):
        if piece.is_all:
            continue
        if mine is not None and not piece.is_quoted and piece.text in other.foreach.parameters:
            pick = _same_as_mine(piece.text, mine, other)
        else:
            pick = _value(piece, place, mine, other)
        if pick.parameter in picks:
            raise BracketError(
                f"'{pick.parameter}' is said twice", _shape(other, other.foreach.parameters)
            )
        picks[pick.parameter] = pick
    return replace(node, picks=tuple(picks.values()))


def _pieces(inside: str, other: Stage) -> tuple[Piece, ...]:
    """Read the brackets; of a stage with one parameter, the whole may be one of its values."""
    assert other.foreach is not None
    axes, trouble = other.foreach.axes, ""
    try:
        found = pieces(inside)
    except ValueError as error:
        found, trouble = (), str(error)
    if found and len(found) <= len(axes):
        return found
    if len(axes) == 1 and (axes[0].values is None or written(inside) in _labels(axes[0])):
        return (Piece(text=written(inside), is_quoted=True),)
    if trouble:
        raise BracketError(trouble, _shape(other, other.foreach.parameters))
    many = f"{len(axes)} parameter{'s' * (len(axes) > 1)}"
    raise BracketError(
        f"{len(found)} values stand in the brackets, and stage '{other.name}' maps over {many}",
        _shape(other, other.foreach.parameters) + "; a value with a comma stands in double quotes",
    )


def _shape(other: Stage, names: tuple[str, ...]) -> str:
    return f"Write {other.name}[{','.join(name.upper() for name in names)}]"


def _same_as_mine(name: str, mine: Stage, other: Stage) -> Pick:
    assert other.foreach is not None
    if any(name in _labels(axis) for axis in other.foreach.axes):
        raise BracketError(
            f"'{name}' is a parameter that stage '{other.name}' maps over, and one of its values",
            f'Write "{name}" in double quotes for the value, or give the parameter another name',
        )
    own = _axis(mine, name)
    if own is None:
        raise BracketError(
            f"'{name}' is the same value as mine, and stage '{mine.name}' maps over no '{name}'",
            f"Map it over the same list, foreach: {{{name}: …}}, or write '{other.name}' for all",
        )
    their = _axis(other, name)
    assert their is not None
    difference = differing_lists(mine.name, own, other.name, their)
    if difference is not None:
        raise BracketError(
            f"'{name}' is the same value as mine, and {difference}",
            f"Give both the same list, such as a parameter of the pipeline: {name}: "
            "parameters.NAME",
        )
    return Pick(parameter=name)


def differing_lists(mine: str, own: Axis, other: str, their: Axis) -> str | None:
    """Say how the lists of two stages differ; None if they are the same, as far as is known.

    Parameters
    ----------
    mine, other : str
        The stages.
    own, their : Axis
        Their parameters of one name.
    """
    if own.source is not None or their.source is not None:
        if own.source is not None and their.source is not None and own.source == their.source:
            return None
        return (
            f"the lists do not come from one artifact: '{mine}' maps over {_from(own)}, "
            f"'{other}' over {_from(their)}"
        )
    if own.values is None or their.values is None or own.listed == their.listed is not None:
        return None
    if set(_labels(own)) == set(_labels(their)):
        return None
    return f"the lists differ: '{mine}' maps over {_from(own)}, '{other}' over {_from(their)}"


def _from(axis: Axis) -> str:
    if axis.source is not None:
        return str(axis.source)
    labels = _labels(axis)
    more = ", …" if len(labels) > _MOST_SHOWN else ""
    shown = f"[{', '.join(labels[:_MOST_SHOWN])}{more}]"
    return shown if axis.listed is None else f"parameters.{axis.listed} ({shown})"


def _value(piece: Piece, place: int, mine: Stage | None, other: Stage) -> Pick:
    assert other.foreach is not None
    axis = other.foreach.axes[place]
    labels = _labels(axis)
    if axis.values is not None and piece.text not in labels:
        may_be_name = mine is not None and mine.foreach is not None
        names = other.foreach.parameters if may_be_name else ()
        raise BracketError(
            f"'{piece.text}' is not among the stage's values"
            + (", and no parameter that it maps over" if names else ""),
            did_you_mean(piece.text, [*names, *labels])
            if names or labels
            else f"The list of '{axis.parameter}' is empty: '{other.name}' has no instances",
        )
    return Pick(parameter=axis.parameter, value=piece.text)


def _axis(stage: Stage, name: str) -> Axis | None:
    axes = () if stage.foreach is None else stage.foreach.axes
    return next((axis for axis in axes if axis.parameter == name), None)


def _labels(axis: Axis) -> list[str]:
    return [written(value) for value in axis.values or ()]
