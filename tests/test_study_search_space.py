"""The search space: what it reads, what it refuses, and the way from values to runs and back."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nndl_exp.api import load_config, load_study
from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.study.proposing.search_space import SearchSpace, nearest

BASE = RunConfig()
CHAPTER3 = {
    "training": {
        "eta": {"low": 0.001, "high": 10, "log": True},
        "mini_batch_size": {"low": 5, "high": 100, "log": True},
    },
    "network": {
        "hidden": {
            "layers": {"low": 1, "high": 3},
            "width": {"low": 10, "high": 200, "log": True},
        }
    },
}


def sample(space: SearchSpace, seed: int) -> dict:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return space.suggest(study.ask())


@given(st.integers(0, 500))
def test_values_become_a_run_and_back(seed):
    space = SearchSpace.parse(CHAPTER3, BASE)
    params = sample(space, seed)
    config = space.apply(BASE, params)
    layers = params["network.hidden.layers"]
    assert len(config.network.hidden) == layers
    assert f"network.hidden.width_{layers + 1}" not in params
    assert 0.001 <= config.training.eta <= 10
    assert isinstance(config.training.mini_batch_size, int)
    settings = {
        "training.eta": config.training.eta,
        "training.mini_batch_size": config.training.mini_batch_size,
        "network.hidden": list(config.network.hidden),
    }
    assert space.params_of(settings) == params


def test_whole_settings_get_whole_values():
    space = SearchSpace.parse(
        {"training": {"epochs": {"low": 2, "high": 9}, "eta": {"low": 1, "high": 2}}}, BASE
    )
    params = sample(space, 0)
    assert isinstance(params["training.epochs"], int)
    assert isinstance(params["training.eta"], float)


def test_choices_may_be_architectures():
    space = SearchSpace.parse({"network": {"hidden": {"choices": [[30], [30, 10], []]}}}, BASE)
    seen = {space.apply(BASE, sample(space, seed)).network.hidden for seed in range(30)}
    assert seen == {(30,), (30, 10), ()}
    assert space.settings == ("network.hidden",)


def test_a_null_entry_is_left_alone():
    space = SearchSpace.parse({"training": {"eta": None, "lmbda": {"low": 0, "high": 1}}}, BASE)
    assert space.settings == ("training.lmbda",)


def entry(**training: object) -> dict:
    return {"training": training}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "must name at least one setting: got none"),
        (entry(eta=None), "must name at least one setting"),
        (entry(etaa={"low": 1, "high": 2}), "no such setting: training.etaa (did you mean"),
        (entry(eta=5), "search_space.training.eta must be {low: .., high: ..,"),
        (entry(eta={"low": 1}), "search_space.training.eta must be {low:"),
        (entry(eta={"low": 1, "high": 2, "step_": 1}), "must be {low:"),
        (entry(eta={"low": 3, "high": 2}), "low must be at most high (2): got 3"),
        (entry(eta={"low": 0, "high": 2, "log": True}), "greater than 0 with log: got 0"),
        (entry(eta={"low": "a", "high": 2}), "low must be a number: got 'a'"),
        (entry(eta={"choices": []}), "must be a list of at least one value: got []"),
        (entry(eta={"low": -1, "high": 2}), "training.eta must be greater than 0: got -1"),
        (entry(mini_batch_size={"low": 1, "high": 2.5}), "must be a valid integer: got 1.0"),
        (entry(judged_by={"choices": ["luck"]}), "training.judged_by must be"),
        (
            {"network": {"hidden": {"layers": {"low": 0, "high": 2}, "width": {"choices": [9]}}}},
            "layers must be a range that starts at 1 or more",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(entries, message):
    with pytest.raises(UserError) as error:
        SearchSpace.parse(entries, BASE)
    assert message in str(error.value)


def test_enqueued_values_are_checked():
    space = SearchSpace.parse(CHAPTER3, BASE)
    with pytest.raises(UserError, match=r"inside the search space \(0\.001\.\.10 log\): got 20"):
        space.params_of({"training.eta": 20.0})
    with pytest.raises(UserError, match=r"inside the search space .*: got 10000000000"):
        space.params_of({"training.eta": 10**400})
    with pytest.raises(UserError, match=r"may only set what is searched .*: got training\.lmbda"):
        space.params_of({"training.lmbda": 1.0})
    with pytest.raises(
        UserError, match=r"layers must lie inside the search space \(1\.\.3\): got 4"
    ):
        space.params_of({"network.hidden": [30, 30, 30, 30]})


def test_the_grid_is_finite():
    space = SearchSpace.parse(
        entry(eta={"low": 0.1, "high": 0.5, "step": 0.2}, epochs={"low": 1, "high": 3}), BASE
    )
    grid = space.grid()
    assert grid["training.epochs"] == [1, 2, 3]
    assert grid["training.eta"] == pytest.approx([0.1, 0.3, 0.5])
    with pytest.raises(UserError, match=r"needs a finite list for search_space\.training\.eta"):
        SearchSpace.parse(entry(eta={"low": 0.1, "high": 0.5}), BASE).grid()
    with pytest.raises(UserError, match=r"hidden as \{choices"):
        SearchSpace.parse(CHAPTER3, BASE).grid()


def test_edges_are_seen():
    space = SearchSpace.parse(CHAPTER3, BASE)
    params = {"training.eta": 9.99, "training.mini_batch_size": 5, "network.hidden.layers": 1,
              "network.hidden.width_1": 40}  # fmt: skip
    assert space.at_edges(params) == ["training.eta", "training.mini_batch_size"]


def test_the_space_reads_like_a_sentence():
    assert SearchSpace.parse(CHAPTER3, BASE).describe() == (
        "eta 0.001..10 log · mini_batch_size 5..100 log · 1..3 hidden layers of 10..200 log"
    )


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["training.eta=99"], {"training.eta": 10.0}),
        (["training.mini_batch_size=2"], {"training.mini_batch_size": 5}),
        (
            ["network.hidden=[30,500]"],
            {"network.hidden.width_1": 30, "network.hidden.width_2": 200},
        ),
        (["network.hidden=[30,30,30,30]"], None),
        (["training.momentum=0.5"], None),
    ],
)
def test_the_nearest_point_lies_inside_or_there_is_none(words, there):
    entries = {**load_study().config.search_space}
    if "training.momentum=0.5" in words:
        entries = {"training": {"momentum": {"choices": [0.0, 0.9]}}}
    run = load_config(words)
    found = nearest(SearchSpace.parse(entries, run), run)
    assert there is None if found is None else there.items() <= found.items()
