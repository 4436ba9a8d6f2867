"""Stochastic gradient descent, the loop as a generator, early stopping, divergence."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network, Parts
from nndl_exp.training import Epoch, Settings, Streams, evaluate, train
from nndl_exp.training.epoch import History
from nndl_exp.training.layer_metrics import layer_metrics
from nndl_exp.training.schedules import SCHEDULES
from nndl_exp.training.sgd import mini_batches
from nndl_exp.training.statistics import resolution, wilson_interval
from nndl_exp.training.stopping import STOPPING
from nndl_exp.weights import digest

RNG = np.random.default_rng(0)
X = RNG.random((90, 8))
LABELS = (X[:, 0] * 3).astype(int)
Y = np.eye(3)[LABELS]


def make(dtype="float64", parts=None, sizes=(8, 5, 3)) -> Network:
    streams = Streams(1)
    return Network.initialize(sizes, parts or Parts(), rng=streams.initial_values(), dtype=dtype)


def fit(network, training, validation, streams=Streams(0), **settings):  # noqa: B008 (a value)
    return train(network, training, validation, Settings(**settings), streams=streams)


def plain_sgd(network, x, y, eta, lmbda, m, order):
    """Equations 93 and 94 as they stand: the oracle for every faster form of the step."""
    n = len(x)
    for k in range(0, n, m):
        rows = order[k : k + m]
        nabla_b, nabla_w = network.backprop(x[rows], y[rows])
        for l in range(len(network.weights)):  # noqa: E741 (the book's letter)
            network.weights[l] = (1 - eta * lmbda / n) * network.weights[l] - eta / len(
                rows
            ) * nabla_w[l]
            network.biases[l] = network.biases[l] - eta / len(rows) * nabla_b[l]


@pytest.mark.parametrize("m", [1, 7, 10, 64, 90])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_step_is_the_plain_one_to_rounding(m, dtype):
    network, oracle = make(dtype), make(dtype)
    x, y = X.astype(dtype), Y.astype(dtype)
    list(
        fit(
            network,
            (x, y),
            (x, y),
            eta=0.7,
            lmbda=2.0,
            mini_batch_size=m,
            epochs=2,
            streams=Streams(1),
        )
    )
    for epoch in (1, 2):
        plain_sgd(oracle, x, y, 0.7, 2.0, m, Streams(1).order(epoch, 90))
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    for a, b in zip(network.weights + network.biases, oracle.weights + oracle.biases, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


def test_l1_moves_every_weight_towards_zero_by_the_same_amount():
    network = make(sizes=(8, 3))
    before = network.weights[0].copy()
    nothing = (np.zeros((10, 8)), np.full((10, 3), 0.5))
    network.biases[0][:] = 0  # then the outputs are 0.5, and the cost has no gradient
    next(
        fit(
            network,
            nothing,
            nothing,
            eta=0.5,
            lmbda=0.1,
            mini_batch_size=10,
            epochs=1,
            regularizer="l1",
        )
    )
    np.testing.assert_allclose(network.weights[0], before - 0.5 * 0.1 / 10 * np.sign(before))


def test_an_epoch_visits_every_example_once():
    order = Streams(5).order(3, 90)
    seen = np.concatenate([x[:, 0] for x, _ in mini_batches(X, Y, order, 7, "float64")])
    np.testing.assert_array_equal(seen, X[order, 0])
    assert sorted(order) == list(range(90))


def test_streams_are_independent_and_repeatable():
    a, b = Streams(0), Streams(1)
    np.testing.assert_array_equal(a.order(2, 50), Streams(0).order(2, 50))
    assert (a.order(1, 50) != a.order(2, 50)).any()
    assert (a.order(1, 50) != b.order(1, 50)).any()
    assert a.initial_values().random() != b.initial_values().random()


def test_the_global_generator_is_not_used():
    before = np.random.get_state()[1].copy()
    list(fit(make(), (X, Y), (X, Y), eta=1.0, mini_batch_size=10, epochs=2))
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_epochs_come_one_by_one_with_the_network_as_it_then_is():
    network = make()
    seen = []
    for epoch in fit(
        network, (X, Y), (X[:30], Y[:30]), eta=1.0, lmbda=0.5, mini_batch_size=10, epochs=3
    ):
        seen.append(epoch.number)
        _, accuracy = evaluate(network, (X[:30], Y[:30]))
        assert epoch.validation_accuracy == accuracy
        assert 0 < epoch.training_accuracy <= 1
        assert epoch.seconds >= 0
    assert seen == [1, 2, 3]


def test_the_cost_carries_the_regularization_of_the_training_set():
    """λ is divided by the size of the training set, whatever set the cost is measured on."""
    network = make()
    epoch = next(
        fit(network, (X, Y), (X[:30], Y[:30]), eta=0.1, lmbda=9.0, mini_batch_size=10, epochs=1)
    )
    z, a = network.feedforward(X[:30])
    c0 = network.cost.value(z, a, Y[:30]).mean()
    squares = sum((w**2).sum() for w in network.weights)
    assert epoch.validation_cost == pytest.approx(c0 + 9.0 / (2 * 90) * squares)


def test_the_training_cost_is_measured_on_the_first_images():
    network = make()
    epoch = next(
        fit(network, (X, Y), (X, Y), eta=0.1, mini_batch_size=10, epochs=1, monitor_size=20)
    )
    cost, accuracy = evaluate(network, (X[:20], Y[:20]))
    assert (epoch.training_cost, epoch.training_accuracy) == (cost, accuracy)


@pytest.mark.parametrize("size", [0, 91])
def test_a_mini_batch_size_out_of_range_is_refused(size):
    with pytest.raises(UserError, match=rf"between 1 and .* \(90\): got {size}"):
        next(fit(make(), (X, Y), (X, Y), eta=1.0, mini_batch_size=size, epochs=1))


def history(*accuracies: float) -> History:
    epochs = [Epoch(i, 1.0, 0.5, 1.0, a, 0.5, 0.1) for i, a in enumerate(accuracies, 1)]
    return History("validation_accuracy", epochs)


def test_no_improvement_in_n():
    rule = STOPPING["no_improvement"](3, 0.0)
    assert rule(history(0.1, 0.5, 0.4, 0.5)) is None
    assert rule(history(0.1, 0.5, 0.4, 0.5, 0.3)) == "no improvement in 3 epochs"
    assert rule(history(0.1, 0.5, 0.4, 0.5, 0.6)) is None
    assert STOPPING["none"](3, 0.0)(history(0.5, 0.1, 0.1, 0.1, 0.1)) is None


def test_the_best_epoch_is_the_first_of_equals():
    assert history(0.1, 0.5, 0.5).best.number == 2
    epochs = [Epoch(1, 1, 1, 3.0, 0.9, 1, 1), Epoch(2, 1, 1, 2.0, 0.5, 1, 1)]
    assert History("validation_cost", epochs).best.number == 2
    assert History("validation_accuracy").best is None


def test_the_history_carries_what_a_search_through_it_would_find():
    rng, epochs = np.random.default_rng(3), []
    for judged_by in ("validation_accuracy", "validation_cost"):
        kept, epochs = History(judged_by), []
        for number in range(1, 60):
            cost, accuracy = rng.integers(1, 20), rng.integers(0, 20) / 20
            epochs.append(Epoch(number, 1.0, 0.5, float(cost), accuracy, 0.5, 0.1 * number))
            kept.append(epochs[-1])
            scores = [kept.score(epoch) for epoch in epochs]
            assert kept.best is epochs[scores.index(max(scores))]
            assert kept.since_best == number - kept.best.number
            assert kept.seconds == pytest.approx(sum(epoch.seconds for epoch in epochs))
        assert list(kept) == epochs
        kept.append(
            replace(
                epochs[0],
                number=60,
                training_cost=math.inf,
                validation_accuracy=1.0,
                validation_cost=0.0,
            )
        )
        assert kept.best is not kept[-1], "an epoch that diverged is never the best"


def test_training_stops_early():
    rule = STOPPING["no_improvement"](4, 0.0)
    epochs = list(
        fit(make(), (X, Y), (X, Y), eta=1e-9, mini_batch_size=10, epochs=50, stopping=rule)
    )
    assert len(epochs) == 5


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverges_ends_at_its_epoch_without_a_warning():
    network = make(parts=Parts("relu", "linear", "quadratic"))
    epochs = list(fit(network, (X, Y), (X, Y), eta=1e6, mini_batch_size=10, epochs=50))
    assert epochs[-1].diverged
    assert not math.isfinite(epochs[-1].training_cost)
    assert len(epochs) < 50
    assert not any(epoch.diverged for epoch in epochs[:-1])


def test_the_interval_is_wilsons():
    low, high = wilson_interval(0.98, 10_000)
    assert (high - low) / 2 == pytest.approx(0.0027, abs=1e-4)  # 0.27 points, as in the literature
    assert wilson_interval(1.0, 10)[1] == pytest.approx(1.0)
    assert wilson_interval(0.0, 10)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_momentum_is_that_of_the_book():
    """Equations 107 and 108: v ← μv - η∇C, w ← w + v; with λ the gradient is of the whole cost."""
    network, oracle = make(), make()
    mu, eta, lmbda = 0.7, 0.3, 2.0
    list(
        fit(
            network,
            (X, Y),
            (X, Y),
            eta=eta,
            lmbda=lmbda,
            momentum=mu,
            mini_batch_size=10,
            epochs=2,
            streams=Streams(1),
        )
    )
    v_w, v_b = ([np.zeros_like(p) for p in ps] for ps in (oracle.weights, oracle.biases))
    for epoch in (1, 2):
        rows = Streams(1).order(epoch, 90)
        for k in range(0, 90, 10):
            batch = rows[k : k + 10]
            nabla_b, nabla_w = oracle.backprop(X[batch], Y[batch])
            for i, w in enumerate(oracle.weights):
                v_w[i] = mu * v_w[i] - eta * (nabla_w[i] / 10 + lmbda / 90 * w)
                v_b[i] = mu * v_b[i] - eta * nabla_b[i] / 10
            for i in range(2):
                oracle.weights[i] = oracle.weights[i] + v_w[i]
                oracle.biases[i] = oracle.biases[i] + v_b[i]
    for a, b in zip(network.weights + network.biases, oracle.weights + oracle.biases, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_max_norm_bounds_every_neuron():
    network = make()
    list(fit(network, (X, Y), (X, Y), eta=3.0, mini_batch_size=10, epochs=3, max_norm=0.5))
    norms = np.concatenate([np.linalg.norm(w, axis=1) for w in network.weights])
    assert norms.max() <= 0.5 * (1 + 1e-12)
    assert (norms > 0.49).any()


def test_dropout_is_drawn_anew_and_keeps_the_mean():
    from nndl_exp.nn.dropout import draw_masks

    first, second = (
        draw_masks(Streams(0).dropout(epoch), (0.5, 0.2), (300, 200), 50, "float32")
        for epoch in (1, 2)
    )
    assert [mask.shape for mask in first] == [(50, 300), (50, 200)]
    assert set(np.unique(first[0])) == {0.0, 2.0}
    assert (first[1] == 0).mean() == pytest.approx(0.2, abs=0.02)
    assert first[1].mean() == pytest.approx(1, abs=0.02)
    assert (first[0] != second[0]).any()


def test_dropout_thins_training_only():
    network = make()
    settings = {"eta": 1e-12, "mini_batch_size": 10, "epochs": 1}
    _, before = evaluate(network, (X, Y))
    epoch = next(fit(network, (X, Y), (X, Y), dropout=(0.5,), **settings))
    assert epoch.validation_accuracy == before


@pytest.mark.parametrize("rate", [0.5, 0.0])
def test_input_dropout_thins_the_inputs_of_an_update_after_the_hidden_neurons(rate):
    from nndl_exp.nn.dropout import draw_masks

    network = make()
    expected, stream = network.copy(), Streams(0).dropout(1)
    order = Streams(0).order(1, len(X))
    masks = draw_masks(stream, (rate,), network.sizes[1:-1], len(X), "float64") if rate else None
    (inputs,) = draw_masks(stream, (0.2,), network.sizes[:1], len(X), "float64")
    nabla_b, nabla_w = expected.backprop(X[order] * inputs, Y[order], masks)
    for w, b, nw, nb in zip(expected.weights, expected.biases, nabla_w, nabla_b, strict=True):
        w -= 2 / len(X) * nw
        b -= 2 / len(X) * nb
    list(
        fit(
            network,
            (X, Y),
            (X, Y),
            eta=2.0,
            mini_batch_size=len(X),
            epochs=1,
            dropout=(rate,),
            input_dropout=0.2,
        )
    )
    for got, want in zip(
        network.weights + network.biases, expected.weights + expected.biases, strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-12)


def etas(schedule, accuracies, eta=1.0):
    epochs = history()
    for accuracy in accuracies:
        now = schedule(epochs, eta)
        if now is None:
            break
        epochs.append(Epoch(len(epochs) + 1, 1.0, 0.5, 1.0, accuracy, now, 0.1))
    return [epoch.eta for epoch in epochs]


def test_the_plateau_schedule_halves_to_its_end():
    """The exercise: halve on no-improvement-in-n, end at 1/128."""
    schedule = SCHEDULES["plateau"](2, 2.0, 128.0)
    flat = etas(schedule, [0.5] * 50)
    assert flat[:5] == [1, 1, 1, 0.5, 0.5]
    assert min(flat) == 1 / 128
    assert len(flat) == 3 + 7 * 2, "then training ends"
    rising = etas(schedule, [i / 100 for i in range(50)])
    assert set(rising) == {1.0}
    once = etas(schedule, [0.1, 0.2, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert once == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("factor", "end", "smallest"),
    [(2.0, 128.0, 1 / 128), (10.0, 400.0, 1 / 100), (10.0, 1000.0, 1 / 1000), (3.0, 81.0, 1 / 81),
     (2.0, 1.9, 1.0), (10.0, 999.9, 1 / 100), (10.0, 1000.1, 1 / 1000)],
)  # fmt: skip
def test_the_plateau_schedule_never_goes_below_its_end(factor, end, smallest):
    flat = etas(SCHEDULES["plateau"](1, factor, end), [0.5] * 50)
    assert min(flat) == pytest.approx(smallest)
    assert flat[-1] == min(flat)
    assert len(flat) < 50, "then training ends"


def test_schedules_go_on_for_thousands_of_epochs():
    late = history(*[0.5] * 20_000)
    for name in ("step", "exponential"):
        assert SCHEDULES[name](1, 10.0, 2.0)(late, 1.0) == 0.0
    assert SCHEDULES["step"](10_000, 10.0, 2.0)(late, 1.0) == pytest.approx(0.01)


def test_step_exponential_and_constant_schedules():
    assert etas(SCHEDULES["step"](2, 10.0, 2.0), [0.5] * 5) == [1, 1, 0.1, 0.1, 0.01]
    assert etas(SCHEDULES["exponential"](9, 2.0, 2.0), [0.5] * 3) == [1, 0.5, 0.25]
    assert etas(SCHEDULES["constant"](1, 2.0, 2.0), [0.5] * 3) == [1, 1, 1]


def test_other_rules_stop_too():
    from nndl_exp.training.stopping import first_of, seconds, target

    gain = STOPPING["average_gain"](2, 0.01)
    assert gain(history(0.5, 0.6)) is None
    assert gain(history(0.5, 0.6, 0.65)) is None
    assert gain(history(0.5, 0.6, 0.605, 0.61)) == "average gain below 0.01 in 2 epochs"
    exact = STOPPING["average_gain"](2, 0.125)
    assert exact(history(0.25, 0.25, 0.5)) is None, "just as much is enough"
    assert exact(history(0.25, 0.25, 0.4999)) is not None
    assert target(0.6)(history(0.5, 0.6)) == "accuracy 60 % reached"
    assert target(0.61)(history(0.5, 0.6)) is None
    assert seconds(0.25)(history(0.1, 0.1, 0.1)) == "0.25 seconds of training"
    assert seconds(0.35)(history(0.1, 0.1, 0.1)) is None
    assert first_of(target(0.9), seconds(0.1))(history(0.5)) == "0.1 seconds of training"


def settings(**more):
    return {"eta": 0.5, "mini_batch_size": 10, "epochs": 2, **more}


BAD = [
    ((X[:0], Y[:0]), "the training set must have at least one example"),
    ((X[:, :7], Y), r"training inputs must have the shape \(90, 8\): got \(90, 7\)"),
    ((X[0], Y), r"training inputs must have the shape"),
    ((X, Y[:80]), r"training targets must have the shape \(90, 3\): got \(80, 3\)"),
    ((X, LABELS), r"training targets must have the shape \(90, 3\): got \(90,\)"),
    ((np.where(X > 0.5, np.nan, X), Y), "training inputs must be finite: got NaN"),
    ((X, np.where(Y > 0, np.inf, Y)), "training targets must be finite: got NaN or infinity"),
]


@pytest.mark.parametrize(("examples", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_examples_that_make_no_sense_are_refused(examples, message):
    with pytest.raises(UserError, match=message):
        next(fit(make(), examples, (X, Y), **settings()))
    with pytest.raises(UserError, match=message.replace("training", "validation")):
        next(fit(make(), (X, Y), examples, **settings()))


def test_labels_and_rows_must_go_together():
    from nndl_exp.datasets import Labelled

    with pytest.raises(UserError, match="labels must lie between 0 and 2: got 0 to 3"):
        Labelled(X[:2], np.array([0, 3])).examples(3)
    with pytest.raises(UserError, match="labels must lie between 0 and 2: got -1 to 0"):
        Labelled(X[:2], np.array([0, -1])).examples(3)
    with pytest.raises(UserError, match=r"got the shapes \(8,\) and \(8,\)"):
        Labelled(X[0], np.zeros(8, int))
    with pytest.raises(UserError, match="at least one example"):
        evaluate(make(), (X[:0], Y[:0]))
    with pytest.raises(UserError, match="a regularizer must be one of none, l2, l1: got l3"):
        next(fit(make(), (X, Y), (X, Y), **settings(regularizer="l3", lmbda=1.0)))


def test_measuring_inside_epochs_changes_nothing_and_measures_then():
    plain, watched, stopped = make(), make(), make()
    quiet = list(fit(plain, (X, Y), (X[:30], Y[:30]), **settings()))
    epochs = list(fit(watched, (X, Y), (X[:30], Y[:30]), **settings(monitor_every=25)))
    assert digest(watched) == digest(plain)
    assert [e.validation_cost for e in epochs] == [e.validation_cost for e in quiet]
    assert [m.images for m in epochs[0].within] == [0, 30, 50, 80]
    assert [m.images for m in epochs[1].within] == [120, 140, 170]
    assert [m.epoch for m in epochs[1].within] == pytest.approx([12 / 9, 14 / 9, 17 / 9])
    (even,) = fit(make(), (X, Y), (X, Y), **settings(monitor_every=30, epochs=1))
    assert [m.images for m in even.within] == [0, 30, 60], "the end is the epoch itself"
    cost, accuracy = evaluate(make(), (X[:30], Y[:30]))
    start = epochs[0].within[0]
    assert (start.validation_cost, start.validation_accuracy) == (cost, accuracy)
    # after 50 images the network is the one that has been trained on the first 50 of the order
    rows = Streams(0).order(1, 90)[:50]
    plain_sgd(stopped, X[rows], Y[rows], 0.5, 0.0, 10, np.arange(50))
    cost, _ = evaluate(stopped, (X[:30], Y[:30]))
    assert epochs[0].within[2].validation_cost == pytest.approx(cost, rel=1e-9)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear", "softmax"])
def test_layer_metrics_are_what_they_say(activation):
    network = make(parts=Parts(activation, "softmax", "log_likelihood"), sizes=(8, 6, 5, 3))
    (epoch,) = fit(network, (X, Y), (X, Y), **settings(epochs=1, layer_metrics=True))
    _, nabla_w = network.backprop(X, Y)
    assert len(epoch.layers) == 3
    for layer, nabla, w in zip(epoch.layers, nabla_w, network.weights, strict=True):
        assert layer.gradient_norm == pytest.approx(np.sqrt((nabla**2).sum()) / 90)
        assert layer.weight_norm == pytest.approx(np.sqrt((w**2).sum()))
        assert 0 <= layer.saturated <= 1


def test_saturation_is_seen_where_it_is():
    """With weights of a hundred a sigmoid neuron is at 0 or 1, with small ones in between."""
    for scale, saturated in ((1e-3, 0.0), (1e3, 1.0)):
        network = make()
        network.weights[0] *= scale
        network.biases[0] *= scale
        (epoch,) = fit(network, (X, Y), (X, Y), **settings(eta=1e-12, epochs=1, layer_metrics=True))
        assert epoch.layers[0].saturated == pytest.approx(saturated, abs=0.02)
    relu = make(parts=Parts("relu"))
    relu.biases[0][:] = -1000
    (epoch,) = fit(relu, (X, Y), (X, Y), **settings(eta=1e-12, epochs=1, layer_metrics=True))
    assert epoch.layers[0].saturated == 1.0
    assert epoch.layers[0].gradient_norm == 0.0, "a layer that is off does not learn"


@pytest.mark.parametrize(
    ("activation", "edge"),
    [("sigmoid", math.log((1 + 0.95**0.5) / (1 - 0.95**0.5))), ("tanh", math.atanh(0.95**0.5))],
)
def test_a_neuron_is_saturated_below_a_twentieth_of_its_largest_slope(activation, edge):
    """σ'(z) = 0.05 · 0.25 where a (1 - a) is that; for tanh 1 - a² = 0.05."""
    for z, saturated in ((edge * 0.999, 0.0), (edge * 1.001, 1.0), (-edge * 1.001, 1.0)):
        network = make(parts=Parts(activation), sizes=(8, 5, 3))
        network.weights[0][:] = 0
        network.biases[0][:] = z
        assert layer_metrics(network, X, Y)[0].saturated == saturated


def test_an_output_whose_cost_cancels_the_slope_is_never_saturated():
    """At z = 6 and y = 0 the error of cross-entropy is 0.998: it learns at full speed."""
    for parts, saturated in ((Parts(), 0.0), (Parts(cost="quadratic"), 1.0)):
        network = make(parts=parts, sizes=(8, 3))
        network.weights[0][:] = 0
        network.biases[0][:] = 6
        (layer,) = layer_metrics(network, X, np.zeros_like(Y))
        assert layer.saturated == saturated
    network = make(parts=Parts("sigmoid", "softmax", "log_likelihood"), sizes=(8, 5, 3))
    network.biases[1][:] = (60, 0, 0)
    assert layer_metrics(network, X, Y)[1].saturated == 0.0


def test_pictures_in_256_shades_are_measured_as_they_are_trained():
    """The same numbers, as uint8 and divided by 256: in every method that takes inputs."""
    shades = np.round(255 * X).astype(np.uint8)
    floats = shades / 256
    found = []
    for x in (shades, floats):
        network = make()
        (epoch,) = fit(network, (x, Y), (x[:30], Y[:30]), eta=0.5, mini_batch_size=7, epochs=1,
                       layer_metrics=True, monitor_every=20)  # fmt: skip
        found.append((replace(epoch, seconds=0.0), digest(network), network))
    assert found[0][:2] == found[1][:2]
    network = found[0][2]
    for ours, theirs in (
        (network.predict(shades), network.predict(floats)),
        (network.feedforward(shades)[0], network.feedforward(floats)[0]),
        (network.layers(shades)[0], network.layers(floats)[0]),
        (network.backprop(shades, Y)[1][0], network.backprop(floats, Y)[1][0]),
        (network.input_gradient(shades, Y), network.input_gradient(floats, Y)),
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert evaluate(network, (shades, Y)) == evaluate(network, (floats, Y))


def test_the_least_difference_that_tells_is_that_of_agresti_and_caffo():
    assert resolution(0.95, 1000) == pytest.approx(0.0191, abs=2e-4)
    assert resolution(1.0, 1000) == pytest.approx(1.96 * math.sqrt(2 * 1001 / 1002**3), rel=1e-3)
    assert resolution(1.0, 50) == pytest.approx(resolution(0.0, 50))
    assert resolution(1.0, 50) > 0.03


def test_an_epoch_survives_json():
    (epoch,) = fit(
        make(), (X, Y), (X, Y), **settings(epochs=1, layer_metrics=True, monitor_every=40)
    )
    assert Epoch.from_mapping(json.loads(json.dumps(epoch.to_mapping()))) == epoch
    (plain,) = fit(make(), (X, Y), (X, Y), **settings(epochs=1))
    assert set(plain.to_mapping()).isdisjoint({"within", "layers"})
    assert Epoch.from_mapping(plain.to_mapping()) == plain
