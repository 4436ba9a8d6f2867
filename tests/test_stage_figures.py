"""The figures of a study's stages against its records."""

import re
from itertools import pairwise

import numpy as np
import pytest
from staged import NO_TRACKING, SERIAL, lead, study_of

from nndl_exp.display.figures.stages import (
    against_epoch,
    against_eta,
    against_lmbda,
    against_time,
    configurations,
    training_costs,
)
from nndl_exp.display.findings import StageFindings, climb, stage_findings, without_seed
from nndl_exp.study.study import Study
from nndl_exp.training.update_time import epoch_seconds


def test_the_picture_of_the_learning_rate_is_the_cost_of_each_from_before_the_first_epoch(whole):
    stage = next(stage for stage in whole.stages() if stage.key == "learning_rate")
    findings = stage_findings(stage, stage.search.trials(), stage.decision())
    (axes,) = training_costs(findings).axes
    lines = {line.get_label().partition(" (")[0]: list(line.get_ydata()) for line in axes.lines}
    roles = [text for line in axes.lines for text in re.findall(r" \((\w+)\)$", line.get_label())]
    assert "threshold" in roles, "it is marked, and so is the choice"
    assert "chosen" in roles or any(name.startswith("chosen: η = ") for name in lines)
    etas = {trial.config.training.eta for trial in stage.search.trials()}
    assert len([name for name in lines if name.startswith("η = ")]) == len(etas)
    trial = stage.search.trials()[0]
    epochs = stage.search.run_directory(0).epochs()
    costs = [epochs[0].within[0].training_cost, *(epoch.training_cost for epoch in epochs)]
    assert lines[f"η = {trial.config.training.eta:.2g}"] == costs
    assert axes.get_yscale() == "log"


def findings_of(study: Study, key: str) -> StageFindings:
    stage = next(stage for stage in study.stages() if stage.key == key)
    return stage_findings(stage, stage.search.trials(), stage.decision())


@pytest.mark.parametrize(
    ("key", "draw", "name"),
    [("any_learning", against_eta, "eta"), ("regularization", against_lmbda, "lmbda")],
)
def test_a_setting_is_drawn_on_a_log_axis_with_the_choice_dashed(whole, key, draw, name):
    found = findings_of(whole, key)
    (axes,) = draw(found).axes
    dots, chosen = axes.lines
    drawn = [t for t in found.trials if t.result.state in ("complete", "pruned")]
    values = [getattr(trial.config.training, name) for trial in drawn]
    accuracies = [100 * trial.result.validation_accuracy for trial in drawn]
    np.testing.assert_allclose(dots.get_ydata(), accuracies)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.asarray(dots.get_xdata())[order]) >= 0).all(), "larger is further right"
    texts = [float(text.get_text()) for text in axes.get_xticklabels()]
    labels = dict(zip(texts, axes.get_xticks(), strict=True))
    for value, at in zip(values, dots.get_xdata(), strict=True):
        if value in labels:
            assert at == pytest.approx(labels[value]), "it stands at its tick"
    decided = getattr(found.decision.config.training, name)
    assert chosen.get_linestyle() == "--"
    assert chosen.get_label() == f"chosen: {'η' if name == 'eta' else 'λ'} = {decided:.2g}"
    assert chosen.get_xdata()[0] in dots.get_xdata(), "the choice is one of the dots"
    assert values[list(dots.get_xdata()).index(chosen.get_xdata()[0])] == decided


def test_the_climb_counts_every_second_of_training_once(whole):
    stages = [findings_of(whole, stage.key) for stage in whole.stages()]
    found = climb(stages)
    trials = [(s, t) for s in stages for t in s.trials]
    assert any(trial.result.is_copy for _, trial in trials)
    epochs = [epoch for stage, trial in trials if not trial.result.is_copy
              for epoch in stage.search.run_directory(trial.number).epochs()]  # fmt: skip
    assert found.seconds == pytest.approx(sum(epoch.seconds for epoch in epochs))
    assert found.steps[-1].accuracy == max(epoch.validation_accuracy for epoch in epochs)
    assert all(a.accuracy < b.accuracy and a.seconds < b.seconds for a, b in pairwise(found.steps))


def test_the_axis_of_a_script_ends_at_the_values_that_it_tried(whole):
    found = findings_of(whole, "learning_rate")
    eta = next(p for p in found.parameters if p.name == "training.eta")
    tried = [trial.config.training.eta for trial in found.trials]
    assert (eta.low, eta.high) == (min(tried), max(tried))


def test_zero_stands_at_the_left_of_a_lambda_axis(whole):
    found = findings_of(whole, "regularization")
    (axes,) = against_lmbda(found).axes
    assert axes.get_xticklabels()[0].get_text() == "0"
    ticks = axes.get_xticks()
    assert ticks[0] == 0 < 0.1 < ticks[1]
    zero = [t for t in found.trials if t.config.training.lmbda == 0]
    assert zero
    assert list(axes.lines[0].get_xdata()).count(0) == len(zero)


def test_the_picture_of_the_epochs_says_where_training_stops(whole):
    found = findings_of(whole, "epochs")
    (axes,) = against_epoch(found).axes
    *curves, stops = axes.lines
    for line, trial in zip(curves, found.trials, strict=True):
        reached = [100 * epoch.validation_accuracy
                   for epoch in found.search.run_directory(trial.number).epochs()]  # fmt: skip
        np.testing.assert_allclose(line.get_ydata(), np.maximum.accumulate(reached))
        assert list(line.get_xdata()) == list(range(1, len(reached) + 1))
    number = found.decision.numbers["stops_at"]
    assert (stops.get_label(), stops.get_xdata()[0]) == (f"stops after {number} epochs", number)


@pytest.mark.parametrize("key", ["architecture", "winner"])
def test_configurations_are_drawn_with_their_seeds_their_mean_and_the_choice_in_bold(whole, key):
    found = findings_of(whole, key)
    (axes,) = configurations(found).axes
    groups = {}
    for trial in found.trials:
        if trial.result.validation_accuracy is not None:
            groups.setdefault(without_seed(trial.config), []).append(
                100 * trial.result.validation_accuracy
            )
    dots, means = axes.lines[::2], axes.lines[1::2]
    texts = axes.get_yticklabels()
    assert len(dots) == len(means) == len(texts) == len(groups) > 1
    assert len({text.get_text() for text in texts}) == len(groups), "no two are called the same"
    for at, (config, accuracies) in enumerate(groups.items()):
        np.testing.assert_allclose(dots[at].get_xdata(), accuracies)
        np.testing.assert_allclose(means[at].get_xdata(), [np.mean(accuracies)] * 2)
        assert set(dots[at].get_ydata()) == {at}
        decided = found.decision.config
        ours = (config.network, config.training.eta, config.training.lmbda)
        bold = texts[at].get_fontweight() == "bold"
        assert bold == (ours == (decided.network, decided.training.eta, decided.training.lmbda))


def test_the_picture_of_the_mini_batch_size_is_accuracy_against_time(tmp_path):
    words = ("strategy.stages=[mini_batch_size]", "training.eta=0.5", "training.lmbda=0",
             *NO_TRACKING, *SERIAL)  # fmt: skip
    lead(study_of(tmp_path, *words))
    (stage,) = study_of(tmp_path, *words).stages()
    trials = stage.search.trials()
    (axes,) = against_time(stage_findings(stage, trials, stage.decision())).axes
    assert axes.get_xlabel() == "estimated training time (s)"
    assert axes.get_ylabel() == "best validation accuracy (%) so far"
    labels = [line.get_label() for line in axes.lines]
    assert [text.removesuffix(" (chosen)") for text in labels] == [
        f"m = {m}" for m in (5, 10, 20, 50, 100)
    ]
    assert sum(text.endswith(" (chosen)") for text in labels) == 1
    assert len(trials) > 5, "the fastest is trained again with other seeds"
    for line, trial in zip(axes.lines, trials[:5], strict=True):
        assert line.get_ydata()[-1] == pytest.approx(100 * trial.result.validation_accuracy)
        epoch = epoch_seconds((784, 8, 10), trial.config.training.mini_batch_size, 300)
        assert line.get_xdata()[-1] == pytest.approx(epoch * trial.result.epochs)
