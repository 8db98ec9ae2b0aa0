"""Elimination and nested dissection against one dense least-squares solve."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pdekit.discrete.dissection import Block, Dissection
from pdekit.discrete.elimination import Elimination
from pdekit.errors import NonFiniteError

CUTOFF = 1e-13


def lattice(shape, unknowns, per_face, rows, rng, wrap=False):
    """Random cells on a lattice, tied to their neighbours, across the ends of the first axis too if `wrap`."""
    numbers: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    blocks, rhs = [], []
    for place in itertools.product(*(range(n) for n in shape)):
        traces: list[int] = []
        for axis, side in itertools.product(range(len(shape)), (0, 1)):
            face = list(place)
            face[axis] += side
            if face[axis] in (0, shape[axis]) and not (wrap and axis == 0):
                continue
            face[axis] %= shape[axis]
            key = (axis, tuple(face))
            traces += numbers.setdefault(key, list(range(per_face * len(numbers), per_face * (len(numbers) + 1))))
        height = rows + len(traces)
        blocks.append(Block(rng.normal(size=(height, unknowns)), np.array(traces, dtype=np.intp), place))
        rhs.append(rng.normal(size=height))
    return blocks, rhs


def dense(blocks, rhs):
    """The same in one matrix over all unknowns and traces, by LAPACK."""
    widths = np.cumsum([0, *(block.matrix.shape[1] for block in blocks)])
    traces = 1 + max((int(block.traces.max()) for block in blocks if len(block.traces)), default=-1)
    parts = []
    for i, block in enumerate(blocks):
        rows = np.zeros((len(block.matrix), widths[-1] + traces))
        rows[:, widths[i] : widths[i + 1]] = block.matrix
        for row, trace in enumerate(block.traces, start=len(rows) - len(block.traces)):
            rows[row, widths[-1] + trace] -= 1.0
        parts.append(rows)
    solution = np.linalg.lstsq(np.vstack(parts), np.concatenate(rhs), rcond=None)[0]
    return [solution[widths[i] : widths[i + 1]] for i in range(len(blocks))]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (4, 3), (1, 3), (2, 3, 2)])
def test_it_is_one_large_least_squares_solve(shape, wrap):
    rng = np.random.default_rng(61)
    blocks, rhs = lattice(shape, 6, 2, 9, rng, wrap)
    found = Dissection(blocks, CUTOFF).solve(rhs)
    for mine, reference in zip(found, dense(blocks, rhs), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-12)


def test_cells_of_different_sizes():
    rng = np.random.default_rng(67)
    blocks, rhs = lattice((5,), 4, 1, 7, rng)
    blocks[2] = Block(rng.normal(size=(6, 2)), blocks[2].traces, blocks[2].place)
    rhs[2] = rhs[2][:6]
    for mine, reference in zip(Dissection(blocks, CUTOFF).solve(rhs), dense(blocks, rhs), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-12)


def test_dependent_columns_are_counted_and_do_no_harm():
    """What the rows see of the solution is unchanged; the solution is the shortest."""
    rng = np.random.default_rng(71)
    plain, rhs = lattice((4, 3), 6, 2, 9, rng)
    doubled = [Block(np.hstack([b.matrix, b.matrix]), b.traces, b.place) for b in plain]
    once, twice = Dissection(plain, CUTOFF), Dissection(doubled, CUTOFF)
    assert (once.conditioning.rank, once.conditioning.unknowns) == (72, 72)
    assert (twice.conditioning.rank, twice.conditioning.unknowns) == (72, 144)
    assert (twice.conditioning.least_rank, twice.conditioning.most_rank) == (6, 6)
    assert twice.conditioning.condition < 1e3  # of what is kept
    for short, long in zip(once.solve(rhs), twice.solve(rhs), strict=True):
        np.testing.assert_allclose(long, np.tile(short, 2) / 2, rtol=0, atol=1e-12)


def test_more_unknowns_than_rows_are_left_undetermined():
    rng = np.random.default_rng(73)
    block = Block(rng.normal(size=(4, 7)), np.empty(0, dtype=np.intp), (0,))
    dissection, b = Dissection([block], CUTOFF), rng.normal(size=4)
    (found,) = dissection.solve([b])
    np.testing.assert_allclose(block.matrix @ found, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found, np.linalg.lstsq(block.matrix, b, rcond=None)[0], rtol=0, atol=1e-12)
    assert dissection.conditioning.rank == 4


def test_equal_cells_are_factorised_once():
    rng = np.random.default_rng(79)
    blocks, rhs = lattice((3, 4), 6, 2, 9, rng, wrap=True)
    whole = [b for b in blocks if len(b.traces) == 8]
    blocks = [Block(whole[0].matrix, b.traces, b.place) if len(b.traces) == 8 else b for b in blocks]
    dissection = Dissection(blocks, CUTOFF)
    assert dissection.conditioning.distinct == len(blocks) - len(whole) + 1
    for mine, reference in zip(dissection.solve(rhs), dense(blocks, rhs), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("worst", [1.0, 1e-11], ids=["by its inverse", "by singular values"])
def test_an_elimination_keeps_the_minimum(worst):
    """min over x and t of |K x + E t - b|^2, x eliminated first, through both branches of `Elimination.of`."""
    rng = np.random.default_rng(83)
    k = rng.normal(size=(12, 5)) * np.array([1.0, 1.0, 1.0, 1.0, worst])
    e, b = rng.normal(size=(12, 3)), rng.normal(size=12)
    step = Elimination.of(k, e, 1e-14)
    t = np.linalg.lstsq(step.rest, step.tail @ b, rcond=None)[0]
    x = step.recovered(step.head @ b, t)
    least = np.linalg.lstsq(np.hstack([k, e]), b, rcond=None)[0]
    residual = np.linalg.norm(np.hstack([k, e]) @ least - b)
    assert np.linalg.norm(k @ x + e @ t - b) == pytest.approx(residual, rel=1e-9)
    np.testing.assert_allclose(t, least[5:], rtol=0, atol=1e-15 / worst)
    assert step.rank == 5
    assert step.condition == pytest.approx(np.linalg.cond(k), rel=4)  # the first branch estimates it in the 1-norm


def test_a_right_hand_side_that_is_not_finite():
    rng = np.random.default_rng(89)
    blocks, rhs = lattice((2,), 3, 1, 4, rng)
    rhs[1][0] = np.nan
    with pytest.raises(NonFiniteError, match=r"cell 1.*not finite"):
        Dissection(blocks, CUTOFF).solve(rhs)
