"""Small wrong changes to a function, one or two at a time: what a checker has to notice."""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Callable, Iterator

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
}
NAMES = {
    "sum": ("mean", "prod", "amax"),
    "mean": ("sum", "prod", "median"),
    "minimum": ("maximum", "add"),
    "maximum": ("minimum", "add"),
    "exp": ("expm1", "log"),
    "sqrt": ("square", "abs"),
    "argmax": ("argmin", "amax"),
    "cumsum": ("cumprod",),
    "logsigmoid": ("sigmoid", "tanh"),
    "zeros_like": ("ones_like",),
    "log_softmax": ("softmax",),
}
TWISTS = ("-({})", "({}) + 1", "({}) * 2", "({}) * 0", "({}).detach()", "({}).abs()")
"""What a returned value may become."""


def changes(node: ast.AST, parameters: list[str]) -> Iterator[Callable[[], ast.AST | None]]:
    """What one node may become, each as a function that makes it."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        yield lambda: ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)
        yield lambda: ast.BinOp(node.right, node.op, node.left)
        yield lambda: node.left
        yield lambda: node.right
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield lambda: ast.Compare(node.left, [SWAPS[type(node.ops[0])]()], node.comparators)
        yield lambda: ast.Compare(node.comparators[0], node.ops, [node.left])
    if isinstance(node, ast.UnaryOp):
        yield lambda: node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield lambda: ast.Constant(node.value + 1)
        yield lambda: ast.Constant(node.value - 1)
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        for other in NAMES[node.attr]:
            yield lambda other=other: ast.Attribute(node.value, other, node.ctx)
    if isinstance(node, ast.Return):
        for twist in TWISTS:
            twisted = twist.format(ast.unparse(node.value))
            yield lambda twisted=twisted: ast.Return(ast.parse(twisted, mode="eval").body)
    if isinstance(node, ast.Call):
        if len(node.args) > 1:
            yield lambda: ast.Call(node.func, [*node.args[1::-1], *node.args[2:]], node.keywords)
        if node.args:
            yield lambda: node.args[0]
        if node.keywords:
            yield lambda: ast.Call(node.func, node.args, node.keywords[1:])
        if isinstance(node.func, ast.Attribute) and not node.args:  # x.detach() to x
            yield lambda: node.func.value
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in parameters:
        for other in parameters:
            if other != node.id:
                yield lambda other=other: ast.Name(other, ast.Load())
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield lambda: ast.Tuple([*node.elts[1::-1], *node.elts[2:]], node.ctx)
    if isinstance(node, ast.AugAssign):
        yield lambda: ast.Assign([node.target], node.value)
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        yield lambda: ast.Pass()


def mutate(source: str, place: int, choice: int) -> str | None:
    """The source with one change at the node of that number, or None if there is none."""
    tree = ast.parse(source)
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    parameters = [argument.arg for argument in function.args.args]
    counter = itertools.count()
    done = False

    class Change(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST | None:
            nonlocal done
            if not done and next(counter) == place:
                for number, make in enumerate(changes(node, parameters)):
                    if number == choice:
                        done = True
                        return ast.copy_location(make(), node)
            return self.generic_visit(node)

    body = function.body[1:] if ast.get_docstring(function) else function.body
    function.body = [Change().visit(statement) for statement in body]
    return ast.unparse(ast.fix_missing_locations(tree)) if done else None


def first_order(source: str) -> list[str]:
    """Every single change."""
    found = []
    for place in range(sum(1 for _ in ast.walk(ast.parse(source)))):
        for choice in itertools.count():
            mutant = mutate(source, place, choice)
            if mutant is None:
                break
            found.append(mutant)
    return found


def mutants(source: str, count: int, seed: int = 0) -> list[str]:
    """``count`` different mutants: of one change where there are enough, else of two as well."""
    source = ast.unparse(ast.parse(source))
    draw = random.Random(seed)
    found = [mutant for mutant in dict.fromkeys(first_order(source)) if mutant != source]
    draw.shuffle(found)
    for single in found[:count]:
        if len(found) >= count:
            break
        second = [m for m in first_order(single) if m != source and m not in found]
        found += draw.sample(second, min(len(second), count - len(found), 6))
    return found[:count]
