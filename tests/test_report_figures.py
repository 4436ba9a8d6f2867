"""What the figures of a study show: the data, the axes, the marks."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from nndl_exp.display.figures.learning_curves import (
    VALIDATION,
    LearningCurves,
    save_learning_curves,
)
from nndl_exp.display.figures.marks import log_ticks
from nndl_exp.display.figures.parameter_figures import (
    landscape,
    landscape_axes,
    parallel_coordinates,
    slices,
    surface,
)
from nndl_exp.display.figures.scale import Scale
from nndl_exp.display.figures.study_figures import (
    FIGURES,
    best_so_far,
    draw_figure,
    importance_bars,
    missing,
    pareto_front,
)
from nndl_exp.display.findings import Analysis, Parameter, Point
from nndl_exp.training.accuracy import MEASURES
from nndl_exp.training.epoch import Epoch

PARAMETERS = (
    Parameter("training.eta", 0.001, 10, log=True),
    Parameter("training.lmbda", 0.0, 5.0),
    Parameter("network.hidden", 0, 1, choices=("30", "100-30"), whole=True),
    Parameter("network.hidden.width_2", 10, 200, log=True, whole=True),
)


def made(by_cost=False, **changes) -> Analysis:
    """Twenty trials: every fourth is pruned, trial 7 diverged."""
    rng, points = np.random.default_rng(0), []
    for i in range(20):
        state = "diverged" if i == 7 else "pruned" if i % 4 == 3 else "complete"
        params = {
            "training.eta": float(10 ** rng.uniform(-3, 1)),
            "training.lmbda": float(rng.uniform(0, 5)),
            "network.hidden": float(i % 2),
        }
        if i % 2:
            params["network.hidden.width_2"] = 30.0
        value = float(rng.uniform(0.1, 2) if by_cost else rng.uniform(20, 97))
        points.append(Point(i, state, params, None if i == 7 else value, 1.5, 1000 + 100 * i))
    complete = [p for p in points if p.state == "complete"]
    best = (min if by_cost else max)(complete, key=lambda p: p.value).number
    shares = {"training.eta": 0.7, "training.lmbda": 0.2, "network.hidden": 0.1}
    note = "of being among the best 5 of 15 completed trials (PED-ANOVA)"
    settings = {
        "name": "demo", "by_cost": by_cost, "parameters": PARAMETERS, "points": tuple(points),
        "winner": best, "importances": shares, "importance_note": note,
    }  # fmt: skip
    return Analysis(**{**settings, **changes})


def drawn(axes, label) -> list[tuple[float, float]]:
    """The points of the line that the legend calls so."""
    line = next(line for line in axes.lines if line.get_label() == label)
    return list(zip(*map(np.ravel, line.get_data()), strict=True))


@pytest.mark.parametrize("by_cost", [False, True])
def test_best_so_far_is_monotone_and_ends_with_the_winner(by_cost):
    analysis = made(by_cost)
    by_number, by_time = best_so_far(analysis).axes
    assert by_number.get_xlabel() == "trial"
    assert by_time.get_xlabel() == "training time of all trials so far (s)"
    assert by_number.get_ylabel() == ("validation cost C" if by_cost else "validation accuracy (%)")
    steps = drawn(by_number, "best so far")
    values = [y for _, y in steps]
    assert values == sorted(values, reverse=by_cost)
    assert steps[-2] == (analysis.winner, analysis.points[analysis.winner].value)
    assert steps[-1][0] == 19
    assert drawn(by_time, "best so far")[-1][0] == 20 * 1.5
    assert drawn(by_time, "winner") == [
        (1.5 * (analysis.winner + 1), analysis.points[analysis.winner].value)
    ]


def test_states_are_marked_apart_with_the_colours_of_the_curves():
    axes = best_so_far(made()).axes[0]
    assert drawn(axes, "complete") == [(p.number, p.value) for p in made().of("complete")]
    assert drawn(axes, "pruned") == [(p.number, p.value) for p in made().of("pruned")]
    assert [x for x, _ in drawn(axes, "diverged or failed")] == [7]
    marks = {line.get_label(): line for line in axes.lines}
    assert len({marks[n].get_marker() for n in ("complete", "pruned", "diverged or failed")}) == 3
    assert to_rgba(marks["complete"].get_color()) == to_rgba(VALIDATION)
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["best so far", "complete", "pruned", "diverged or failed", "winner"]


def test_slices_have_a_plot_for_each_parameter_on_its_own_scale():
    analysis = made()
    axes = slices(analysis).axes
    labels = ["learning rate η", "regularization λ", "hidden layers (neurons)",
              "neurons in hidden layer 2"]  # fmt: skip
    assert [a.get_xlabel() for a in axes] == labels
    assert [a.get_xscale() for a in axes] == ["log", "linear", "linear", "log"]
    assert axes[0].get_ylabel() == "validation accuracy (%)"
    for i, parameter in enumerate(PARAMETERS):
        complete = [p for p in analysis.of("complete") if parameter.name in p.params]
        if complete:  # none of these has a second layer: see made()
            at = np.array(drawn(axes[i], "complete"))
            wide = 0.16 if parameter.choices else 1e-12
            np.testing.assert_allclose(
                at[:, 0], [p.params[parameter.name] for p in complete], atol=wide, rtol=1e-12
            )
            assert list(at[:, 1]) == [p.value for p in complete]
    choices = axes[2].xaxis.get_major_formatter().format_ticks([0, 1])
    assert choices == ["30", "100-30"]
    low, high = axes[0].get_xlim()
    assert low < 0.001 < 10 < high


def test_the_landscape_is_highest_where_trials_are_and_blank_where_none_is():
    rng, points = np.random.default_rng(1), []
    for i in range(200):
        eta, lmbda = 10 ** rng.uniform(-3, 1), rng.uniform(0, 2)  # none has a λ above 2
        value = 95 - 20 * abs(np.log10(eta))  # best at η = 1
        params = {"training.eta": float(eta), "training.lmbda": float(lmbda)}
        points.append(Point(i, "complete", params, float(value), 1.0))
    analysis = made(points=tuple(points), parameters=PARAMETERS[:2], winner=0)
    figure = landscape(analysis)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate η", "regularization λ")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert bar.get_ylabel() == "validation accuracy (%), smoothed"
    across, up, heights = surface(analysis, *PARAMETERS[:2])
    assert np.isnan(heights[up > 3]).all()
    row = heights[np.searchsorted(up, 1.0)]
    assert 0.5 < across[np.nanargmax(row)] < 2
    assert np.nanmax(heights) <= Scale(False).height([max(p.value for p in points)])[0]


def test_the_landscape_marks_every_trial_where_it_was():
    analysis = made()
    axes = landscape(analysis).axes[0]
    for label, points in (
        ("complete", analysis.of("complete")),
        ("pruned", analysis.of("pruned")),
        ("diverged or failed", [analysis.points[7]]),
        ("winner", [analysis.points[analysis.winner]]),
    ):
        at = [(p.params["training.eta"], p.params["training.lmbda"]) for p in points]
        assert drawn(axes, label) == at


def test_the_landscape_takes_the_first_two_ranges_where_eta_or_lmbda_is_fixed():
    def names(*parameters):
        return [p.name for p in landscape_axes(made(parameters=parameters)) or ()]

    assert names(*PARAMETERS) == ["training.eta", "training.lmbda"]
    assert names(PARAMETERS[0], PARAMETERS[2]) == []
    assert names(PARAMETERS[0], PARAMETERS[3]) == [], "not every trial has a second layer"
    points = tuple(
        Point(p.number, p.state, {**p.params, "network.hidden.layers": 2.0}, p.value, 1.0)
        for p in made().points
    )
    layers = Parameter("network.hidden.layers", 1, 3, whole=True)
    found = landscape_axes(made(points=points, parameters=(layers, PARAMETERS[1])))
    assert [p.name for p in found] == ["training.lmbda", "network.hidden.layers"]


def test_parallel_coordinates_have_a_line_for_each_completed_trial():
    analysis = made()
    axes = parallel_coordinates(analysis).axes[0]
    lines = axes.collections[0].get_segments()
    assert len(lines) == len(analysis.of("complete"))
    names = [text.get_text().replace("\n", " ") for text in axes.get_xticklabels()]
    assert names == [
        "learning rate η", "regularization λ", "hidden layers (neurons)",
        "neurons in hidden layer 2", "validation accuracy (%)",
    ]  # fmt: skip
    best = analysis.points[analysis.winner]
    at = dict(lines[-1])
    assert at[0] == pytest.approx((np.log10(best.params["training.eta"]) + 3) / 4)
    assert at[1] == pytest.approx(best.params["training.lmbda"] / 5)
    assert at[3] < 0, "it has no second layer"
    assert at[4] == max(dict(line)[4] for line in lines)
    assert "none" in {text.get_text() for text in axes.texts}


def test_importances_are_bars_with_their_percentages():
    axes = importance_bars(made()).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([70, 20, 10])
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["learning rate η", "regularization λ", "hidden layers (neurons)"]
    assert [text.get_text() for text in axes.texts] == ["70 %", "20 %", "10 %"]
    assert axes.get_xlabel().startswith("importance (%) of being among the best 5 of 15")


def test_the_pareto_front_is_a_staircase():
    analysis = made(second_objective="parameters", front=(0, 4, 18))
    axes = pareto_front(analysis).axes[0]
    front = [analysis.points[i] for i in (0, 4, 18)]
    assert drawn(axes, "Pareto front") == [(p.size, p.value) for p in front]
    assert axes.get_xlabel() == "weights and biases"
    assert axes.get_xscale() == "log"


@pytest.mark.parametrize("by_cost", [False, True])
def test_a_scale_is_monotone_has_an_inverse_and_few_ticks(by_cost):
    scale = Scale(by_cost)
    values = np.array([0.002, 0.2, 1.0, 7.0, 30.0, 80.0, 95.0, 99.5])
    heights = scale.height(values)
    assert (np.diff(heights) > 0).all()
    np.testing.assert_allclose(scale.value(heights), values)
    for low, high in ((10, 95), (94.1, 94.9), (0.4, 0.5), (0.1, 90), (50, 50.001)):
        ticks = scale.ticks(low, high)
        assert 2 <= len(ticks) <= 12
        assert all(low <= tick <= high for tick in ticks)


def test_log_ticks_are_round_and_inside():
    assert log_ticks(0.001, 10) == [0.001, 0.01, 0.1, 1, 10]
    assert log_ticks(10, 200) == [10, 20, 50, 100, 200]
    assert log_ticks(1, 3) == [1, 2, 3]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_equal_trials_give_equal_files(tmp_path, name):
    analysis = made(second_objective="multiply_adds", front=(0,))
    assert missing(analysis) == {}
    again = tmp_path / "again"
    again.mkdir()
    paths = draw_figure(name, analysis, tmp_path, ("png", "svg", "pdf"))
    assert [path.name for path in paths] == [f"{name}.{s}" for s in ("png", "svg", "pdf")]
    with Image.open(paths[0]) as image:
        assert len(image.convert("RGB").getcolors(maxcolors=1_000_000)) > 20, "it is not blank"
    assert "demo: " in paths[1].read_text()
    for path in draw_figure(name, analysis, again, ("png", "svg", "pdf")):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


@pytest.mark.parametrize("keep", ["complete", "pruned", "diverged"])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("equal", [False, True])
def test_any_few_trials_are_drawn_or_said_to_be_too_few(tmp_path, keep, count, equal):
    points = [p for p in made().points if p.state == keep][:count]
    if equal:
        points = [Point(p.number, p.state, p.params, None if p.value is None else 100.0, 0.0)
                  for p in points]  # fmt: skip
    winner = points[0].number if points and keep == "complete" else None
    analysis = made(points=tuple(points), winner=winner, importances={}, importance_note="few")
    lacking = missing(analysis)
    assert lacking["importances"] == "few"
    assert lacking["pareto_front"] == "has one objective"
    if not points or keep == "diverged":
        assert set(lacking) == set(FIGURES)
    for name in set(FIGURES) - set(lacking):
        assert draw_figure(name, analysis, tmp_path, ("png",))[0].stat().st_size > 5000


def test_one_parameter_with_one_value_is_drawn(tmp_path):
    only = Parameter("training.eta", 0.5, 0.5)
    points = tuple(Point(i, "complete", {"training.eta": 0.5}, 90.0 + i, 1.0) for i in range(3))
    analysis = made(parameters=(only,), points=points, winner=2, importances={})
    assert missing(analysis)["landscape"] == "needs two ranges of numbers that every trial has"
    for name in ("best_so_far", "slices", "parallel_coordinates"):
        draw_figure(name, analysis, tmp_path, ("png",))


def test_learning_curves_don_t_depend_on_those_drawn_before(tmp_path):
    def epoch(number: int, accuracy: float) -> Epoch:
        return Epoch(number, 1 / number, accuracy, 2 / number, accuracy / 2, 0.5, 1.0)

    runs = [
        ([epoch(n, n / 9) for n in range(1, 9)], 8, "long"),
        ([epoch(1, -3.0)], None, "short"),
        ([epoch(n, -2.0 * n) for n in range(1, 4)], 1, "wild"),
    ]
    for measure in MEASURES.values():
        fresh = []
        for i, run in enumerate(runs):
            curves = LearningCurves(measure)
            curves.draw(*run)
            curves.figure.savefig(tmp_path / f"{i}.png", dpi=100, pil_kwargs={"compress_level": 1})
            fresh.append((tmp_path / f"{i}.png").read_bytes())
        for i in (2, 1, 0, 1, 2, 0):
            save_learning_curves(tmp_path / "again.png", *runs[i], measure)
            assert (tmp_path / "again.png").read_bytes() == fresh[i]
