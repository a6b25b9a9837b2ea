"""Frozen dataclasses: as those of the standard library, and quick to define."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from functools import cached_property
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.frozen import dataclass, replace

_DEFAULTS = [
    {},
    {"default": 3},
    {"default": None, "compare": False},
    {"default_factory": list, "repr": False},
    {"default_factory": list, "hash": None},
]


def _class(decorate: Any, shape: list[dict[str, Any]], extras: dict[str, Any]) -> Any:
    """A class with one field a description, made by a decorator."""
    names = [f"f{number}" for number in range(len(shape))]
    made = {name: dataclasses.field(**how) for name, how in zip(names, shape, strict=True)}
    hints = dict.fromkeys(names, "object")
    return decorate(type("Made", (), {**made, **extras, "__annotations__": hints}))


def _said(call: Any) -> object:
    """What a call returns, or the class of its error with the words."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever either of the two raises is compared
        return type(error), str(error).replace("Made.", "")


def _noted(self: Any) -> None:
    object.__setattr__(self, "noted", True)


@given(
    shape=st.lists(st.sampled_from(_DEFAULTS), max_size=4),
    order=st.booleans(),
    noted=st.booleans(),
    values=st.lists(
        st.dictionaries(st.sampled_from(["f0", "f1", "f2", "f3", "f4"]), st.integers(0, 2)),
        min_size=2,
        max_size=3,
    ),
)
def test_values_do_what_those_of_the_standard_library_do(
    *, shape: list[dict[str, Any]], order: bool, noted: bool, values: list[dict[str, int]]
) -> None:
    """Made, shown, compared, hashed, copied, replaced, and refused in the same words."""
    extras = {"__post_init__": _noted} if noted else {}
    slow, quick = (
        _class(make(frozen=True, kw_only=True, order=order), shape, extras)
        for make in (dataclasses.dataclass, dataclass)
    )
    assert str(inspect.signature(slow)) == str(inspect.signature(quick))
    told = []
    for made, put in ((slow, dataclasses.replace), (quick, replace)):
        found = [_said(lambda given=given, made=made: made(**given)) for given in values]
        one, other = found[:2]
        made_ones = [each for each in found if isinstance(each, made)]
        told.append(
            [
                *[repr(each) for each in found],
                *[getattr(each, "noted", None) for each in found],
                *[_said(lambda a=a, b=b: a == b) for a in found for b in found],
                *[_said(lambda each=each: hash(each)) for each in found],
                repr(_said(lambda one=one, other=other: one < other)).replace("(", ""),
                *[repr(_said(lambda a=a, put=put: put(a, f0=7))) for a in made_ones],
                repr(_said(lambda one=one: dataclasses.asdict(one))),
                repr(_said(lambda one=one: copy.deepcopy(one))),
                _said(lambda one=one: setattr(one, "f0", 1)),
                _said(lambda one=one: delattr(one, "f0")),
            ]
        )
    assert told[0] == told[1]


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What others inherit from."""

    kind: ClassVar[str] = "base"
    first: int
    second: list[int] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Derived(_Base):
    """With a field more, and an idea of its own of what is equal."""

    third: str = "c"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Derived) and other.third == self.third


def test_classes_inherit_keep_their_own_methods_and_can_be_pickled() -> None:
    """`__init__` is written for each class; nothing that the class says itself is replaced."""
    made = _Derived(first=1)
    assert (made.first, made.second, made.third) == (1, [], "c")
    assert made == _Derived(first=2)
    assert made.second is not _Derived(first=1).second
    assert pickle.loads(pickle.dumps(made)) == made
    assert repr(pickle.loads(pickle.dumps(_Base(first=3)))) == "_Base(first=3, second=[])"
    assert _Base.__doc__ == "What others inherit from."
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'first'"):
        _Base()  # type: ignore[call-arg] # that is the mistake


@dataclass(frozen=True, kw_only=True)
class _Computing:
    base: int

    @cached_property
    def double(self) -> int:
        return 2 * self.base


def test_a_changed_copy_keeps_nothing_that_was_computed() -> None:
    """A cached property belongs to the value that it was computed of."""
    one = _Computing(base=1)
    assert one.double == 2
    assert replace(one, base=5).double == 10
    assert replace(one).double == 2


def test_a_class_that_is_not_frozen_is_refused() -> None:
    """It would look frozen to a reader, and would not be."""
    with pytest.raises(TypeError, match=r"dataclasses\.dataclass makes classes"):
        dataclass(frozen=False, kw_only=True)


def test_what_every_command_imports_is_quick_to_define() -> None:
    """A frozen class that the standard library makes takes 0.5 ms of every start of a command."""
    program = (
        "import sys, mlkit.api.local_run, mlkit.api.forecasting, mlkit.cli.run, mlkit.cli.plan\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    for each in vars(module).values() if name.startswith('mlkit.') else ():\n"
        "        how = getattr(each, '__dataclass_params__', None)\n"
        "        if isinstance(each, type) and each.__module__ == name and how and how.frozen:\n"
        "            print(f'{name}.{each.__name__}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    others = {  # made by position, or equal to nothing but themselves
        "mlkit.notebook.imports.Import",
        "mlkit.planner.checkout.Checkout",
        "mlkit.planner.interpreter.Interpreter",
    }
    assert set(done.stdout.split()) <= others
