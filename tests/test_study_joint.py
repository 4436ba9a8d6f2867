"""The joint search after the stages: ranges around what was found, which grow at their edges."""

from dataclasses import replace
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from studies import search_of, study_of

from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig, TrainingConfig
from nndl_exp.database import url_below
from nndl_exp.study.proposing.entries import centred
from nndl_exp.study.proposing.proposer import Proposal, Settled
from nndl_exp.study.proposing.ranges import contains
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.proposing.widening import WIDEN_EVERY, Widening, widened
from nndl_exp.study.stages.joint import Sampled
from nndl_exp.study.study import facts_of
from nndl_exp.tracking.optuna_view import OptunaView

SPACE = compose("sweep").settings["search_space"]
FOUND = RunConfig(training=TrainingConfig(eta=0.5, lmbda=2.0, mini_batch_size=20))


def test_ranges_lie_around_what_was_found():
    entries, said = centred(SPACE, FOUND, 1000)
    training = entries["training"]
    assert (training["eta"]["low"], training["eta"]["high"]) == (0.0625, 4.0)
    assert (training["lmbda"]["low"], training["lmbda"]["high"]) == (0.2, 20.0)
    assert (training["mini_batch_size"]["low"], training["mini_batch_size"]["high"]) == (5, 80)
    assert entries["network"]["hidden"]["width"] == {"low": 40, "high": 200, "log": True}
    assert not said
    outside = replace(FOUND, training=replace(FOUND.training, eta=50.0))
    entries, said = centred(SPACE, outside, 1000)
    assert entries["training"]["eta"]["high"] == 400.0
    assert said == ["training.eta 50 was found outside its declared range 0.001..10"]


def test_whole_ends_around_a_number_that_is_not_whole_leave_it_inside():
    found = replace(FOUND, training=replace(FOUND.training, lmbda=0.5))
    entries, _ = centred({"training": {"lmbda": {"low": 0, "high": 10}}}, found, 1000)
    assert entries == {"training": {"lmbda": {"low": 0.05, "high": 5.0}}}


def plan():
    from nndl_exp.study.study import Study
    from nndl_exp.sweep import sweep_config

    config = sweep_config(compose("sweep", ["tracking=none", "study.lag=4", "strategy=joint"]))
    entries, _ = centred(SPACE, FOUND, 1000)
    (stage,) = Study(replace(config, run=FOUND, search_space=entries)).stages()
    return stage.search.plan


def outcome(params, best_eta):
    """The closer η is to the best one, the better."""
    import math

    return Settled(True, (1 - abs(math.log10(params["training.eta"] / best_eta)) / 10,), (0.5,))


def search(best_eta, count, restore_at=(), late=0):
    proposer, proposals, settled = Widening(plan(), 3000), [], []
    for number in range(count):
        if number in restore_at:
            proposer = Widening(plan(), 3000)
            proposer.restore(proposals, settled)
        visible = settled[: max(0, number - 3 + late)]  # by 0 as little as workers may have done
        proposals.append(proposer.ask(visible))
        settled.append(outcome(proposals[-1].params, best_eta))
    return proposer, proposals


def test_proposers_that_take_turns_propose_as_one_does():
    whole = search(best_eta=1000.0, count=3 * WIDEN_EVERY)[1]
    turns, proposals, settled = [Widening(plan(), 3000) for _ in range(3)], [], []
    for number in range(3 * WIDEN_EVERY):
        proposer = turns[(number // 4 + number % 3) % 3]
        proposer.restore(proposals, settled)
        proposals.append(proposer.ask(settled))
        settled.append(outcome(proposals[-1].params, 1000.0))
    assert [p.params for p in proposals] == [p.params for p in whole]


def test_a_range_is_widened_where_the_best_lies_at_its_edge():
    proposer, proposals = search(best_eta=1000.0, count=3 * WIDEN_EVERY)
    start = plan().space.distributions["training.eta"]
    now = proposer.space.distributions["training.eta"]
    assert now.high > start.high
    assert now.low == start.low
    etas = [p.params["training.eta"] for p in proposals]
    assert max(etas[:WIDEN_EVERY]) <= start.high < max(etas), "it searches there"
    joint = proposals[-1].params
    assert set(joint) >= {"training.eta", "training.lmbda", "training.mini_batch_size"}


def test_a_range_stays_where_the_best_lies_inside():
    proposer, _ = search(best_eta=0.5, count=2 * WIDEN_EVERY + 1)
    now, start = proposer.space.distributions, plan().space.distributions
    assert repr(now["training.eta"]) == repr(start["training.eta"])


@pytest.mark.parametrize("at", [(7,), (WIDEN_EVERY,), (WIDEN_EVERY + 1,), (2 * WIDEN_EVERY, 45)])
def test_a_search_that_is_taken_up_again_proposes_the_same(at):
    _, whole = search(best_eta=1000.0, count=50)
    _, again = search(best_eta=1000.0, count=50, restore_at=at)
    assert [p.params for p in again] == [p.params for p in whole]


def test_what_settled_early_by_chance_does_not_count():
    _, slow = search(best_eta=1000.0, count=50)
    _, fast = search(best_eta=1000.0, count=50, late=3)
    assert [p.params for p in fast] == [p.params for p in slow]


def test_the_best_of_those_not_yet_seen_does_not_widen():
    """Trial 20 sees trials 0 .. 16; one that lies at the edge among 17 .. 19 has to wait."""
    proposer, proposals, settled = Widening(plan(), 3000), [], []
    edge = plan().space.distributions["training.eta"].high
    for _ in range(WIDEN_EVERY):
        proposals.append(proposer.ask(settled))
        inside = Settled(True, (0.5 if 0.3 < proposals[-1].params["training.eta"] < 1 else 0.1,))
        settled.append(inside)
    proposals[-1].params["training.eta"] = edge
    settled[-1] = Settled(True, (0.9,))
    space = widened(plan().space, plan(), proposals, settled, WIDEN_EVERY, 3000)
    assert space.distributions["training.eta"].high == edge
    proposals[3].params["training.eta"], settled[3] = edge, Settled(True, (0.95,))
    space = widened(plan().space, plan(), proposals, settled, WIDEN_EVERY, 3000)
    assert space.distributions["training.eta"].high == 8 * edge


FLOAT, INT = FloatDistribution, IntDistribution
WIDER = [  # a setting, its range, where the best trial lies, and the range then
    ("training.eta", FLOAT(0.0625, 4.0, log=True), 4.0, FLOAT(0.0625, 32.0, log=True)),
    ("training.eta", FLOAT(0.0625, 4.0, log=True), 0.0625, FLOAT(0.0078125, 4.0, log=True)),
    ("training.eta", FLOAT(0.001, 10.0), 0.09, FLOAT(0.000125, 10.0)),  # above the geometric mean
    ("training.lmbda", FLOAT(0.0, 1.0), 1.0, FLOAT(0.0, 10.0)),
    ("training.lmbda", FLOAT(0.0, 1.0), 0.0, None),
    ("training.lmbda", FLOAT(0.0, 1.0), 0.005, None),
    ("training.lmbda", FLOAT(-2.0, 1.0), -2.0, FLOAT(-20.0, 1.0)),
    ("training.lmbda", FLOAT(-2.0, 1.0), 1.0, FLOAT(-2.0, 10.0)),
    ("training.lmbda", FLOAT(-2.0, -1.0), -1.0, FLOAT(-2.0, -0.1)),
    ("training.eta", FLOAT(0.1, 0.5, step=0.1), 0.5, FLOAT(0.1, 4.0, step=0.1)),
    ("training.eta", FLOAT(0.3, 0.5, step=0.1), 0.3, FLOAT(0.1, 0.5, step=0.1)),
    ("training.lmbda", FLOAT(0.0, 0.6, step=0.2), 0.6, FLOAT(0.0, 6.0, step=0.2)),
    ("training.mini_batch_size", INT(5, 80, log=True), 80, INT(5, 320, log=True)),
    ("training.mini_batch_size", INT(5, 80, log=True), 5, INT(1, 80, log=True)),
    ("training.mini_batch_size", INT(5, 2000), 2000, INT(5, 3000)),
    ("training.mini_batch_size", INT(5, 3000), 3000, None),
    ("training.mini_batch_size", INT(10, 50, step=20), 50, INT(10, 190, step=20)),
    ("training.mini_batch_size", INT(30, 50, step=10), 30, INT(10, 50, step=10)),
    ("training.mini_batch_size", INT(10, 2010, step=500), 2010, INT(10, 2510, step=500)),
    ("network.hidden.width_1", INT(40, 200, log=True), 200, INT(40, 500, log=True)),
    ("network.hidden.width_1", INT(1, 200, log=True), 1, None),
    ("training.momentum", FLOAT(0.5, 0.99), 0.99, None),  # has no factor: as declared
]


@pytest.mark.parametrize(("name", "now", "value", "wider"), WIDER, ids=repr)
def test_the_end_at_which_the_best_lies_moves(name, now, value, wider):
    a_plan = replace(plan(), space=SearchSpace({name: now}))
    proposals = [Proposal(i, {name: value}) for i in range(WIDEN_EVERY)]
    settled = [Settled(True, (0.5,))] * WIDEN_EVERY
    space = widened(a_plan.space, a_plan, proposals, settled, WIDEN_EVERY, 3000)
    assert (space is a_plan.space) == (wider is None)
    assert space.distributions[name] == (wider or now)
    assert contains(space.distributions[name], value)
    if wider is not None:
        assert type(space.distributions[name].low) is type(now.low)


def test_a_grid_stays_as_it_is():
    steps = SearchSpace({"training.eta": FLOAT(0.1, 0.5, step=0.1)})
    a_plan = replace(plan(), space=steps, sampler={"name": "grid"})
    proposals = [Proposal(i, {"training.eta": 0.5}) for i in range(WIDEN_EVERY)]
    settled = [Settled(True, (0.5,))] * WIDEN_EVERY
    assert widened(steps, a_plan, proposals, settled, WIDEN_EVERY, 3000) is steps


def test_optunas_database_takes_trials_of_a_range_that_grew(tmp_path):
    _, proposals = search(best_eta=1000.0, count=WIDEN_EVERY + 5)
    study = search_of(tmp_path, "study.name=joint")
    space = plan().space.distributions
    seen = SimpleNamespace(
        config=study.config, name="joint", id="id", directions=study.directions,
        objective_names=study.objective_names, space=plan().space, proposal=proposals.__getitem__,
        settled=lambda trial: SimpleNamespace(complete=True, values=(0.5,), scores=()),
    )  # fmt: skip
    view = OptunaView(seen)
    result = SimpleNamespace(state="complete", reason="", started=0.0, ended=1.0)
    for number in range(len(proposals)):
        view.log(SimpleNamespace(number=number, result=result))
    assert view.close() is None
    shown = optuna.load_study(study_name="joint", storage=url_below(tmp_path, "optuna")).trials
    assert [trial.params for trial in shown] == [p.params for p in proposals]
    ranges = [trial.distributions["training.eta"].high for trial in shown]
    assert min(ranges) == space["training.eta"].high < max(ranges)


@pytest.mark.parametrize(("finished", "total"), [(0, 20), (2, 20), (3, 5), (4, 5), (9, 5)])
def test_a_search_ends_once_those_under_way_spend_its_share(tmp_path, finished, total):
    """Of trials of one unit each, three and the two that don't see the third spend a share of 5."""
    study = study_of(tmp_path, "study.lag=3", "study.n_trials=20")
    facts = facts_of(study, "joint", study.config.run)
    facts = replace(facts, share=5 * facts.work(facts.base, 1))
    result = SimpleNamespace(config=facts.base, result=SimpleNamespace(epochs=1))
    some = SimpleNamespace(first=lambda count: [result] * count)
    source = Sampled(study.config, study.identity, facts, ())
    assert source.total(some, finished) == total


def sampled_after(start, found):
    """The joint search after the stages of chapter 3, which found a run."""
    from nndl_exp.study.study import Study
    from nndl_exp.sweep import sweep_config

    study = Study(replace(sweep_config(compose("sweep", ["tracking=none"])), run=start))
    return Sampled(study.config, "x", facts_of(study, "joint", found), ())


def test_the_point_found_and_the_start_are_tried_first():
    start = RunConfig(training=TrainingConfig(eta=0.25))
    first = sampled_after(start, FOUND).plan.enqueue
    assert [point["training.eta"] for point in first] == [0.5], "lmbda 0 lies outside of the range"
    inside = replace(start, training=replace(start.training, lmbda=1.0))
    first = sampled_after(inside, FOUND).plan.enqueue
    assert [point["training.eta"] for point in first] == [0.5, 0.25]
    first = sampled_after(FOUND, FOUND).plan.enqueue
    assert len(first) == 1


def test_techniques_that_were_kept_have_ranges():
    kept = replace(FOUND, training=replace(FOUND.training, momentum=0.9))
    space = sampled_after(FOUND, kept).declared.distributions
    assert (space["training.momentum"].low, space["training.momentum"].high) == (0.0, 0.99)
    assert "training.dropout" not in space
    typed = sampled_after(kept, kept).declared.distributions
    assert "training.momentum" not in typed, "it was typed, not found"
