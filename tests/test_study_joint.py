"""The joint search after the stages: ranges around what was found, which grow at their edges."""

from dataclasses import replace

import optuna
import pytest
from studies import study_of

from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig, TrainingConfig
from nndl_exp.study.proposing.proposer import Settled
from nndl_exp.study.proposing.widening import WIDEN_EVERY, Widening, widened
from nndl_exp.study.stages.joint import centred
from nndl_exp.tracking.optuna_view import OptunaTrial, OptunaView, sqlite_url

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


def plan():
    from nndl_exp.study.study import Study
    from nndl_exp.sweep import sweep_config

    config = sweep_config(compose("sweep", ["tracking=none", "study.lag=4"]))
    entries, _ = centred(SPACE, FOUND, 1000)
    return Study(replace(config, run=FOUND, search_space=entries)).plan


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
    space, changed = widened(plan().space, plan(), proposals, settled, WIDEN_EVERY, 3000)
    assert space.distributions["training.eta"].high == edge
    proposals[3].params["training.eta"], settled[3] = edge, Settled(True, (0.95,))
    space, changed = widened(plan().space, plan(), proposals, settled, WIDEN_EVERY, 3000)
    assert changed
    assert space.distributions["training.eta"].high == 8 * edge


def test_optunas_database_takes_trials_of_a_range_that_grew(tmp_path):
    _, proposals = search(best_eta=1000.0, count=WIDEN_EVERY + 5)
    study = study_of(tmp_path, "study.name=joint")
    names, space = study.objective_names, plan().space.distributions
    view = OptunaView(study.config, "joint", "id", study.directions, names, space)
    view.write(
        len(proposals),
        lambda n: OptunaTrial(True, proposals[n].params, (0.5,), (), {}, 0.0, 1.0),
    )
    view.close()
    shown = optuna.load_study(study_name="joint", storage=sqlite_url(tmp_path)).trials
    assert [trial.params for trial in shown] == [p.params for p in proposals]
    ranges = [trial.distributions["training.eta"].high for trial in shown]
    assert min(ranges) == space["training.eta"].high < max(ranges)
