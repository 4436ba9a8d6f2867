"""What the run that a study ended with has learnt: its curves, its weights, its mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nndl_exp.datasets import Dataset, Labelled, Reading
from nndl_exp.display.figures import winner as winner_figures
from nndl_exp.display.predictions import BINS, Told, calibration
from nndl_exp.display.report import charts
from nndl_exp.display.report.pictures import Picture, draw, image
from nndl_exp.display.report.search import plain_chart
from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of


@dataclass(frozen=True)
class Mistake:
    """A validation example that was told wrong: its number, what it is, what was told, how surely
    in percent."""

    number: int
    is_: str
    told: str
    confidence: float


@dataclass
class Shown:
    """The figures of a winner, its mistakes as a table, and what can't be shown, and why."""

    pictures: list[Picture] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def winner(
    best: RunDirectory, replicates: Sequence[RunDirectory], dataset: Dataset | None, why: str,
    folder: Path,
) -> Shown:  # fmt: skip
    """All that is shown of a winner; its figures are drawn into ``folder``.

    Args:
        best: the run that the study ended with.
        replicates: the runs of its configuration with new seeds; itself, where there are none.
        dataset: what it learnt from, None where that can't be had; then ``why`` says so.
    """
    shown = Shown()
    if any(run.epochs() for run in replicates):
        shown.pictures.append(_curves(replicates, folder))
    else:
        shown.missing.append("No learning curves: the record of the epochs is missing or damaged.")
    try:
        network, reading = best.network(), best.reading()
    except UserError as e:
        shown.missing.append(f"What the network has learnt can't be shown: {e}.")
        return shown
    if dataset is None:
        shown.missing.append(f"What the network tells of the validation set can't be shown: {why}.")
    elif isinstance(dataset.validation, Labelled):
        _classes(shown, network, dataset, folder)
    else:
        shown.pictures.append(_residuals(network, dataset, folder))
    if reading.shape is not None:
        shown.pictures.append(_weights(network, reading, folder))
    return shown


def _curves(runs: Sequence[RunDirectory], folder: Path) -> Picture:
    histories = [history for run in runs if (history := run.epochs())]
    measure = measure_of(runs[0].config())
    draw("learning_curves", folder, lambda: winner_figures.learning_curves(histories, measure))
    if len(runs) > 1:
        text = (
            f"The winner trained with {len(runs)} seeds that the search did not use: their mean, "
            "and the band from the least to the most, up to the end of the shortest run."
        )
    else:
        text = "The winner's one training: a study in stages trains it again with new seeds."
    text += " Training far above validation is overfitting."
    alt = f"Learning curves. {text}"
    picture = image(folder, "learning_curves", "learning_curves", alt)
    chart = plain_chart(charts.learning_curves(histories, measure))
    return Picture("learning_curves", "learning_curves", "Learning curves", text, picture, chart)


def _weights(network: Network, reading: Reading, folder: Path) -> Picture:
    draw("weights", folder, lambda: winner_figures.first_layer_weights(network, reading))
    shown, n = len(winner_figures.strongest(network.weights[0])), network.sizes[1]
    hidden = len(network.weights) > 1
    which = "hidden neurons of the first layer" if hidden else "output neurons"
    many = f"the {shown} of {n}" if shown < n else f"the {n}"
    text = (
        f"The weights into {many} {which} with the longest weight vectors, as pictures of the "
        "inputs: blue is positive, red negative, white none."
    )
    picture = image(folder, "weights", "weights", f"First-layer weights. {text}")
    return Picture("weights", "weights", "What the first layer looks for", text, picture)


def _classes(shown: Shown, network: Network, dataset: Dataset, folder: Path) -> None:
    """Which classes are confused, how sure the network is, and its surest mistakes."""
    validation, names = dataset.validation, dataset.classes
    assert isinstance(validation, Labelled)
    told = Told(validation.labels, network.probabilities(validation.x))
    shown.pictures.append(_confusion(told, names, folder))
    at = told.confidently_wrong(winner_figures.MOST_WRONG)
    shown.mistakes = [
        Mistake(int(i), names[told.labels[i]], names[told.classes[i]],
                100 * float(told.confidence[i]))
        for i in at
    ]  # fmt: skip
    shape = dataset.shape
    if shape is not None and len(at):
        draw("confidently_wrong", folder, lambda: winner_figures.confidently_wrong(
            told, validation.x, shape, names, at))  # fmt: skip
        text = (
            f"The {len(at)} mistakes on the validation set that the network was surest of: what "
            "each is, what it was taken for, and the probability it was given."
        )
        picture = image(folder, "confidently_wrong", "confidently_wrong", text)
        title = "Most confidently wrong"
        shown.pictures.append(Picture("confidently_wrong", "confidently_wrong", title, text,
                                      picture))  # fmt: skip
    shown.pictures.append(_calibration(told, network, folder))


def _confusion(told: Told, names: Sequence[str], folder: Path) -> Picture:
    counts, n = told.confusion(), len(told.labels)
    draw("confusion_matrix", folder, lambda: winner_figures.confusion_matrix(counts, names))
    mistakes = counts.copy()
    np.fill_diagonal(mistakes, 0)
    wrong = int(mistakes.sum())
    text = f"{wrong:,} of {n:,} validation examples are misclassified."
    if wrong:
        row, column = divmod(int(mistakes.argmax()), len(names))
        text += (
            f" The commonest mistake is to take {names[row]} for {names[column]}: "
            f"{mistakes[row, column]} of {counts[row].sum()}."
        )
    picture = image(folder, "confusion_matrix", "confusion_matrix", f"Confusion matrix. {text}")
    return Picture("confusion_matrix", "confusion_matrix", "Confusion matrix", text, picture)


def _calibration(told: Told, network: Network, folder: Path) -> Picture:
    found = calibration(told)
    draw("calibration", folder, lambda: winner_figures.reliability(found))
    sure, right = float(told.confidence.mean()), float(told.right.mean())
    lean = "overconfident" if sure > right else "underconfident"
    text = (
        f"Expected calibration error {100 * found.error:.1f} points: the mean gap between accuracy "
        f"and confidence, over {BINS} bins of equal width weighted by their examples (Guo et al. "
        f"2017). Its mean confidence is {100 * sure:.1f} %, its accuracy {100 * right:.1f} %: it "
        f"is {lean}."
    )
    if network.parts.output != "softmax":
        text += " Its outputs are divided by their sum to be probabilities."
    picture = image(folder, "calibration", "calibration", f"Reliability diagram. {text}")
    return Picture("calibration", "calibration", "Calibration", text, picture)


def _residuals(network: Network, dataset: Dataset, folder: Path) -> Picture:
    """Predicted against actual values, of the first where there are several an example."""
    x, y = dataset.validation.examples(dataset.n_out)
    target = dataset.reading.target
    assert target is not None
    actual, predicted = (
        target.undo(values.astype(np.float64))[:, 0] for values in (y, network.predict(x))
    )
    draw("residuals", folder, lambda: winner_figures.residuals(actual, predicted, "value"))
    error = float(np.sqrt(np.mean((actual - predicted) ** 2)))
    text = (
        f"Each of {len(actual):,} validation rows: where the dots follow the line it is right. The "
        f"root mean square error is {error:.4g}, in the unit of the target."
    )
    if dataset.n_out > 1:
        text += f" The first of {dataset.n_out} numbers."
    picture = image(folder, "residuals", "residuals", f"Predicted and actual values. {text}")
    return Picture("residuals", "residuals", "Predicted and actual values", text, picture)
