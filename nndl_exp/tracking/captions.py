"""What the MLflow UI says of studies, stages, trials and runs: names, descriptions, tags."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nndl_exp.config import RunConfig, short_name, value_text
from nndl_exp.datasets import Dataset
from nndl_exp.display.commands import Commands
from nndl_exp.display.words import result_text, run_text
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import measure_of
from nndl_exp.study.search import Search, Trial, ranked
from nndl_exp.tracking.caption import IDENTITY, Caption
from nndl_exp.training.accuracy import Measure

if TYPE_CHECKING:  # a single run needs neither
    from nndl_exp.study.stages.stage import Decision, Stage
    from nndl_exp.study.study import Study

_SPOKEN = {
    "training.lmbda": "lambda {}",
    "training.mini_batch_size": "mini-batch {}",
    "network.hidden": "{} hidden",
}
"""How a setting is said; another one by its short name before its value."""
BEST = 5
"""So many trials are shown."""
_ONCE = "    # the test set, once"


def trial_caption(search: Search, trial: Trial) -> Caption:
    """Of a finished trial: "trial 17: eta 0.31, lambda 4.2, 100 hidden"."""
    settings = ", ".join(spoken(*setting) for setting in search.varied(trial.config).items())
    name = f"{search.name}/{trial.number}"
    text = _paragraphs(
        f"`{name}`: {_of(trial, search)}",
        _commands(Commands(search.config.output).reproduce(name)),
        _settings(trial.config),
    )
    return Caption(f"trial {trial.number}: {settings}", text, _stage_tag(search))


def run_caption(name: str, directory: RunDirectory, dataset: Dataset, output: str) -> Caption:
    """Of a settled run that was trained by itself."""
    result, config = directory.result(), directory.config()
    assert result is not None
    outcome, commands = _outcome(result, dataset, measure_of(config)), Commands(output)
    lines = [commands.reproduce(name)]
    if dataset.monitor == "validation":  # else the test set has been seen
        lines.append(f"{commands.evaluate(name)}{_ONCE}")
    return Caption(name, _paragraphs(outcome, _commands(*lines), _settings(config)))


def stage_caption(
    stage: "Stage", trials: Sequence[Trial] = (), decision: "Decision | None" = None
) -> Caption:
    """Of a stage, with what it decided and its best trials."""
    position = len(stage.facts.earlier) + 1
    decided = "\n".join(f"- {words}" for words in decision.words) if decision else ""
    tags = {"dataset": stage.search.dataset.name, **_stage_tag(stage.search)}
    name = f"stage {position}: {stage.title}"
    return Caption(name, _paragraphs(decided, table(stage.search, trials)), tags)


def study_caption(
    study: "Study",
    story: Iterable[str] = (),
    best: str = "",
    ended: "tuple[Stage, Trial] | None" = None,
) -> Caption:
    """Of a study: what each stage decided, its best trials, and what it ended with.

    ``story`` holds a paragraph for each stage, ``best`` the table of the last search.
    """
    tags, winner = {"dataset": study.dataset.name, IDENTITY: study.identity}, ""
    commands = Commands(study.config.output, study.config.tracking)
    lines = [commands.report(study.name)]
    if ended is not None:
        stage, trial = ended
        name = f"{stage.search.name}/{trial.number}"
        tags["nndl.winner"] = name
        winner = f"It ended with `{name}`: {_of(trial, stage.search)}"
        lines += [commands.reproduce(name), f"{commands.evaluate(name)}{_ONCE}"]
        lines.append(commands.serve(study.name))
    head = f"Study **{study.name}**: {', '.join(study.config.strategy.stages)}"
    return Caption(study.name, _paragraphs(head, winner, *story, best, _commands(*lines)), tags)


def told(stage: "Stage", decision: "Decision") -> str:
    """A stage's part in the story of its study."""
    return f"**{stage.title}**: {'; '.join(decision.words)}"


def champion_caption(study: "Study", name: str, trial: Trial) -> Caption:
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
            Commands(study.config.output, study.config.tracking).serve(study.name),
            f"curl http://127.0.0.1:5001/invocations {request}",
        ),
    )
    return Caption(study.name, text, {"dataset": study.dataset.name})


def table(search: Search, trials: Sequence[Trial]) -> str:
    """The best completed trials as a table in Markdown; empty where none completed."""
    rows = [
        [
            trial.number,
            _value(trial.result, measure_of(trial.config)),
            f"{trial.result.validation_cost:.4f}",
            *search.varied(trial.config).values(),
            trial.result.epochs,
            trial.result.reason,
        ]
        for trial in ranked(trials)[:BEST]
    ]
    measure = measure_of(search.config.run)
    unit = " (%)" if measure.is_fraction else ""
    varied = map(short_name, search.space.settings)
    headings = ["trial", f"{measure.name}{unit}", "cost", *varied, "epochs", "ended by"]
    lines = [headings, ["---"] * len(headings), *rows] if rows else []
    return "\n".join(f"| {' | '.join(map(value_text, line))} |" for line in lines)


def spoken(name: str, value: Any) -> str:
    """A setting as one says it: eta 0.31, lambda 4.2, 100-20 hidden."""
    text = value_text(value)
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


def _of(trial: Trial, search: Search) -> str:
    return _outcome(trial.result, search.dataset, measure_of(trial.config))


def _settings(config: RunConfig) -> str:
    return "  \n".join(run_text(config))


def _stage_tag(search: Search) -> dict[str, str]:
    return {"stage": search.key}


def _commands(*lines: str) -> str:
    return "\n".join(["```sh", *lines, "```"])


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
