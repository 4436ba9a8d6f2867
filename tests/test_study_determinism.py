"""The table of trials is a function of the study's identity: not of workers, speed or kills."""

import shutil

import pytest
from studies import SERIAL, lead, run_small, search_of, table

from nndl_exp.study.proposing.algorithms import PRUNERS, SAMPLERS
from nndl_exp.study.running.stop import Ended

SHORT = ("pruner.n_startup_trials=2", "pruner.n_warmup_steps=2")
CASES = [
    ("tpe", "median", "chapter3", (*SHORT, "study.seed=1")),
    ("random", "none", "chapter3", ()),
    ("grid", "percentile", "grid", SHORT),
    ("qmc", "successive_halving", "numeric", ("pruner.min_resource=1",)),
    ("cmaes", "hyperband", "numeric", ("pruner.min_resource=1",)),
]


def test_every_sampler_and_pruner_is_in_a_case():
    assert {case[0] for case in CASES} == set(SAMPLERS)
    assert {case[1] for case in CASES} == set(PRUNERS)


@pytest.mark.parametrize(("sampler", "pruner", "space", "words"), CASES, ids=lambda p: str(p))
def test_any_number_of_workers_gives_the_same_table_and_weights(
    tmp_path, sampler, pruner, space, words
):
    words = (f"sampler={sampler}", f"pruner={pruner}", f"search_space={space}", *words)
    alone = run_small(tmp_path / "1", *words, *SERIAL)
    assert len(alone) == 14
    if pruner != "none":
        assert (alone["state"] == "pruned").any(), "the case does not exercise its pruner"
    for workers in (2, 4):
        together = run_small(tmp_path / str(workers), *words, f"workers={workers}")
        assert together.equals(alone)


def test_more_trials_extend_a_study(tmp_path):
    at_once = run_small(tmp_path / "at_once", *SERIAL)
    run_small(tmp_path / "in_two", *SERIAL, "study.n_trials=5")
    assert run_small(tmp_path / "in_two", *SERIAL).equals(at_once)


@pytest.mark.parametrize("lost", ["claims.db*", "studies/*/stages/*/trials/*/proposal.json"])
def test_losing_the_claims_or_the_proposals_loses_nothing(tmp_path, lost):
    """The records decide: trials are proposed again and found done."""
    whole = run_small(tmp_path / "whole", *SERIAL)
    run_small(tmp_path / "lost", *SERIAL, "study.n_trials=9")
    for path in (tmp_path / "lost").glob(lost):
        path.unlink()
    study = search_of(tmp_path / "lost", *SERIAL)
    trained = {p: p.stat().st_mtime_ns for p in study.directory.glob("trials/*/result.json")}
    lead(study)
    assert table(study).equals(whole)
    assert all(path.stat().st_mtime_ns == then for path, then in trained.items())


@pytest.mark.parametrize("lost", ["trials/3", "trials/3/result.json", "trials"])
def test_losing_a_record_trains_that_trial_again(tmp_path, lost):
    study = search_of(tmp_path, *SERIAL)
    lead(study)
    whole = table(study)
    path = study.directory / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run_small(tmp_path, *SERIAL).equals(whole)


def test_a_budget_of_nothing_trains_nothing(tmp_path):
    study = search_of(tmp_path, *SERIAL, "study.budget=0s")
    assert lead(study).report.ended is Ended.TIME_IS_UP
    assert len(table(study)) == 0


def test_the_clock_cuts_a_settled_prefix_and_the_rest_goes_on(tmp_path):
    words = ("training.epochs=25", "training.stopping.name=none", "pruner=none", "study.n_trials=6")
    whole = run_small(tmp_path / "whole", *words, *SERIAL)
    study = search_of(tmp_path / "cut", *words, *SERIAL, "study.budget=0.15s")
    coordinator = lead(study)
    assert coordinator.report.ended is Ended.TIME_IS_UP
    cut = table(study)
    assert len(cut) < 6
    assert cut.equals(whole.head(len(cut))) or len(cut) == 0
    assert run_small(tmp_path / "cut", *words, *SERIAL).equals(whole)
