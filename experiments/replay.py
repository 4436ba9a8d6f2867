"""Replay: the published curves of chapter 3 regenerated to the last digit.

Chapter 3, "Overfitting and regularization" and the figures after it · 3 minutes
    python -m experiments.replay [--out DIR] [published=DIR]

Expected: every count equal, every cost to 1e-10, for overfitting, regularized, more_data and
weight_initialization with 30 and 100 hidden neurons; in multiple_eta for η = 0.025 and 0.25. Where
rounding grows, up to some epoch: in overfitting_full and regularized_full the second (the latter to
1e-6 up to the 16th); for η = 2.5 none, since a weight that differs by 1e-15 of itself changes the
cost after the first epoch by a tenth. Each figure is written as JSON in the shape of the published
file. Needs the full digits. Checked against numbers of the book's files; with published=DIR, a
folder with these files (fig/ of the book's repository), against each whole file.
"""

import json
from pathlib import Path

from nndl_exp.book import Experiment, main
from nndl_exp.book.published import beside_published, read_published
from nndl_exp.book.replay import FIGURES, replay

# Of the files overfitting.json and multiple_eta.json, costs to four digits.
OVERFITTING = (
    ("test cost", 0, 2.0763, 1.7731), ("test accuracy, images", 1, 5887, 8223),
    ("training cost", 2, 1.8434, 0.0042), ("training accuracy, images", 3, 690, 1000),
)  # fmt: skip
LEARNING_RATES = ((0.025, 0, 0.8781, 0.3392), (0.25, 1, 0.4950, 0.3388))


def study(experiment: Experiment) -> None:
    """Replay every figure, write its JSON, and compare overfitting and multiple_eta."""
    if not experiment.full:
        experiment.console.print("the published curves are of the full digits: nothing to replay")
        return
    out, folder = experiment.settings["out"], experiment.settings["published"]
    published = {name: read_published(Path(folder), name) for name in FIGURES if folder}
    found = dict(zip(FIGURES, experiment.parallel(replay, list(FIGURES)), strict=True))
    for name, content in found.items():
        experiment.write(f"{name}.json", json.dumps(content), Path(out) if out else None)
    for what, row, first, last in OVERFITTING:
        curve = found["overfitting"][row]
        experiment.compare(f"overfitting: {what}, epoch 1", first, round(curve[0], 4))
        experiment.compare(f"overfitting: {what}, epoch 400", last, round(curve[-1], 4))
    accuracy, cost = found["overfitting"][1], found["overfitting"][0]
    experiment.compare("overfitting: most test images right", 8227, max(accuracy))
    experiment.compare("overfitting: in the epoch (from 0)", 374, accuracy.index(max(accuracy)))
    experiment.compare("overfitting: lowest test cost", 1.2028, round(min(cost), 4))
    experiment.compare("overfitting: in the epoch (from 0)", 14, cost.index(min(cost)))
    for eta, row, first, last in LEARNING_RATES:
        curve = found["multiple_eta"][row][2]
        experiment.compare(f"training cost, η = {eta}, epoch 1", first, round(curve[0], 4))
        experiment.compare(f"training cost, η = {eta}, epoch 30", last, round(curve[-1], 4))
    experiment.compare("more_data: 5,000 images (%)", 93.24, found["more_data"][5], within=1e-9)
    for name, right in (("regularized", 8710), ("regularized_full", 9649)):
        experiment.compare(f"{name}: most test images right", right, max(found[name][1]))
    for initializer, right in (("default", 9270), ("large", 8643)):
        curve = found["weight_initialization_30"][f"{initializer}_weight_initialization"][1]
        what = f"weight_initialization, 30 hidden, {initializer}: right after epoch 1"
        experiment.compare(what, right, curve[0])
    experiment.rows += beside_published(found, published)
    figure, (left, right) = experiment.draw.figure(1, 2)
    lines = {"not regularized": found["overfitting"][1], "lmbda 0.1": found["regularized"][1]}
    experiment.draw.lines(left, lines, x="epoch", y="test images right, of 10,000")
    rates = {f"η = {eta}": found["multiple_eta"][i][2] for i, eta in enumerate((0.025, 0.25, 2.5))}
    experiment.draw.lines(right, rates, x="epoch", y="training cost C")
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
