"""Which source stands at which position of a mix: shares that hold in every prefix, at any position at once."""

from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import accumulate
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_WINDOW = 4096  # positions that are laid out together


class Shares:
    """An endless sequence of parts in which part j, of weight w, has stood n * w / sum(weights) times among the first
    n positions, to within less than one, for every n. (Several parts with less than 1/4096 each: less than two.)

    The chairman assignment problem (Tijdeman, 1980). At multiples of a window the counts are rounded cumulative
    shares, which is a formula; inside a window the positions go to the part whose next turn must come soonest among
    those whose turn has begun (the windows of Pfair scheduling; Baruah et al., 1996), which meets every deadline.
    """

    def __init__(self, weights: list[int]) -> None:
        """`weights`: whole numbers above 0."""
        self.weights = weights
        self._total = sum(weights)
        self._window = max(_WINDOW, 2 * len(weights))
        by_weight = sorted(range(len(weights)), key=lambda part: (weights[part], part))
        tiny = [part for part in by_weight if weights[part] * self._window < self._total]
        # A share that is too small for a window may not be rounded beside others, or its count might fall. All such
        # parts take their turns as one, the first: the cumulative share of that one only grows.
        self._groups = [tiny, *([part] for part in by_weight[len(tiny) :])] if tiny else [[part] for part in by_weight]
        self._inner = Shares([weights[part] for part in tiny]) if len(tiny) > 1 else None
        self._shares = [sum(weights[part] for part in group) for group in self._groups]
        self._bounds = [0, *accumulate(self._shares)]
        self._forget()

    def place(self, position: int) -> tuple[int, int]:
        """The part at a position, and how often it has stood before."""
        window, within = divmod(position, self._window)
        groups, turns = self._laid_out(window)
        return self._member(int(groups[within]), int(turns[within]))

    def counts(self, positions: int) -> list[int]:
        """How often each part stands among the first `positions`."""
        window, within = divmod(positions, self._window)
        groups, _ = self._laid_out(window)
        turns = self._turns_before(window) + np.bincount(groups[:within], minlength=len(self._groups))
        found = [0] * len(self.weights)
        for group, times in zip(self._groups, turns.tolist(), strict=True):
            inner = self._inner.counts(times) if self._inner and len(group) > 1 else [times]
            for part, count in zip(group, inner, strict=True):
                found[part] = count
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_laid_out"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._laid_out = lru_cache(maxsize=4)(self._lay_out)

    def _member(self, group: int, turn: int) -> tuple[int, int]:
        parts = self._groups[group]
        if self._inner is None or len(parts) == 1:
            return parts[0], turn
        part, taken = self._inner.place(turn)
        return parts[part], taken

    def _turns_before(self, window: int) -> Array:
        """[groups]: how often each has stood before this window."""
        bounds = [window * self._window * bound // self._total for bound in self._bounds]
        return np.diff(np.array(bounds, np.int64))

    def _lay_out(self, window: int) -> tuple[Array, Array]:
        """[window] the group at each position, and how often it has stood before."""
        begin, ends = window * self._window, self._turns_before(window + 1).tolist()
        turns = self._turns_before(window).tolist()
        later = [(self._begins(g, turn), g) for g, turn in enumerate(turns) if turn < ends[g]]
        heapify(later)
        ready: list[tuple[int, int]] = []
        groups = []
        for position in range(begin, begin + self._window):
            while later and later[0][0] <= position:
                group = heappop(later)[1]
                heappush(ready, (self._due(group, turns[group]), group))
            group = heappop(ready)[1]
            groups.append((group, turns[group]))
            turns[group] += 1
            if turns[group] < ends[group]:
                heappush(later, (self._begins(group, turns[group]), group))
        laid = np.array(groups, np.int64)
        return laid[:, 0], laid[:, 1]

    def _begins(self, group: int, turn: int) -> int:
        """The first position that leaves this turn less than one ahead of the share."""
        return turn * self._total // self._shares[group]

    def _due(self, group: int, turn: int) -> int:
        """The last position that leaves the share less than one ahead of this turn."""
        return -(-(turn + 1) * self._total // self._shares[group]) - 1
