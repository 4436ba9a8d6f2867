"""When to stop early, as a function of the history (chapter 3, "Use early stopping")."""

from collections.abc import Callable, Sequence

from nndl_exp.training.epoch import Epoch, JudgedBy, best_epoch

Stopping = Callable[[Sequence[Epoch]], str | None]
"""Given all epochs so far, the reason to stop now, or None."""


def never(n: int, judged_by: JudgedBy) -> Stopping:
    """Train all epochs, so that overfitting shows."""
    return lambda history: None


def no_improvement(n: int, judged_by: JudgedBy) -> Stopping:
    """Stop when the best epoch lies n epochs back: "no-improvement-in-n"."""

    def rule(history: Sequence[Epoch]) -> str | None:
        since = history[-1].number - best_epoch(history, judged_by).number
        return f"no improvement in {n} epochs" if since >= n else None

    return rule


STOPPING: dict[str, Callable[[int, JudgedBy], Stopping]] = {
    "none": never,
    "no_improvement": no_improvement,
}
