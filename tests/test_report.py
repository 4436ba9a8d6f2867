"""The report of a study: its text, its tables, its files, and what it refuses."""

import time

import numpy as np
import pandas as pd
import pytest
from studies import SERIAL, lead, search_of, study_of

from nndl_exp.display.files import write_tables
from nndl_exp.display.findings import analyse
from nndl_exp.report import main
from nndl_exp.run import Run
from nndl_exp.study.search import table

FIGURES = ("best_so_far", "slices", "landscape", "parallel_coordinates", "importances")


def report(search, capsys, *words) -> str:
    """What is printed; the page is there whatever the study has come to."""
    main([search.directory.parent.parent.name, "--output", search.config.output, *words])
    page = (search.directory.parent.parent / "report.html").read_text()
    won = any(trial.result.state == "complete" for trial in search.trials())
    assert ("No trial has trained to its end" in page) != won
    assert ('id="learning_curves"' in page) == won
    assert ('id="pareto_front"' in page) == (won and search.config.study.second_objective != "none")
    return capsys.readouterr().out


def figures_of(search) -> set[str]:
    return {path.name for path in search.directory.glob("figures/*")}


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    search = search_of(tmp_path_factory.mktemp("led"), *SERIAL, "pruner.n_startup_trials=2",
                     "pruner.n_warmup_steps=2", "study.n_trials=24")  # fmt: skip
    lead(search)
    return search


def test_the_report_shows_best_trials_importances_and_the_winners_place(led, capsys):
    lines = report(led, capsys).splitlines()
    rows, trials = table([led]), led.trials()
    complete = rows[rows["state"] == "complete"]
    assert lines[0] == "joint search · 24 trials"
    searched = f"search   {led.name} · 24 of 24 trials: {len(complete)} complete"
    assert sum(line.startswith(searched) for line in lines) == 1
    best = complete.sort_values("validation_accuracy", ascending=False, kind="stable")["trial"]
    start = next(i for i, line in enumerate(lines) if line.startswith("   #  accuracy"))
    assert [int(line.split()[0]) for line in lines[start + 1 : start + 6]] == list(best[:5])
    analysis = analyse(led, trials)
    at = next(i for i, line in enumerate(lines) if line.startswith("importance  of being among"))
    shares = lines[at + 1 : at + 1 + len(analysis.importances)]
    assert [line.split()[0] for line in shares] == [
        name.rpartition(".")[2] for name in analysis.importances
    ]
    percents = [int(line.split()[1]) for line in shares]
    assert percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=3)
    won = f"winner   trial {best.iloc[0]}, in the ranges that were searched"
    name, value, low, strip, high, log, *_ = lines[lines.index(won) + 1].split()
    eta = trials[analysis.winner].config.training.eta
    assert (name, low, high, log) == ("eta", "0.001", "10", "log")
    assert float(value) == float(f"{eta:.3g}")
    assert strip.index("●") / (len(strip) - 1) == pytest.approx((np.log10(eta) + 3) / 4, abs=0.03)


def test_the_files_are_named_and_written(led, capsys):
    printed = report(led, capsys, "--format", "svg", "--format", "png")
    for name in FIGURES:
        for suffix in ("svg", "png"):
            assert str(led.directory / "figures" / f"{name}.{suffix}") in printed
    assert figures_of(led) >= {f"{name}.{s}" for name in FIGURES for s in ("svg", "png")}
    assert str(led.directory.parent.parent / "trials.parquet") in printed


def test_the_tables_are_the_trials(led):
    csv, parquet = write_tables(led.directory.parent.parent, [led])
    rows, columnar = table([led]), pd.read_parquet(parquet)
    assert list(columnar.columns) == list(rows.columns)
    assert set(columnar["stage"]) == {"joint"}
    for name in rows.columns.drop("network.hidden"):
        assert columnar[name].equals(rows[name]), name
    assert [list(widths) for widths in columnar["network.hidden"]] == list(rows["network.hidden"])
    again = pd.read_csv(csv)
    np.testing.assert_array_equal(again["validation_cost"], rows["validation_cost"])
    assert len(again) == 24


def test_a_column_of_mixed_kinds_is_written_as_json(tmp_path):
    search = search_of(
        tmp_path, *SERIAL, "study.n_trials=6", "sampler=random", "network.hidden=[10,10]",
        "+search_space.training.dropout={choices: [0.1, [0.2, 0.3], [0.1, 0.4]]}",
        "training.epochs=1",
    )  # fmt: skip
    lead(search)
    _, parquet = write_tables(search.directory.parent.parent, [search])
    assert {"0.1", "[0.2, 0.3]"} & set(pd.read_parquet(parquet)["training.dropout"])


def test_analysing_twice_gives_the_same(led):
    assert analyse(led, led.trials()) == analyse(led, led.trials())


def test_one_hyper_parameter(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "search_space.training.lmbda=null",
                     "search_space.training.mini_batch_size=null",
                     "search_space.network.hidden=null", "network.hidden=[10]")  # fmt: skip
    lead(search)
    printed = report(search, capsys)
    assert "  eta              100 %" in printed
    assert "no landscape: needs two ranges of numbers that every trial has" in printed
    assert "slices.png" in figures_of(search)
    assert "landscape.png" not in figures_of(search)


def test_choices_of_numbers_and_of_hidden_layers(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "search_space=grid", "pruner=none")
    lead(search)
    printed = report(search, capsys)
    assert "of 30, 100, 100-30" in printed
    assert "of 0.05, 0.25, 1" in printed
    assert {"slices.png", "parallel_coordinates.png"} <= figures_of(search)


@pytest.mark.parametrize("second", ["parameters", "multiply_adds"])
def test_two_objectives_have_a_front(tmp_path, capsys, second):
    search = search_of(tmp_path, *SERIAL, f"study.second_objective={second}")
    lead(search)
    analysis = analyse(search, search.trials())
    sizes = [analysis.points[number].size for number in analysis.front]
    assert sizes == sorted(sizes)
    assert "no pareto_front" not in report(search, capsys)
    assert "pareto_front.png" in figures_of(search)


def test_judged_by_cost(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "training.judged_by=validation_cost")
    lead(search)
    printed = report(search, capsys)
    analysis = analyse(search, search.trials())
    costs = {t.number: t.result.validation_cost for t in search.trials()}
    assert {p.number: p.value for p in analysis.of("complete", "pruned")} == costs
    assert f"winner   trial {analysis.winner}, " in printed


def test_diverged_trials(tmp_path, capsys):
    search = search_of(
        tmp_path, *SERIAL, "study.n_trials=3", "network.activation=relu", "network.output=linear",
        "network.cost=quadratic", "search_space.training.eta.low=1e6",
        "search_space.training.eta.high=1e7", "search_space.training.lmbda=null",
    )  # fmt: skip
    lead(search)
    printed = report(search, capsys)
    assert "3 of 3 trials: 3 diverged" in printed
    assert "importance  needs 10 completed trials: there are 0" in printed
    assert "winner   none: no trial trained to its end" in printed
    trials = pd.read_parquet(search.directory.parent.parent / "trials.parquet")
    assert trials["validation_accuracy"].isna().all()


def test_pruned_trials_only(tmp_path, capsys):
    study_of(tmp_path, "study.n_trials=2").create()
    search = search_of(tmp_path, "study.n_trials=2")
    params = {"training.eta": 0.5, "training.lmbda": 1.0, "training.mini_batch_size": 10}
    params |= {"network.hidden.layers": 1, "network.hidden.width_1": 10}
    config = search.space.apply(search.config.run, params)
    for number in range(2):
        with Run(config, search.run_directory(number), search.dataset) as run:
            next(iter(run))
            run.prune("by hand", {})
    printed = report(search, capsys)
    assert "2 of 2 trials: 2 pruned" in printed
    assert "winner   none" in printed
    assert "no parallel_coordinates: no trial has completed" in printed
    assert {"best_so_far.png", "slices.png"} <= figures_of(search)


@pytest.mark.parametrize("trials", [0, 1])
def test_no_trial_and_one(tmp_path, capsys, trials):
    words = (*SERIAL, f"study.n_trials={max(1, trials)}")
    study_of(tmp_path, *words).create()
    search = search_of(tmp_path, *words)
    if trials:
        lead(search)
    printed = report(search, capsys)
    assert ("1 of 1 trials: 1 complete" if trials else "joint search · 0 trials\n") in printed
    assert ("  not decided yet\n" in printed) == (not trials)
    assert len(pd.read_parquet(search.directory.parent.parent / "trials.parquet")) == trials
    assert ("best_so_far.png" in figures_of(search)) == bool(trials)


def test_a_figure_that_is_no_longer_possible_is_removed(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "study.n_trials=1", "search_space.network.hidden=null",
                      "search_space.training.lmbda=null",
                      "search_space.training.mini_batch_size=null")  # fmt: skip
    lead(search)
    old = search.directory / "figures" / "landscape.svg"
    old.parent.mkdir()
    old.write_text("old")
    assert "no landscape: needs two ranges" in report(search, capsys)
    assert not old.exists()


def test_a_folder_names_a_study_as_well(led, capsys):
    main([str(led.directory.parent.parent)])
    assert led.name in capsys.readouterr().out


def test_mistakes_are_one_line_and_quick(led, cli):
    start = time.monotonic()
    refused = cli.refused("nndl_exp.report", "nope", "--output", led.config.output)
    assert refused == f"no such study: nope (there are {led.directory.parent.parent.name})"
    assert cli.refused("nndl_exp.report", "nope") == (
        "no such study: nope (nndl-output/studies has none)"
    )
    assert "'bmp' is not one of 'png', 'svg', 'pdf'" in cli.refused(
        "nndl_exp.report", led.directory.parent.parent.name, "--format", "bmp"
    )
    assert "Missing argument 'STUDY'" in cli.refused("nndl_exp.report")
    assert (time.monotonic() - start) / 4 < 2, "nothing heavy is imported for an error"


@pytest.mark.long
def test_nndl_report_is_the_same_command(led, cli):
    printed = cli.ok(
        "nndl_exp", "report", led.directory.parent.parent.name, "--output", led.config.output
    )
    assert f"search   {led.name} · " in printed
    assert "trials.parquet" in cli.ok("nndl_exp", "report", "--help")
