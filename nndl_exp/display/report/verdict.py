"""What a study came to, in a sentence, with its interval; and what to type to see for oneself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nndl_exp.config import RunConfig, TrackingConfig
from nndl_exp.datasets import Dataset
from nndl_exp.display.commands import Commands
from nndl_exp.display.words import noun, plain, plain_accuracy, techniques_text
from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.study.scores import scores
from nndl_exp.study.summary import Summary
from nndl_exp.study.verdict import mean_interval
from nndl_exp.training.accuracy import Measure
from nndl_exp.training.statistics import wilson_interval


@dataclass(frozen=True)
class Accuracy:
    """The mean accuracy of some runs of one configuration on the validation set, a fraction or R².

    ``low`` and ``high`` are its 95 % interval, None where there is none; ``how`` says where it is
    from.
    """

    mean: float
    low: float | None
    high: float | None
    how: str


def accuracy_of(runs: Sequence[RunDirectory], dataset: Dataset | None) -> Accuracy:
    """The mean accuracy of runs that differ by their seeds; without the data it has no interval."""
    results = [run.result() for run in runs]
    values = [r.validation_accuracy for r in results if r and r.validation_accuracy is not None]
    mean, measure = float(np.mean(values)), measure_of(runs[0].config())
    if dataset is None:
        return Accuracy(mean, None, None, "no interval: the data can't be had")
    n, what = len(dataset.validation), noun(dataset)
    if len(runs) > 1:
        each = np.array([scores(run, dataset) for run in runs])
        found = mean_interval(each) if measure.is_fraction else None
        if found is None:
            return Accuracy(mean, None, None, f"no interval: {_no_interval(each, measure, what)}")
        how = f"over {len(runs)} seeds and {n:,} {what} (Hillis 2007)"
        return Accuracy(mean, *found, how)
    if not measure.is_fraction:
        return Accuracy(mean, None, None, "R² of one run has no interval here")
    return Accuracy(mean, *wilson_interval(mean, n), f"Wilson 1927, of {n:,} {what}")


def _no_interval(each: Array, measure: Measure, what: str) -> str:
    """Why what each example adds, (seeds, examples), tells no interval of its mean."""
    if not measure.is_fraction:
        return "other rows have another variance to explain, and R² may come out above 1"
    wrong, right = (int(np.count_nonzero(one.any(axis=0))) for one in (1 - each, each))
    how = "wrong" if wrong < right else "right"
    return f"only {min(wrong, right)} of the {what} are read {how}"


def sentence(found: Summary, dataset: Dataset | None) -> tuple[str, str]:
    """The verdict and what it rests on, or why there is none."""
    if found.best is None:
        tried = "none has ended yet" if not found.trials else f"of {found.trials} none did"
        return f"No trial has trained to its end: {tried}.", ""
    runs, config = found.replicates(), found.best.config()
    accuracy, measure = accuracy_of(runs, dataset), measure_of(config)
    value = _shown(config, accuracy.mean)
    what = f"of the validation {noun(dataset)}" if dataset else "of the validation examples"
    does = f"reads {value} {what} right"
    if not measure.is_fraction:
        does = f"reaches {value} on the {what.removeprefix('of the ')}"
    text = f"{network_text(config)} {does}"
    if len(runs) > 1:
        text += f", in the mean of {len(runs)} new seeds"
    if accuracy.low is not None and accuracy.high is not None:
        ends = (plain_accuracy(measure, end) for end in (accuracy.low, accuracy.high))
        text += f" (95 % interval {' to '.join(ends)}{' %' if measure.is_fraction else ''})"
    baseline = dataset.baseline(dataset.validation) if dataset else None
    if baseline is not None:
        text += f"; always naming the commonest class, {_shown(config, baseline)}"
    chosen = "" if len(runs) > 1 else " It was chosen by these very examples, so it is partly luck."
    how = f"Interval: {accuracy.how}"
    if accuracy.low is None:
        how = accuracy.how[0].upper() + accuracy.how[1:]
    return text + ".", f"{how}.{chosen}"


def reasons(found: Summary) -> list[str]:
    """Why the winner is the winner, as the last stage said."""
    decided = list(found.decided())
    return decided[-1][1] if decided and decided[-1][0] in ("winner", "joint") else []


def network_text(config: RunConfig) -> str:
    """A run in words: A network of one hidden layer of 150 neurons (η 0.8, λ 0.82, m 6)."""
    hidden, t = config.network.hidden, config.training
    if not hidden:
        layers = "without a hidden layer"
    elif len(hidden) == 1:
        layers = f"with one hidden layer of {hidden[0]:,} neurons"
    else:
        layers = f"with hidden layers of {' and '.join(f'{n:,}' for n in hidden)} neurons"
    numbers = f"η {plain(t.eta)}, λ {plain(t.lmbda)}, mini-batches of {t.mini_batch_size}"
    return f"A network {layers} ({', '.join([numbers, *techniques_text(t)])})"


def _shown(config: RunConfig, accuracy: float) -> str:
    measure = measure_of(config)
    text = plain_accuracy(measure, accuracy)
    return f"{text} %" if measure.is_fraction else f"{measure.name} {text}"


@dataclass(frozen=True)
class Command:
    """What to type, and what for."""

    what: str
    line: str


def commands(found: Summary, run: str | None, tracking: TrackingConfig | None) -> list[Command]:
    """What to type next; ``run`` is the name of the run that the study ended with.

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
        Command("Write this page again", typed.report(found.name)),
    ]
