"""A study as a value: its identity, what it refuses, its winner."""

from dataclasses import replace

import pytest
from studies import SERIAL, lead, run_small, search_of, study_of, table

from nndl_exp.config import RunConfig, TrainingConfig
from nndl_exp.errors import UserError
from nndl_exp.records import Result
from nndl_exp.study.running.stop import Ended
from nndl_exp.study.search import Trial, ranked
from nndl_exp.study.study import Study
from nndl_exp.study.winner import not_distinguishable, pareto_front, size, verdict, winner


def test_the_name_carries_the_identity(tmp_path):
    names = {
        study_of(tmp_path, *words).name
        for words in (
            (), ("study.lag=5",), ("study.seed=1",), ("seed=1",), ("sampler=random",),
            ("search_space.training.eta.high=5",), ("pruner=none",), ("training.epochs=5",),
        )
    }  # fmt: skip
    assert len(names) == 8
    same = ("study.n_trials=99", "workers=7", "executor=serial", "tracking=mlflow",
            "study.budget=9s")  # fmt: skip
    assert study_of(tmp_path, *same).name == study_of(tmp_path).name


def test_a_changed_identity_is_refused_with_what_changed(tmp_path):
    run_small(tmp_path, *SERIAL, "study.name=mine", "study.n_trials=2")
    with pytest.raises(UserError) as error:
        lead(search_of(tmp_path, *SERIAL, "study.name=mine", "study.lag=9", "training.epochs=3"))
    message = str(error.value)
    assert "the study mine exists with other settings" in message
    assert "run.training.epochs was 4, now 3" in message
    assert "study.lag was 4, now 9" in message


@pytest.mark.parametrize("name", ["../out", "/abs", "a/b", "", "x" * 101, "a b", "ü", ".hidden"])
def test_a_name_cannot_leave_the_output_folder(tmp_path, name):
    import json

    with pytest.raises(UserError, match=r"study\.name must be 1 to 100 letters"):
        search_of(tmp_path, f"study.name={json.dumps(name)}")


def test_open_reads_a_study_back(tmp_path):
    search, study = (of(tmp_path, *SERIAL, "study.n_trials=3") for of in (search_of, study_of))
    lead(search)
    (again,) = Study.open(tmp_path, study.name).stages()
    assert again.search.plan == search.plan
    assert table(again.search).equals(table(search))
    with pytest.raises(UserError, match=f"no such study: nope .there are {study.name}"):
        Study.open(tmp_path, "nope")
    with pytest.raises(UserError, match="no such study"):
        Study.open(tmp_path, "../studies")


def test_a_mini_batch_larger_than_the_training_set_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"must not exceed .* \(50\): got 100"):
        search_of(
            tmp_path, "dataset.training_size=50", "search_space.training.mini_batch_size.high=100"
        )


def test_enqueued_trials_come_first(tmp_path):
    found = run_small(
        tmp_path, *SERIAL, "study.n_trials=3",
        "study.enqueue=[{training.eta: 0.5, network.hidden: [30, 20]}, {training.lmbda: 0.1}]",
    )  # fmt: skip
    assert found["training.eta"][0] == 0.5
    assert found["network.hidden"][0] == [30, 20]
    assert found["training.lmbda"][1] == 0.1


def test_a_grid_ends_with_its_points(tmp_path):
    study = search_of(
        tmp_path, *SERIAL, "sampler=grid", "search_space=grid", "pruner=none",
        "search_space.training.lmbda=null", "search_space.network.hidden=null",
        "study.n_trials=99", "training.epochs=1",
    )  # fmt: skip
    assert study.total(0) == 6
    lead(study)
    points = table(study)[["training.eta", "training.mini_batch_size"]]
    assert len(points.drop_duplicates()) == len(points) == 6


def test_the_winner_is_the_best_completed_trial(tmp_path):
    study = search_of(tmp_path, *SERIAL)
    lead(study)
    trials = study.trials()
    best = winner(study, trials)
    complete = [t for t in trials if t.result.state == "complete"]
    accuracy = max(t.result.validation_accuracy for t in complete)
    assert best.result.validation_accuracy == accuracy
    assert best.number == min(
        t.number for t in complete if t.result.validation_accuracy == accuracy
    )
    assert best.number not in not_distinguishable(study, trials, best)
    assert winner(study, []) is None


def test_a_study_can_be_judged_by_cost(tmp_path):
    study = search_of(tmp_path, *SERIAL, "training.judged_by=validation_cost")
    lead(study)
    best = winner(study, study.trials())
    costs = [t.result.validation_cost for t in study.trials() if t.result.state == "complete"]
    assert best.result.validation_cost == min(costs)


@pytest.mark.parametrize("second", ["parameters", "multiply_adds"])
def test_two_objectives_give_a_front_and_a_small_winner(tmp_path, second):
    study = search_of(tmp_path, *SERIAL, f"study.second_objective={second}")
    assert study.plan.pruner == {"name": "none"}
    lead(study)
    trials = study.trials()
    front = pareto_front(study, trials)
    sizes = [size(study, trial) for trial in front]
    accuracies = [trial.result.validation_accuracy for trial in front]
    assert sizes == sorted(sizes)
    assert accuracies == sorted(accuracies)
    best, top = winner(study, trials), max(trials, key=lambda t: t.result.validation_accuracy)
    assert size(study, best) <= size(study, top)
    assert best.number in [*not_distinguishable(study, trials, top), top.number]


DIVERGING = ("network.activation=relu", "network.output=linear", "network.cost=quadratic",
             "search_space.training.eta.low=1e6", "search_space.training.eta.high=1e7",
             "search_space.training.lmbda=null")  # fmt: skip


def test_a_study_of_diverging_trials_ends_without_a_winner(tmp_path):
    study = search_of(tmp_path, *SERIAL, *DIVERGING, "study.n_trials=6")
    assert lead(study).report.ended is Ended.COMPLETE
    assert set(table(study)["state"]) == {"diverged"}
    assert winner(study, study.trials()) is None


def test_a_study_of_which_every_trial_fails_stops_early_and_says_so(tmp_path):
    words = (*DIVERGING, "study.n_trials=30", "study.name=hopeless")
    study = search_of(tmp_path / "1", *SERIAL, *words)
    assert lead(study).report.why == (
        "the first 10 trials all failed (trial 0: cost is not finite at epoch 1): mend the run or "
        "the search space, or go on with study.give_up_after=20"
    )
    early = table(study)
    assert len(early) == 10
    assert run_small(tmp_path / "2", "workers=2", *words).equals(early)
    again = search_of(tmp_path / "1", *SERIAL, *words, "study.give_up_after=0")
    assert lead(again).report.ended is Ended.COMPLETE
    assert len(table(again)) == 30
    assert table(again).head(10).equals(early)


@pytest.mark.parametrize("judged_by", ["validation_accuracy", "validation_cost"])
def test_trials_are_ranked_by_the_objective_and_of_equals_the_first_leads(judged_by):
    def trial(number, accuracy, cost, state="complete"):
        result = Result(state, "", 1, 1, accuracy, cost, 1.0, {}, 0.0, 1.0)
        return Trial(number, RunConfig(training=TrainingConfig(judged_by=judged_by)), result)

    trials = [trial(0, 0.9, 0.2), trial(1, 0.8, 0.1), trial(2, 0.9, 0.2), trial(3, 0.8, 0.1),
              trial(4, 0.99, 0.01, "pruned")]  # fmt: skip
    best_first = [0, 2, 1, 3] if judged_by == "validation_accuracy" else [1, 3, 0, 2]
    assert [t.number for t in ranked(reversed(trials))] == best_first
    assert trials[4].goodness == float("-inf")


def test_a_better_trial_that_was_pruned_and_the_luck_of_the_best_are_said(tmp_path):
    search = search_of(tmp_path, *SERIAL, "study.n_trials=4")
    lead(search)
    trials = search.trials()
    best = winner(search, trials)
    pruned = replace(best, number=9, result=replace(best.result, state="pruned",
                                                    validation_accuracy=0.999))  # fmt: skip
    said = verdict(search, [*trials, pruned], best)
    assert "trial 9 was pruned although it had reached more: 99.90 %" in said
    assert not any("pruned" in words for words in verdict(search, trials, best))
    decision = study_of(tmp_path, *SERIAL, "study.n_trials=4").stages()
    words = next(decision).decision().words[0]
    assert words.endswith("chosen as the best of 4: expect less with other seeds")
