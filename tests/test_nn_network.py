"""The network as a value: shapes, saving, what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network, Parts, count_multiply_adds, count_parameters
from nndl_exp.weights import digest, load_network, to_bytes


def make(sizes=(6, 5, 3), dtype="float32", seed=0, parts=None) -> Network:
    rng = np.random.default_rng(seed)
    return Network.initialize(sizes, parts or Parts(), rng=rng, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_and_dtype(dtype):
    network = make(dtype=dtype)
    assert network.sizes == (6, 5, 3)
    assert [w.shape for w in network.weights] == [(5, 6), (3, 5)]
    assert [b.shape for b in network.biases] == [(5,), (3,)]
    assert {array.dtype.name for array in network.weights + network.biases} == {dtype}
    assert network.predict(np.zeros((2, 6), dtype=dtype)).dtype == dtype


def test_counts_are_those_of_the_book():
    assert count_parameters((784, 30, 10)) == 23860
    assert count_multiply_adds((784, 30, 10)) == 784 * 30 + 300


@given(st.permutations(range(5)))
def test_permuting_hidden_neurons_leaves_the_output(order):
    network, x = make(dtype="float64"), np.random.default_rng(1).random((4, 6))
    before = network.predict(x)
    network.weights[0] = network.weights[0][order]
    network.biases[0] = network.biases[0][order]
    network.weights[1] = network.weights[1][:, order]
    np.testing.assert_allclose(network.predict(x), before, rtol=1e-13)


def test_save_and_load_are_exact(tmp_path):
    network = make(parts=Parts("tanh", "softmax", "log_likelihood"))
    path = tmp_path / "w.npz"
    path.write_bytes(to_bytes(network))
    again = load_network(path)
    assert digest(again) == digest(network)
    assert again.parts == network.parts


def test_the_digest_sees_every_bit():
    network = make()
    before = digest(network)
    network.weights[0][2, 3] = np.nextafter(network.weights[0][2, 3], np.float32(np.inf))
    assert digest(network) != before


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_in_one_line(tmp_path_factory, data):
    content = to_bytes(make())
    cut = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("damaged") / "w.npz"
    path.write_bytes(content[:cut])
    with pytest.raises(UserError) as error:
        load_network(path)
    assert "w.npz" in str(error.value)


def test_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, x=np.arange(3))
    text = tmp_path / "text.npz"
    text.write_text("hello")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, network=np.array({"a": 1}, dtype=object))
    for path in (foreign, text, pickled):
        with pytest.raises(UserError, match="is not a network saved by nndl_exp"):
            load_network(path)
    with pytest.raises(UserError, match="no such file"):
        load_network(tmp_path / "none.npz")


def test_wrong_shapes_are_refused():
    network = make()
    for x in (np.zeros(6), np.zeros((2, 5)), np.zeros((2, 6, 1))):
        with pytest.raises(UserError, match="a batch must have the shape"):
            network.predict(x)
    with pytest.raises(UserError, match="do not fit"):
        Network([np.zeros((5, 6)), np.zeros((3, 4))], [np.zeros(5), np.zeros(3)], Parts())
    with pytest.raises(UserError, match="need as many biases"):
        Network([np.zeros((5, 6))], [], Parts())
    for sizes in ((5,), (5, 0, 3)):
        with pytest.raises(UserError, match="at least two layers"):
            make(sizes)


X, Y = np.ones((2, 6), np.float32), np.ones((2, 3), np.float32)
REFUSED = [
    (lambda n: n.predict(X * np.nan), "a batch must hold finite values"),
    (lambda n: n.predict(X[0]), r"shape \(examples, 6\): got \(6,\)"),
    (lambda n: n.probabilities(X[:, :5]), r"got \(2, 5\)"),
    (lambda n: n.backprop(X, Y[:, :2]), r"targets must have the shape \(2, 3\): got \(2, 2\)"),
    (lambda n: n.backprop(X, Y[0]), r"targets must have the shape \(2, 3\): got \(3,\)"),
    (lambda n: n.backprop(X[0], Y), r"got \(6,\)"),
    (lambda n: n.input_gradient(X, Y[:1]), r"targets must have .*: got \(1, 3\)"),
    (lambda n: make(dtype="int32"), "dtype must be one of float32, float64: got int32"),
    (lambda n: Network([X, X[:, :2]], [X[:, 0], X[:, 0].astype("f8")], Parts()),
     "must all be float32, or all float64: got float32, float64"),
    (lambda n: Network([X.astype(int)], [X[:, 0].astype(int)], Parts()), "got int64"),
    (lambda n: make(parts=Parts("step")), "an activation must be one of sigmoid"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(call, message):
    with pytest.raises(UserError, match=message) as error:
        call(make())
    assert "\n" not in str(error.value)


def test_many_examples_are_predicted_as_they_are_one_by_one():
    network, x = make(dtype="float64"), np.random.default_rng(0).random((1203, 6))
    one_by_one = np.concatenate([network.feedforward(row)[1] for row in x[:, np.newaxis]])
    np.testing.assert_allclose(network.predict(x), one_by_one, rtol=1e-12)
    assert network.predict(x[:0]).shape == (0, 3)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softmax", "linear"])
def test_probabilities_sum_to_one(output):
    cost = "log_likelihood" if output == "softmax" else "quadratic"
    p = make(parts=Parts("sigmoid", output, cost)).probabilities(np.ones((7, 6), np.float32))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p >= 0).all()
