"""The recommended run: its learning curves, its weights, its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nndl_exp.datasets import Dataset, Labelled, Reading
from nndl_exp.display.figures import predictions as figures
from nndl_exp.display.figures import run as run_figures
from nndl_exp.display.figures.style import Drawing
from nndl_exp.display.predictions import BINS, Predictions, calibration
from nndl_exp.display.report.pictures import Picture, Place, image
from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network
from nndl_exp.records import RunDirectory
from nndl_exp.run import measure_of


@dataclass(frozen=True)
class Mistake:
    """A misclassified validation example: its number, its true class, the predicted class, and the
    probability of that in percent."""

    number: int
    true: str
    predicted: str
    confidence: float


@dataclass
class Shown:
    """The figures of a network, its mistakes as a table, and what can't be shown, and why."""

    pictures: list[Picture] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def network(
    best: RunDirectory, replicates: Sequence[RunDirectory], dataset: Dataset | None, why: str,
    place: Place,
) -> Shown:  # fmt: skip
    """All that is shown of a network; its figures are written to ``place``.

    Args:
        best: the run that the study ended with.
        replicates: the runs of its configuration with new seeds; itself, where there are none.
        dataset: what it learnt from, None where that can't be had; then ``why`` says so.
        place: where figures are written.
    """
    shown = Shown()
    if any(run.epochs() for run in replicates):
        shown.pictures.append(_curves(replicates, place))
    else:
        shown.missing.append("No learning curves: the record of the epochs is missing or damaged.")
    try:
        net, reading = best.network(), best.reading()
    except UserError as e:
        shown.missing.append(f"What the network has learnt can't be shown: {e}.")
        return shown
    if dataset is None:
        shown.missing.append(f"The network's predictions can't be shown: {why}.")
    elif isinstance(dataset.validation, Labelled):
        _classes(shown, net, dataset, place)
    else:
        shown.pictures.append(_residuals(net, dataset, place))
    if reading.shape is not None:
        shown.pictures.append(_weights(net, reading, place))
    return shown


def _curves(runs: Sequence[RunDirectory], place: Place) -> Picture:
    histories = [history for run in runs if (history := run.epochs())]
    measure = measure_of(runs[0].config())
    if len(runs) > 1:
        text = (
            f"Its trainings with {len(runs)} seeds that the search did not use: their mean, and "
            "the band from the least to the most, up to the end of the shortest run."
        )
    else:
        text = "Its one training: a study in stages trains it again with new seeds."
    text += " Training far above validation is overfitting."
    drawing = Drawing("learning_curves", run_figures.learning_curves(histories, measure))
    return image(drawing, place, "recommended_curves", "Learning curves", text)


def _weights(net: Network, reading: Reading, place: Place) -> Picture:
    shown, n = len(run_figures.strongest(net.weights[0])), net.sizes[1]
    hidden = len(net.weights) > 1
    which = "hidden neurons of the first layer" if hidden else "output neurons"
    many = f"the {shown} of {n}" if shown < n else f"the {n}"
    text = (
        f"The weights into {many} {which} with the longest weight vectors, as pictures of the "
        "inputs: blue is positive, red negative, white none."
    )
    drawing = Drawing("weights", run_figures.first_layer_weights(net, reading))
    return image(drawing, place, "weights", "What the first layer looks for", text)


def _classes(shown: Shown, net: Network, dataset: Dataset, place: Place) -> None:
    """Confusion matrix, calibration, and the most confident mistakes."""
    validation, names = dataset.validation, dataset.classes
    assert isinstance(validation, Labelled)
    found = Predictions(validation.labels, net.probabilities(validation.x))
    shown.pictures.append(_confusion(found, names, place))
    at = found.confidently_wrong(figures.MOST_WRONG)
    shown.mistakes = [
        Mistake(int(i), names[found.labels[i]], names[found.classes[i]],
                100 * float(found.confidence[i]))
        for i in at
    ]  # fmt: skip
    shape = dataset.shape
    if shape is not None and len(at):
        figure = figures.confidently_wrong(found, validation.x, shape, names, at)
        drawing = Drawing("confidently_wrong", figure)
        text = (
            f"The {len(at)} most confident mistakes on the validation set: the true class, the "
            "predicted class, and its probability."
        )
        shown.pictures.append(image(drawing, place, "confidently_wrong", "Most confidently wrong",
                                    text))  # fmt: skip
    shown.pictures.append(_calibration(found, net, place))


def _confusion(found: Predictions, names: Sequence[str], place: Place) -> Picture:
    counts, n = found.confusion(), len(found.labels)
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
    drawing = Drawing("confusion_matrix", figures.confusion_matrix(counts, names))
    return image(drawing, place, "confusion_matrix", "Confusion matrix", text)


def _calibration(found: Predictions, net: Network, place: Place) -> Picture:
    measured = calibration(found)
    sure, right = float(found.confidence.mean()), float(found.right.mean())
    lean = "overconfident" if sure > right else "underconfident"
    text = (
        f"Expected calibration error {100 * measured.error:.1f} points: the mean gap between "
        f"accuracy and confidence, over {BINS} bins of equal width weighted by their examples (Guo "
        f"et al. 2017). Its mean confidence is {100 * sure:.1f} %, its accuracy "
        f"{100 * right:.1f} %: it is {lean}."
    )
    if net.parts.output != "softmax":
        text += " Its outputs are divided by their sum to be probabilities."
    drawing = Drawing("calibration", figures.reliability(measured))
    return image(drawing, place, "calibration", "Calibration", text)


def _residuals(net: Network, dataset: Dataset, place: Place) -> Picture:
    """Predicted against actual values, of the first where there are several an example."""
    x, y = dataset.validation.examples(dataset.n_out)
    target = dataset.reading.target
    assert target is not None
    actual, predicted = (
        target.undo(values.astype(np.float64))[:, 0] for values in (y, net.predict(x))
    )
    error = float(np.sqrt(np.mean((actual - predicted) ** 2)))
    text = (
        f"Each of {len(actual):,} validation rows: on the dashed line a prediction is right. The "
        f"root mean square error is {error:.4g}, in the unit of the target."
    )
    if dataset.n_out > 1:
        text += f" The first of {dataset.n_out} numbers."
    drawing = Drawing("residuals", figures.residuals(actual, predicted, "value"))
    return image(drawing, place, "residuals", "Predicted and actual values", text)
