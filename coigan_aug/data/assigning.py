"""Dealing groups out to parts of given sizes so that every part gets its share of everything: greedy, then exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
Places = NDArray[np.int64]
STARTS = 8
SHAKES = 300
SHAKEN = 5
FEW = 400
"""Up to so many groups are dealt out STARTS times anew, and the best result is shaken, 4 times for each group, at most
SHAKES times; with more groups, each one weighs so little that once is enough."""
SWAPPED = 300
TRIED = 12
STEPS = 400
MISSING = 10.0
_LEAST = 1e-12


@dataclass(frozen=True)
class _Deal:
    """What is dealt, of each quantity weighed: each group's share of the whole, [G, C], each part's wanted one, [B, C]."""

    groups: Shares
    wanted: Shares

    def reached(self, places: Places) -> Shares:
        """Return what each part has of each quantity, [B, C]."""
        out = np.zeros_like(self.wanted)
        np.add.at(out, places, self.groups)
        return out

    def holders(self, places: Places) -> NDArray[np.int64]:
        """Return how many groups of each part hold something of each quantity, [B, C]."""
        out = np.zeros(self.wanted.shape, np.int64)
        np.add.at(out, places, (self.groups > 0).astype(np.int64))
        return out

    def cost(self, places: Places) -> float:
        """Return the squared deviations from what is wanted; a part without a quantity that others have costs 10 more."""
        off = self.reached(places) - self.wanted
        return float((off[:, self.groups.any(axis=0)] ** 2).sum() + MISSING * (self.holders(places) == 0).sum())


def deal(groups: Shares, wanted: Shares, *, weights: Shares, rng: np.random.Generator) -> Places:
    """Return the part, 0..B-1, that each group goes to.

    Groups that hold much of something are placed first, each where most of it is missing; then single groups move and
    pairs change places while that brings the squared deviations down. Few groups are dealt out from several orders, and
    a few of them are put elsewhere again and again to see whether moves and changes then lead to something better.

    Args:
        groups: each group's share of the whole of each quantity, [G, C], 0..1.
        wanted: the share that each part should get of every quantity, [B], above 0, 1 in all.
        weights: how much the squared deviation of each quantity counts, [C].
        rng: decides the orders; the groups' own order counts too.
    """
    scale = np.sqrt(weights)
    task = _Deal(groups * scale, wanted[:, None] * scale)
    few = len(groups) <= FEW
    orders = [_order(groups, rng, k) for k in range(STARTS if few else 1)]
    best = min((_improved(task, _greedy(task, order, wanted), order) for order in orders), key=task.cost)
    heavy = groups.max(axis=1) / groups.max(axis=1).sum()
    for _ in range(min(SHAKES, 4 * len(groups)) if few else 0):
        shaken = best.copy()
        shaken[rng.choice(len(groups), SHAKEN, p=heavy)] = rng.integers(len(wanted), size=SHAKEN)
        best = min((best, _improved(task, shaken, orders[0])), key=task.cost)
    return best


def _order(groups: Shares, rng: np.random.Generator, number: int) -> Places:
    """Put the groups that hold most of something first; from the second order on only roughly."""
    order = rng.permutation(len(groups))
    weight = groups.max(axis=1) * (rng.uniform(0.4, 1, len(groups)) if number else 1)
    return np.asarray(order[np.argsort(-weight[order], kind="stable")])


def _greedy(task: _Deal, order: Places, wanted: Shares) -> Places:
    """Give each group in turn to the part that is shortest of what the group holds, measured by its wanted share."""
    places = np.zeros(len(task.groups), np.int64)
    rows, missing, goals = task.groups.tolist(), task.wanted.tolist(), wanted.tolist()
    for group in order.tolist():
        row = rows[group]
        short = [
            sum(lack * part for lack, part in zip(own, row, strict=True)) / goal
            for own, goal in zip(missing, goals, strict=True)
        ]
        best = short.index(max(short))
        places[group] = best
        missing[best] = [lack - part for lack, part in zip(missing[best], row, strict=True)]
    return places


def _improved(task: _Deal, places: Places, order: Places) -> Places:
    """Move single groups while that helps, else let two change places, until neither does."""
    cost = task.cost(places)
    for step in range(STEPS):
        rolled = np.roll(order, -step * SWAPPED)[:SWAPPED]
        better = next((new for new in _candidates(task, places, order, rolled) if task.cost(new) < cost - _LEAST), None)
        if better is None:
            break
        places, cost = better, task.cost(better)
    return places


def _candidates(task: _Deal, places: Places, order: Places, some: Places) -> Iterator[Places]:
    """Yield what looks best: one group moved, then pairs out of `some` exchanged."""
    off = (task.reached(places) - task.wanted) @ task.groups.T
    group, part = _best_move(task, places, off, order)
    moved = places.copy()
    moved[group] = part
    yield moved
    for a, b in _best_swaps(task, places[some], off[:, some], some):
        swapped = places.copy()
        swapped[[a, b]] = places[[b, a]]
        yield swapped


def _best_move(task: _Deal, places: Places, off: Shares, order: Places) -> tuple[int, int]:
    """Return the group and the part it should move to; `off` [B, G] is how the deviations lie along each group."""
    holds, holders = task.groups > 0, task.holders(places)
    rows = np.arange(len(places))
    change = 2 * (off - off[places, rows]).T + 2 * (task.groups**2).sum(axis=1)[:, None]
    lost, won = ((holders[places] == 1) & holds).sum(axis=1)[:, None], holds.astype(np.int64) @ (holders == 0).T
    change += MISSING * (lost - won)
    change[rows, places] = np.inf
    group, part = np.unravel_index(int(np.argmin(change[order])), change.shape)
    return int(order[group]), int(part)


def _best_swaps(task: _Deal, places: Places, off: Shares, some: Places) -> Iterator[tuple[int, int]]:
    """Yield the pairs of `some` groups whose exchange brings the squared deviations down most."""
    groups = task.groups[some]
    along = off[places]
    own = np.diagonal(along)
    size = (groups**2).sum(axis=1)
    change = along + along.T - own[:, None] - own[None] + size[:, None] + size[None] - 2 * groups @ groups.T
    change = np.where(np.triu(places[:, None] != places[None], 1), change, np.inf)
    for k in np.argsort(change, axis=None, kind="stable")[:TRIED].tolist():
        a, b = divmod(k, len(some))
        if change[a, b] < -_LEAST:
            yield int(some[a]), int(some[b])
