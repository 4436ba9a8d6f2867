"""A study with one stage and one with several are the same kind of thing."""

import json
from pathlib import Path

import pandas as pd
import pytest
from studies import SERIAL, SMALL, lead, search_of

from nndl_exp.reproduce import main as reproduce
from nndl_exp.studies import main as studies
from nndl_exp.study import executors, trial
from nndl_exp.study.search import Search
from nndl_exp.study.study import Study
from nndl_exp.sweep import main as sweep

ONE, SEVERAL = "strategy.stages=[joint]", "strategy.stages=[epochs,joint]"
STAGED = ("strategy=chapter3", "strategy.epochs=2000", "strategy.options.epochs.epochs=4")
DIVERGING = ("network=relu", "network.output=linear", "network.cost=quadratic", "training.eta=1e30")
EVENTS = {
    "the budget is spent before anything is trained": (("study.budget=0s",), 1),
    "the budget is spent": (("study.budget=3s", "study.n_trials=100000"), 0),
    "all trials diverge": ((*DIVERGING, "study.n_trials=3"), 1),
    "the first trials diverge": ((*DIVERGING, "study.n_trials=30", "study.give_up_after=2"), 1),
    "complete": (("study.n_trials=3",), 0),
}


def led(output: Path, capsys, *words: str) -> tuple[int, list[str]]:
    common = (*SMALL[:-1], *SERIAL, *STAGED, "study.name=s", f"output={output}")
    with pytest.raises(SystemExit) as ended:
        sweep([*common, *words])
    return ended.value.code, capsys.readouterr().out.splitlines()


def said(lines: list[str]) -> list[str]:
    """The kinds of the lines after the last stage's decision, and why there is no winner."""
    last = max(i for i, line in enumerate(lines) if line.startswith("trials   "))
    words = [line.split()[0] for line in lines[last:] if line and not line.startswith(" ")]
    return [word for word in words if word != "so"] + lines[-1:] * (words[-1] == "no")


@pytest.mark.parametrize("event", EVENTS)
def test_the_same_event_ends_both_with_the_same_status_and_words(tmp_path, capsys, event):
    words, status = EVENTS[event]
    found = {}
    for kind in (ONE, SEVERAL):
        folder = tmp_path / ("one" if kind == ONE else "several")
        code, lines = led(folder, capsys, kind, *words)
        assert code == status, lines
        found[kind] = said(lines)
        assert (folder / "studies/s/best.yaml").is_file() == (status == 0)
    race = ["race"] * (event == "complete")  # of the best: offered where it was not run
    assert found[ONE] == found[SEVERAL] + race


def test_both_have_one_layout_and_one_table(tmp_path, capsys):
    for kind, stages in ((ONE, ["joint"]), (SEVERAL, ["epochs", "joint"])):
        folder = tmp_path / stages[0]
        assert led(folder, capsys, kind, "study.n_trials=3")[0] == 0
        assert sorted(p.name for p in (folder / "studies/s/stages").iterdir()) == stages
        table = pd.read_csv(folder / "studies/s/trials.csv")
        assert list(dict.fromkeys(table.stage)) == stages
        assert not table["training.eta"].isna().any(), "also where a stage does not vary it"
        records = len(list(folder.glob("studies/s/stages/*/trials/*/result.json")))
        assert len(table) == records


def test_constructing_a_study_writes_nothing_and_reads_its_data_once(tmp_path, monkeypatch):
    from nndl_exp.cli.hydra_config import compose
    from nndl_exp.study import study as module
    from nndl_exp.sweep import sweep_config

    config = sweep_config(compose("sweep", [*SMALL, *STAGED, SEVERAL, f"output={tmp_path}/o"]))
    read, load = [], module.data_of
    monkeypatch.setattr(module, "data_of", lambda run: read.append(run) or load(run))
    study = Study(config)
    study.check()
    assert len(read) == 1
    assert not (tmp_path / "o").exists()
    assert config == study.config


def test_a_study_that_began_with_the_trials_of_another_is_whole(tmp_path, capsys):
    """A staged one with study.warm_start is opened, reported, reproduced and exported."""
    from nndl_exp.report import main as report

    output = ("--output", str(tmp_path))
    led(tmp_path, capsys, ONE, "study.n_trials=6", "study.name=old")
    words = ("study.name=new", "study.warm_start=old", "study.n_trials=4")
    assert led(tmp_path, capsys, SEVERAL, *words)[0] == 0
    study = Study.open(tmp_path, "new")
    *_, joint = study.stages()
    assert isinstance(joint.search, Search)
    assert len(study.rows) == 6
    report(["new", *output])
    assert "trials of old are known" in "\n".join(joint.source.notes)
    studies([*output, "export", "new", "--csv", str(tmp_path / "new.csv")])
    assert len(pd.read_csv(tmp_path / "new.csv")) == len(study.table())
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        reproduce(["new", *output])
    assert ended.value.code == 0
    assert capsys.readouterr().out.endswith("IDENTICAL\n")


def test_a_study_whose_pruner_decided_otherwise_is_not_reproduced(tmp_path, capsys):
    """The record says that a trial completed which the pruner would have ended."""
    words = ("study.n_trials=14", "pruner.n_startup_trials=2", "pruner.n_warmup_steps=1",
             "training.epochs=12")  # fmt: skip
    assert led(tmp_path, capsys, ONE, *words)[0] == 0
    records = sorted(tmp_path.glob("studies/s/stages/joint/trials/*/result.json"),
                     key=lambda path: int(path.parent.name))  # fmt: skip
    pruned = [p for p in records if json.loads(p.read_text())["state"] == "pruned"]
    assert pruned
    other = pruned[0]
    facts = json.loads(other.read_text())
    other.write_text(json.dumps({**facts, "state": "complete"}))
    with pytest.raises(SystemExit) as ended:
        reproduce(["s", "--output", str(tmp_path)])
    assert ended.value.code == 1
    assert f"trial {other.parent.name} is different" in capsys.readouterr().out


def repeated(output: Path, capsys) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        reproduce(["s", "--output", str(output)])
    return ended.value.code, capsys.readouterr().out


MEDIAN = ("pruner=median", "pruner.n_startup_trials=2", "pruner.n_warmup_steps=1")


@pytest.mark.parametrize(
    ("then", "now", "differs"),
    [
        (MEDIAN, MEDIAN, None),
        (("pruner=none",), MEDIAN, "complete"),
        (MEDIAN, (*MEDIAN[:-1], "pruner.n_warmup_steps=100"), "pruned"),
    ],
    ids=["the same", "one that prunes", "one that does not"],
)
def test_what_another_pruner_would_have_decided_is_found(
    tmp_path, capsys, monkeypatch, then, now, differs
):
    words = (*SERIAL, "training.epochs=12", "study.name=s")
    search = search_of(tmp_path, *words, *then)
    lead(search)
    pruning, load = search_of(tmp_path / "now", *words, *now).pruning, Search.__init__

    def with_other_pruner(self, *arguments):
        load(self, *arguments)
        self.pruning = pruning

    if differs:
        monkeypatch.setattr(Search, "__init__", with_other_pruner)
    code, said = repeated(tmp_path, capsys)
    states = {trial.number: trial.result.state for trial in search.trials()}
    found = {int(line.split()[1]) for line in said.splitlines() if line.startswith("  trial ")}
    assert code == bool(differs)
    assert bool(found) == bool(differs)
    assert {states[number] for number in found} <= {differs}
    if differs == "pruned":
        assert found == {number for number, state in states.items() if state == "pruned"}


def test_trials_that_a_clock_ended_are_reproduced(tmp_path, capsys):
    search = search_of(tmp_path, *SERIAL, "study.name=s", "study.n_trials=3",
                       "training.epochs=100000", "training.max_seconds=0.3",
                       "training.stopping.name=none", "pruner=none")  # fmt: skip
    lead(search)
    assert all(1 < trial.result.epochs < 100000 for trial in search.trials())
    assert "3 of 3 trials identical" in repeated(tmp_path, capsys)[1]


def test_a_trial_that_failed_is_reproduced(tmp_path, capsys, monkeypatch):
    train = trial._train

    def train_but_one(task, run):
        if task.number == 1:
            raise FloatingPointError("underflow")
        train(task, run)

    monkeypatch.setattr(trial, "_train", train_but_one)
    monkeypatch.setattr(executors, "pool_of", lambda config: executors.Pool("serial", 1))
    search = search_of(tmp_path, *SERIAL, "study.name=s", "study.n_trials=3")
    lead(search)
    assert [t.result.state == "failed" for t in search.trials()] == [False, True, False]
    assert "3 of 3 trials identical" in repeated(tmp_path, capsys)[1]
    monkeypatch.setattr(trial, "_train", train)
    assert "trial 1 is different" in repeated(tmp_path, capsys)[1]
