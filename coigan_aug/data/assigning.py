"""Dealing groups out to parts of given sizes so that every part gets its share of everything: greedy, then exchanges.

With X [B, C] what the B parts have of C quantities and Y [B, C] their goals, the cost is |X - Y|^2: a number-partitioning
problem, which is NP-hard already for one quantity and two parts (Karp 1972), so it is searched from good beginnings. To
give the largest group first to the part that lacks most is Graham's rule (1969, "Bounds on Multiprocessing Timing
Anomalies"); single moves and exchanges of pairs then lead downhill, and random moves out of a poor optimum (iterated local
search, Lourenco, Martin and Stuetzle 2003).

With g a group's row of shares and R = X - Y, moving g from part a to part b changes the cost by
2 g (R_b - R_a) + 2 |g|^2; exchanging g in a and h in b by 2 (g - h)(R_b - R_a) + 2 |g - h|^2. So one product R G' [B, G]
ranks all moves and exchanges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
Assignment = NDArray[np.int64]
Order = NDArray[np.int64]
STARTS = 8
SHAKES = 300
SHAKEN = 5
FEW = 400
"""Up to so many groups are dealt out STARTS times anew, and the best result is shaken, 4 times for each group, at most
SHAKES times; with more groups, each one weighs so little that once is enough."""
SWAPPED = 300
"""Groups whose exchanges are looked at in a step; the next step looks at the next ones."""
TRIED = 12
"""Exchanges that are tried in a step, the most promising first."""
STEPS = 400
MISSING = 10.0
"""Cost of a part that has nothing of a quantity which others have; a squared deviation costs 1 at most."""
_LEAST = 1e-12


@dataclass(frozen=True)
class _Deal:
    """What is dealt, each quantity weighed: the groups' shares of the whole, [G, C], and the parts' goals, [B, C]."""

    groups: Shares
    goals: Shares

    def reached(self, assignment: Assignment) -> Shares:
        """Return what each part has of each quantity, [B, C]."""
        out = np.zeros_like(self.goals)
        np.add.at(out, assignment, self.groups)
        return out

    def holders(self, assignment: Assignment) -> NDArray[np.int64]:
        """Return how many groups of each part hold something of each quantity, [B, C]."""
        out = np.zeros(self.goals.shape, np.int64)
        np.add.at(out, assignment, (self.groups > 0).astype(np.int64))
        return out

    def cost(self, assignment: Assignment) -> float:
        """Return the squared deviations from the goals; a part without a quantity that others have costs 10 more."""
        off = self.reached(assignment) - self.goals
        return float((off[:, self.groups.any(axis=0)] ** 2).sum() + MISSING * (self.holders(assignment) == 0).sum())


def deal(groups: Shares, goals: Shares, *, weights: Shares, rng: np.random.Generator) -> Assignment:
    """Return the part, 0..B-1, that each group goes to.

    Groups that hold much of something are placed first, each where most of it is missing; then single groups move and
    pairs change places while that brings the squared deviations down. Few groups are dealt out from several orders, and
    a few of them are put elsewhere again and again to see whether moves and changes then lead to something better.

    Args:
        groups: each group's share of the whole of each quantity, [G, C], 0..1.
        goals: the share that each part should get of every quantity, [B], above 0, 1 in all.
        weights: how much the squared deviation of each quantity counts, [C].
        rng: decides the orders; the groups' own order counts too.
    """
    scale = np.sqrt(weights)
    task = _Deal(groups * scale, goals[:, None] * scale)
    few = len(groups) <= FEW
    orders = [_order(groups, rng, k) for k in range(STARTS if few else 1)]
    best = min((_improved(task, _greedy(task, order, goals), order) for order in orders), key=task.cost)
    heavy = groups.max(axis=1) / groups.max(axis=1).sum()
    for _ in range(min(SHAKES, 4 * len(groups)) if few else 0):
        shaken = best.copy()
        shaken[rng.choice(len(groups), SHAKEN, p=heavy)] = rng.integers(len(goals), size=SHAKEN)
        best = min((best, _improved(task, shaken, orders[0])), key=task.cost)
    return best


def _order(groups: Shares, rng: np.random.Generator, number: int) -> Order:
    """Put the groups that hold most of something first; from the second order on only roughly."""
    order = rng.permutation(len(groups))
    weight = groups.max(axis=1) * (rng.uniform(0.4, 1, len(groups)) if number else 1)
    return np.asarray(order[np.argsort(-weight[order], kind="stable")])


def _greedy(task: _Deal, order: Order, goals: Shares) -> Assignment:
    """Give each group in turn to the part that is shortest of what the group holds, measured by its goal."""
    assignment = np.zeros(len(task.groups), np.int64)
    rows, missing, sizes = task.groups.tolist(), task.goals.tolist(), goals.tolist()
    for group in order.tolist():
        row = rows[group]
        short = [
            sum(lack * share for lack, share in zip(lacks, row, strict=True)) / size
            for lacks, size in zip(missing, sizes, strict=True)
        ]
        best = short.index(max(short))
        assignment[group] = best
        missing[best] = [lack - share for lack, share in zip(missing[best], row, strict=True)]
    return assignment


def _improved(task: _Deal, assignment: Assignment, order: Order) -> Assignment:
    """Move single groups while that helps, else let two change places, until neither does."""
    cost = task.cost(assignment)
    for step in range(STEPS):
        rolled = np.roll(order, -step * SWAPPED)[:SWAPPED]
        better = next(
            (new for new in _candidates(task, assignment, order, rolled) if task.cost(new) < cost - _LEAST), None
        )
        if better is None:
            break
        assignment, cost = better, task.cost(better)
    return assignment


def _candidates(task: _Deal, assignment: Assignment, order: Order, some: Order) -> Iterator[Assignment]:
    """Yield what looks best: one group moved, then pairs out of `some` exchanged."""
    off = (task.reached(assignment) - task.goals) @ task.groups.T
    group, part = _best_move(task, assignment, off, order)
    moved = assignment.copy()
    moved[group] = part
    yield moved
    for a, b in _best_swaps(task, assignment[some], off[:, some], some):
        swapped = assignment.copy()
        swapped[[a, b]] = assignment[[b, a]]
        yield swapped


def _best_move(task: _Deal, assignment: Assignment, off: Shares, order: Order) -> tuple[int, int]:
    """Return the group and the part it should move to; `off` [B, G] is how the deviations lie along each group."""
    holds, holders = task.groups > 0, task.holders(assignment)
    rows = np.arange(len(assignment))
    change = 2 * (off - off[assignment, rows]).T + 2 * (task.groups**2).sum(axis=1)[:, None]
    lost, won = ((holders[assignment] == 1) & holds).sum(axis=1)[:, None], holds.astype(np.int64) @ (holders == 0).T
    change += MISSING * (lost - won)
    change[rows, assignment] = np.inf
    group, part = np.unravel_index(int(np.argmin(change[order])), change.shape)
    return int(order[group]), int(part)


def _best_swaps(task: _Deal, assignment: Assignment, off: Shares, some: Order) -> Iterator[tuple[int, int]]:
    """Yield the pairs of `some` groups whose exchange brings the squared deviations down most."""
    groups = task.groups[some]
    along = off[assignment]
    stay = np.diagonal(along)
    size = (groups**2).sum(axis=1)
    change = along + along.T - stay[:, None] - stay[None] + size[:, None] + size[None] - 2 * groups @ groups.T
    change = np.where(np.triu(assignment[:, None] != assignment[None], 1), change, np.inf)
    for k in np.argsort(change, axis=None, kind="stable")[:TRIED].tolist():
        a, b = divmod(k, len(some))
        if change[a, b] < -_LEAST:
            yield int(some[a]), int(some[b])
