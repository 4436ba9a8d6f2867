"""The trials of a study that are being trained, wherever that is, as far as its folder tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nndl_exp.config import RunConfig
from nndl_exp.records import RunDirectory
from nndl_exp.records.tail import EpochTail
from nndl_exp.study.running.trials import Slot
from nndl_exp.study.search import Search

_AHEAD = 64
"""How many trials beyond the settled ones are looked at."""


@dataclass
class Training:
    """A trial that is being trained: its epochs so far."""

    number: int
    config: RunConfig
    tail: EpochTail


class Watch:
    """Looks for the trials that are being trained, by whatever process on whatever machine.

    ``slots`` are the trials that there are; it may grow meanwhile.
    """

    def __init__(self, search: Search, slots: Sequence[Slot]) -> None:
        self._search, self._slots = search, slots
        self._known: dict[int, Training] = {}
        self._ended: set[int] = set()

    def look(self, settled: int) -> list[Training]:
        """Those that are being trained now, of the ones after the first ``settled``."""
        for number in [number for number in self._known if number < settled]:
            del self._known[number]
        return list(self._training(settled))

    def _training(self, settled: int) -> Iterator[Training]:
        for number in range(settled, min(len(self._slots), settled + _AHEAD)):
            directory = self._search.run_directory(number)
            if number in self._ended or (directory.path / "result.json").exists():
                self._ended.add(number)
                continue
            training = self._known.get(number) or self._meet(number, directory)
            training.tail.look()
            # One that was begun before, and stands still, waits for somebody to go on with it.
            if training.tail.is_new and directory.config_path.exists():
                yield training

    def _meet(self, number: int, directory: RunDirectory) -> Training:
        config = self._slots[number].config
        tail = EpochTail(directory, config.training.judged_by)
        training = self._known[number] = Training(number, config, tail)
        return training
