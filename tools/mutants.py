"""Small faults to plant in compiled functions: what `mutate.py` checks the tests with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_DECORATORS = ("kernel", "reduction")
_OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
}
_COMPARISONS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
}
_SWAPPED_CALLS = {"min": "max", "max": "min"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: bytes of a source file, and what they become."""

    function: str
    kind: str
    begin: int
    end: int
    text: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.begin] + self.text.encode() + source[self.end :]

    def line(self, source: bytes) -> int:
        return source.count(b"\n", 0, self.begin) + 1

    def change(self, source: bytes) -> str:
        """The line before and after, by which a mutant is known in the list of equivalent ones."""
        first = source.rfind(b"\n", 0, self.begin) + 1
        last = source.find(b"\n", self.end)
        before = source[first:last].decode()
        after = self.applied(source)[first : last + len(self.text.encode()) - (self.end - self.begin)].decode()
        return f"{self.function}: {' '.join(before.split())} → {' '.join(after.split())}"


def mutants_of(source: bytes) -> list[Mutant]:
    """All mutants of the compiled functions of a file, in the order of the text."""
    places = _Places(source)
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any(_name(each) in _DECORATORS for each in node.decorator_list):
            for kind, begin, end, text in _of_function(node, places):
                found.append(Mutant(node.name, kind, begin, end, text))
    return sorted(found, key=lambda mutant: (mutant.begin, mutant.end, mutant.text))


class _Places:
    """Byte offsets of nodes."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self.begin(node) : self.end(node)].decode()

    def between(self, left: ast.expr, right: ast.expr, operator: str) -> tuple[int, int]:
        """Where an operator stands between two nodes."""
        begin = self.source.index(operator.encode(), self.end(left), self.begin(right))
        return begin, begin + len(operator)


_Change = tuple[str, int, int, str]


def _of_function(function: ast.FunctionDef, places: _Places) -> Iterator[_Change]:
    assigned: set[str] = {argument.arg for argument in function.args.args}
    for statement in function.body:
        for node in _in_order(statement):
            if isinstance(node, ast.stmt):
                yield from _of_statement(node, places, assigned, function)
            elif isinstance(node, ast.expr):
                yield from _of_expression(node, places)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _of_statement(node: ast.stmt, places: _Places, assigned: set[str], function: ast.FunctionDef) -> Iterator[_Change]:
    if isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        before, after = _OPERATORS[type(node.op)]
        begin, end = places.between(node.target, node.value, before + "=")
        yield "operator", begin, end, after + "="
    if _can_go(node, assigned):
        yield "dropped statement", places.begin(node), places.end(node), "pass"
    if isinstance(node, ast.Assign):
        assigned |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    if isinstance(node, ast.Return) and node.value is not None:
        yield from _of_return(node.value, function.returns, places)


def _can_go(node: ast.stmt, assigned: set[str]) -> bool:
    """Whether a function still has every name it needs without this statement."""
    if isinstance(node, ast.Assign):
        return all(
            isinstance(target, ast.Subscript) or (isinstance(target, ast.Name) and target.id in assigned)
            for target in node.targets
        )
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.AugAssign | ast.Continue | ast.Break)


def _of_return(value: ast.expr, annotation: ast.expr | None, places: _Places) -> Iterator[_Change]:
    values, kinds = [value], [annotation]
    if (
        isinstance(value, ast.Tuple)
        and isinstance(annotation, ast.Subscript)
        and isinstance(annotation.slice, ast.Tuple)
    ):
        values, kinds = value.elts, list(annotation.slice.elts)
    for each, kind in zip(values, kinds, strict=True):
        text = places.text(each)
        if "nan" in text:  # nan + 1 is nan
            continue
        if _name(kind) in ("int", "float"):
            yield "returned value", places.begin(each), places.end(each), f"({text}) + 1"
        elif _name(kind) == "bool":
            yield "returned value", places.begin(each), places.end(each), f"not ({text})"


def _of_expression(node: ast.expr, places: _Places) -> Iterator[_Change]:
    begin, end = places.begin(node), places.end(node)
    if isinstance(node, ast.BinOp):
        before, after = _OPERATORS[type(node.op)]
        yield "operator", *places.between(node.left, node.right, before), after
    elif isinstance(node, ast.Compare):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if type(operator) in _COMPARISONS:
                before, others = _COMPARISONS[type(operator)]
                for after in others:
                    yield "comparison", *places.between(left, right, before), after
            left = right
    elif isinstance(node, ast.BoolOp):
        before, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield "and/or", *places.between(left, right, before), after
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield "sign", begin, end, f"({places.text(node.operand)})"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in _SWAPPED_CALLS:
            yield "min/max", places.begin(node.func), places.end(node.func), _SWAPPED_CALLS[node.func.id]
        elif node.func.id == "range":
            yield from _of_range(node, places)
    elif isinstance(node, ast.Constant):
        for text in _other_constants(node.value):
            yield "constant", begin, end, text


def _of_range(node: ast.Call, places: _Places) -> Iterator[_Change]:
    first, stop = (None, node.args[0]) if len(node.args) == 1 else (node.args[0], node.args[1])
    yield "range", places.begin(stop), places.end(stop), f"{places.text(stop)} - 1"
    if first is None:
        yield "range", places.begin(stop), places.begin(stop), "1, "
    elif not isinstance(first, ast.Constant):
        yield "range", places.begin(first), places.end(first), f"{places.text(first)} + 1"


def _other_constants(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (str(not value),)
    if isinstance(value, int):
        return (str(value + 1), f"({value - 1})")
    if isinstance(value, float):
        return (repr(2.0 * value),) if value else ("1.0",)
    return ()


def _name(node: ast.expr | None) -> str:
    return node.id if isinstance(node, ast.Name) else ""
