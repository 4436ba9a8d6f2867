"""Artificial expansion of the training data: shifts, rotations, elastic distortions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network, Parts
from nndl_exp.training import Settings, Streams, train
from nndl_exp.training.expansion import (
    make_expansion,
    random_distortions,
    random_shifts,
    shift,
    smoothing,
)
from nndl_exp.training.sgd import mini_batches
from nndl_exp.weights import digest

SHAPE = (9, 7)
PICTURES = (np.random.default_rng(0).integers(0, 256, (12, *SHAPE)) / 256).astype("float32")
X, Y = PICTURES.reshape(12, -1), np.eye(3)[np.arange(12) % 3]
DEFAULTS = {"shape": SHAPE, "once": False, "copies": 2, "shift": 1, "rotation": 10.0,
            "alpha": 34.0, "sigma": 4.0}  # fmt: skip


def rng(seed=0):
    return np.random.default_rng(seed)


def inner(pictures):
    """A picture without its border, which shifting replaces."""
    return pictures[:, 1:-1, 1:-1]


@given(st.integers(-12, 12), st.integers(-12, 12))
def test_a_shift_moves_every_pixel_and_fills_with_background(down, right):
    moved = shift(PICTURES, down, right)
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            inside = 0 <= y - down < SHAPE[0] and 0 <= x - right < SHAPE[1]
            expected = PICTURES[:, y - down, x - right] if inside else 0
            np.testing.assert_array_equal(moved[:, y, x], expected)


def test_the_larger_set_of_shifts_is_the_books():
    """Five times the data: 50,000 images become 250,000, moved down, up, right and left."""
    x, y = make_expansion("shifts", **{**DEFAULTS, "once": True}).enlarge(X, Y, rng())
    assert (x.shape, x.dtype, y.shape) == ((60, 63), np.uint8, (60, 3))
    np.testing.assert_array_equal(y, np.concatenate([Y] * 5))
    for copy, move in enumerate([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]):
        expected = shift(PICTURES, *move).reshape(12, -1)
        grey = np.divide(x[12 * copy : 12 * (copy + 1)], 256, dtype="float32")
        np.testing.assert_array_equal(grey, expected)


def test_shades_of_grey_come_back_as_they_were():
    whole, _ = make_expansion("shifts", **{**DEFAULTS, "once": True}).enlarge(X, Y, rng())
    for dtype in ("float32", "float64"):
        batches = [x for x, _ in mini_batches(whole[:12], Y, np.arange(12), 5, dtype)]
        np.testing.assert_array_equal(np.concatenate(batches), X)
        assert batches[0].dtype == dtype


def test_random_shifts_are_all_there_are_and_equally_likely():
    one = np.zeros((9000, 5, 5), "float32")
    one[:, 2, 2] = 1
    moved = random_shifts(1)(one, rng())
    counts = moved.sum(axis=0)
    assert counts.sum() == 9000
    assert (counts[1:4, 1:4] > 850).all()
    assert (counts[1:4, 1:4] < 1150).all()


def test_without_rotation_bending_and_moves_a_distortion_is_the_picture():
    same = random_distortions(0, 0.0, 0.0, 4.0)(PICTURES, rng())
    np.testing.assert_allclose(same, PICTURES, atol=1e-6)
    assert same.dtype == PICTURES.dtype


def test_a_rotation_turns_about_the_centre_and_no_further_than_it_says():
    """A bar through the centre stays there; its end moves by the sine of the angle."""
    bars = np.zeros((400, 41, 41), "float32")
    bars[:, 20, :] = 1
    turned = random_distortions(0, 30.0, 0.0, 4.0)(bars, rng())
    assert (turned[:, 20, 20] > 0.99).all()
    ends = turned[:, :, 35].argmax(axis=1) - 20
    assert abs(ends).max() <= 15 * np.tan(np.radians(30)) + 1
    assert ends.max() > 6
    assert ends.min() < -6


def test_bending_moves_pixels_smoothly_by_about_its_strength():
    """The field's deviation is alpha · √(1/3) / (2 σ √π): 1.4 pixels for 34 and 4."""
    ramp = np.tile(np.arange(60, dtype="float32") / 60, (200, 60, 1))
    bent = random_distortions(0, 0.0, 34.0, 4.0)(ramp, rng())
    moved = 60 * (bent - ramp)[:, 20:40, 20:40]
    assert moved.std() == pytest.approx(34 / 3**0.5 / (2 * 4 * np.pi**0.5), rel=0.1)
    assert np.abs(np.diff(moved, axis=1)).std() < 0.35 * moved.std(), "neighbours move together"


def test_a_field_is_smoothed_as_by_a_gaussian_filter_with_background_around_it():
    field = rng().random((3, 2, 9, 7), np.float32)
    expected = gaussian_filter(field, (0, 0, 2.5, 2.5), mode="constant")
    got = smoothing(9, 2.5) @ field @ smoothing(7, 2.5).T
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("name", ["shifts", "distortions"])
def test_an_expansion_is_a_function_of_the_seed(name, once):
    def digests(seed):
        network = Network.initialize((63, 5, 3), Parts(), rng=rng(1), dtype="float64")
        expansion = make_expansion(name, **{**DEFAULTS, "once": once})
        learning = Settings(eta=0.5, mini_batch_size=5, epochs=2, expansion=expansion)
        streams = Streams(seed)
        streams.order = Streams(0).order  # only the expansion is to differ
        for _ in train(network, (X, Y), (X, Y), learning, streams=streams):
            yield digest(network)

    assert list(digests(3)) == list(digests(3))
    fixed = name == "shifts" and once
    assert (list(digests(3)) == list(digests(4))) == fixed, "only the book's shifts are not random"


def test_on_the_fly_no_two_epochs_are_alike_and_the_labels_stay():
    expansion = make_expansion("distortions", **DEFAULTS)
    first, second = (expansion.vary(X, Streams(0).expansion(epoch)) for epoch in (1, 2))
    assert (first != second).any()
    assert first.shape == X.shape
    assert 0 <= first.min() <= first.max() <= 1 + 1e-6


def test_lambda_is_divided_by_the_size_of_the_larger_set():
    network = Network.initialize((63, 5, 3), Parts(), rng=rng(1), dtype="float64")
    expansion = make_expansion("shifts", **{**DEFAULTS, "once": True})
    quiet = Settings(eta=1e-9, mini_batch_size=5, epochs=1)
    larger = replace(quiet, lmbda=6.0, expansion=expansion, monitor_every=20)
    (epoch,) = train(network, (X, Y), (X, Y), larger, streams=Streams(0))
    (plain,) = train(network, (X, Y), (X, Y), quiet, streams=Streams(0))
    squares = sum(float((w**2).sum()) for w in network.weights)
    assert epoch.validation_cost - plain.validation_cost == pytest.approx(6 / 60 / 2 * squares)
    assert [moment.images for moment in epoch.within] == [0, 20, 40], "an epoch is 60 images"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32))
def test_blocks_of_any_size_are_varied(m, seed):
    expansion = make_expansion("shifts", **DEFAULTS)
    x = np.concatenate(
        [
            x
            for x, _ in mini_batches(
                X, Y, np.arange(12), m, "float32", lambda rows: expansion.vary(rows, rng(seed))
            )
        ]
    )
    assert x.shape == X.shape


def test_what_is_no_picture_is_refused():
    with pytest.raises(UserError, match="must be none for examples that are not pictures"):
        make_expansion("shifts", **{**DEFAULTS, "shape": None})
    assert make_expansion("none", **{**DEFAULTS, "shape": None}) is None
    with pytest.raises(UserError, match=r"less than a picture's side \(7\): got 7"):
        make_expansion("shifts", **{**DEFAULTS, "shift": 7})
    for x in (X * 2, X - 1):
        with pytest.raises(UserError, match="values between 0 and 1"):
            make_expansion("shifts", **{**DEFAULTS, "once": True}).enlarge(x, Y, rng())
