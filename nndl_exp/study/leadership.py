"""Which of the processes of a study writes what they share: its views and its report."""

from pathlib import Path

from filelock import FileLock, Timeout

from nndl_exp.records import atomic
from nndl_exp.study.running.members import Member, is_run

_SHOWN = ".shown"
_LED: dict[Path, Member] = {}
"""By a study's folder, as what shows to others that its leader is there."""


class Leadership:
    """Held by one process of a study, the leader, while it lives.

    Within a process all values for the same file are one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = FileLock(self._folder / ".lock", is_singleton=True)

    def take(self, seconds: float = 0.0) -> bool:
        """Whether this process leads; it waits so long for another one to end, -1 for ever."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._lock.is_locked:
            try:
                self._lock.acquire(seconds)
            except Timeout:
                return False
        if self._folder not in _LED:
            _LED[self._folder] = Member(self._folder)
            _LED[self._folder].arrive()
        return True

    def release(self) -> None:
        """Let another process lead."""
        self._lock.release()
        if (member := _LED.pop(self._folder, None)) is not None:
            member.leave()
            member.remove(member.name)

    def succeeds(self, trials: int) -> bool:
        """Whether this process is to show a study that is complete with so many trials.

        It waits for the leader to end, which shows the study unless it was stopped.
        """
        self.take(-1)
        try:
            return (self._folder / _SHOWN).read_text() != str(trials)
        except OSError:
            return True

    def shown(self, trials: int) -> None:
        """Remember that the study has been shown, with so many trials."""
        atomic.write(self._folder / _SHOWN, str(trials).encode())


def is_running(folder: Path) -> bool:
    """Whether any process runs the study in a folder; it only looks."""
    return any(is_run(part) for part in (folder, *folder.glob("stages/*")))
