"""What each stage of chapter 3's strategy decides, given what its trials came to.

A stage's script is a function of its trials' results; here it is told results that a formula makes,
so that what it ought to find is known.
"""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from nndl_exp.api import load_config
from nndl_exp.config import (
    DatasetConfig,
    ExpansionConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from nndl_exp.display.report.verdict import network_text
from nndl_exp.display.words import run_text
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import data_of, run
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.scores import standard_error
from nndl_exp.study.stages.chapter3 import STAGES, settings, techniques
from nndl_exp.study.stages.script import Seen, play
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.training.epoch import Epoch, Moment
from nndl_exp.training.update_time import CONSTANTS, epoch_seconds

BASE = RunConfig(
    network=NetworkConfig(hidden=(30,)), training=TrainingConfig(eta=10.0, lmbda=1000.0)
)


def facts(base=BASE, **more) -> Facts:
    values = {"base": base, "n": 50_000, "n_in": 784, "classes": 10, "n_validation": 10_000,
              "chance": 0.1, "pictures": True, "share": 1e15, "left": 1e17,
              "earlier": (), "later": ("regularization",), "seed": 0, "start": base,
              "candidates": (base,)}  # fmt: skip
    return Facts(**(values | more))


def history(accuracies, costs=None, seconds=1.0, first_cost=3.0):
    costs = costs or [1.0] * len(accuracies)
    within = (Moment(0.0, 0, first_cost, 0.1, first_cost, 0.1),)
    return tuple(
        Epoch(i + 1, cost, a, cost, a, 0.5, seconds, within if i == 0 else ())
        for i, (a, cost) in enumerate(zip(accuracies, costs, strict=True))
    )


def all_right(seen):
    return np.ones(10_000)


class Told(Seen):
    """A trial whose networks are not looked at: their scores and costs are told."""

    @property
    def scores(self):
        return self.search(self) if self.ok else np.zeros(len(self.search(self)))

    @property
    def costs(self):
        return self.epochs[-1].training_cost, 2.0

    @property
    def standard_error(self):
        return math.sqrt(self.goodness * (1 - self.goodness) / 10_000) if self.ok else 0.0


def settled(number, params, config, epochs, state="complete", scores=all_right):
    best = max(range(len(epochs)), key=lambda i: epochs[i].validation_accuracy) + 1
    result = Result(state, "told", len(epochs), best, epochs[best - 1].validation_accuracy, 1.0,
                    1.0, {"best": "", "last": ""}, 0.0, 1.0, {})  # fmt: skip
    return Told(number, config, result, params, epochs, scores)


def play_out(
    name, outcome, given_facts, scores=all_right, **options
) -> tuple[Decision, list[Seen]]:
    """Play a stage to its decision; ``outcome(config)`` is (epochs, state) of a trial."""
    module = STAGES[name]
    chosen = module.Options(**options)
    start = module.start(given_facts, chosen)
    space = SearchSpace(module.space(given_facts, chosen))
    seen: list[Seen] = []
    for _ in range(50):
        planned, decision = play(module.script(given_facts, chosen), seen)
        if decision is not None:
            return decision, seen
        for params in planned[len(seen) :]:
            for name_, value in params.items():
                assert space.distributions[name_]._contains(
                    space.distributions[name_].to_internal_repr(value)
                ), f"{name_}={value} is not in the stage's space"
            config = space.apply(start, params)
            epochs, state = outcome(config)
            seen.append(settled(len(seen), params, config, epochs, state, scores))
    raise AssertionError("the stage does not end")


@pytest.mark.parametrize("name", ["any_learning", "learning_rate"])
def test_the_first_stages_drop_nothing(name):
    """A few epochs on a few images show whether η learns; dropout would only hide it."""
    training = TrainingConfig(dropout=(0.3,), input_dropout=0.2)
    base = RunConfig(network=NetworkConfig(hidden=(30,)), training=training)
    start = STAGES[name].start(facts(base), STAGES[name].Options())
    assert (start.training.dropout, start.training.input_dropout) == (0.0, 0.0)


def test_a_script_waits_for_its_whole_batch_and_is_played_again_alike():
    def script():
        first = yield [{"a": 1}, {"a": 2}]
        second = yield [{"a": len(first)}]
        return Decision(BASE, (f"{len(second)}",))

    def trial(i):
        return settled(i, {}, BASE, history([0.5]))

    assert play(script(), []) == ([{"a": 1}, {"a": 2}], None)
    assert play(script(), [trial(0)]) == ([{"a": 1}, {"a": 2}], None)
    assert play(script(), [trial(0), trial(1)]) == ([{"a": 1}, {"a": 2}, {"a": 2}], None)
    planned, decision = play(script(), [trial(0), trial(1), trial(2)])
    assert (len(planned), decision.words) == (3, ("1",))


def learns_below(eta, lmbda):
    def outcome(config):
        t = config.training
        if t.eta > 50:
            return history([0.1], [math.nan]), "diverged"
        good = t.eta <= eta and t.lmbda <= lmbda
        return history([0.6 if good else 0.1] * 4, [1.0 if good else 2.5] * 4), "complete"

    return outcome


def test_any_learning_goes_down_by_tens_until_it_is_better_than_any_constant_prediction():
    decision, seen = play_out("any_learning", learns_below(1.0, 1e9), facts())
    assert not decision.stop
    assert decision.config.training.eta == 1.0
    assert decision.config.training.lmbda == pytest.approx(1000), "rescaled to all images"
    assert {t.config.dataset.training_size for t in seen} == {1000}
    assert seen[0].config.training.lmbda == pytest.approx(20), "λ/n as it was (BOOK: 1000 to 20)"
    assert seen[0].config.network.hidden == ()
    assert seen[-1].config.network.hidden == (30,)


def test_any_learning_lowers_lambda_too_where_that_is_what_is_wrong():
    decision, _ = play_out("any_learning", learns_below(1e9, 0.5), facts())
    assert decision.config.training.lmbda <= 0.5 * 50
    assert decision.config.training.eta in (0.1, 10.0)


def costs(*of_epochs, accuracy=0.1):
    return lambda config: (history([accuracy] * len(of_epochs), list(of_epochs)), "complete")


def test_any_learning_says_how_far_it_went_when_nothing_learns():
    decision, seen = play_out("any_learning", costs(2.3, 2.0), facts(), rounds=2)
    assert decision.stop
    assert "from eta 0.1 to 1e+03" in decision.words[0]
    assert "(training cost 2, of a constant prediction 2)" in decision.words[0]
    assert len(seen) == 1 + 4 + 4 + 5
    as_typed = seen[-5:]
    assert {t.config.network.hidden for t in as_typed} == {(30,)}
    assert {t.config.dataset.training_size for t in as_typed} == {50_000}, "all rows"
    assert {t.config.training.lmbda for t in as_typed} == {0.0}
    assert sorted(t.config.training.eta for t in as_typed) == [0.1, 1, 10, 100, 1000]


@pytest.mark.parametrize(("cost", "learns"), [(1.97, True), (1.99, False)])
def test_learning_is_a_cost_1_percent_below_that_of_a_constant_prediction(cost, learns):
    """Whatever the validation accuracy, which on few rows is luck."""
    for accuracy in (0.0, 0.1, 0.9):
        decision, _ = play_out(
            "any_learning", costs(cost, accuracy=accuracy), facts(n_validation=30), rounds=1
        )
        assert not decision.stop, "in doubt it goes on"
        assert ("where it started" in decision.words[0]) == learns
        assert ("in doubt" in decision.words[0]) != learns
    assert decision.config.training.eta == 10 or learns


def test_what_only_the_network_as_typed_learns_goes_on_from_there():
    def outcome(config):
        t = config.training
        whole = config.network.hidden == (30,) and config.dataset.training_size == 50_000
        return history([0.5], [1.0 if whole and t.eta == 1.0 else 2.5]), "complete"

    decision, _ = play_out("any_learning", outcome, facts(), rounds=1)
    assert not decision.stop
    assert (decision.config.training.eta, decision.config.training.lmbda) == (1.0, 0.0)
    assert "as typed, on all 50,000, it does" in decision.words[0]


def test_few_rows_are_seen_as_often_as_many():
    module = STAGES["any_learning"]
    assert module.start(facts(n=250), module.Options()).training.epochs == 16
    assert "dataset.training_size" not in module.space(facts(n=1000), module.Options())


def falls_below(threshold_of_seed):
    def outcome(config):
        eta, seed = config.training.eta, config.seed
        if eta > 100:
            return history([0.1], [math.nan]), "diverged"
        falling = eta <= threshold_of_seed[seed % 3]
        return history([0.5] * 4, [2.0, 1.5, 1.2, 1.1] if falling else [2.0, 1.5, 1.6, 1.4]), (
            "complete"
        )

    return outcome


@pytest.mark.parametrize("start", [1e-4, 0.5, 30.0])
def test_the_learning_rate_is_half_of_the_median_threshold(start):
    base = RunConfig(training=TrainingConfig(eta=start, lmbda=3.0))
    decision, seen = play_out("learning_rate", falls_below([0.6, 0.6, 3.0]), facts(base))
    assert decision.config.training.eta == pytest.approx(0.3, rel=0.35)
    assert decision.config.training.lmbda == 0.0
    assert {t.config.seed for t in seen} == {0, 1, 2}
    assert all(t.config.training.lmbda == 0 for t in seen)


@pytest.mark.parametrize(
    ("later", "lmbda"), [(("epochs", "regularization"), 0.0), (("joint",), 5.0)]
)
def test_lambda_stays_unless_a_later_stage_is_to_choose_it(later, lmbda):
    base = RunConfig(training=TrainingConfig(eta=0.5, lmbda=5.0))
    decision, _ = play_out("learning_rate", falls_below([0.6] * 3), facts(base, later=later))
    assert decision.config.training.lmbda == lmbda


@pytest.mark.parametrize(("paid", "seeds"), [(0.5, 1), (2.5, 2), (10, 3)])
def test_the_learning_rate_takes_as_many_seeds_as_its_share_pays_for(paid, seeds):
    """Eight looks of 4 epochs on a tenth of the images."""
    base = RunConfig(training=TrainingConfig(eta=0.5))
    share = paid * facts(base).work(base, 8 * 4) / 10
    given_facts = facts(base, share=share)
    decision, seen = play_out("learning_rate", falls_below([0.6, 0.6, 3.0]), given_facts)
    assert len({t.config.seed for t in seen}) == seeds == len(decision.numbers["thresholds"])


@pytest.mark.parametrize(("paid", "images"), [(9.1, 5000), (4.5, 2500), (0.1, 1000)])
def test_a_stage_takes_as_many_images_as_its_share_pays_for(paid, images):
    share = paid * facts().work(BASE, 30) / 10
    start = STAGES["regularization"].start(facts(share=share), STAGES["regularization"].Options())
    assert start.dataset.training_size == pytest.approx(images, abs=1)
    assert start.training.lmbda == pytest.approx(BASE.training.lmbda * images / 50_000, rel=1e-3)


def test_without_a_threshold_the_learning_rate_stays():
    decision, _ = play_out("learning_rate", falls_below([1e-300] * 3), facts(), decades=3)
    assert not decision.stop, "it may learn although its cost does not fall in each epoch"
    assert decision.config == BASE
    assert "does not fall at every eta from 10 to 0.01" in decision.words[0]


def test_the_learning_rate_looks_at_the_last_of_its_trials():
    """The cost falls at 1 and at 10, and not at 100, the second and last of two decades."""
    base = RunConfig(training=TrainingConfig(eta=1.0))
    decision, _ = play_out("learning_rate", falls_below([30.0] * 3), facts(base), decades=2)
    assert "the training cost stops falling above eta 30" in decision.words[0]


def diverges(config):
    return history([0.1], [math.nan]), "diverged"


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("later", [(), ("joint", "winner")])
def test_where_every_training_diverges_a_stage_finds_nothing(name, later):
    """Those that look at η over many decades end the study; the others leave that to the last."""
    decision, seen = play_out(name, diverges, facts(later=later))
    assert decision.config == BASE
    assert "diverge" in decision.words[0]
    assert decision.stop == (not later or name in ("any_learning", "learning_rate"))
    assert len(seen) < 50


@pytest.mark.parametrize("name", STAGES)
def test_where_everything_ties_a_stage_changes_no_more_than_it_must(name):
    decision, _ = play_out(name, lambda config: (history([0.5] * 20), "complete"), facts())
    assert not decision.stop
    before, after = BASE.training, decision.config.training
    assert decision.config.network.hidden == (30,), "of equals the smaller"
    assert after.lmbda in (before.lmbda, 0.0)
    assert after.schedule == before.schedule


def test_a_candidate_that_never_trained_to_its_end_does_not_win():
    """R² may be below 0, which is what a training that failed is counted as."""
    large, small = candidates(100, 30)
    base = replace(large, dataset=DatasetConfig(task="numbers"))
    pair = tuple(replace(one, dataset=base.dataset) for one in (large, small))

    def outcome(config):
        return diverges(config) if config.network.hidden == (30,) else (history([0.1]), "complete")

    decision, _ = play_out(
        "winner", outcome, facts(base, candidates=pair), lambda seen: np.full(10_000, -0.5)
    )
    assert decision.config.network.hidden == (100,)
    assert "no training of hidden 30 (R² 0.000) came to its end" in decision.words


def test_the_number_of_epochs_is_the_shortest_patience_within_noise():
    rising = [0.5, 0.6, *[0.7] * 16, 0.9, *[0.9] * 41]  # stands still for 15 epochs
    decision, (trial,) = play_out("epochs", lambda config: (history(rising), "complete"), facts())
    assert len(trial.epochs) == trial.config.training.epochs == 60
    assert decision.config.training.stopping.n == 20, "10 would have stopped too early"
    decision, _ = play_out("epochs", lambda config: (history([0.9] * 60), "complete"), facts())
    assert decision.config.training.stopping.n == 10


def test_regularization_walks_by_tens_to_the_best_and_tunes_eta_again():
    def outcome(config):
        t = config.training
        off = abs(math.log10((t.lmbda or 1e-6) / 40)) + 0.1 * abs(math.log10(t.eta / 0.25))
        return history([0.99 - 0.02 * off]), "complete"

    base = RunConfig(training=TrainingConfig(eta=0.5))
    decision, seen = play_out("regularization", outcome, facts(base), images=10_000)
    assert decision.config.training.lmbda == pytest.approx(5 * 100 / 3), "rescaled to all images"
    assert "lmbda 167 for all 50,000" in decision.words[1]
    assert {t.config.dataset.training_size for t in seen} == {10_000}
    assert decision.config.training.eta == 0.25
    assert {0.0, 0.1, 1.0, 10.0, 100.0} <= {t.config.training.lmbda for t in seen}


@pytest.mark.parametrize(("gap", "expected"), [(0.001, 100.0), (0.02, 10.0)])
def test_of_lambdas_that_noise_does_not_tell_apart_the_largest_is_taken(gap, expected):
    """A standard error of 99 % of 10,000 images is 0.1 points."""

    def outcome(config):
        best = {0.0: 0.97, 0.1: 0.97, 1.0: 0.99, 10.0: 0.99 - 0.9 * gap}
        return history([best.get(round(config.training.lmbda, 6), 0.9)]), "complete"

    decision, _ = play_out("regularization", outcome, facts(), images=5_000)
    assert decision.config.training.lmbda == expected


def test_no_regularization_stays_none_where_it_only_harms():
    def outcome(config):
        return history([0.9 - 0.01 * config.training.lmbda**0.25]), "complete"

    decision, seen = play_out("regularization", outcome, facts(), decades=2)
    assert decision.config.training.lmbda == 0.0
    assert len(seen) <= 8


def mini_batch_sizes(seconds, slow_seed=None, loss_of_20=0.0, never_seed=None):
    """The stage played out where a training with m takes so many ``seconds`` an epoch; 20 is slow
    with one of the seeds, or loses some accuracy in the end."""

    def outcome(config):
        m = config.training.mini_batch_size
        epochs_needed = {5: 3, 10: 4, 20: 4, 50: 40, 100: 60}[m]
        if m == 20 and config.seed == slow_seed:
            epochs_needed = 30
        if config.seed == never_seed:
            return history([0.5] * 15, seconds=seconds[m]), "complete"
        more = 0.01 if config.seed else 0.0
        accuracies = [0.5] * (epochs_needed - 1) + [
            0.96 + more - (loss_of_20 if m == 20 and more else 0)
        ]
        return history(accuracies, seconds=seconds[m]), "complete"

    base = RunConfig(training=TrainingConfig(eta=0.2, mini_batch_size=10))
    return play_out("mini_batch_size", outcome, facts(base))


def test_the_mini_batch_size_is_the_fastest_to_a_common_accuracy_in_estimated_time():
    """20 needs less time than 5, which needs fewer epochs."""
    decision, seen = mini_batch_sizes({5: 3.0, 10: 2.0, 20: 0.5, 50: 0.4, 100: 0.3})
    assert decision.config.training.mini_batch_size == 20
    assert decision.config.training.eta == pytest.approx(0.4), "η is scaled with m"
    etas = [t.config.training.eta for t in seen]
    assert etas == pytest.approx([0.1, 0.2, 0.4, 1.0, 2.0, 0.4, 0.4, 0.2, 0.2])
    assert [t.config.seed for t in seen] == [0, 0, 0, 0, 0, 1, 2, 1, 2]
    assert len(decision.words) == 1, "measured time chooses the same"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"slow_seed": 2}, "not with each of 3 seeds"),
        ({"never_seed": 2}, "not with each of 3 seeds"),
        ({"loss_of_20": 0.002}, "less accurate"),  # with two of three seeds: 0.13 points
    ],
)
def test_the_mini_batch_size_stays_unless_the_gain_is_shown(case, why):
    """Half a standard error of 96 % of 10,000 images is 0.1 points."""
    decision, _ = mini_batch_sizes({5: 3.0, 10: 2.0, 20: 0.5, 50: 0.4, 100: 0.3}, **case)
    assert decision.config.training.mini_batch_size == 10
    assert decision.config.training.eta == 0.2
    assert f"but {why}: it stays 10; 10 ends at 96.0 % with eta 0.2" in decision.words[0]


def test_measured_time_does_not_change_the_mini_batch_size_but_is_told():
    decision, _ = mini_batch_sizes({5: 0.1, 10: 2.0, 20: 0.5, 50: 0.4, 100: 0.3})
    assert decision.config.training.mini_batch_size == 20
    assert decision.words[1].startswith("measured time would choose 5 (5: 0.3 s, 10: 8 s,")
    assert decision.numbers["measured"][20] == pytest.approx(2.0)
    sizes, m = (784, 100, 10), 20
    assert decision.numbers["estimated"][20] == pytest.approx(4 * epoch_seconds(sizes, m, 5_000))


@pytest.mark.parametrize(("n", "m", "updates"), [(100, 10, 10), (101, 10, 11), (9, 10, 1)])
def test_the_estimated_time_of_an_epoch_counts_updates_weights_products_and_neurons(n, m, updates):
    sizes = (4, 3, 2)
    update, weight, product, neuron = CONSTANTS
    one = update + 18 * weight + m * (18 * product + 5 * neuron)
    assert epoch_seconds(sizes, m, n) == pytest.approx(updates * one)


def test_the_architecture_grows_while_that_gains():
    def outcome(config):
        hidden = config.network.hidden
        width, layers = hidden[0], len(hidden)
        accuracy = 0.9 + 0.01 * min(width, 188) / 188 + (0.01 if layers == 2 else 0)
        return history([accuracy - 0.001 * (layers == 3)]), "complete"

    base = RunConfig(network=NetworkConfig(hidden=(30,)))
    decision, seen = play_out("architecture", outcome, facts(base))
    assert decision.config.network.hidden == (188, 188)
    tried = [list(t.config.network.hidden) for t in seen]
    assert tried[:5] == [[75], [75], [30], [188], [188]]


def test_only_networks_that_the_work_pays_for_are_tried():
    """Two trainings of it by the stage, and twelve by those to come."""
    base, wider = candidates(30, 75)
    one = facts(base).likely_work(wider)
    for left, widths in ((14.1, {30, 75}), (13.9, {30})):
        given_facts = facts(base, share=2.05 * one, left=left * one)
        decision, seen = play_out("architecture", half_right, given_facts, layers=1)
        assert {t.config.network.hidden[0] for t in seen} == widths
    assert f"75 was not tried: {settings.NOT_PAID}" in decision.words[0]
    given_facts = facts(base, share=1.9 * one)
    _, seen = play_out("architecture", half_right, given_facts, layers=1)
    assert len(seen) == 1


def test_the_architecture_goes_on_past_what_is_worse_by_noise_only():
    def outcome(config):
        accuracy = {(30,): 0.95, (75,): 0.949, (188,): 0.96}.get(config.network.hidden, 0.9)
        return history([accuracy]), "complete"

    base = RunConfig(network=NetworkConfig(hidden=(30,)))
    decision, _ = play_out("architecture", outcome, facts(base), layers=1)
    assert decision.config.network.hidden == (188,)


@pytest.mark.parametrize(("gain", "chosen"), [(0.0008, 30), (0.0015, 75)])
def test_a_larger_network_has_to_be_better_by_half_a_standard_error(gain, chosen):
    """Half of one of 95 % of 10,000 images is 0.11 points."""

    def outcome(config):
        return history([0.95 + gain * (config.network.hidden == (75,))]), "complete"

    base = RunConfig(network=NetworkConfig(hidden=(30,)))
    decision, _ = play_out("architecture", outcome, facts(base), layers=1, widest=75)
    assert decision.config.network.hidden == (chosen,)


def test_a_schedule_has_to_be_better_by_half_a_standard_error():
    """Of 96 % of 10,000 it is 0.2 points."""

    def outcome(gain):
        def told(config):
            halving = config.training.schedule.name == "plateau"
            return history([0.96 + gain * halving]), "complete"

        return told

    kept, _ = play_out("schedule", outcome(0.0009), facts())
    assert kept.config.training.schedule.name == "constant"
    taken, _ = play_out("schedule", outcome(0.0011), facts())
    assert (taken.config.training.schedule.name, taken.config.training.schedule.n) == ("plateau", 3)
    assert taken.config.training.stopping.name == "none", "the schedule ends it"


def test_no_schedule_is_tried_that_the_share_does_not_pay_for():
    one = facts().work(BASE, 1)
    _, seen = play_out("schedule", half_right, facts(share=61 * one))
    assert len(seen) == 3, "30 epochs, and twice about half of them"
    decision, seen = play_out("schedule", half_right, facts(share=59 * one))
    assert (decision.config, seen) == (BASE, [])
    assert decision.words == (f"halving was not tried: {settings.NOT_PAID}",)


def half_right(config):
    return history([0.5]), "complete"


def candidates(*widths):
    return tuple(RunConfig(network=NetworkConfig(hidden=(width,))) for width in widths)


def race(accuracies, *, spread=0.0, n=10_000, failing=(), **options):
    """A race of networks of these widths, the last of which is the start, by their accuracies; the
    same half of the mistakes is made by all. Returns the decision and the trials."""
    *others, start = candidates(*accuracies)
    shared = np.random.default_rng(0).random(n) < 0.5

    def scores(seen):
        (width,), seed = seen.config.network.hidden, seen.config.seed
        rng = np.random.default_rng((seed, width))
        accuracy = accuracies[width] + spread * rng.standard_normal()
        return np.where(shared, 1.0, rng.random(n) < 1 - 2 * (1 - accuracy)).astype(float)

    def outcome(config):
        failed = (config.network.hidden[0], config.seed) in failing
        return diverges(config) if failed else (history([0.95]), "complete")

    given_facts = facts(
        start, candidates=tuple(others), n_validation=n, used_seeds=frozenset({0, 1000, 1002})
    )
    return play_out("winner", outcome, given_facts, scores, **options)


def test_a_race_ends_when_one_is_better_than_all_others():
    decision, seen = race({100: 0.97, 30: 0.93, 50: 0.93})
    assert decision.config.network.hidden == (100,)
    assert len(seen) == 9, "three seeds each were enough"
    assert {t.config.seed for t in seen} == {1001, 1003, 1004}, "none that the search has used"
    first, *others = decision.words
    assert first.startswith("hidden 100: 9")
    assert " % (95 % interval 9" in first
    assert "in the mean of 3 new seeds on 10,000 examples (always naming the commonest" in first
    assert all(words.startswith("better than ") for words in others)
    assert len(others) == 2


def test_where_the_start_is_as_good_it_is_kept_and_said_first():
    decision, seen = race({100: 0.95, 30: 0.95, 50: 0.95}, spread=0.003)
    assert decision.config.network.hidden == (50,)
    assert decision.words[0].startswith(
        "tuning brought no improvement that can be shown; keep the start: 9"
    )
    assert len(seen) == 15
    assert sum("statistically tied with" in words for words in decision.words) == 2
    assert decision.words[-1].startswith("with 5 seeds and 10,000 examples, differences below 0.")
    assert decision.numbers["seeds"] == [5, 5, 5]


def test_the_race_has_as_many_candidates_as_five_seeds_of_all_are_paid_for():
    some = candidates(100, 30, 20, 50)
    started = facts(some[-1], candidates=some[:-1])
    _, seen = play_out("winner", half_right, started, candidates=2)
    assert {t.config.network.hidden for t in seen} == {(100,), (30,), (50,)}
    for seeds, raced in ((5.1, some), (4.9, (*some[:2], some[3])), (0.1, (some[0], some[3]))):
        share = seeds * sum(started.likely_work(one) for one in some)
        given_facts = facts(some[-1], candidates=some[:-1], share=share)
        _, seen = play_out("winner", half_right, given_facts, margin=0.0)
        assert {t.config.network.hidden for t in seen} == {one.network.hidden for one in raced}


@pytest.mark.parametrize(("seeds_paid", "seeds"), [(0.5, 3), (4.1, 4), (9.0, 5)])
def test_the_race_has_as_many_seeds_as_are_paid_for_by_what_the_first_three_took(seeds_paid, seeds):
    some = candidates(100, 50)
    share = seeds_paid * sum(facts().work(one, 25) for one in some)

    def outcome(config):
        return history([0.5] * 25), "complete"

    given_facts = facts(some[-1], candidates=some[:-1], share=share)
    _, seen = play_out("winner", outcome, given_facts, margin=0.0)
    assert len({t.config.seed for t in seen}) == seeds


def test_a_margin_counts_in_both_directions():
    """After 3 seeds the difference is -5.0 to +2.5 points: perhaps more than the margin."""
    rates = {100: (0.94, 0.95, 0.96), 50: (0.953, 0.962, 0.973)}
    easy = np.arange(10_000) / 10_000

    def scores(seen):
        of_width = rates[seen.config.network.hidden[0]]
        return (easy < of_width[seen.config.seed % 3]).astype(float)

    worse, start = candidates(100, 50)
    given_facts = facts(start, candidates=(worse,))
    _, seen = play_out("winner", half_right, given_facts, scores, margin=3.0)
    assert len(seen) == 10


def test_the_clearly_worse_drop_out_and_are_not_trained_on():
    decision, seen = race({100: 0.954, 30: 0.9, 50: 0.95}, spread=0.003, seeds=10)
    trained = [t.config.network.hidden[0] for t in seen]
    assert trained.count(30) == 3 < trained.count(100)
    assert len({(t.config.network.hidden, t.config.seed) for t in seen}) == len(seen)
    (of_dropped,) = (words for words in decision.words if "hidden 30" in words)
    assert of_dropped.startswith("better than")
    assert of_dropped.endswith("(after 3 seeds)")


def test_a_race_of_equals_ends_at_a_margin_that_does_not_matter():
    decision, seen = race({100: 0.95, 30: 0.95, 50: 0.95}, margin=2.0)
    assert len(seen) == 9
    assert decision.words[-1] == "tied for practical purposes: within 2 points"


def test_no_seed_is_trained_twice_in_a_race():
    _, seen = race({100: 0.95, 50: 0.95}, margin=0.0, seeds=10)
    assert len({(t.config.network.hidden, t.config.seed) for t in seen}) == len(seen) == 20


@pytest.mark.parametrize(
    ("options", "chosen"), [({}, 100), ({"margin": 1.5}, 30), ({"smaller": True}, 30)]
)
def test_a_smaller_network_wins_only_where_it_is_hardly_worse_or_asked_for(options, chosen):
    decision, _ = race({100: 0.951, 30: 0.95, 50: 0.85}, spread=0.002, **options)
    assert decision.config.network.hidden == (chosen,)
    assert ("small" in decision.words[0]) == (chosen == 30)


def test_a_training_that_failed_counts_as_a_constant_prediction():
    decision, _ = race({100: 0.97, 50: 0.95}, failing={(100, 1001)})
    means = decision.numbers["means"]
    assert means[0] == pytest.approx(0.97 * 4 / 5, abs=0.01), "0 with one of five seeds"
    assert decision.config.network.hidden == (50,)
    decision, _ = race({100: 0.97, 50: 0.95}, failing={(50, seed) for seed in range(1000, 1010)})
    assert decision.config.network.hidden == (100,)
    assert decision.words[1] == "no training of the start (0.0 %) came to its end"


def test_a_study_that_found_nothing_else_has_one_finalist():
    decision, seen = race({50: 0.95})
    assert len(seen) == 3
    assert decision.config.network.hidden == (50,)
    assert len(decision.words) == 1
    assert "tuning" not in decision.words[0]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_race_takes_at_least_three_seeds(seeds):
    with pytest.raises(ValueError, match="greater than or equal to 3"):
        STAGES["winner"].Options(seeds=seeds)


def technique(config):
    """The settings of a run by which the techniques differ, as the names of those it has."""
    has = {
        "shifts": config.training.expansion.name == "shifts",
        "tanh": config.network.activation == "tanh" and config.network.initializer == "glorot",
        "relu": config.network.activation == "relu" and config.network.initializer == "he",
        "softmax": config.network.output == "softmax" and config.network.cost == "log_likelihood",
        "momentum": config.training.momentum == 0.9,
        "dropout": config.training.dropout == 0.2,
    }
    return {name for name, there in has.items() if there}


def try_techniques(gains, base=None, n=10_000, **more):
    """Play the stage where each technique adds so much to an accuracy of 90 %."""
    options = {key: more.pop(key) for key in ("try_", "seeds") if key in more}
    base = base or RunConfig(training=TrainingConfig(eta=1.0))

    def accuracy(config):
        return 0.9 + sum(gains.get(name, 0.0) for name in technique(config))

    def scores(seen):
        rng = np.random.default_rng((seen.config.seed, len(technique(seen.config))))
        return (rng.random(n) < accuracy(seen.config)).astype(float)

    def outcome(config):
        return history([accuracy(config)]), "complete"

    return play_out("techniques", outcome, facts(base, n_validation=n, **more), scores, **options)


def test_a_technique_that_is_better_is_kept_and_the_next_tried_on_top_of_it():
    decision, seen = try_techniques({"shifts": 0.03, "tanh": -0.1, "momentum": 0.02})
    assert technique(decision.config) == {"shifts", "momentum"}
    assert decision.config.training.eta == pytest.approx(0.3), "momentum wants less"
    assert decision.config.seed == 0
    assert decision.words[0].startswith("kept shifts, momentum: ")
    assert " becomes 94." in decision.words[0] or " becomes 95." in decision.words[0]
    said = {words.split()[0]: words for words in decision.words[1:]}
    assert list(said) == ["shifts", "tanh", "relu", "softmax", "momentum", "dropout"]
    assert "kept, with eta 1" in said["shifts"]
    assert "80 % interval" in said["relu"]
    assert "not kept" in said["relu"]
    assert "behind with one seed" in said["tanh"]
    of_tanh = [t for t in seen if "tanh" in technique(t.config)]
    assert len(of_tanh) == 2, "two learning rates, and no further seeds"
    assert all("shifts" in technique(t.config) for t in seen if "momentum" in technique(t.config))
    assert {t.config.seed for t in seen} == {0, 1, 2}


def test_a_technique_that_is_behind_by_more_than_noise_gets_no_further_seeds():
    """A standard error of 90 % of 10,000 images is 0.3 points."""
    for gain, trained in ((-0.002, 4), (-0.0045, 2)):
        _, seen = try_techniques({"softmax": gain}, try_=("softmax",))
        assert len([t for t in seen if "softmax" in technique(t.config)]) == trained


def test_only_techniques_that_go_with_the_run_are_tried():
    numbers = replace(BASE, dataset=DatasetConfig(task="numbers"), network=NetworkConfig(hidden=()))
    decision, _ = try_techniques({}, numbers, pictures=False)
    assert [words.split()[0] for words in decision.words[1:]] == ["momentum"]
    kept = RunConfig(training=TrainingConfig(momentum=0.5, dropout=(0.1,)))
    decision, _ = try_techniques({}, kept, pictures=False)
    tried = [words.split()[0] for words in decision.words[1:]]
    assert tried == ["tanh", "relu", "softmax", "momentum"]


def test_without_a_technique_to_try_nothing_is_trained():
    decision, seen = try_techniques({}, try_=())
    assert not seen
    assert decision.words == ("nothing to try: the run stays as it was",)
    assert not decision.stop


def test_techniques_are_left_out_where_the_share_does_not_pay_for_them():
    base = RunConfig(training=TrainingConfig(eta=1.0, epochs=2))
    few = settings.fewer_images(facts(base), techniques.Options.images)
    one = facts(base).work(few, 1)
    decision, seen = try_techniques({}, base, share=7.9 * one)
    assert len(seen) == 6, "three as it is, three with shifts; dropout would take two or four"
    assert decision.words[-1] == f"dropout was not tried: {settings.NOT_PAID}"
    decision, seen = try_techniques({}, base, share=3.9 * one)
    assert (decision.words, seen) == ((f"none was tried: {settings.NOT_PAID}",), [])


def test_a_run_in_words_has_its_techniques():
    training = TrainingConfig(momentum=0.9, dropout=(0.2,), expansion=ExpansionConfig("shifts"))
    described = RunConfig(training=training)
    added = ("momentum 0.9", "dropout 0.2", "pictures with shifts")
    assert run_text(described)[1].endswith(" · ".join(added))
    assert network_text(described).endswith(f"mini-batches of 10, {', '.join(added)})")
    assert "momentum" not in run_text(RunConfig())[1]


def test_the_techniques_that_may_be_asked_for_are_those_there_are():
    assert get_args(techniques.Name) == tuple(techniques.TECHNIQUES)


@pytest.mark.parametrize("judged_by", ["validation_cost", "validation_accuracy"])
def test_the_standard_error_is_that_of_what_a_run_is_judged_by(tmp_path, judged_by):
    words = ["dataset=digits_8x8", "network.hidden=[10]", "training.epochs=2"]
    config = load_config([*words, f"training.judged_by={judged_by}"])
    result, directory = run(config, tmp_path / "run"), RunDirectory(tmp_path / "run")
    dataset, network = data_of(config), directory.network()
    x, y = dataset.validation.examples(10)
    a = np.array([network.predict(row[None])[0] for row in x], dtype=float)
    costs = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)
    p = result.validation_accuracy
    expected = {
        "validation_cost": costs.std() / math.sqrt(len(x)),
        "validation_accuracy": math.sqrt(p * (1 - p) / len(x)),
    }
    assert standard_error(directory, dataset) == pytest.approx(expected[judged_by], rel=1e-4)
