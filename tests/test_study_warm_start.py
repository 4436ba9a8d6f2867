"""A study that begins with what an earlier one found."""

import json
import shutil
from dataclasses import replace

import pytest
from studies import SERIAL, lead, run_small, search_of, study_of, table

from nndl_exp.errors import UserError
from nndl_exp.reproduce import main as reproduce
from nndl_exp.study import warm_start
from nndl_exp.study.study import Study

OLD = ("study.name=old", *SERIAL)
NEW = ("study.name=new", "study.warm_start=old", "study.n_trials=6", "study.seed=7")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """An output folder with a finished study."""
    folder = tmp_path_factory.mktemp("old")
    lead(search_of(folder, *OLD))
    return folder


@pytest.fixture
def output(old, tmp_path):
    shutil.copytree(old, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_all_trials_of_the_same_kind_are_known(output):
    search = search_of(output, *NEW, *SERIAL)
    (stage,) = Study.open(output, "old").stages()
    earlier = stage.search
    assert len(search.plan.known) == len(earlier.trials()) == 14
    for trial, (params, settled) in zip(earlier.trials(), search.plan.known, strict=True):
        assert params == earlier.space.params_of(earlier.varied(trial.config))
        assert settled.complete == (trial.result.state == "complete")
        if settled.complete:
            assert settled.values == (trial.result.validation_accuracy,)


def test_tpe_goes_on_from_what_is_known(output):
    """Without it the first ten proposals are drawn at random, whatever came out."""
    warm = run_small(output, *NEW, *SERIAL)
    cold = run_small(output, *NEW, *SERIAL, "study.name=cold", "study.warm_start=null")
    random = run_small(output, *NEW, *SERIAL, "study.name=random", "study.warm_start=null",
                       "sampler=random")  # fmt: skip
    assert list(cold["training.eta"]) == list(random["training.eta"])
    assert not set(warm["training.eta"]) & set(cold["training.eta"])
    assert len(warm) == 6


def test_workers_and_kills_change_nothing_nor_does_the_earlier_study(output):
    alone = run_small(output, *NEW, *SERIAL)
    shutil.rmtree(output / "studies" / "new")
    (output / "claims.db").unlink()
    study_of(output, *NEW, "workers=2").create()
    shutil.rmtree(output / "studies" / "old")  # its rows were copied
    search = search_of(output, *NEW, "workers=2")
    lead(search)
    assert table(search).equals(alone)


def test_the_study_is_reproduced(output, capsys):
    lead(search_of(output, *NEW, *SERIAL))
    shutil.rmtree(output / "studies" / "old")
    with pytest.raises(SystemExit) as end:
        reproduce(["new", "--output", str(output)])
    assert end.value.code == 0
    assert "joint search: 6 of 6 trials identical" in capsys.readouterr().out


def test_what_tells_nothing_of_the_new_study_is_left_out(output):
    narrow = search_of(output, *NEW, "search_space.training.eta.high=0.1")
    etas = [params["training.eta"] for params, _ in narrow.plan.known]
    assert 0 < len(etas) < len(study_of(output, *NEW).rows) == 14
    assert max(etas) <= 0.1
    longer = search_of(output, *NEW, "training.epochs=9", "seed=3")
    assert len(longer.plan.known) == 14, "how long was trained, and the seed, may differ"


MISTAKES = [
    (("study.warm_start=nope",), r"study\.warm_start: no such study: nope \(there are old\)"),
    (("study.warm_start=../studies/old",), "no such study"),
    (("study.name=old", "study.warm_start=old"), "no such study: old"),
    (("sampler=random",), "study.warm_start goes with sampler=tpe: got random"),
    (("strategy=race", "study.warm_start=null"), "strategy=race goes with study.warm_start=NAME, "),
    (("dataset.training_size=200",), "must have trials on the same dataset: got none"),
    (("dataset=digits_8x8",), "must have trials on the same dataset: got none"),
    (("network=relu",), "with the same settings otherwise: got none in 14"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_one_line(output, words, message):
    with pytest.raises(UserError, match=message) as error:
        search_of(output, *NEW, *words)
    assert "\n" not in str(error.value)
    assert not (output / "studies" / "new").exists()


def test_a_changed_copy_is_refused(output):
    study = study_of(output, *NEW)
    study.create()
    record = json.loads(study.rows_path.read_text())
    record["rows"][0]["settled"]["values"] = [1.0]
    study.rows_path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="it was changed"):
        search_of(output, *NEW)
    study.rows_path.write_text("{")
    with pytest.raises(UserError, match="it was changed"):
        Study.open(output, "new")


def test_the_joint_search_of_a_study_in_stages_knows_them_too(output):
    from nndl_exp.cli.hydra_config import compose
    from nndl_exp.sweep import sweep_config

    words = [*NEW, *SERIAL, "strategy=chapter3", "tracking=none",
             "dataset.training_size=300",
             "dataset.validation_size=100", "training.epochs=4", "study.lag=4",
             f"output={output}"]  # fmt: skip
    config = sweep_config(compose("sweep", [*words, "strategy.stages=[epochs,joint]"]))
    study = Study(config)
    *_, (stage, _) = study.run()
    assert stage.key == "joint"
    assert study.rows
    assert any("trials of old are known" in said for said in stage.source.notes)
    assert study.rows_path.is_file()


def test_the_best_of_a_plain_search_race_with_the_start(output):
    (search,) = Study.open(output, "old").stages()
    ranked = sorted(search.search.trials(), key=lambda trial: -trial.goodness)[:2]
    words = ("strategy=race", "strategy.options.winner.candidates=2", "study.name=race",
             "study.warm_start=old", *SERIAL)  # fmt: skip
    study = study_of(output, *words)
    decision = [stage.decision() for stage, _ in study.run()][-1]
    (stage,) = study.stages()
    raced = {replace(trial.config, seed=0) for trial in stage.search.trials()}
    assert raced == {*(trial.config for trial in ranked), study.config.run}
    assert {trial.config.seed for trial in stage.search.trials()} >= {1000, 1001, 1002}
    assert replace(decision.config, seed=0) in raced
    assert Study.open(output, "race").table().equals(study.table())


def test_the_sampler_does_not_matter_to_a_race(output):
    words = ("strategy=race", "study.name=race", "study.warm_start=old", *SERIAL)
    assert len(study_of(output, *words, "sampler=random").rows) == 14


def test_the_best_by_cost_have_the_lowest(output):
    rows = study_of(output, *NEW, *SERIAL).rows
    by_cost = [
        replace(row, config=replace(row.config, training=replace(
            row.config.training, judged_by="validation_cost")))
        for row in rows
    ]  # fmt: skip
    values = {row.config: row.settled.values[0] for row in by_cost if row.settled.complete}
    assert [values[config] for config in warm_start.best(by_cost)] == sorted(values.values())


def test_a_run_with_several_seeds_races_once(output):
    rows = study_of(output, *NEW, *SERIAL).rows
    twice = [replace(row, config=replace(row.config, seed=seed)) for row in rows for seed in (5, 6)]
    alone = [replace(config, seed=5) for config in warm_start.best(rows)]
    assert warm_start.best(twice) == alone
