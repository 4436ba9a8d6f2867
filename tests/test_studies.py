"""``python -m nndl_exp.studies``, on studies that were really led."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace

import mlflow
import optuna
import pandas as pd
import pytest
from click.testing import CliRunner
from studies import SERIAL, search_of, study_of, table

from nndl_exp.cli.hydra_config import compose
from nndl_exp.cli.runs import find_run
from nndl_exp.config import RunConfig, TrackingConfig, parse
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.run import check, run
from nndl_exp.studies import command, main
from nndl_exp.study.scores import paired_scores
from nndl_exp.study.settings import study_names
from nndl_exp.study.study import Study
from nndl_exp.study.summary import summary
from nndl_exp.sweep import main as sweep
from nndl_exp.sweep import sweep_config
from nndl_exp.tracking.notes import Note
from nndl_exp.tracking.tracker import Tracker

STRONG = ("search_space.training.eta.low=0.5", "search_space.training.mini_batch_size.high=10")
WEAK = ("search_space.training.eta.low=0.0001", "search_space.training.eta.high=0.001")
STAGED = (
    "strategy=chapter3", "strategy.stages=[learning_rate,joint,winner]", "strategy.epochs=70",
    "strategy.options.learning_rate.epochs=2", "strategy.options.winner.candidates=2",
    "strategy.options.winner.seeds=3", "network.hidden=[12]", "training.eta=0.5",
    "study.n_trials=6", "study.lag=2", "pruner=none", "study.name=small", *SERIAL,
)  # fmt: skip


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A joint search, a weak one, one that is not complete, and a study in stages."""
    folder = tmp_path_factory.mktemp("output")
    for name, words in {"plain": STRONG, "weak": WEAK, "halted": ()}.items():
        list(study_of(folder, f"study.name={name}", "study.n_trials=5", *words, *SERIAL).run())
    halted = study_of(folder, "study.name=halted", "study.n_trials=9", *SERIAL).run()
    next(halted)
    halted.close()
    list(study_of(folder, *STAGED).run())
    return folder


def said(capsys, *words: str) -> str:
    capsys.readouterr()
    main(list(words))
    return capsys.readouterr().out


def test_the_list_has_a_line_for_each_study_the_last_one_first(output, capsys):
    lines = said(capsys, "--output", str(output)).splitlines()
    assert [line.split()[0] for line in lines] == ["study", "small", "halted", "weak", "plain"]
    rows = {line.split()[0]: line for line in lines}
    for name in ("plain", "weak", "small"):
        assert " complete" in rows[name], rows[name]
        assert "not complete" not in rows[name]
    assert "not complete" in rows["halted"]
    trials = table(search_of(output, "study.name=plain", "study.n_trials=5", *STRONG))
    best = trials[trials.state == "complete"].validation_accuracy.max()
    assert f" 5  {100 * best:.1f} % · best of the search" in rows["plain"]


def test_the_accuracy_of_a_study_is_the_mean_of_new_seeds(output, capsys):
    found = summary(output, "small")
    runs = [run.result().validation_accuracy for run in found.replicates()]
    assert len(runs) >= 3
    mean = f"{100 * sum(runs) / len(runs):.1f} %"
    named = f"{mean} · mean of {len(runs)} new seeds"
    (row,) = (
        line for line in said(capsys, "--output", str(output)).splitlines() if "small" in line
    )
    assert named in row
    shown = said(capsys, "--output", str(output), "show", "small")
    assert f"best     {found.best.name} · {named}\n" in shown
    both = said(capsys, "--output", str(output), "compare", "small", "plain")
    assert f"small  {named} ({found.replicates()[0].name})\n" in both
    assert re.search(r"^plain  [\d.]+ % · best of the search \(plain/joint/\d\)$", both, re.M)


def test_a_folder_without_studies_says_what_makes_one(tmp_path, capsys):
    assert "python -m nndl_exp.sweep makes one" in said(capsys, "--output", str(tmp_path))


def test_single_runs_are_listed_too(tmp_path, capsys):
    config = parse(RunConfig, {"dataset": {"name": "digits_8x8"}, "training": {"epochs": 1}})
    result = run(config, tmp_path / "runs/whole")
    RunDirectory(tmp_path / "runs/begun").create(config, check(config))
    (tmp_path / "runs/damaged").mkdir()
    (tmp_path / "runs/damaged/config.yaml").write_text("training: {eta: -1}")
    lines = said(capsys, "--output", str(tmp_path)).splitlines()
    assert re.split(" {2,}", lines[0].strip()) == ["run", "data", "best epoch", "state", "ended"]
    accuracy = f"{100 * result.validation_accuracy:.1f}"
    assert lines[1].split()[:5] == ["whole", "digits_8x8", accuracy, "%", "complete"]
    assert lines[2].split() == ["begun", "digits_8x8", "not", "complete"]
    assert lines[3].startswith("left out  ")
    assert "runs/damaged/config.yaml is not a run's config: training.eta must be" in lines[3]
    assert len(lines) == 4


def test_a_study_shows_its_best_trials(output, capsys, monkeypatch):
    monkeypatch.setattr("nndl_exp.cli.studies._SHOWN", 4)
    lines = said(capsys, "--output", str(output), "show", "small").splitlines()
    start = lines.index("") + 1
    assert lines[start].split() == ["trial", "stage", "state", "best", "epoch"]
    rows = [line.split() for line in lines[start + 1 : start + 5]]
    trials = Study.open(output, "small").table()
    complete = trials[trials.state == "complete"].sort_values(
        "validation_accuracy", ascending=False, kind="stable"
    )
    for row, (_, best) in zip(rows, complete.iterrows(), strict=False):
        accuracy = f"{100 * best.validation_accuracy:.1f}"
        assert row == [str(best.trial), best.stage, "complete", accuracy, "%"]
    assert lines[start + 5] == (
        f"and {len(trials) - 4} more: python -m nndl_exp.studies export small --csv FILE "
        f"--output {output}"
    )


@pytest.mark.long
def test_a_study_that_is_being_led_is_running(cli):
    words = ("strategy=joint", "study.name=now", "tracking=none", "workers=1", "study.n_trials=200")
    process = cli.start("nndl_exp.sweep", *words)
    try:
        trial = cli.folder / "nndl-output/studies/now/stages/joint/trials/0/result.json"
        while not trial.exists():
            assert process.poll() is None
        assert summary(cli.folder / "nndl-output", "now").state == "running"
        assert "must not be running" in cli.refused("nndl_exp.studies", "delete", "now", "--yes")
        assert trial.exists()
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert summary(cli.folder / "nndl-output", "now").state == "not complete"


def test_a_study_shows_what_was_decided_and_its_best_run_is_there(output, capsys):
    text = said(capsys, "--output", str(output), "show", "small")
    study = Study.open(output, "small")
    for stage in study.stages():
        assert f"→ {stage.decision().words[0]}" in text
    found = summary(output, "small")
    *_, last = study.stages()
    decided = last.decision().config
    assert replace(found.best.config(), seed=decided.seed) == decided
    name = found.best.name
    assert f"python -m nndl_exp.reproduce {name} --output {output}" in text
    assert find_run(name, str(output), TrackingConfig()).directory.path == found.best.path.resolve()


def test_the_output_folder_is_told_before_or_after_the_command(output, capsys):
    assert said(capsys, "show", "plain", "--output", str(output)) == said(
        capsys, "--output", str(output), "show", "plain"
    )


def test_the_difference_of_two_studies_is_that_of_their_best_runs(output, capsys):
    plain, weak = (summary(output, name) for name in ("plain", "weak"))
    gain = plain.result.validation_accuracy - weak.result.validation_accuracy
    ours, theirs = paired_scores(plain.replicates(), weak.replicates())
    assert ours.shape == theirs.shape == (1, 100)
    assert ours.mean() - theirs.mean() == pytest.approx(gain)
    text = said(capsys, "--output", str(output), "compare", "plain", "weak")
    assert f"{100 * gain:+.3g} points" in text
    assert "no interval · one seed, 100 validation examples" in text
    assert "none: one seed says nothing about other seeds" in text


@pytest.mark.parametrize("seeds", [2, 3])
def test_studies_are_compared_over_the_seeds_that_both_have(output, capsys, monkeypatch, seeds):
    small = summary(output, "small")
    runs = small.replicates()[:seeds]
    assert len(runs) == seeds
    monkeypatch.setattr("nndl_exp.study.summary.Summary.replicates", lambda study: runs)
    text = said(capsys, "--output", str(output), "compare", "small", "small")
    assert f"{seeds} seeds, 100 validation examples" in text
    assert "small and small are statistically tied" in text
    assert ("with two seeds, differences below" in text) == (seeds == 2)


def test_a_winner_that_was_trained_again_is_compared_with_all_its_seeds(output):
    small = summary(output, "small")
    stage = next(s for s in Study.open(output, "small").stages() if s.key == "winner")
    config = small.best.config()
    again = [t for t in stage.search.trials() if replace(t.config, seed=config.seed) == config]
    assert len(small.replicates()) == len(again) > 1


def test_studies_of_other_data_are_not_compared(output):
    words = ("study.name=other", "dataset=digits_8x8", "study.n_trials=2", *SERIAL)
    list(study_of(output, *words).run())
    with pytest.raises(UserError, match="must have the same validation set: got 100 examples of"):
        paired_scores(*(summary(output, name).replicates() for name in ("plain", "other")))


def test_a_study_is_exported_as_table_and_as_configuration(output, tmp_path, capsys):
    files = [tmp_path / f"all.{suffix}" for suffix in ("csv", "parquet", "yaml")]
    csv, parquet, yaml = map(str, files)
    said(capsys, "--output", str(output), "export", "small", "--csv", csv, "--parquet", parquet,
         "--yaml", yaml)  # fmt: skip
    exported, searches = pd.read_csv(csv), [s.search for s in Study.open(output, "small").stages()]
    assert list(dict.fromkeys(exported.stage)) == ["learning_rate", "joint", "winner"]
    for one in searches:
        mine = exported[exported.stage == one.key]
        assert mine.trial.tolist() == [trial.number for trial in one.trials()]
        assert mine.weights_sha256.tolist() == table(one).weights_sha256.tolist()
    assert (
        len(exported) == len(Study.open(output, "small").table()) == len(pd.read_parquet(parquet))
    )
    words = [f"from={yaml}", "training.epochs=1", "tracking=none", f"output={tmp_path}"]
    done = subprocess.run([sys.executable, "-m", "nndl_exp.train", *words], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "nope"], "no such study: nope (there are "),
        (["show", "../plain"], "no such study: ../plain"),
        (["compare", "plain", "nope"], "no such study: nope"),
        (["export", "plain"], "export must have one of --csv, --parquet or --yaml and a file"),
        (["export", "plain", "--csv", "/nowhere/x.csv"], "no such folder: /nowhere"),
        (["drop", "plain"], "No such command 'drop'."),
    ],
)
def test_mistakes_are_one_line(output, words, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--output", str(output), *words])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def interrupted(trials) -> None:
    """Lead a study until it has shown its eighth trial."""
    for number, _ in enumerate(trials, 1):
        if number == 8:
            break
    trials.close()


SEARCH = ("strategy=joint", "dataset=digits_8x8", "study.name=more", "training.epochs=2",
          "tracking=none", *SERIAL)  # fmt: skip


def test_a_study_that_was_extended_is_not_complete_before_all_is_there(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        sweep([*SEARCH, "study.n_trials=3", f"output={tmp_path}"])
    assert end.value.code == 0
    assert summary(tmp_path, "more").state == "complete"
    config = sweep_config(compose("sweep", [*SEARCH, "study.n_trials=10", f"output={tmp_path}"]))
    interrupted(Study(config).run())
    assert (summary(tmp_path, "more").trials, summary(tmp_path, "more").state) == (
        8,
        "not complete",
    )
    assert re.search(r"more .* 8 .* not complete", said(capsys, "--output", str(tmp_path)))
    assert "not complete · 8 trials" in said(capsys, "--output", str(tmp_path), "show", "more")
    list(Study(config).run())
    assert summary(tmp_path, "more").state == "complete"


def test_a_grid_is_complete_with_its_points(tmp_path):
    grid = ("sampler=grid", "search_space=grid", "pruner=none", "search_space.training.lmbda=null",
            "search_space.network.hidden=null", "study.n_trials=99")  # fmt: skip
    words = [*SEARCH, *grid, f"output={tmp_path}"]
    study = Study(sweep_config(compose("sweep", words)))
    next(trials := study.run())
    trials.close()
    assert summary(tmp_path, "more").state == "not complete"
    list(study.run())
    assert (summary(tmp_path, "more").trials, summary(tmp_path, "more").state) == (6, "complete")


def test_a_study_in_stages_that_was_extended_is_not_complete_before_it_decides(tmp_path, capsys):
    words = (*SEARCH[1:], "strategy.stages=[joint,winner]",
             "strategy.epochs=400", "strategy.options.winner.seeds=3", f"output={tmp_path}",
             "strategy.options.winner.candidates=2")  # fmt: skip
    with pytest.raises(SystemExit) as end:
        sweep([*words, "study.n_trials=3"])
    assert end.value.code == 0
    assert summary(tmp_path, "more").state == "complete"
    with pytest.raises(SystemExit) as end:
        sweep([*words, "study.n_trials=3"])
    assert end.value.code == 0, "the same command again changes nothing"
    assert summary(tmp_path, "more").state == "complete"
    config = sweep_config(compose("sweep", [*words, "study.n_trials=12"]))
    interrupted(Study(config).run())
    assert summary(tmp_path, "more").state == "not complete"
    assert "\nwinner\n" not in said(capsys, "--output", str(tmp_path), "show", "more")
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:  # its winner was of the trials before
        sweep([*words, "study.n_trials=12"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "more/winner recorded other trials than it asks for now (trial " in error
    assert error.count("\n") == 1
    assert summary(tmp_path, "more").state == "not complete"


def test_mlflow_does_not_say_complete_of_a_study_that_goes_on(tmp_path):
    tracker = Tracker(tmp_path, TrackingConfig(), "digits")
    tracker.open("more", {}, Note("more"), 1.0)
    tracker.close("more", complete=True, note=Note("more"), metrics={}, ended=2.0)
    tracker.open("more", {}, Note("more"), 1.0)  # and nothing more of it: it is killed
    (run,) = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    assert (run.info.status, run.data.tags["state"]) == ("RUNNING", "not complete")


@pytest.mark.long
def test_a_study_is_deleted_everywhere_and_can_be_led_again(cli):
    words = ("strategy=joint", "study.name=gone", "study.n_trials=3", "executor=serial",
             "dataset.training_size=300", "training.epochs=2")  # fmt: skip
    first = cli.ok("nndl_exp.sweep", *words)
    cli.ok("nndl_exp.sweep", *words[:1], "study.name=gone2", *words[2:])
    folder = cli.folder / "nndl-output"
    cli.ok("nndl_exp.studies", "delete", "gone", "--yes")
    assert study_names(folder) == ["gone2"]
    assert optuna.get_all_study_names(f"sqlite:///{folder}/optuna.db") == ["gone2/joint"]
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "mnist_5k")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["nndl.run"].split("/")[0] for run in runs} == {"gone2"}
    artifacts = folder / "mlflow-artifacts/mnist_5k"
    assert {path.name for path in artifacts.iterdir()} == {"models", *(r.info.run_id for r in runs)}
    assert [model.name for model in client.search_registered_models()] == ["gone2"]
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert [path.name for path in (artifacts / "models").iterdir()] == [model.model_id]
    again = cli.ok("nndl_exp.sweep", *words)
    assert [line for line in again.splitlines() if line.startswith("winner")] == [
        line for line in first.splitlines() if line.startswith("winner")
    ]


def test_a_study_that_is_given_by_its_folder_is_deleted_there(output, tmp_path):
    shutil.copytree(output / "studies", tmp_path / "studies")
    words = ["--output", str(output), "delete", str(tmp_path / "studies/weak"), "--yes"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert "weak" in study_names(output)
    assert "weak" not in study_names(tmp_path)


def test_delete_asks_and_no_is_no(output):
    done = CliRunner().invoke(command, ["--output", str(output), "delete", "weak"], input="n\n")
    assert done.exit_code == 1
    assert "Delete " in done.output
    assert summary(output, "weak").trials == 5
