"""The name, description and tags of each run in MLflow; the texts are in ``notes.md.j2``."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from nndl_exp.config import settings_text, short_name, value_text
from nndl_exp.datasets import Dataset
from nndl_exp.display.commands import Commands
from nndl_exp.display.words import result_text, run_text
from nndl_exp.masking import masked
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.study.search import Search, Trial, ranked
from nndl_exp.training.accuracy import Measure

if TYPE_CHECKING:  # a single run needs neither
    from nndl_exp.study.stages.stage import Decision, Stage
    from nndl_exp.study.study import Study

DESCRIPTION = "mlflow.note.content"
"""The tag that the UI shows as the description, in Markdown."""
WRITTEN = "nndl.written"
"""The tag with the digests of the name and the description that we wrote."""
IDENTITY = "nndl.identity"
"""The tag of a study's run that tells the study from another one of the same name."""

_LONGEST_NAME, _LONGEST_TAG = 250, 8000
"""The lengths that MLflow's tables take, in characters."""
_ONCE = "    # the test set, once"
BEST = 5
"""The trials in a table."""


@dataclass(frozen=True)
class Note:
    """A run's name, its description in Markdown, and tags to filter by; none holds a password."""

    name: str
    text: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> tuple[str, str]:
        """The name and the description, as long as MLflow takes them."""
        return _cut(self.name, _LONGEST_NAME), _cut(self.text, _LONGEST_TAG)

    def all_tags(self) -> dict[str, str]:
        """The tags, as long as MLflow takes them."""
        return {key: _cut(text, _LONGEST_TAG) for key, text in self.tags.items()}

    def over(self, there: tuple[str, str], written: str) -> tuple[str, str, str]:
        """The name, the description and the tag ``WRITTEN`` of a run that has others now.

        ``there`` are those it has, ``written`` is its tag. What a user has changed stays.
        """
        first, _, second = written.partition(" ")
        fields, digests = list(there), [first, second]
        for i, new in enumerate(self.fields()):
            if digests[i] == (digest(there[i]) if there[i] else ""):
                fields[i], digests[i] = new, digest(new) if new else ""
        return fields[0], fields[1], " ".join(digests)


def digest(text: str) -> str:
    """A short digest of a text that we wrote, to see later whether it was changed."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cut(text: str, longest: int) -> str:
    text = masked(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@cache
def texts() -> Any:
    """The macros of the template."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nndl_exp.tracking", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # the notes are Markdown
    )
    return environment.get_template("notes.md.j2").module


def trial_note(search: Search, trial: Trial) -> Note:
    """The note of a finished trial: "trial 17: eta 0.31, lmbda 4.2, hidden 100"."""
    name = f"{search.name}/{trial.number}"
    lines = [Commands(search.config.output).reproduce(name)]
    text = texts().run(_of(trial, search), lines, run_text(trial.config), name)
    tags = {"kind": "trial", "stage": search.key}
    return Note(f"trial {trial.number}: {settings_text(search.varied(trial.config))}", text, tags)


def run_note(name: str, directory: RunDirectory, dataset: Dataset, output: str) -> Note:
    """The note of a finished run that was trained by itself."""
    result, config = directory.result(), directory.config()
    assert result is not None
    commands = Commands(output)
    lines = [commands.reproduce(name)]
    if dataset.monitor == "validation":  # else the test set has been seen
        lines.append(f"{commands.evaluate(name)}{_ONCE}")
    outcome = _outcome(result, dataset, measure_of(config))
    return Note(name, texts().run(outcome, lines, run_text(config)), {"kind": "run"})


def stage_note(
    stage: "Stage", trials: Sequence[Trial] = (), decision: "Decision | None" = None
) -> Note:
    """The note of a stage, with its decision and its best trials."""
    search, position = stage.search, len(stage.facts.earlier) + 1
    text = texts().stage(decision.words if decision else (), table(search, trials))
    tags = {"kind": "stage", "dataset": search.dataset.name, "stage": search.key}
    return Note(f"stage {position}: {stage.title}", text.strip(), tags)


def study_note(
    study: "Study",
    story: "Iterable[tuple[Stage, Decision]]" = (),
    best: str = "",
    ended: "tuple[Stage, Trial] | None" = None,
) -> Note:
    """The note of a study: the decision of each stage, its best trials, and its winner.

    ``best`` is the table of the last search, ``ended`` the trial that the study ended with.
    """
    tags = {"kind": "study", "dataset": study.dataset.name, IDENTITY: study.identity}
    commands, winner = Commands(study.config.output, study.config.tracking), {}
    lines = [commands.report(study.name)]
    if ended is not None:
        stage, trial = ended
        name = f"{stage.search.name}/{trial.number}"
        tags["nndl.winner"] = name
        winner = {"winner": name, "outcome": _of(trial, stage.search)}
        lines += [commands.reproduce(name), f"{commands.evaluate(name)}{_ONCE}"]
        lines.append(commands.serve(study.name))
    decided = [(stage.title, decision.words) for stage, decision in story]
    stages = study.config.strategy.stages
    return Note(study.name, texts().study(study.name, stages, decided, best, lines, **winner), tags)


def champion_note(study: "Study", name: str, trial: Trial) -> Note:
    """The note of a study's registered model, whose champion is the trial called ``name``."""
    outputs = "a label and the probability of each class"
    if study.dataset.task == "numbers":
        outputs = "numbers, in the unit of the target"
    outcome = _outcome(trial.result, study.dataset, measure_of(trial.config))
    serve = Commands(study.config.output, study.config.tracking).serve(study.name)
    text = texts().champion(study.name, name, outcome, study.dataset.n_in, outputs, serve)
    return Note(study.name, text, {"dataset": study.dataset.name})


def table(search: Search, trials: Sequence[Trial]) -> str:
    """The best completed trials as a table in Markdown; empty where none completed."""
    measure = measure_of(search.config.run)
    rows = [
        [
            trial.number,
            measure.number(trial.result.validation_accuracy or 0.0, 2),
            f"{trial.result.validation_cost:.4f}",
            *search.varied(trial.config).values(),
            trial.result.epochs,
            trial.result.reason,
        ]
        for trial in ranked(trials)[:BEST]
    ]
    varied = map(short_name, search.space.settings)
    headings = ["trial", measure.label, "cost", *varied, "epochs", "ended by"]
    return str(
        texts().table(headings, [[value_text(value) for value in row] for row in rows])
    ).strip()


def _outcome(result: Result, dataset: Dataset, measure: Measure) -> str:
    if result.validation_accuracy is None:
        return f"{result.state}: {result.reason}"
    best = result_text(measure, result.validation_accuracy, dataset)
    return f"**{best}** at epoch {result.best} of {result.epochs} ({result.reason})"


def _of(trial: Trial, search: Search) -> str:
    return _outcome(trial.result, search.dataset, measure_of(trial.config))
