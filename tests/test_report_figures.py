"""The figures of a study: their data against the records, their axes, their marks."""

from dataclasses import replace

import numpy as np
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from PIL import Image
from studies import SERIAL, lead, study_of

from nndl_exp.config import to_mapping
from nndl_exp.display.figures import run as run_figures
from nndl_exp.display.figures import search, space
from nndl_exp.display.figures.scale import Scale, log_ticks, parameter_ticks
from nndl_exp.display.figures.style import Drawing
from nndl_exp.display.findings import Objective, Parameter, stage_findings
from nndl_exp.display.report.search import missing
from nndl_exp.display.words import label
from nndl_exp.study.search import states_text
from nndl_exp.training.accuracy import MEASURES
from nndl_exp.training.epoch import Epoch

PERCENT, R2, COST = Scale(100.0), Scale(1.0), Scale(None)


def found_in(folder, *words):
    """The findings of a search that was led."""
    (stage,) = study_of(folder, *SERIAL, *words).stages()
    lead(stage.search)
    return stage_findings(stage, stage.search.trials(), stage.decision())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """24 trials, some of them pruned."""
    found = found_in(
        tmp_path_factory.mktemp("found"), "pruner.n_startup_trials=2", "pruner.n_warmup_steps=1",
        "training.epochs=6", "study.n_trials=24", "search_space.training.lmbda.low=0",
        "search_space.training.lmbda.log=false",
    )  # fmt: skip
    assert found.of("pruned")
    assert found.of("complete")
    return found


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    return found_in(tmp_path_factory.mktemp("costs"), "training.judged_by=validation_cost")


def traces(chart, view=None) -> dict:
    figure = chart.views[view] if view else next(iter(chart.views.values()))
    return {trace.name: trace for trace in figure.data}


def value_at(parameter: Parameter, place: float) -> float:
    """The value of a log range at a place on its axis."""
    return parameter.low * (parameter.high / parameter.low) ** place


def test_the_history_is_monotone_and_has_every_completed_trial(found, costs):
    for stage, sign in ((found, 1), (costs, -1)):
        drawn = traces(search.history([stage], None))
        complete, best = drawn["complete"], drawn["best so far"]
        assert list(complete.x) == [p.number for p in stage.of("complete")]
        values = Scale.of(stage.objective).value(complete.y)
        np.testing.assert_allclose(values, stage.values("complete"), rtol=1e-3)
        assert list(sign * np.array(best.y)) == sorted(sign * np.array(best.y))
        end = max(sign * value for value in stage.values("complete"))
        assert sign * Scale.of(stage.objective).value(best.y[-1]) == pytest.approx(end, rel=1e-3)


def test_the_history_marks_the_recommended_run_where_it_is(found):
    name = f"{found.search.name}/{found.best}"
    star = traces(search.history([found], name))["recommended"]
    assert list(star.x) == [found.best]
    assert "recommended" not in traces(search.history([found], None))


def test_the_slices_stand_at_the_values_of_the_trials(found):
    chart = space.slices(found)
    assert list(chart.views) == [
        "learning rate η", "regularization λ", "mini-batch size m", "number of hidden layers",
        "neurons in hidden layer 1", "neurons in hidden layer 2", "neurons in hidden layer 3",
    ]  # fmt: skip
    drawn = traces(chart, "learning rate η")
    (star,), best = drawn["best"].x, found.trials[found.best].config.training.eta
    eta = found.parameters[0]
    assert value_at(eta, star) == pytest.approx(best, rel=1e-3)
    groups = {"complete": found.of("complete"), "pruned": found.of("pruned")}
    for name, points in groups.items():
        kept = [p for p in points if p.number != found.best]
        at = [value_at(eta, x) for x in drawn[name].x]
        np.testing.assert_allclose(at, [p.params["training.eta"] for p in kept], rtol=1e-3)


def test_lambda_has_a_log_axis_that_shows_zero(found):
    lmbda = next(p for p in found.parameters if p.name == "training.lmbda")
    assert lmbda.log
    ticks = parameter_ticks(lmbda)
    assert ticks[0] == (0.0, "0")
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert places[1] >= 0.12, "0 stands apart"
    assert lmbda.position(0.0) == 0.0
    assert lmbda.position(lmbda.high) == 1.0
    positive = np.geomspace(lmbda.floor, lmbda.high, 9)
    np.testing.assert_allclose(np.diff([lmbda.position(v) for v in positive]), 0.11, atol=1e-9)


def test_the_best_curves_are_drawn_whatever_trials_are_judged_by(found, costs, monkeypatch):
    monkeypatch.setattr(search, "MOST_CURVES", 3)
    for stage, sign in ((found, 1), (costs, -1)):
        drawn = traces(search.learning_curves(stage))
        ranked = sorted(stage.of("complete", "pruned"), key=lambda p: -sign * p.value)
        assert set(drawn) == {f"trial {p.number}" for p in ranked[:3]}
        best = drawn[f"trial {stage.best}"]
        assert best.line.color == "var(--orange)"
        assert best.opacity == 1


def test_few_values_stand_side_by_side():
    assert Parameter("training.epochs", 1, 11, whole=True).is_coarse
    assert not Parameter("training.epochs", 1, 12, whole=True).is_coarse
    assert not Parameter("training.eta", 1, 11).is_coarse
    assert not Parameter("training.mini_batch_size", 1, 11, log=True, whole=True).is_coarse


def test_a_point_says_its_trial_in_words(found):
    texts = traces(space.slices(found), "learning rate η")["best"].text
    trial = found.trials[found.best]
    t, accuracy = trial.config.training, 100 * trial.result.validation_accuracy
    assert texts[0].startswith(f"trial {found.best}: {accuracy:.2f} %, complete<br>")
    assert f"<br>mini_batch_size {t.mini_batch_size}" in texts[0]


def test_the_landscape_is_highest_where_good_trials_are_and_blank_where_none_is(found):
    eta = Parameter("training.eta", 0.001, 10, log=True)
    lmbda = Parameter("training.lmbda", 0.0, 5.0)
    rng, points = np.random.default_rng(1), []
    for i in range(200):
        values = {"training.eta": float(10 ** rng.uniform(-3, 1)),
                  "training.lmbda": float(rng.uniform(0, 2))}  # fmt: skip
        value = 95 - 20 * abs(np.log10(values["training.eta"]))  # best at η = 1
        points.append(replace(found.points[0], number=i, state="complete", params=values,
                              value=float(value)))  # fmt: skip
    stage = replace(found, points=tuple(points), parameters=(eta, lmbda), best=0)
    assert space.landscape_axes(stage) == (eta, lmbda)
    heights = space.surface(stage, eta, lmbda)
    grid = np.linspace(0, 1, len(heights))
    assert np.isnan(heights[grid > 0.61]).all(), "no λ is above 2"
    best = np.nanargmax(heights[np.searchsorted(grid, 0.2)])
    assert 0.5 < value_at(eta, grid[best]) < 2
    assert np.nanmax(heights) <= PERCENT.height([max(p.value for p in points)])[0]


def test_the_landscape_takes_the_first_two_ranges_that_every_trial_has(found):
    by_name = {p.name: p for p in found.parameters}

    def names(*parameters):
        stage = replace(found, parameters=tuple(by_name[name] for name in parameters))
        return [p.name for p in space.landscape_axes(stage) or ()]

    eta, lmbda, m = "training.eta", "training.lmbda", "training.mini_batch_size"
    assert names(m, lmbda, eta) == [lmbda, eta]
    assert names(m, eta) == [eta, m]
    assert names(eta) == []
    assert names(eta, "network.hidden.width_3") == [], "not every trial has a third layer"


def test_parallel_coordinates_have_a_line_for_each_completed_trial(found):
    drawn = list(space.parallel_coordinates(found).views[""].data)
    assert len(drawn) == len(found.of("complete"))
    assert drawn[-1].name == "best"
    best, eta = found.points[found.best], found.parameters[0]
    assert drawn[-1].y[0] == pytest.approx(eta.position(best.params["training.eta"]), abs=1e-4)
    assert drawn[-1].y[-1] == 1.0
    without = [p for p in found.of("complete") if "network.hidden.width_3" not in p.params]
    assert sum(line.y[6] < 0 for line in drawn) == len(without) > 0
    texts = {a.text for a in space.parallel_coordinates(found).views[""].layout.annotations}
    assert "none" in texts


def test_the_importances_are_those_of_the_findings_and_of_optuna(found):
    (bars,) = search.importances(found).views[""].data
    shares = found.importances.shares
    order = [label(name) for name, share in shares.items() if share > 0]
    assert list(bars.y)[::-1][: len(order)] == order
    np.testing.assert_allclose(
        list(bars.x)[::-1], [100 * s for s in shares.values()], atol=1e-3, rtol=1e-3
    )
    study = search._study(found)
    fraction = max(0.25, 5 / len(found.of("complete")))
    again = get_param_importances(
        study, evaluator=PedAnovaImportanceEvaluator(target_quantile=fraction), params=list(shares)
    )
    np.testing.assert_allclose([again[n] for n in shares], list(shares.values()), rtol=1e-9)


def test_the_pareto_front_is_what_no_trial_beats(tmp_path):
    stage = found_in(tmp_path, "study.second_objective=parameters")
    drawn = traces(search.pareto_front(stage))
    by_number = {p.number: p for p in stage.points}
    front = [by_number[n] for n in stage.front]
    assert sorted(drawn["Pareto front"].x) == [p.size for p in front]
    assert list(drawn["recommended"].x) == [by_number[stage.best].size]
    for p in stage.of("complete"):
        beaten = any(q.size <= p.size and q.value > p.value for q in stage.of("complete"))
        assert (p in front) != beaten or any((q.size, q.value) == (p.size, p.value) for q in front)


def test_the_learning_curves_are_the_epochs(found):
    drawn = traces(search.learning_curves(found))
    assert len(drawn) == len(found.of("complete", "pruned"))
    for point in found.of("complete", "pruned"):
        line = drawn[f"trial {point.number}"]
        epochs = found.search.run_directory(point.number).epochs()
        assert list(line.x) == [epoch.number for epoch in epochs]
        values = PERCENT.value(line.y)
        expected = [100 * epoch.validation_accuracy for epoch in epochs]
        np.testing.assert_allclose(values, expected, atol=0.06)
        assert (line.line.dash == "dot") == (point.state == "pruned")


def test_of_many_trials_the_best_are_drawn(found, monkeypatch):
    monkeypatch.setattr(search, "MOST_CURVES", 3)
    monkeypatch.setattr(space, "MOST_LINES", 3)
    best = sorted(found.of("complete", "pruned"), key=lambda p: -p.value)[:3]
    assert set(traces(search.learning_curves(found))) == {f"trial {p.number}" for p in best}
    lines = space.parallel_coordinates(found).views[""].data
    assert len(lines) == 3
    assert lines[-1].name == "best"


@pytest.mark.parametrize("scale", [PERCENT, R2, COST])
def test_a_scale_is_monotone_has_an_inverse_and_few_ticks(scale):
    values = np.array([0.002, 0.2, 1.0, 7.0, 30.0, 80.0, 95.0, 99.5])
    values = values / 100 if scale == R2 else values
    heights = scale.height(values)
    assert (np.diff(heights) > 0).all()
    np.testing.assert_allclose(scale.value(heights), values)
    for low, high in ((10, 95), (94.1, 94.9), (0.4, 0.5), (0.1, 90), (50, 50.001)):
        low, high = (low / 100, high / 100) if scale == R2 else (low, high)
        ticks = scale.ticks(low, high)
        assert 2 <= len(ticks) <= 12
        assert all(low <= tick <= high for tick in ticks)


def test_r2_is_never_a_percentage():
    """Nor is it scaled: a wild one, below 0, has a place too."""
    objective = Objective(MEASURES["numbers"], by_cost=False)
    assert objective.label == "validation R²"
    assert objective.text(objective.shown(0.9234)) == "R² 0.9234"
    assert Objective(MEASURES["classes"], by_cost=False).label == "validation accuracy (%)"
    assert Scale.of(objective) == R2
    assert np.isfinite(R2.height([-50.0, 0.0, 0.9, 1.0])).all()


def test_log_ticks_are_round_and_inside():
    assert log_ticks(0.001, 10) == [0.001, 0.01, 0.1, 1, 10]
    assert log_ticks(10, 200) == [10, 20, 50, 100, 200]
    assert log_ticks(1, 3) == [1, 2, 3]


@pytest.mark.parametrize("keep", ["complete", "pruned"])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("equal", [False, True])
def test_any_few_trials_are_drawn_or_said_to_be_too_few(found, keep, count, equal):
    kept = [p for p in found.points if p.state == keep][:count]
    points = tuple(replace(p, number=i) for i, p in enumerate(kept))
    if equal:
        points = tuple(replace(p, value=100.0) for p in points)
    few = replace(
        found, points=points, best=0 if points and keep == "complete" else None,
        trials=tuple(replace(found.trials[p.number], number=i) for i, p in enumerate(kept)),
        importances=replace(found.importances, note="few", shares={}),
    )  # fmt: skip
    lacking = missing(few)
    assert lacking["importances"] == "few"
    assert lacking["pareto_front"] == "has one objective"
    assert ("slices" in lacking) == (not points)
    makers = {"slices": space.slices, "parallel_coordinates": space.parallel_coordinates,
              "learning_curves": search.learning_curves}  # fmt: skip
    for name in set(makers) - set(lacking):
        assert all(figure.data for figure in makers[name](few).views.values()), name


def test_one_parameter_with_one_value_is_drawn(found):
    only = Parameter("training.eta", 0.5, 0.5)
    points = tuple(replace(found.points[0], number=i, state="complete", value=90.0 + i,
                           params={"training.eta": 0.5}) for i in range(3))  # fmt: skip
    stage = replace(found, parameters=(only,), points=points, best=2)
    assert missing(stage)["landscape"] == "needs two ranges of numbers that every trial has"
    assert list(traces(space.slices(stage), "learning rate η")["best"].x) == [0.5]
    assert len(space.parallel_coordinates(stage).views[""].data) == 3


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 1 / number, accuracy, 2 / number, accuracy / 2, 0.5, 1.0)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))
@pytest.mark.parametrize("histories", [
    [[epoch(n, n / 9) for n in range(1, 9)]], [[epoch(1, 0.3)]],
    [[epoch(n, n / 9) for n in range(1, 9)], [epoch(n, n / 8) for n in range(1, 6)]],
], ids=["one run", "one epoch", "two runs"])  # fmt: skip
def test_learning_curves_are_the_epochs_of_runs_and_their_mean(tmp_path, histories, measure):
    figure = run_figures.learning_curves(histories, measure, "a run", "test", 1)
    _, accuracy = figure.axes
    scale = 100 if measure.is_fraction else 1
    drawn = [list(line.get_ydata()) for line in accuracy.lines]
    for history in histories:
        assert pytest.approx([scale * e.validation_accuracy for e in history]) in drawn
    if len(histories) > 1:
        both = zip(*histories, strict=False)
        mean = [scale * np.mean([e.validation_accuracy for e in pair]) for pair in both]
        assert any(line == pytest.approx(mean) for line in drawn)
    assert accuracy.get_ylabel() == ("accuracy (%)" if measure.is_fraction else "R²")
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"best epoch"} < legend
    assert any(text.startswith("test") for text in legend)


def test_equal_figures_give_equal_files_that_are_not_blank(tmp_path):
    histories = [[epoch(n, n / 9) for n in range(1, 9)]]
    files = {}
    for folder in (tmp_path / "a", tmp_path / "b"):
        figure = run_figures.learning_curves(histories, MEASURES["classes"], "said")
        drawing = Drawing("curves", figure)
        for path in drawing.save(folder, ("png", "svg", "pdf")):
            files.setdefault(path.name, []).append(path.read_bytes())
    assert set(files) == {"curves.png", "curves.svg", "curves.pdf"}
    assert all(a == b for a, b in files.values())
    assert "said" in files["curves.svg"][0].decode()
    with Image.open(tmp_path / "a" / "curves.png") as image:
        assert len(image.convert("RGB").getcolors(maxcolors=1_000_000)) > 20


def test_states_are_counted(found):
    trial = found.trials[0]
    ended = [replace(trial, result=replace(trial.result, state=state))
             for state in ("failed", "diverged", "diverged")]  # fmt: skip
    assert states_text(ended) == "2 diverged, 1 failed"


def test_the_settings_of_the_findings_are_those_of_the_trials(found):
    for trial, point in zip(found.trials, found.points, strict=True):
        training = to_mapping(trial.config)["training"]
        assert point.params["training.eta"] == training["eta"]
        assert point.params["training.mini_batch_size"] == training["mini_batch_size"]
