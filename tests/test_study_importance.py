"""Importances on synthetic trials of which it is known what decides."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from nndl_exp.study.importance import FEWEST, importances

SPACE = {
    "training.eta": FloatDistribution(0.001, 10, log=True),
    "training.lmbda": FloatDistribution(0.001, 100, log=True),
    "training.mini_batch_size": IntDistribution(5, 100, log=True),
    "training.nesterov": CategoricalDistribution([True, False]),
}
MAXIMIZE, MINIMIZE = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE


def trials(value, n=60, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        params = {
            "training.eta": 10 ** rng.uniform(-3, 1),
            "training.lmbda": 10 ** rng.uniform(-3, 2),
            "training.mini_batch_size": int(rng.integers(5, 101)),
            "training.nesterov": bool(rng.integers(2)),
        }
        made.append((params, float(value(params))))
    return made


def bump(name, at):
    return lambda params: -((np.log10(params[name]) - at) ** 2)


@pytest.mark.parametrize(("name", "at"), [("training.eta", -1), ("training.lmbda", 1)])
@pytest.mark.parametrize("direction", [MAXIMIZE, MINIMIZE])
def test_the_parameter_that_alone_decides_has_nearly_all(name, at, direction):
    sign = 1 if direction == MAXIMIZE else -1
    found = importances(SPACE, direction, trials(lambda p: sign * bump(name, at)(p)))
    assert next(iter(found.shares)) == name
    assert found.shares[name] > 0.75
    assert sum(found.shares.values()) == pytest.approx(1)
    assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)
    assert found.note == "of being among the best 15 of 60 completed trials (PED-ANOVA)"


def test_a_choice_can_decide():
    found = importances(SPACE, MAXIMIZE, trials(lambda p: p["training.nesterov"]))
    assert found.shares["training.nesterov"] > 0.75


def test_the_same_trials_give_the_same_shares():
    made = trials(bump("training.eta", 0))
    assert importances(SPACE, MAXIMIZE, made) == importances(SPACE, MAXIMIZE, made)


def test_a_parameter_that_only_some_trials_have_is_assessed():
    """The width of a second layer decides where there is one."""
    space = {"layers": IntDistribution(1, 2), "width_2": IntDistribution(10, 200)}
    rng = np.random.default_rng(0)
    made = []
    for i in range(60):
        params = {"layers": 1 + i % 2}
        if i % 2:
            params["width_2"] = int(rng.integers(10, 201))
        made.append((params, params.get("width_2", 0) / 200 + 0.001 * rng.random()))
    found = importances(space, MAXIMIZE, made)
    assert set(found.shares) == set(space)
    assert found.shares["width_2"] > 0.3


def test_what_no_trial_has_is_left_out():
    made = [({"training.eta": p["training.eta"]}, v) for p, v in trials(bump("training.eta", 0))]
    assert importances(SPACE, MAXIMIZE, made).shares == {"training.eta": 1.0}


@pytest.mark.parametrize(
    ("made", "note"),
    [
        ([], f"needs {FEWEST} completed trials: there are 0"),
        (trials(bump("training.eta", 0), n=9), f"needs {FEWEST} completed trials: there are 9"),
        (trials(lambda p: 0.5), "all 60 completed trials are equally good"),
        ([({"one": 1}, float(i)) for i in range(20)], "the best trials lie where all of them do"),
    ],
)
def test_where_there_are_none_it_says_why(made, note):
    space = {**SPACE, "one": IntDistribution(1, 1)}
    found = importances(space, MAXIMIZE, made)
    assert (found.shares, found.note) == ({}, note)


def test_equals_of_the_last_of_the_best_are_counted():
    values = [1.0] * 30 + [0.5] * 30
    made = [(params, value) for (params, _), value in zip(trials(lambda p: 0), values, strict=True)]
    assert "the best 30 of 60 completed trials" in importances(SPACE, MAXIMIZE, made).note
