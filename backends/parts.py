"""Circuits cut into parts that share nothing, each numbered from 0: equal parts come out equal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ebit.backends.lower import Op, read_bits, written

__all__ = ["Part", "parts", "renamed"]


class Part(NamedTuple):
    """A part that several lists of operations have in common.

    Args:
        qubits: their numbers before, ascending.
        clbits: classical bits before, ascending.
        ops: per list, its operations of this part, qubits and bits numbered from 0.
    """

    qubits: tuple[int, ...]
    clbits: tuple[int, ...]
    ops: tuple[tuple[Op, ...], ...]


def parts(lists: Sequence[Sequence[Op]]) -> list[Part]:
    """Cut lists of operations on the same qubits and bits into common parts.

    Args:
        lists: such as a circuit and what it was compiled to.

    Returns:
        Parts that share neither qubits nor bits, in the order of their first operation.

    Example:
        >>> bell = [Op("h", (4,)), Op("cx", (4, 7)), Op("x", (5,))]
        >>> [(part.qubits, part.ops) for part in parts([bell])][1]
        ((5,), ((Op(name='x', qubits=(0,), params=(), clbits=(), then=(), otherwise=()),),))
    """
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    touched = [[_nodes(op) for op in ops] for ops in lists]
    for rows in touched:
        for nodes in rows:
            for node in nodes[1:]:
                parent[root(node)] = root(nodes[0])
    groups: dict[int, list[list[Op]]] = {}
    for i, (ops, rows) in enumerate(zip(lists, touched, strict=True)):
        for op, nodes in zip(ops, rows, strict=True):
            if nodes:
                groups.setdefault(root(nodes[0]), [[] for _ in lists])[i].append(op)
    return [_numbered(group) for group in groups.values()]


def _nodes(op: Op) -> list[int]:
    # Classical bits are negative nodes: -1 - index.
    bits = {*op.clbits, *written((op,)), *read_bits((op,))}
    return [*op.qubits, *(-1 - b for b in sorted(bits))]


def _numbered(group: Sequence[Sequence[Op]]) -> Part:
    nodes = {node for ops in group for op in ops for node in _nodes(op)}
    qubits = tuple(sorted(n for n in nodes if n >= 0))
    clbits = tuple(sorted(-1 - n for n in nodes if n < 0))
    places = {q: i for i, q in enumerate(qubits)}
    bits = {b: i for i, b in enumerate(clbits)}
    return Part(qubits, clbits, tuple(renamed(ops, places, bits) for ops in group))


def renamed(
    ops: Iterable[Op], qubits: Mapping[int, int], clbits: Mapping[int, int]
) -> tuple[Op, ...]:
    """Operations under other numbers."""
    return tuple(
        Op(
            op.name,
            tuple(qubits[q] for q in op.qubits),
            op.params,
            tuple(clbits[b] for b in op.clbits),
            renamed(op.then, qubits, clbits) if op.then else (),
            renamed(op.otherwise, qubits, clbits) if op.otherwise else (),
        )
        for op in ops
    )
