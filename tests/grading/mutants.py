"""Model solutions, rewritten: so that they do the same, or so that they do something else.

Every rewrite changes one place of one answer. What is rewritten is the syntax tree, so that
whatever is changed is still Python.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "mutants_of", "rewrites_of"]

Edit = Callable[[], None]
Path = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """An answer that was rewritten in one place.

    Parameters
    ----------
    kind : str
        What was done, in a few words.
    line : int
        In the answer.
    source : str
        The answer now.
    """

    kind: str
    line: int
    source: str


COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMPUTED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
CALLED = {
    "sorted": "list",
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "append": "remove",
    "setdefault": "get",
    "startswith": "endswith",
}
RAISED = {"ValueError": "RuntimeError", "KeyError": "ValueError", "RuntimeError": "ValueError"}


def mutants_of(source: str) -> Iterator[Mutant]:
    """Rewrites of an answer that do something else, or could."""
    yield from _each(source, _mutations)


def rewrites_of(source: str) -> Iterator[Mutant]:
    """Rewrites of an answer that do the same."""
    yield from _each(source, _rewrites)


def _each(source: str, ways: Callable[[ast.AST], Iterator[tuple[str, Edit]]]) -> Iterator[Mutant]:
    """One rewrite after the other, each on a tree of its own."""
    count = sum(1 for node in ast.walk(ast.parse(source)))
    seen = {ast.unparse(ast.parse(source))}
    for number in range(count):
        first = _nth(ast.parse(source), number)
        for which, _ in enumerate(ways(first)):
            tree = ast.parse(source)
            node = _nth(tree, number)
            kind, edit = list(ways(node))[which]
            edit()
            text = ast.unparse(ast.fix_missing_locations(tree))
            if text not in seen:
                seen.add(text)
                yield Mutant(kind=kind, line=getattr(node, "lineno", 0), source=text)


def _nth(tree: ast.AST, number: int) -> ast.AST:
    return list(ast.walk(tree))[number]


def _mutations(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    for way in (_of_operators, _of_conditions, _of_constants, _of_statements, _of_calls, _of_ends):
        yield from way(node)


def _setting(node: ast.AST, **fields: object) -> Edit:
    def edit() -> None:
        for name, value in fields.items():
            setattr(node, name, value)

    return edit


def _of_operators(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            for other in COMPARED[type(operator)]:
                ops = [*node.ops]
                ops[number] = other()
                yield f"{type(operator).__name__} → {other.__name__}", _setting(node, ops=ops)
    if isinstance(node, ast.BinOp):
        for to in COMPUTED.get(type(node.op), ()):
            yield f"{type(node.op).__name__} → {to.__name__}", _setting(node, op=to())
    if isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and ↔ or", _setting(node, op=other_op)
        for number in range(len(node.values)):
            values = node.values[:number] + node.values[number + 1 :]
            yield "an operand dropped", _setting(node, values=values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "the sign dropped", _setting(node, op=ast.UAdd())


def _of_conditions(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "negated", _setting(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
    if isinstance(node, ast.If | ast.IfExp):
        for value in (True, False):
            yield f"always {value}", _setting(node, test=ast.Constant(value=value))
    if isinstance(node, ast.comprehension):
        for number, test in enumerate(node.ifs):
            rest = node.ifs[:number] + node.ifs[number + 1 :]
            yield "the filter dropped", _setting(node, ifs=rest)
            turned = [*rest, ast.UnaryOp(op=ast.Not(), operand=test)]
            yield "the filter negated", _setting(node, ifs=turned)


def _of_constants(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.Slice):
        if node.lower is not None:
            yield "the slice from the start", _setting(node, lower=None)
            more = ast.BinOp(left=node.lower, op=ast.Add(), right=ast.Constant(value=1))
            yield "the slice from one later", _setting(node, lower=more)
        if node.upper is not None:
            yield "the slice to the end", _setting(node, upper=None)
            less = ast.BinOp(left=node.upper, op=ast.Sub(), right=ast.Constant(value=1))
            yield "the slice to one before", _setting(node, upper=less)
        if node.step is not None:
            yield "the step dropped", _setting(node, step=None)
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield f"{value} → {not value}", _setting(node, value=not value)
    elif isinstance(value, int | float):
        for other in dict.fromkeys((value + 1, value - 1)):
            yield f"{value!r} → {other!r}", _setting(node, value=other)
    elif isinstance(value, str) and len(value) < 40 and "\n" not in value:
        yield f"{value!r} with an x", _setting(node, value=f"{value}x")
        if value != value.upper():
            yield f"{value!r} in capitals", _setting(node, value=value.upper())


def _of_statements(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or isinstance(node, ast.Module):
            continue
        for number, statement in enumerate(block):
            if _is_text(statement) or isinstance(statement, ast.Pass | ast.FunctionDef):
                continue
            left: list[ast.stmt] = block[:number] + block[number + 1 :]
            dropped = left or ([ast.Pass()] if name == "body" else [])
            text = ast.unparse(statement).splitlines()[0][:60]
            yield f"dropped: {text}", _setting(node, **{name: dropped})
        for number in range(len(block) - 1):
            if _is_text(block[number]):
                continue
            swapped = [*block[:number], block[number + 1], block[number], *block[number + 2 :]]
            yield "two statements swapped", _setting(node, **{name: swapped})
    if isinstance(node, ast.AugAssign):
        plain = copy.copy(node.target)
        yield "augmented → assigned", _becoming(node, ast.Assign(targets=[plain], value=node.value))
    if isinstance(node, ast.Break):
        yield "break → continue", _becoming(node, ast.Continue())
    if isinstance(node, ast.Continue):
        yield "continue → break", _becoming(node, ast.Break())
    if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
        for name in ("Exception", "ValueError", "OSError"):
            if node.type.id != name:
                yield f"except {name}", _setting(node, type=ast.Name(id=name))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _becoming(node: ast.AST, other: ast.AST) -> Edit:
    """Make one node another, in its place."""

    def edit() -> None:
        line = getattr(node, "lineno", 1)
        node.__class__ = other.__class__
        node.__dict__.clear()
        node.__dict__.update(other.__dict__)
        ast.copy_location(node, ast.Constant(value=0, lineno=line, col_offset=0))

    return edit


def _of_calls(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if not isinstance(node, ast.Call):
        return
    called = node.func
    if isinstance(called, ast.Name) and called.id in CALLED:
        yield f"{called.id} → {CALLED[called.id]}", _setting(called, id=CALLED[called.id])
    if isinstance(called, ast.Attribute) and called.attr in CALLED:
        yield f"{called.attr} → {CALLED[called.attr]}", _setting(called, attr=CALLED[called.attr])
    if len(node.args) >= 2:
        turned = [node.args[1], node.args[0], *node.args[2:]]
        yield "two arguments swapped", _setting(node, args=turned)
        yield "the last argument dropped", _setting(node, args=node.args[:-1])
    for number, keyword in enumerate(node.keywords):
        left = node.keywords[:number] + node.keywords[number + 1 :]
        yield f"{keyword.arg}= dropped", _setting(node, keywords=left)
    if len(node.args) == 1 and not node.keywords and isinstance(called, ast.Name):
        yield f"{called.id}(…) dropped", _becoming(node, node.args[0])
    if isinstance(called, ast.Attribute) and not node.keywords and not node.args:
        yield f".{called.attr}() dropped", _becoming(node, called.value)


def _of_ends(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Of what leaves a function: values and exceptions."""
    if isinstance(node, ast.Return) and node.value is not None:
        value = node.value
        for name in ("list", "str", "iter", "tuple", "set", "print"):
            yield f"returns {name}(…)", _setting(node, value=_call(name, value))
        yield "returns it in a list", _setting(node, value=ast.List(elts=[value]))
        yield "returns None", _setting(node, value=ast.Constant(value=None))
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        called = node.exc.func
        if isinstance(called, ast.Name):
            other = RAISED.get(called.id, "KeyError")
            yield f"raises {other}", _setting(called, id=other)
        yield "the exception returned", _becoming(node, ast.Return(value=node.exc))
        yield "exits instead", _setting(node.exc, func=ast.Name(id="SystemExit"))
    if isinstance(node, ast.FunctionDef) and not node.decorator_list and node.args.args:
        fewer = copy.copy(node.args)
        fewer.args = node.args.args[:-1]
        yield "a parameter dropped", _setting(node, args=fewer)
        turned = copy.copy(node.args)
        turned.args = node.args.args[::-1]
        yield "parameters in another order", _setting(node, args=turned)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name), args=[*arguments], keywords=[])


def _rewrites(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.Module):
        yield from _of_whole_answers(node)
    if isinstance(node, ast.FunctionDef):
        yield from _of_functions(node)
    if isinstance(node, ast.Dict) and not node.keys:
        yield "{} → dict()", _becoming(node, _call("dict"))
    if isinstance(node, ast.List) and not node.elts and isinstance(node.ctx, ast.Load):
        yield "[] → list()", _becoming(node, _call("list"))
    if isinstance(node, ast.ListComp):
        made = ast.GeneratorExp(elt=node.elt, generators=node.generators)
        yield "comprehension → list(generator)", _becoming(node, _call("list", made))
    if isinstance(node, ast.SetComp):
        made = ast.GeneratorExp(elt=node.elt, generators=node.generators)
        yield "comprehension → set(generator)", _becoming(node, _call("set", made))
    if isinstance(node, ast.DictComp):
        pair = ast.Tuple(elts=[node.key, node.value], ctx=ast.Load())
        made = ast.GeneratorExp(elt=pair, generators=node.generators)
        yield "comprehension → dict(generator)", _becoming(node, _call("dict", made))
    if isinstance(node, ast.Call | ast.Return | ast.Assign):
        yield from _of_f_strings_in(node)
    if isinstance(node, ast.If | ast.IfExp) and node.orelse:
        turned = ast.UnaryOp(op=ast.Not(), operand=node.test)
        fields: dict[str, object] = {"test": turned, "body": node.orelse, "orelse": node.body}
        yield "branches the other way round", _setting(node, **fields)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        mirrored = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
        to = mirrored.get(type(node.ops[0]))
        if to is not None:
            fields = {"left": node.comparators[0], "comparators": [node.left], "ops": [to()]}
            yield "sides the other way round", _setting(node, **fields)
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for number, statement in enumerate(block):
            for kind, more in _of_one_statement(statement):
                new = [*block[:number], *more, *block[number + 1 :]]
                yield kind, _setting(node, **{name: new})


def _of_whole_answers(node: ast.Module) -> Iterator[tuple[str, Edit]]:
    names = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
    for name in names:
        hidden = ast.parse(f"_mine = {name}\ndef {name}(*a, **k):\n    return _mine(*a, **k)").body
        yield f"{name} through another function", _setting(node, body=[*node.body, *hidden])
        short = ast.parse(f"_mine = {name}\n{name} = lambda *a, **k: _mine(*a, **k)").body
        yield f"{name} as a lambda", _setting(node, body=[*node.body, *short])
        cached = ast.parse(f"import functools\n{name} = functools.partial({name})").body
        yield f"{name} as a partial", _setting(node, body=[*node.body, *cached])
    shown = ast.parse("print('tried:', 'it works')").body
    yield "prints below", _setting(node, body=[*node.body, *shown])


def _of_functions(node: ast.FunctionDef) -> Iterator[tuple[str, Edit]]:
    yield "without annotations", _setting_all(node)
    body = [s for s in node.body if not _is_text(s)]
    yield "without a docstring", _setting(node, body=body)
    yield (
        "prints its name",
        _setting(
            node,
            body=[
                *node.body[: len(node.body) - len(body)],
                *ast.parse("print('called')").body,
                *body,
            ],
        ),
    )
    own = sorted(_own_names(node))
    if own:
        yield "locals renamed", lambda: _rename(node, {name: f"{name}_2" for name in own})


def _setting_all(node: ast.FunctionDef) -> Edit:
    def edit() -> None:
        node.returns = None
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None

    return edit


def _own_names(node: ast.FunctionDef) -> set[str]:
    """Names that a function binds itself, but no parameters and nothing it declares elsewhere."""
    stored = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    arguments = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    outside = {
        name
        for part in ast.walk(node)
        if isinstance(part, ast.Global | ast.Nonlocal)
        for name in part.names
    }
    return stored - arguments - outside


def _rename(node: ast.FunctionDef, names: dict[str, str]) -> None:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            part.id = names.get(part.id, part.id)
        if isinstance(part, ast.ExceptHandler) and part.name:
            part.name = names.get(part.name, part.name)


def _of_f_strings_in(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Of those that stand by themselves: what is within another f-string is its format."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.JoinedStr):
            made = _formatted(part)
            if made is not None:
                yield "f-string → format", _becoming(part, made)


def _formatted(node: ast.JoinedStr) -> ast.Call | None:
    pattern, values = "", []
    for part in node.values:
        if isinstance(part, ast.Constant):
            pattern += str(part.value).replace("{", "{{").replace("}", "}}")
            continue
        assert isinstance(part, ast.FormattedValue)
        spec = ast.unparse(part.format_spec)[2:-1] if part.format_spec is not None else ""
        if "{" in spec:
            return None
        how = "" if part.conversion == -1 else f"!{chr(part.conversion)}"
        pattern += "{" + how + (f":{spec}" if spec else "") + "}"
        values.append(part.value)
    made = ast.Attribute(value=ast.Constant(value=pattern), attr="format", ctx=ast.Load())
    return ast.Call(func=made, args=values, keywords=[])


def _of_one_statement(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    if isinstance(node, ast.Return) and node.value is not None:
        kept = ast.Assign(targets=[ast.Name(id="result_")], value=node.value)
        yield "the result named first", [kept, ast.Return(value=ast.Name(id="result_"))]
        if isinstance(node.value, ast.IfExp):
            test = node.value
            early = ast.If(test=test.test, body=[ast.Return(value=test.body)], orelse=[])
            yield "an early return", [early, ast.Return(value=test.orelse)]
    comprehension = getattr(node, "value", None)
    if isinstance(node, ast.Return | ast.Assign) and isinstance(comprehension, ast.ListComp):
        loop: list[ast.stmt] = [
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id="made_"), attr="append"),
                    args=[comprehension.elt],
                    keywords=[],
                )
            )
        ]
        for part in reversed(comprehension.generators):
            for wanted in reversed(part.ifs):
                loop = [ast.If(test=wanted, body=loop, orelse=[])]
            loop = [ast.For(target=part.target, iter=part.iter, body=loop, orelse=[])]
        begun = ast.Assign(targets=[ast.Name(id="made_")], value=ast.List(elts=[]))
        last = copy.copy(node)
        last.value = ast.Name(id="made_")
        yield "comprehension → loop", [begun, *loop, last]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        called = node.exc
        if isinstance(called.func, ast.Name):
            base = called.func.id
            made = ast.parse(f"class Own{base}({base}):\n    pass").body
            own = ast.Name(id=f"Own{base}")
            raised = ast.Call(func=own, args=called.args, keywords=called.keywords)
            yield "a subclass raised", [*made, ast.Raise(exc=raised, cause=node.cause)]
