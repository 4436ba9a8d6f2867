"""The trials of a search as one process knows them: one table, from the proposal to the result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.records import Result
from nndl_exp.study.proposing.proposer import Proposal, Settled
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.trial import Original


class Status(Enum):
    """Where a trial is on its way; a claim that is given up takes it back to PROPOSED."""

    PROPOSED = auto()
    RUNNING = auto()
    """Claimed by this process, and handed to its workers."""
    ELSEWHERE = auto()
    """Claimed by another process."""
    FINISHED = auto()


@dataclass
class Slot:
    """A trial: as it was proposed, how often the machine broke it, and how it finished."""

    proposal: Proposal
    config: RunConfig
    status: Status = Status.PROPOSED
    attempts: int = 0
    finished: tuple[Trial, Settled] | None = None


class Trials:
    """All trials that are proposed, and of these the finished prefix 0, 1, ...: the search's table.

    ``slots`` has an entry for each; ``settled`` is the prefix as samplers and pruners see it.
    ``earlier`` are runs that completed before the search.
    """

    def __init__(self, search: Search, earlier: Mapping[RunConfig, Original]) -> None:
        self._search, self._earlier = search, earlier
        self.slots: list[Slot] = []
        self._first: dict[RunConfig, int] = {}
        self._told, self._succeeded = 0, False
        self.settled: list[Settled] = []

    def add(self, proposal: Proposal) -> None:
        """Add the next proposed trial, and its result if that is recorded."""
        config = self._search.space.apply(self._search.config.run, proposal.params)
        self.slots.append(Slot(proposal, config))
        self.read_result(proposal.number)

    def adopt(self) -> bool:
        """Add the next trials whose proposals are recorded, whoever did it, and their results.

        Raises:
            UserError: a record is damaged, or not that of its proposal.
        """
        before = len(self.slots)
        while proposal := self._search.proposal(len(self.slots)):
            self.add(proposal)
        return len(self.slots) > before

    def read_result(self, number: int) -> bool:
        """Finish a trial if its record says how it ended."""
        directory, slot = self._search.run_directory(number), self.slots[number]
        if (result := directory.result()) is None:
            return False
        directory.tidy()
        if directory.config() != slot.config:
            raise UserError(
                f"{directory.path} must hold the trial that {self._search.name} proposes: got "
                "one of another configuration; delete the folder, or give another study.name"
            )
        self.finish(number, result)
        return True

    def finish(self, number: int, result: Result) -> None:
        """Keep the result of a trial; the prefix grows if this was the one that it waited for."""
        slot = self.slots[number]
        trial = Trial(number, slot.config, result)
        slot.finished, slot.status = (trial, self._search.settled(trial)), Status.FINISHED
        while (n := len(self.settled)) < len(self.slots) and (ended := self.slots[n].finished):
            self.settled.append(ended[1])
            if ended[0].result.state == "complete":
                self._first.setdefault(ended[0].config, n)
            self._succeeded |= not self._search.has_failed(ended[0].result)

    def having(self, *statuses: Status) -> list[int]:
        """The trials beyond the prefix with one of these statuses, by their numbers."""
        beyond = range(len(self.settled), len(self.slots))
        return [number for number in beyond if self.slots[number].status in statuses]

    @property
    def has_fresh(self) -> bool:
        """Whether ``fresh`` would yield any."""
        return self._told < len(self.settled)

    def fresh(self) -> Iterator[Trial]:
        """The trials by which the prefix has grown since this was asked last."""
        while self.has_fresh:
            finished = self.slots[self._told].finished
            assert finished is not None
            self._told += 1
            yield finished[0]

    @property
    def total(self) -> int:
        """How many trials there are to be, as far as the prefix tells; a few while all failed."""
        total, few = self._search.total(len(self.settled)), self._search.config.study.give_up_after
        return min(total, few) if few and not self._succeeded else total

    @property
    def are_complete(self) -> bool:
        """Whether the prefix is all there is to be."""
        return len(self.settled) >= self.total

    @property
    def hopeless(self) -> str | None:
        """The reason to give up early, or None: the first few trials have all failed."""
        few = len(self.settled)
        if self._succeeded or not self.are_complete or not 0 < few < self._search.total(few):
            return None
        first = self.slots[0].finished
        reason = first[0].result.reason if first else ""
        return (
            f"the first {few} trials all failed (trial 0: {reason}): mend the run or the search "
            f"space, or go on with study.give_up_after={2 * few}"
        )

    @property
    def may_grow(self) -> bool:
        """Whether the next trial can be proposed: it is asked for, and enough are finished."""
        number = len(self.slots)
        return number < self.total and len(self.settled) > number - self._search.lag

    def original(self, number: int) -> Original | None:
        """The first run that completed with a trial's config, among those it may look at."""
        # Later trials may have finished by now, or not: that depends on who was faster.
        config, visible = self.slots[number].config, self._search.visible(number)
        if (first := self._first.get(config, visible)) < visible:
            return Original(self._search.run_directory(first).path.resolve(), f"trial {first}")
        return self._earlier.get(config)
