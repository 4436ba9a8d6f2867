"""Proposals are Optuna's own: each sampler against the sequence that it is known by."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.pruners import HyperbandPruner
from optuna.samplers import GridSampler, RandomSampler
from optuna.study import StudyDirection
from scipy.stats import qmc

from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.study.proposing.algorithms import PRUNERS, SAMPLERS, make_pruner, sampler_for
from nndl_exp.study.proposing.proposer import Judge, OptunaProposer, Plan, Settled
from nndl_exp.study.proposing.search_space import SearchSpace

SPACE = SearchSpace.parse(
    {
        "training": {
            "eta": {"low": 0.001, "high": 10, "log": True},
            "lmbda": {"low": 0.0, "high": 1.0},
        }
    },
    RunConfig(),
)
GRID = SearchSpace.parse(
    {"training": {"eta": {"choices": [1.0, 2.0, 3.0]}, "epochs": {"low": 1, "high": 3}}},
    RunConfig(),
)


def plan(sampler: dict, pruner: dict | None = None, space=SPACE, lag=4, enqueue=()) -> Plan:
    return Plan("id", space, (StudyDirection.MAXIMIZE,), sampler, pruner or {"name": "none"}, 7,
                lag, enqueue)  # fmt: skip


def objective(params: dict) -> Settled:
    value = -((np.log10(params["training.eta"]) - 0.3) ** 2) - params.get("training.lmbda", 0)
    return Settled(True, (float(value),), (float(value) - 1, float(value)))


def search(a_plan: Plan, n: int, cut: tuple[int, ...] = ()) -> list[dict]:
    """All proposals of a search; at each number in ``cut`` the view is made anew."""
    view, proposals, settled = OptunaProposer(a_plan), [], []
    for number in range(n):
        if number in cut:
            view = OptunaProposer(a_plan)
            view.restore(proposals, settled)
        proposals.append(view.ask(settled))
        settled.append(objective(proposals[-1].params))
    return [proposal.params for proposal in proposals]


SEARCHES = [
    ({"name": "tpe", "multivariate": True, "n_startup_trials": 5}, SPACE),
    ({"name": "random"}, SPACE),
    ({"name": "qmc", "scramble": True}, SPACE),
    ({"name": "cmaes"}, SPACE),
    ({"name": "grid"}, GRID),
]


@pytest.mark.parametrize(("sampler", "space"), SEARCHES, ids=lambda p: str(p)[:20])
def test_a_restored_view_goes_on_like_one_that_grew(sampler, space):
    a_plan = plan(sampler, space=space)
    n = 9 if space is GRID else 30
    whole = search(a_plan, n)
    assert search(a_plan, n) == whole
    assert search(a_plan, n, cut=tuple(range(n))) == whole
    assert search(a_plan, n, cut=(3, 7, 8)) == whole


@pytest.mark.parametrize(("sampler", "space"), SEARCHES, ids=lambda p: str(p)[:20])
def test_views_that_take_turns_propose_as_one_does(sampler, space):
    a_plan = plan(sampler, space=space)
    n = 9 if space is GRID else 30
    views, proposals, settled = [OptunaProposer(a_plan) for _ in range(3)], [], []
    for number in range(n):
        view = views[(number // 4 + number % 2) % 3]
        view.restore(proposals, settled)
        proposals.append(view.ask(settled))
        settled.append(objective(proposals[-1].params))
    assert [proposal.params for proposal in proposals] == search(a_plan, n)


def test_every_sampler_is_searched_with():
    assert {sampler["name"] for sampler, _ in SEARCHES} == set(SAMPLERS)


def test_qmc_is_the_sobol_sequence():
    found = search(plan({"name": "qmc", "scramble": True}), 32)
    points = qmc.Sobol(2, scramble=True, seed=7).random(32)
    eta = 10 ** (points[:, 0] * 4 - 3)
    np.testing.assert_allclose([p["training.eta"] for p in found], eta, rtol=1e-9)
    np.testing.assert_allclose([p["training.lmbda"] for p in found], points[:, 1], atol=1e-9)


def test_the_grid_is_every_point_once():
    found = search(plan({"name": "grid"}, space=GRID), 9)
    points = {(p["training.eta"], p["training.epochs"]) for p in found}
    assert points == {(eta, epochs) for eta in (1.0, 2.0, 3.0) for epochs in (1, 2, 3)}


@pytest.mark.parametrize("seed", [0, 7])
def test_the_grid_has_the_order_of_optunas(seed):
    def objective(trial):
        GRID.suggest(trial)
        return 0.0

    study = optuna.create_study(sampler=GridSampler(GRID.grid(), seed=seed))
    study.optimize(objective, n_trials=9)
    ours = search(replace(plan({"name": "grid"}, space=GRID), seed=seed), 9)
    assert ours == [trial.params for trial in study.trials]


STEPS = SearchSpace.parse(
    {"training": {"eta": {"low": 0.1, "high": 0.5, "step": 0.1}, "epochs": {"low": 1, "high": 2}}},
    RunConfig(),
)


@pytest.mark.parametrize(
    "enqueue",
    [
        ({"training.eta": 0.3, "training.epochs": 2},),  # low + 2 * step is 0.30000000000000004
        ({"training.eta": 0.2, "training.epochs": 1}, {"training.eta": 0.2, "training.epochs": 1}),
        ({"training.eta": 0.5}, {"training.eta": 0.5}, {"training.eta": 0.5}),
        ({"training.epochs": 2}, {"training.eta": 0.1, "training.epochs": 1}),
    ],
    ids=["one", "twice", "more often than there are", "in part"],
)
def test_the_grid_is_every_point_once_where_some_are_enqueued(enqueue):
    found = search(plan({"name": "grid"}, space=STEPS, enqueue=enqueue), 10)
    points = {(p["training.eta"], p["training.epochs"]) for p in found}
    assert points == set(itertools.product(STEPS.grid()["training.eta"], (1, 2)))
    for name, value in enqueue[0].items():
        assert found[0][name] == pytest.approx(value)


def test_random_points_differ_and_fill_the_space():
    eta = np.array([p["training.eta"] for p in search(plan({"name": "random"}), 200)])
    assert len(set(eta)) == 200
    logs = np.log10(eta)
    assert logs.min() < -2.8
    assert logs.max() > 0.8
    assert abs(logs.mean() + 1) < 0.25


@pytest.mark.parametrize("name", ["tpe", "cmaes"])
def test_a_model_finds_the_optimum_better_than_chance(name):
    """CMA-ES is plain random where the attributes of its trials are lost."""
    found = search(plan({"name": name}), 80)
    last = np.array([abs(np.log10(p["training.eta"]) - 0.3) for p in found[50:]])
    assert np.median(last) < 0.8  # drawn at random: 1.3


def test_a_proposal_does_not_look_past_the_lag():
    a_plan = plan({"name": "tpe", "n_startup_trials": 3}, lag=5)
    view, settled, params = OptunaProposer(a_plan), [], []
    for number in range(20):
        # What it may not look at yet is not even there.
        proposal = view.ask(settled[: max(0, number - 5 + 1)])
        params.append(proposal.params)
        settled.append(objective(proposal.params))
    assert params == search(a_plan, 20)


def test_the_lag_is_part_of_the_result():
    a, b = (search(plan({"name": "tpe", "n_startup_trials": 3}, lag=lag), 20) for lag in (2, 8))
    assert a != b


def test_enqueued_configurations_come_first():
    enqueue = ({"training.eta": 0.5}, {"training.eta": 2.0, "training.lmbda": 0.25})
    found = search(plan({"name": "tpe"}, enqueue=enqueue), 4)
    assert found[0]["training.eta"] == 0.5
    assert found[1] == enqueue[1]


def test_diverged_trials_count_as_the_worst():
    """Told as failed they would be ignored, and proposed again and again."""

    def diverging(params):
        bad = params["training.eta"] > 0.1
        return Settled(False) if bad else objective({"training.eta": params["training.eta"] * 100})

    view, settled, params = OptunaProposer(plan({"name": "tpe"})), [], []
    for _ in range(60):
        proposal = view.ask(settled)
        params.append(proposal.params["training.eta"])
        settled.append(diverging(proposal.params))
    assert sum(eta > 0.1 for eta in params[30:]) < 10  # half of the range diverges


def curve(best: float) -> Settled:
    return Settled(True, (best,), tuple(best * epoch / 4 for epoch in range(1, 5)))


def test_the_median_pruner_ends_what_is_below_the_median():
    a_plan = plan({"name": "tpe"}, {"name": "median", "n_startup_trials": 3, "n_warmup_steps": 2})
    others = [curve(best) for best in (0.5, 0.8, 0.9)]
    assert not Judge(a_plan, 7, others).prunes([0.0])  # warming up
    assert Judge(a_plan, 7, others).prunes([0.3, 0.3])
    assert not Judge(a_plan, 7, others).prunes([0.3, 0.45])
    assert not Judge(a_plan, 6, others[:2]).prunes([0.0, 0.0])  # too few to judge by


def test_successive_halving_sees_the_attributes_of_others():
    a_plan = plan({"name": "tpe"}, {"name": "successive_halving", "min_resource": 1,
                                    "reduction_factor": 2})  # fmt: skip
    settled = []
    for best in (0.9, 0.8, 0.7, 0.6):
        judge = Judge(a_plan, len(settled), settled)
        judge.prunes([best])
        assert judge.attrs(), "a completed rung is noted"
        settled.append(Settled(True, (best,), (best,), judge.attrs()))
    assert Judge(a_plan, 8, settled).prunes([0.1])
    assert not Judge(a_plan, 8, settled).prunes([0.95])


@pytest.mark.parametrize("n_known", [0, 5])
def test_sampler_and_pruner_see_a_trial_in_the_same_bracket_of_hyperband(n_known, monkeypatch):
    """Which follows from its number in Optuna's study, where known trials count."""
    seen: list[int] = []

    class Numbers(HyperbandPruner):
        def prune(self, study, trial):
            seen.append(trial.number)
            return super().prune(study, trial)

    class Sampler(RandomSampler):
        def before_trial(self, study, trial):
            seen.append(trial.number)

    monkeypatch.setitem(PRUNERS, "hyperband", Numbers)
    monkeypatch.setitem(SAMPLERS, "random", (RandomSampler, lambda *_: Sampler(seed=0)))
    known = (({"training.eta": 1.0, "training.lmbda": 0.5}, curve(0.99)),) * n_known
    a_plan = replace(plan({"name": "random"}, {"name": "hyperband", "max_resource": 4}),
                     known=known)  # fmt: skip
    OptunaProposer(a_plan).ask([])
    for worker in (a_plan, pickle.loads(pickle.dumps(a_plan.for_pruning()))):
        Judge(worker, 0, []).prunes([0.5])
    assert seen == [n_known] * 3


@pytest.mark.parametrize("name", PRUNERS)
def test_no_pruner_looks_at_the_results_of_known_trials(name):
    options = {"percentile": {"percentile": 25.0}, "hyperband": {"max_resource": 1}}
    bare = plan({"name": "tpe"}, {"name": name, **options.get(name, {})})
    known = (({"training.eta": 1.0, "training.lmbda": 0.5}, curve(0.99)),) * 10
    assert not Judge(replace(bare, known=known), 0, []).prunes([0.1, 0.1, 0.1])


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_judges(name):
    options = {"percentile": {"percentile": 25.0}, "hyperband": {"max_resource": 4}}
    pruner = {"name": name, **options.get(name, {})}
    judge = Judge(plan({"name": "tpe"}, pruner), 9, [curve(0.9)] * 6)
    assert judge.prunes([0.1, 0.1, 0.1]) in (True, False)


@pytest.mark.parametrize(
    ("group", "settings", "message"),
    [
        ("sampler", {"name": "magic"}, "sampler.name must be one of tpe, random, grid, qmc, cmaes"),
        ("sampler", {"name": "tpe", "n_trials": 3}, "no such setting: sampler.n_trials"),
        ("pruner", {"name": "magic"}, "pruner.name must be one of none, median"),
        ("pruner", {"name": "median", "patience": 1}, "no such setting: pruner.patience"),
        ("pruner", {"name": "median", "n_startup_trials": -1}, "pruner=median: "),
        ("pruner", {"name": "hyperband"}, "pruner.max_resource must be the largest number"),
    ],
)
def test_wrong_parts_are_refused(group, settings, message):
    with pytest.raises(UserError) as error:
        if group == "sampler":
            sampler_for(settings, SPACE, 0, 0)
        else:
            make_pruner(settings)
    assert str(error.value).startswith(message)


def test_cmaes_refuses_what_it_cannot_search():
    with pytest.raises(UserError, match="cmaes searches ranges of numbers only: got choices"):
        sampler_for({"name": "cmaes"}, GRID, 0, 0)
