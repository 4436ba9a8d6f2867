"""What the MLflow UI says of studies, stages, trials and runs: names, descriptions, tags."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nndl_exp.config import TIME_IS_UP, RunConfig, SweepConfig, output_words
from nndl_exp.datasets import Dataset
from nndl_exp.records import Result, RunDirectory
from nndl_exp.report.study_text import best_trials
from nndl_exp.report.text import plain, result_text, run_text
from nndl_exp.run import measure_of
from nndl_exp.study.finished import time_was_up
from nndl_exp.study.proposing.search_space import short_name
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.caption import IDENTITY, Caption
from nndl_exp.tracking.client import serve_command
from nndl_exp.training.accuracy import Measure

if TYPE_CHECKING:  # a single run needs neither
    from nndl_exp.study.stages.script import Decision
    from nndl_exp.study.strategy import Stage, StagedStudy

_SPOKEN = {
    "training.lmbda": "lambda {}",
    "training.mini_batch_size": "mini-batch {}",
    "network.hidden": "{} hidden",
}
"""How a setting is said; another one by its short name before its value."""


def trial_caption(study: Study, trial: Trial) -> Caption:
    """Of a settled trial: "trial 17: eta 0.31, lambda 4.2, 100 hidden"."""
    settings = ", ".join(spoken(*setting) for setting in study.varied(trial.config).items())
    name = f"{study.name}/{trial.number}"
    text = _paragraphs(
        f"`{name}`: {_of(trial, study)}",
        _commands(_reproduce(name, study.config.output)),
        _settings(trial.config),
    )
    return Caption(f"trial {trial.number}: {settings}", text, _stage_tag(study))


def run_caption(name: str, directory: RunDirectory, dataset: Dataset, output: str) -> Caption:
    """Of a settled run that was trained by itself."""
    result, config = directory.result(), directory.config()
    assert result is not None
    outcome, commands = _outcome(result, dataset, measure_of(config)), [_reproduce(name, output)]
    if dataset.monitor == "validation":  # else the test set has been seen
        commands.append(_evaluate(name, output))
    return Caption(name, _paragraphs(outcome, _commands(*commands), _settings(config)))


def search_caption(study: Study, trials: Sequence[Trial], best: Trial | None) -> Caption:
    """Of a study that is one search, with its best trials; the winner is evaluated once that is
    decided."""
    complete, time_is_up = len(trials) >= study.n_trials, time_was_up(study.directory)
    ended_by = "all trials" if complete else TIME_IS_UP if time_is_up else "not ended"
    tags = {"dataset": study.dataset.name, "ended_by": ended_by, IDENTITY: study.plan.identity}
    where = output_words(study.config.output)
    winner, commands = "", [f"python -m nndl_exp.report {study.name}{where}"]
    if best is not None:
        name = f"{study.name}/{best.number}"
        tags["nndl.winner"] = name
        winner = f"The best is `{name}`: {_of(best, study)}"
        commands.append(_reproduce(name, study.config.output))
        if complete or time_is_up:
            commands.append(_evaluate(name, study.config.output))
        commands.append(_serve(study.config, study.name))
    text = _paragraphs(
        f"Study **{study.name}**: {study.space.describe()}",
        winner,
        table(study, trials),
        _commands(*commands),
    )
    return Caption(study.name, text, tags)


def stage_caption(
    stage: "Stage", trials: Sequence[Trial] = (), decision: "Decision | None" = None
) -> Caption:
    """Of a stage, with what it decided and its best trials."""
    position = stage.config.strategy.stages.index(stage.key) + 1
    decided = "\n".join(f"- {words}" for words in decision.words) if decision else ""
    tags = {"dataset": stage.dataset.name, **_stage_tag(stage)}
    name = f"stage {position}: {stage.title}"
    return Caption(name, _paragraphs(decided, table(stage, trials)), tags)


def staged_caption(
    study: "StagedStudy",
    story: Iterable[str] = (),
    best: str = "",
    ended: "tuple[Stage, Trial] | None" = None,
) -> Caption:
    """Of a study in stages: what each decided, its best trials, and what it ended with.

    ``story`` holds a paragraph for each stage, ``best`` the table of the last search.
    """
    tags, winner = {"dataset": study.dataset.name, IDENTITY: study.identity}, ""
    commands = [f"python -m nndl_exp.report {study.name}{output_words(study.config.output)}"]
    if ended is not None:
        stage, trial = ended
        name = f"{stage.name}/{trial.number}"
        tags["nndl.winner"] = name
        winner = f"It ended with `{name}`: {_of(trial, stage)}"
        where = study.config.output
        commands += [_reproduce(name, where), _evaluate(name, where)]
        commands.append(_serve(study.config, study.name))
    head = f"Study **{study.name}** in stages: {', '.join(study.config.strategy.stages)}"
    return Caption(study.name, _paragraphs(head, winner, *story, best, _commands(*commands)), tags)


def told(stage: "Stage", decision: "Decision") -> str:
    """A stage's part in the story of its study."""
    return f"**{stage.title}**: {'; '.join(decision.words)}"


def champion_caption(study: "Study | StagedStudy", name: str, trial: Trial) -> Caption:
    """Of the registered model of a study, whose champion is the trial called ``name``."""
    n_in, answers = study.dataset.n_in, "a label and the probability of each class"
    if study.dataset.task == "numbers":
        answers = "numbers, in the unit of the target"
    row = f"$(python -c 'print([0.5] * {n_in})')"
    request = f'-H \'Content-Type: application/json\' -d "{{\\"inputs\\": [{row}]}}"'
    text = _paragraphs(
        f"The winner of the study {study.name}, `{name}`: "
        f"{_outcome(trial.result, study.dataset, measure_of(trial.config))}",
        f"From rows of {n_in} inputs to {answers}.",
        _commands(
            _serve(study.config, study.name),
            f"curl http://127.0.0.1:5001/invocations {request}",
        ),
    )
    return Caption(study.name, text, {"dataset": study.dataset.name})


def table(study: Study, trials: Sequence[Trial]) -> str:
    """The best completed trials as a table in Markdown; empty where none completed."""
    rows = [
        [
            trial.number,
            _value(trial.result, measure_of(trial.config)),
            f"{trial.result.validation_cost:.4f}",
            *study.varied(trial.config).values(),
            trial.result.epochs,
            trial.result.reason,
        ]
        for trial in best_trials(study, trials)
    ]
    measure = measure_of(study.config.run)
    unit = " (%)" if measure.is_fraction else ""
    varied = map(short_name, study.space.settings)
    headings = ["trial", f"{measure.name}{unit}", "cost", *varied, "epochs", "ended by"]
    lines = [headings, ["---"] * len(headings), *rows] if rows else []
    return "\n".join(f"| {' | '.join(map(plain, line))} |" for line in lines)


def spoken(name: str, value: Any) -> str:
    """A setting as one says it: eta 0.31, lambda 4.2, 100-20 hidden."""
    text = plain(value)
    if name == "network.hidden" and not value:
        return "no hidden layer"
    return _SPOKEN.get(name, f"{short_name(name)} {{}}").format(text)


def _value(result: Result, measure: Measure) -> str:
    accuracy = result.validation_accuracy or 0.0
    return f"{100 * accuracy:.2f}" if measure.is_fraction else f"{accuracy:.4f}"


def _outcome(result: Result, dataset: Dataset, measure: Measure) -> str:
    if result.validation_accuracy is None:
        return f"{result.state}: {result.reason}"
    best = result_text(measure, result.validation_accuracy, dataset)
    return f"**{best}** at epoch {result.best} of {result.epochs} ({result.reason})"


def _of(trial: Trial, study: Study) -> str:
    return _outcome(trial.result, study.dataset, measure_of(trial.config))


def _settings(config: RunConfig) -> str:
    return "  \n".join(run_text(config))


def _stage_tag(study: Study) -> dict[str, str]:
    key = getattr(study, "key", None)
    return {} if key is None else {"stage": str(key)}


def _reproduce(name: str, output: str) -> str:
    return f"python -m nndl_exp.reproduce {name}{output_words(output)}"


def _evaluate(name: str, output: str) -> str:
    return f"python -m nndl_exp.evaluate {name}{output_words(output)}    # the test set, once"


def _serve(config: SweepConfig, name: str) -> str:
    return serve_command(config.output, config.tracking, name)


def _commands(*lines: str) -> str:
    return "\n".join(["```sh", *lines, "```"])


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
