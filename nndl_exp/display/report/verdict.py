"""The outcome of a study: one sentence with its interval, the finalists, and what to type next."""

from collections.abc import Sequence
from dataclasses import dataclass

from nndl_exp.config import TrackingConfig
from nndl_exp.datasets import Dataset
from nndl_exp.display.commands import Commands
from nndl_exp.display.figures.scale import Floats, Scale
from nndl_exp.display.findings import Accuracy, Finalist, accuracy_of
from nndl_exp.display.words import baseline_text, network_text
from nndl_exp.run import measure_of
from nndl_exp.study.stages.chapter3.settings import START
from nndl_exp.study.summary import Summary
from nndl_exp.training.accuracy import Measure


def sentence(
    found: Summary, dataset: Dataset | None, finalists: Sequence[Finalist]
) -> tuple[str, str]:
    """The verdict and what it rests on, or why there is none."""
    if found.best is None:
        tried = "none has ended yet" if not found.trials else f"of {found.trials} none did"
        return f"No trial has trained to its end: {tried}.", ""
    runs, config = found.replicates(), found.best.config()
    accuracy, measure = accuracy_of(runs, dataset), measure_of(config)
    kept = any(one.recommended and one.name == START for one in finalists)
    text = "Tuning brought no improvement that can be shown: keep the start. " * kept
    text += f"{network_text(config)} {_does(measure, accuracy, dataset)}"
    if len(runs) > 1:
        text += f", in the mean of {len(runs)} new seeds"
    if interval := interval_text(measure, accuracy):
        text += f" (95 % interval {interval})"
    if dataset and (baseline := baseline_text(dataset)):
        text += f"; {baseline}"
    chosen = "" if len(runs) > 1 else " It was chosen by these very examples: expect less."
    how = f"Interval: {accuracy.how}"
    if accuracy.low is None:
        how = accuracy.how[0].upper() + accuracy.how[1:]
    return text + ".", f"{how}.{chosen}"


def _does(measure: Measure, accuracy: Accuracy, dataset: Dataset | None) -> str:
    noun = dataset.noun if dataset else "examples"
    if measure.is_fraction:
        return f"classifies {measure.text(accuracy.mean)} of the validation {noun} correctly"
    return f"reaches {measure.text(accuracy.mean)} on the validation {noun}"


def interval_text(measure: Measure, accuracy: Accuracy) -> str:
    """An interval in words, 94.4 to 96.1 %; empty where there is none."""
    if accuracy.low is None or accuracy.high is None:
        return ""
    return measure.interval(accuracy.low, accuracy.high)


@dataclass(frozen=True)
class Row:
    """A finalist as text, and where its interval and its mean are drawn, in percent of a width."""

    name: str
    mean: str
    interval: str
    size: str
    seeds: int
    recommended: bool
    at: tuple[float, float, float]


def rows(finalists: Sequence[Finalist], measure: Measure) -> list[Row]:
    """The finalists as the rows of a table."""
    scale, unit = Scale.of_accuracy(measure), measure.scale
    ends = [
        scale.height([unit * value for value in (a.mean if a.low is None else a.low, a.mean,
                                                 a.mean if a.high is None else a.high)])
        for a in (one.accuracy for one in finalists)
    ]  # fmt: skip
    low, high = min(e[0] for e in ends), max(e[2] for e in ends)
    return [
        Row(one.name, measure.text(one.accuracy.mean), interval_text(measure, one.accuracy),
            f"{one.size:,}", one.accuracy.seeds, one.recommended, _places(end, low, high))
        for one, end in zip(finalists, ends, strict=True)
    ]  # fmt: skip


def _places(heights: Floats, low: float, high: float) -> tuple[float, float, float]:
    first, middle, last = (round(100 * (h - low) / ((high - low) or 1.0), 1) for h in heights)
    return first, middle, last


def reasons(found: Summary) -> list[str]:
    """The reasons for the recommendation, as the last stage said."""
    decided = list(found.decided())
    return decided[-1][1] if decided and decided[-1][0] in ("winner", "joint") else []


@dataclass(frozen=True)
class Command:
    """A command to type, and its purpose."""

    what: str
    line: str


def commands(found: Summary, run: str | None, tracking: TrackingConfig | None) -> list[Command]:
    """The commands to type next; ``run`` is the name of the run that the study ended with.

    Args:
        found: the study.
        run: None where it has none.
        tracking: where MLflow shows it, None where it does not.
    """
    typed = Commands(found.config.output, tracking)
    lines = []
    if run:
        lines.append(Command("Train it again and compare every bit", typed.reproduce(run)))
        if found.is_finished:
            lines.append(Command("Look at the test set, once", typed.evaluate(run)))
        if (best := found.folder / "best.yaml").is_file():
            epochs = found.best.config().training.epochs * 2 if found.best else 60
            lines.append(Command("Go on from it", typed.train_from(best, epochs)))
    if tracking is not None:
        lines.append(Command("Browse every run", typed.ui()))
    return [
        *lines,
        Command("Train the whole study again", typed.reproduce(found.name)),
        Command("Write this report again", typed.report(found.name)),
    ]
