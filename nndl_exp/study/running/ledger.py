"""Which trials of a study have ended, as far as one process knows."""

from collections.abc import Mapping

from nndl_exp.config import RunConfig
from nndl_exp.study.proposing.proposer import Settled
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.trial import Original


class Ledger:
    """The trials that have ended, and of these the prefix 0, 1, ... that is the study's table.

    ``settled`` is the prefix as samplers and pruners see it. ``earlier`` are runs that completed
    before the study.
    """

    def __init__(self, study: Search, earlier: Mapping[RunConfig, Original]) -> None:
        self._study, self._earlier = study, earlier
        self._ended: dict[int, tuple[Trial, Settled]] = {}
        self._first: dict[RunConfig, int] = {}
        self._fresh: list[Trial] = []
        self._succeeded = False
        self.settled: list[Settled] = []

    def __len__(self) -> int:
        return len(self._ended)

    def __contains__(self, number: int) -> bool:
        return number in self._ended

    def add(self, trial: Trial, settled: Settled) -> None:
        """A trial has ended; the prefix grows if this was the one it waited for."""
        self._ended[trial.number] = trial, settled
        while (number := len(self.settled)) in self._ended:
            trial, settled = self._ended[number]
            self.settled.append(settled)
            if trial.result.state == "complete":
                self._first.setdefault(trial.config, number)
            self._succeeded |= not self._study.has_failed(trial.result)
            self._fresh.append(trial)

    @property
    def has_fresh(self) -> bool:
        """Whether ``fresh`` would return any."""
        return bool(self._fresh)

    def fresh(self) -> list[Trial]:
        """The trials by which the prefix has grown since this was asked last."""
        fresh, self._fresh = self._fresh, []
        return fresh

    @property
    def total(self) -> int:
        """How many trials there are to be, as far as the prefix tells; a few while all failed."""
        total, few = self._study.total(len(self.settled)), self._study.config.study.give_up_after
        return min(total, few) if few and not self._succeeded else total

    @property
    def is_complete(self) -> bool:
        """Whether the prefix is all there is to be."""
        return len(self.settled) >= self.total

    @property
    def hopeless(self) -> str | None:
        """Why there are no more trials than a few, once that is so."""
        if self._succeeded or not self.is_complete:
            return None
        few = len(self.settled)
        if not few or few >= self._study.total(few):
            return None
        reason = self._ended[0][0].result.reason
        return (
            f"the first {few} trials all failed (trial 0: {reason}): mend the run or the search "
            f"space, or go on with study.give_up_after={2 * few}"
        )

    def original(self, config: RunConfig, visible: int) -> Original | None:
        """The first run that completed with a config: of those before, or of the first trials."""
        # Later trials may have settled by now, or not: that depends on who was faster.
        if (number := self._first.get(config, visible)) < visible:
            return Original(self._study.run_directory(number).path.resolve(), f"trial {number}")
        return self._earlier.get(config)
