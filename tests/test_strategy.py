"""A study in stages, led for real: determinism, kills, reproduction, MLflow, mistakes."""

import html
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from staged import NO_TRACKING, SERIAL, SMALL, STAGES, lead, study_of

from nndl_exp.api import load_study
from nndl_exp.cli.hydra_config import compose
from nndl_exp.display.figures.stages import PICTURES
from nndl_exp.errors import UserError
from nndl_exp.study import forecast
from nndl_exp.study.search import table
from nndl_exp.study.study import Study, facts_of
from nndl_exp.sweep import main as sweep
from nndl_exp.sweep import sweep_config


def record(study: Study) -> dict[str, object]:
    """All of the stages that must not depend on timing."""
    return {
        stage.key: (
            table([stage.search]).drop(columns="seconds").to_csv(),
            [words for words in stage.decision().words if not words.startswith("measured time")],
            stage.decision().config,
        )
        for stage in study.stages()
    }


def test_every_stage_decides_and_hands_on(whole):
    stages = list(whole.stages())
    assert [stage.key for stage in stages] == list(STAGES)
    for before, after in pairwise(stages):
        assert after.facts.base == before.decision().config
    learned = next(stage.decision() for stage in stages if stage.key == "any_learning")
    assert learned.config.training.eta < 10, "it starts at a learning rate that is too large"
    for stage in stages:
        written = yaml.safe_load((stage.search.directory / "decision.yaml").read_text())
        assert written["decided"] == list(stage.decision().words)
    winner = stages[-1]
    seeds = {trial.config.seed for trial in winner.search.trials()}
    searched = {trial.config.seed for stage in stages[:-1] for trial in stage.search.trials()}
    assert not seeds & searched, "the winner is judged with seeds that no search has used"


def test_the_joint_search_starts_from_what_was_found(whole):
    joint = next(stage for stage in whole.stages() if stage.key == "joint")
    first, base = joint.search.trials()[0].config, joint.facts.base
    assert first.network.hidden == base.network.hidden
    assert first.training.eta == pytest.approx(base.training.eta)
    assert joint.search.space.distributions["training.eta"].low < base.training.eta
    assert joint.search.space.distributions["training.eta"].high > base.training.eta


def test_what_a_stage_trained_is_not_trained_again_by_a_later_one(whole):
    done, files, taken = {}, {}, 0
    for stage in whole.stages():
        for trial in stage.search.trials():
            name = done.get(trial.config)
            here = {path.name for path in stage.search.run_directory(trial.number).path.iterdir()}
            assert (trial.result.reason == f"same as {name}") == (name is not None)
            assert here == files.get(name, here), "a copy has what a trained trial has"
            taken += name is not None
        for trial in stage.search.trials():
            if trial.result.state == "complete":
                name = done.setdefault(trial.config, f"{stage.key}/{trial.number}")
                folder = stage.search.run_directory(trial.number).path
                files.setdefault(name, {path.name for path in folder.iterdir()})
    assert taken, "the joint search begins with what the stages found"


def test_a_study_in_stages_is_led_from_python(tmp_path, whole):
    study = study_of(tmp_path, *NO_TRACKING, *SERIAL, f"strategy.stages=[{STAGES[0]}]")
    led = [(stage.key, trial.config) for stage, trial in study.run()]
    first = next(whole.stages())
    assert led == [(STAGES[0], trial.config) for trial in first.search.trials()]
    assert (study.directory / "stages" / STAGES[0] / "decision.yaml").is_file()


@pytest.mark.long
def test_two_workers_give_the_same_stages(tmp_path, whole):
    study = study_of(tmp_path, *NO_TRACKING, "workers=2")
    lead(study)
    assert record(study) == record(whole)


def command(output: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "nndl_exp.sweep", *SMALL, *words, f"output={output}"]


@pytest.mark.long
def test_a_study_killed_in_its_stages_ends_like_one_never_killed(tmp_path, whole):
    """Killed a moment after half of its stages began, drawn anew each time, then led to its end."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"kill times drawn from seed {seed}")  # shown when the test fails
    times, killed = random.Random(seed), []
    struck = sorted(times.sample(range(1, len(STAGES) + 1), (len(STAGES) + 1) // 2))
    for position in struck:
        process = subprocess.Popen(command(tmp_path, *NO_TRACKING, "workers=2"), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        for line in process.stdout:
            if line.startswith(f"[{position}/{len(STAGES)}]"):
                try:
                    process.wait(timeout=times.uniform(0.0, 0.4))
                except subprocess.TimeoutExpired:
                    killed.append(position)
                how = signal.SIGKILL if times.random() < 0.7 else signal.SIGTERM
                process.send_signal(how)
                break
        process.communicate(timeout=60)
    assert len(killed) >= len(struck) // 2
    done = subprocess.run(command(tmp_path, *NO_TRACKING, "workers=2"), capture_output=True,
                          text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    study = study_of(tmp_path, *NO_TRACKING)
    assert record(study) == record(whole)


@pytest.mark.long
def test_several_processes_run_the_stages_together(tmp_path, whole):
    processes = [
        subprocess.Popen(command(tmp_path, *NO_TRACKING, "workers=1"), text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    assert record(study_of(tmp_path, *NO_TRACKING)) == record(whole)


def test_no_decision_depends_on_measured_seconds(tmp_path):
    """The same study, with other seconds in its records, decides the same."""
    words = ("strategy.stages=[mini_batch_size]", "training.eta=0.5", "training.lmbda=0",
             *NO_TRACKING, *SERIAL)  # fmt: skip
    lead(study_of(tmp_path, *words))
    (stage,) = study_of(tmp_path, *words).stages()
    before = stage.decision()
    times = {m: time for m, time in before.numbers["estimated"].items() if time is not None}
    slowest = min(times, key=times.get)
    for trial in stage.search.trials():
        path = stage.search.run_directory(trial.number).path / "epochs.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        factor = 1e6 if trial.config.training.mini_batch_size == slowest else 1e-6
        lines = [{**line, "seconds": line["seconds"] * factor} for line in lines]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (stage,) = study_of(tmp_path, *words).stages()
    after = stage.decision()
    assert after.config == before.config
    assert after.numbers["estimated"] == before.numbers["estimated"]
    assert after.numbers["measured"] != before.numbers["measured"]
    assert "measured time would choose" in after.words[1]


def test_other_constants_of_the_estimated_time_make_another_study(tmp_path, monkeypatch):
    identity = study_of(tmp_path).identity
    monkeypatch.setattr("nndl_exp.study.study.CONSTANTS", (1.0, 1.0, 1.0, 1.0))
    assert study_of(tmp_path).identity != identity


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True,
                          check=False, timeout=120)  # fmt: skip


@pytest.mark.long
def test_the_whole_study_and_its_winner_are_reproduced(whole):
    output = whole.config.output
    done = run("nndl_exp.reproduce", "small", "--output", output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("IDENTICAL\n")
    assert done.stdout.count("decided again") == len(STAGES)
    done = run("nndl_exp.reproduce", "small/joint/0", "--output", output)
    assert done.stdout.endswith("IDENTICAL\n")


def test_a_record_that_was_changed_is_noticed(tmp_path):
    words = ("strategy.stages=[learning_rate]", "training.eta=0.5", *NO_TRACKING, *SERIAL)
    study = study_of(tmp_path, *words)
    lead(study)
    (stage,) = study.stages()
    path = stage.search.run_directory(1).path / "epochs.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["training_cost"] += 1e-9
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("nndl_exp.reproduce", "small", "--output", str(tmp_path))
    assert done.returncode == 1
    assert "trial 1 is different" in done.stdout
    assert done.stdout.endswith("DIFFERENT\n")


@pytest.mark.long
def test_the_terminal_tells_each_stage_and_what_to_type_next(tmp_path):
    words = ("strategy.stages=[learning_rate,winner]", "training.eta=0.5", "training.lmbda=0")
    done = run("nndl_exp.sweep", *SMALL, *words, *NO_TRACKING, f"output={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = done.stdout.split("[1/2] learning rate")[1].split("[2/2] the winner")
    assert "← best" in second
    assert "best" not in first, "it goes by the training cost"
    assert "tell two networks of 95 % apart from 4.4 points on" in done.stdout  # 200 examples
    assert re.search(
        r"→ the training cost stops falling above eta [\d.]+ \(.* over 3 seeds\)", done.stdout
    )
    assert f"saved    {tmp_path}/studies/small/best.yaml" in done.stdout
    reproduce = re.search(r"reproduce  python -m (.*)", done.stdout)
    assert reproduce, done.stdout
    assert run(*reproduce.group(1).split()).stdout.endswith("IDENTICAL\n")
    best = run("nndl_exp.reproduce", f"{tmp_path}/studies/small/best.yaml")
    assert best.stdout.endswith("IDENTICAL\n"), best.stdout + best.stderr


@pytest.mark.long
def test_a_start_from_which_nothing_learns_ends_with_words(tmp_path):
    words = ("training.eta=1e-40", "strategy.options.any_learning.rounds=1", *NO_TRACKING)
    done = run("nndl_exp.sweep", *SMALL, *words, f"output={tmp_path}")
    assert done.returncode == 1
    assert "nothing learns: from eta 1e-41 to 1e-39" in done.stdout
    after = done.stdout.split("nothing learns")[1]
    assert "learning rate" not in after, "no further stage"
    assert "resume" not in after, "the same command would end the same way"


def _same_but_seed(run, other):
    """Whether two runs in MLflow have the same settings but for their seeds."""
    params = [{**one.data.params, "seed": ""} for one in (run, other)]
    return params[0] == params[1]


@pytest.mark.long
def test_mlflow_nests_trials_in_stages_in_the_study(tmp_path):
    from mlflow.tracking import MlflowClient

    stages = ("strategy.stages=[learning_rate,epochs,winner]", "training.eta=0.5", *SERIAL)
    words, shown = (*SMALL, *stages, f"output={tmp_path}"), "tracking.experiment=lesson 3"
    done = run("nndl_exp.sweep", *words, shown)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("nndl_exp.sweep", *words, "tracking.experiment=lesson 4")
    assert done.returncode == 2
    assert "must be that in which the study small is shown (lesson 3): got lesson 4" in done.stderr
    assert run("nndl_exp.sweep", *words).returncode == 0, "it stays where it was"
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")

    def runs():
        (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
        assert experiment.name == "lesson 3"
        return {r.data.tags["nndl.run"]: r for r in client.search_runs([experiment.experiment_id])}

    def check():
        by_name = runs()
        root, stage = by_name["small"], by_name["small/learning_rate"]
        assert stage.data.tags["mlflow.parentRunId"] == root.info.run_id
        assert "so eta = " in stage.data.tags["mlflow.note.content"]
        story = root.data.tags["mlflow.note.content"]
        assert "**learning rate**: the training cost stops falling" in story
        assert "**number of epochs**: " in story
        assert root.data.tags["nndl.winner"].startswith("small/")
        files = {file.path for file in client.list_artifacts(stage.info.run_id)}
        assert {"decision.yaml", "figures"} <= files
        files = {file.path for file in client.list_artifacts(root.info.run_id)}
        assert {"study.yaml", "best.yaml", "trials.csv", "trials.parquet"} <= files
        trial = by_name["small/learning_rate/0"]
        assert trial.data.tags["mlflow.parentRunId"] == stage.info.run_id
        assert trial.data.metrics["best/validation_accuracy"] > 0.1
        name = f"trial 0: eta {trial.data.params['training.eta']}"
        assert stage.info.run_name == "stage 1: learning rate"
        assert trial.info.run_name.startswith(name)
        (best,) = [run for run in by_name.values() if "champion" in run.data.tags]
        assert best.data.tags["nndl.run"] == root.data.tags["nndl.winner"]
        new = [
            run.data.metrics["best/validation_accuracy"]
            for name, run in by_name.items()
            if name.startswith("small/winner/") and _same_but_seed(run, best)
        ]
        assert len(new) >= 3
        mean = root.data.metrics["summary/validation_accuracy"]
        assert mean == pytest.approx(sum(new) / len(new)), "no best of many, which is partly luck"
        champion = client.get_model_version_by_alias("small", "champion")
        assert (champion.run_id, int(champion.version)) == (best.info.run_id, 1)
        pictures = {file.path for file in client.list_artifacts(best.info.run_id)}
        assert {"learning_curves.png", "first_layer_weights.png"} <= pictures
        return len(by_name)

    count = check()
    assert run("nndl_exp.report", "small", "--output", str(tmp_path)).returncode == 0
    assert run("nndl_exp.evaluate", "small", "--output", str(tmp_path)).returncode == 0
    root = runs()["small"]
    assert "report.html" in {file.path for file in client.list_artifacts(root.info.run_id)}
    assert "test/accuracy" in runs()[root.data.tags["nndl.winner"]].data.metrics
    done = run("nndl_exp.sync", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert check() == count, "nothing is shown twice"
    os.remove(tmp_path / "mlflow.db")  # noqa: PTH107
    assert run("nndl_exp.sync", "--output", str(tmp_path)).returncode == 0
    assert check() == count


MISTAKES = [
    (["strategy.stages=[foo]"], "strategy.stages must be some of any_learning, .*: got foo"),
    (["strategy.stages=[joint,joint]"], "strategy.stages must name each stage once"),
    (["+strategy.options.foo.seeds=3"], "no such stage: foo"),
    (["strategy.options.learning_rate.seeds=0"],
     r"strategy\.options\.learning_rate\.seeds must be greater than or equal to 1: got 0"),
    (["+strategy.options.learning_rate.seed=3"],
     "no such setting: strategy.options.learning_rate.seed "
     r"\(did you mean strategy.options.learning_rate.seeds\?\)"),
    (["strategy.shares.joint=0"], "strategy.shares.joint must be greater than 0: got 0"),
    (["sampler=cmaes"], "cmaes searches ranges of numbers only"),
    (["sampler=grid"], "sampler=grid needs search_space.network.hidden as"),
    (["study.second_objective=parameters"], "study.second_objective goes with strategy=joint"),
    (["network.hidden=[8,8]", "training.dropout=[0.1,0.2]"],
     r"training\.dropout must be one rate for all hidden layers .*: got \[0.1, 0.2\]"),
    (["study.warm_start=nope"], "study.warm_start: no such study: nope"),
    (["~strategy.shares.joint"], "strategy.shares must have a share for joint: got none"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_one_line_before_anything_is_trained(tmp_path, words, message):
    with pytest.raises(UserError, match=message) as error:
        study_of(tmp_path, *words)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_study_is_what_it_was_created_as(tmp_path, whole):
    assert Study.open(whole.config.output, "small").identity == whole.identity
    with pytest.raises(UserError, match=r"other settings \(run.training.eta was 10.0, now 5.0\)"):
        study_of(Path(whole.config.output), "training.eta=5").create()


def test_what_is_typed_is_where_the_stages_start_and_is_searched():
    config = sweep_config(compose("sweep", [*SMALL]))
    assert config.run.training.eta == 10
    assert "eta" in config.search_space["training"]
    plain = sweep_config(compose("sweep", ["strategy=joint", "training.eta=10"]))
    assert "eta" not in plain.search_space["training"]


@pytest.mark.parametrize("name", ["joint", "random", "grid"])
def test_plain_searches_are_strategies_of_one_stage(name):
    config = sweep_config(compose("sweep", [f"strategy={name}"]))
    assert config.strategy.stages == ("joint",)
    assert config.sampler["name"] == {"joint": "tpe"}.get(name, name)


def test_the_options_in_the_yaml_are_those_of_the_stages():
    from nndl_exp.study.stages.chapter3 import STAGES as MODULES

    options = compose("sweep", ["strategy=chapter3"]).settings["strategy"]["options"]
    assert set(options) == set(MODULES)
    for key, module in MODULES.items():
        defaults = json.loads(json.dumps(vars(module.Options())))
        defaults = {name.rstrip("_"): value for name, value in defaults.items()}  # try_
        assert options[key] == defaults, key


@pytest.mark.parametrize("words", [(), ("strategy=joint",)], ids=["stages", "one search"])
def test_a_dry_run_shows_the_plan_and_leaves_nothing(tmp_path, words):
    done = run("nndl_exp.sweep", *words, "study.dry_run=true", f"output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    assert "plan     " in done.stdout
    assert "about" in done.stdout
    assert not (tmp_path / "out").exists()


def test_the_forecast_measures_the_larger_of_the_networks(tmp_path, monkeypatch):
    """What a training takes besides multiplications weighs less in a network that is larger."""
    study, measured = study_of(tmp_path, "study.dry_run=true"), []

    def second(config, dataset):
        measured.append(config.network.hidden)
        return 1.0

    monkeypatch.setattr(forecast, "_seconds_an_epoch", second)
    for hidden in ((30,), (400,)):
        run = replace(study.config.run, network=replace(study.config.run.network, hidden=hidden))
        speed = forecast.speed_of(run, study.dataset)
        work = 3 * (784 * measured[-1][0] + 10 * measured[-1][0]) * len(study.dataset.training)
        assert speed == pytest.approx(work)
    assert measured == [(100,), (400,)]


def test_the_forecast_of_a_search_knows_its_sampler_and_its_pruner(tmp_path, monkeypatch):
    """Measured on mnist_5k, 40 trials: TPE takes three times as long as random search that prunes,
    as it comes to prefer larger networks; a forecast blind to both is wrong by a factor of two."""
    monkeypatch.setattr(forecast, "_seconds_an_epoch", lambda config, dataset: 0.1)

    def seconds(*words: str) -> float:
        study = load_study(["dataset=digits_8x8", *words, f"output={tmp_path}"])
        return forecast.forecast(study, workers=1).seconds

    whole = 80 * 30 * 0.1
    assert seconds("strategy=joint", "pruner=none") == pytest.approx(1.6 * whole, rel=0.1)
    assert seconds("strategy=joint") == pytest.approx(0.8 * whole, rel=0.1)
    assert seconds("strategy=random", "pruner=none") == pytest.approx(0.9 * whole, rel=0.1)
    assert seconds("strategy=random") == pytest.approx(0.45 * whole, rel=0.1)
    two = ("strategy=joint", "study.second_objective=parameters")  # of which nothing prunes
    assert seconds(*two) == pytest.approx(1.6 * whole, rel=0.1)


@pytest.mark.long
def test_the_report_tells_what_each_stage_decided_and_draws_it(whole):
    done = run("nndl_exp.report", "small", "--output", whole.config.output)
    assert done.returncode == 0, done.stdout + done.stderr
    page = html.unescape((whole.directory / "report.html").read_text()).replace("\xa0", " ")
    for stage in whole.stages():
        assert stage.decision().words[0] in page
        picture = PICTURES.get(stage.key)
        if picture and stage.search.trials():
            assert (stage.search.directory / f"figures/{picture.__name__}.png").is_file()
            assert f'id="{stage.key}-{picture.__name__}"' in page


def test_a_joint_search_whose_ranges_grow_is_reproduced(tmp_path):
    """From a start so small that the best trials lie at the upper edge of η."""
    from nndl_exp.study.running.coordinator import Coordinator

    words = ("training.eta=0.002", "training.lmbda=0.01", "study.n_trials=46",
             "strategy.epochs=4000", *NO_TRACKING)  # fmt: skip
    study = study_of(tmp_path, *words)
    study.create()
    facts = facts_of(study, "joint", study.config.run)
    stage = study.stage("joint", facts)
    list(Coordinator(stage.search))
    decision = stage.decision()
    assert any("was widened" in words for words in decision.words), decision.words
    again = study.stage("joint", facts)
    assert again.decision() == decision
    proposer = again.search.proposer()
    settled = [again.search.settled(trial) for trial in again.search.trials()]
    proposed = [proposer.ask(settled).params for _ in settled]
    configs = [again.search.space.apply(study.config.run, params) for params in proposed]
    assert configs == [trial.config for trial in again.search.trials()]


def test_what_a_stage_leaves_or_takes_too_much_of_is_shared_by_those_after_it(tmp_path):
    study = study_of(tmp_path)
    whole = facts_of(study, "any_learning", study.config.run).left
    shares = study.config.strategy.shares
    later = shares["joint"] + shares["winner"]
    for spent, left in ((0.3 * whole, 0.7 * whole), (1.1 * whole, 0.0)):
        facts = facts_of(study, "joint", study.config.run, spent=spent)
        assert facts.left == pytest.approx(left)
        assert facts.share == pytest.approx(left * shares["joint"] / later)
    words = ["strategy=joint", *NO_TRACKING, f"output={tmp_path}"]
    for more in ([], ["+strategy.shares.winner=1"]):
        plain = Study(sweep_config(compose("sweep", [*words, *more])))
        assert facts_of(plain, "joint", plain.config.run, spent=whole).share == math.inf


def test_the_plan_says_what_the_least_is_where_it_is_given_less(tmp_path, capsys):
    def plan(*words):
        with pytest.raises(SystemExit):
            sweep(["study.dry_run=true", "tracking=none", f"output={tmp_path}", *words])
        return capsys.readouterr().out

    assert "it will take longer than that: the stages need at least about 210 epochs" in plan(
        "dataset=mnist_5k", "strategy.epochs=200"
    )
    assert "it will take longer" not in plan("dataset=mnist_5k", "strategy.epochs=220")
    smaller = ("dataset=mnist_5k", "network.hidden=[30]")
    assert "at least about 60 epochs" in plan(*smaller, "strategy.epochs=50")
    assert "it will take longer" not in plan("dataset=mnist_5k", "strategy=joint")


def test_a_stage_that_takes_more_than_its_share_says_so(tmp_path, capsys):
    words = [*SMALL, "strategy.stages=[learning_rate,winner]", *NO_TRACKING, *SERIAL]
    for epochs, told in ((1, 2), (400, 0)):
        with pytest.raises(SystemExit):
            sweep([*words, f"strategy.epochs={epochs}", f"output={tmp_path}/{epochs}"])
        said = capsys.readouterr().out
        assert said.count("this took more than the stage's share of the work") == told


def test_a_study_takes_no_more_work_than_it_is_given(tmp_path):
    """Each stage that begins is told what those before it have left, at the default settings."""
    words = ["dataset=digits_8x8", "study.name=s", *NO_TRACKING, *SERIAL, f"output={tmp_path}"]
    study = Study(sweep_config(compose("sweep", words)))
    given = facts_of(study, "any_learning", study.config.run).left
    lead(study)
    stages, spent = list(study.stages()), 0.0
    for stage in stages:
        assert stage.facts.left == pytest.approx(max(0.0, given - spent))
        spent += stage.spent
    assert 0.5 * given < spent < 1.2 * given
