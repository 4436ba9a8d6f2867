"""The report command of a study: what it prints and writes, and what it refuses."""

import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import SERIAL, lead, search_of, study_of

from nndl_exp.display.files import write_tables
from nndl_exp.report import main
from nndl_exp.run import Run
from nndl_exp.study.search import table


def report(search, capsys, *words) -> str:
    """The report's text; the file is there whatever the study has come to."""
    folder = search.directory.parent.parent
    main([folder.name, "--output", search.config.output, *words])
    page = folder / "report.html"
    assert capsys.readouterr().out == f"{page}\n"
    text = page.read_text()
    won = any(trial.result.state == "complete" for trial in search.trials())
    assert ("No trial has trained to its end" in text) != won
    assert ('id="recommended_curves"' in text) == won
    assert ('id="pareto_front"' in text) == (won and search.config.study.second_objective != "none")
    return text


def charts_of(text: str) -> set[str]:
    return set(re.findall(r'<figure id="(\w+)">\s*<h4>[^<]*</h4>\s*<p class="note needs">', text))


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    search = search_of(tmp_path_factory.mktemp("led"), *SERIAL, "pruner.n_startup_trials=2",
                     "pruner.n_warmup_steps=2", "study.n_trials=24")  # fmt: skip
    lead(search)
    return search


def test_it_prints_its_path_and_shows_the_search(led, capsys):
    text = report(led, capsys)
    assert charts_of(text) == {
        "history", "importances", "slices", "landscape", "parallel_coordinates", "learning_curves",
    }  # fmt: skip
    assert "24 trials" in text


@pytest.mark.parametrize("formats", [("png",), ("svg",), ("pdf", "png"), ()])
def test_figures_are_written_in_the_formats_that_were_asked_for(led, capsys, formats):
    folder = led.directory.parent.parent / "figures"
    for old in folder.glob("*"):
        old.unlink()
    report(led, capsys, *(word for name in formats for word in ("--format", name)))
    found = {path.suffix.removeprefix(".") for path in folder.glob("*")}
    assert found == set(formats or ("png",))
    assert len(list(folder.glob("*"))) == 6 * len(formats or ("png",))


def test_open_opens_it(led, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    report(led, capsys, "--open")
    assert opened == [(led.directory.parent.parent / "report.html").resolve().as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    main([str(led.directory.parent.parent), "--open"])
    assert "no browser was found: open the file yourself" in capsys.readouterr().out


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


def test_one_hyper_parameter(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "search_space.training.lmbda=null",
                     "search_space.training.mini_batch_size=null",
                     "search_space.network.hidden=null", "network.hidden=[10]")  # fmt: skip
    lead(search)
    text = report(search, capsys)
    assert "No landscape: needs two ranges of numbers that every trial has." in text
    assert "slices" in charts_of(text)


def test_choices_of_numbers_and_of_hidden_layers(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "search_space=grid", "pruner=none")
    lead(search)
    assert {"slices", "parallel_coordinates"} <= charts_of(report(search, capsys))


@pytest.mark.parametrize("second", ["parameters", "multiply_adds"])
def test_two_objectives_have_a_front(tmp_path, capsys, second):
    search = search_of(tmp_path, *SERIAL, f"study.second_objective={second}", "study.n_trials=12")
    lead(search)
    assert {"pareto_front", "importances"} <= charts_of(report(search, capsys))


def test_diverged_trials(tmp_path, capsys):
    search = search_of(
        tmp_path, *SERIAL, "study.n_trials=3", "network.activation=relu", "network.output=linear",
        "network.cost=quadratic", "search_space.training.eta.low=1e6",
        "search_space.training.eta.high=1e7", "search_space.training.lmbda=null",
    )  # fmt: skip
    lead(search)
    text = report(search, capsys)
    assert "3 trials (3 diverged)" in text
    assert "No importances: needs 10 completed trials: there are 0." in text
    assert charts_of(text) == set()
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
    text = report(search, capsys)
    assert "2 trials (2 pruned)" in text
    assert "No parallel coordinates: no trial has completed." in text
    assert charts_of(text) == {"slices", "learning_curves"}


@pytest.mark.parametrize("trials", [0, 1])
def test_no_trial_and_one(tmp_path, capsys, trials):
    words = (*SERIAL, f"study.n_trials={max(1, trials)}")
    study_of(tmp_path, *words).create()
    search = search_of(tmp_path, *words)
    if trials:
        lead(search)
    text = report(search, capsys)
    assert ("1 trial (1 complete)" if trials else "no trial has ended") in text
    assert ("not decided yet" in text) == (not trials)
    assert len(pd.read_parquet(search.directory.parent.parent / "trials.parquet")) == trials


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
    assert Path(printed.strip()).name == "report.html"
    assert "trials.parquet" in cli.ok("nndl_exp", "report", "--help")
