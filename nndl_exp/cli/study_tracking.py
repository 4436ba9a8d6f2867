"""Showing a study in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.display.figures.run import draw_learning_curves, draw_weights
from nndl_exp.display.figures.stages import draw_stage
from nndl_exp.display.files import write_tables
from nndl_exp.display.findings import StageFindings, stage_findings
from nndl_exp.display.report import sources_of, write_report
from nndl_exp.errors import UserError
from nndl_exp.run import measure_of
from nndl_exp.study import settings
from nndl_exp.study.running.members import Leadership
from nndl_exp.study.search import PROPOSAL, Search, Trial, ranked
from nndl_exp.study.stages.stage import Decision, Stage
from nndl_exp.study.study import Study
from nndl_exp.study.summary import BEST as BEST_FILE
from nndl_exp.study.summary import ending, summary
from nndl_exp.tracking.captions import (
    champion_caption,
    stage_caption,
    study_caption,
    table,
    told,
    trial_caption,
)
from nndl_exp.tracking.entities import BEST
from nndl_exp.tracking.optuna_view import OptunaTrial, OptunaView
from nndl_exp.tracking.study_view import StudyView

_FILES = (settings.FILE, BEST_FILE)
"""What is kept with a study's run, where it is there, beside its tables."""


class StudyViews:
    """A study in MLflow (its run, below it one for each stage, below that the trials), its searches
    in Optuna's database, and its tables and figures as files.

    MLflow is opened when the first trial has finished, since it takes seconds to start. Where
    another process ``leads`` nothing is shown, unless that one has gone when the study is complete.
    ``missed`` says what Optuna's database does not show.
    """

    def __init__(self, study: Study, *, leads: bool = True) -> None:
        self._study, self._leads = study, leads
        self._tracking = study.tracking
        self._root: StudyView | None = None
        self._views: dict[str, StudyView] = {}
        self._led: dict[str, Stage] = {}
        self._findings: dict[str, StageFindings] = {}
        self._optuna: dict[str, OptunaView] = {}
        self.missed: str | None = None
        self._story: list[str] = []
        self._table = ""
        if leads and self._tracking.uri:
            self._open()  # a server is asked at once whether it is there

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty before it was opened."""
        return self._root.page if self._root else ""

    @property
    def outage(self) -> str | None:
        """Why MLflow does not show all of the study, if so."""
        views = [*self._views.values(), *([self._root] if self._root else [])]
        return next((view.outage for view in views if view.outage), None)

    def log(self, stage: Stage, trial: Trial) -> None:
        """Show a finished trial of the stage."""
        if not self._leads:
            return
        if stage.key not in self._optuna:
            self._optuna[stage.key] = optuna_view(stage.search)
        self._optuna[stage.key].log(partial(optuna_trial, stage.search, trial))
        if self._tracking.name != "none":
            search, view = stage.search, self._stage(stage)
            directory = search.run_directory(trial.number)
            view.log(trial.number, directory, search.dataset, trial_caption(search, trial))

    def end(
        self, stage: Stage, trials: Sequence[Trial], decision: Decision | None
    ) -> StageFindings:
        """A stage has ended, or was stopped: write its figures, and show them."""
        findings = self._findings[stage.key] = stage_findings(stage, trials, decision)
        self._led[stage.key] = stage
        if not self._leads:
            return findings
        if stage.key in self._optuna:
            self.missed = self._optuna[stage.key].close() or self.missed
        drawing = draw_stage(findings)
        files = drawing.save(stage.search.directory / "figures", ("png",)) if drawing else []
        if decision is not None:
            # Also where the study was killed before it was written down.
            files.append(stage.conclude(decision))
            self._story.append(told(stage, decision))
        if stage.search.is_sampled or not self._table:
            self._table = table(stage.search, trials)
        if self._tracking.name != "none":
            view, best = self._stage(stage), ranked(trials)[:1]
            view.log_files(stage.search.directory, files)
            caption = stage_caption(stage, trials, decision)
            metrics = best_metrics(best)
            view.close(complete=decision is not None, caption=caption, metrics=metrics)
        return findings

    def close(self, ended: tuple[Stage, Trial] | None, *, complete: bool) -> None:
        """The study has ended with a winner, if ``complete``, or was stopped; ``ended`` is the
        trial that it ended with."""
        if not self._leads or not self._led:
            return
        tables = write_tables(self._study.directory, [stage.search for stage in self._led.values()])
        found = summary(self._study.config.output, self._study.name)
        report = write_report(sources_of(found, list(self._findings.values()), self._tracking))
        if self._root is None:
            return
        if ended is not None:
            self._crown(*ended)
        for key, view in self._views.items():
            view.mark_best(ended[1].number if ended and key == ended[0].key else None)
            view.wait()
        own = [path for name in _FILES if (path := self._study.directory / name).is_file()]
        self._root.log_files(self._study.directory, [*tables, *own, report])
        caption = study_caption(self._study, self._story, self._table, ended)
        metrics = best_metrics(self._replicates(ended[1]) if ended else [])
        self._root.close(complete=complete, caption=caption, metrics=metrics)

    def succeed(self, leadership: Leadership, trials: int) -> None:
        """The study is complete with so many trials: show it if the process that led has not."""
        if not self._leads and leadership.succeeds(trials):
            self._leads = True
            self.show_all()
        if self._leads:
            leadership.shown(trials)

    def show_all(self) -> None:
        """Show what has been recorded of all stages."""
        decision, shown = None, list[Stage]()
        for stage in self._study.stages():
            shown.append(stage)
            trials = stage.search.trials()
            for trial in trials:
                self.log(stage, trial)
            decision = stage.decision(time_is_up=(self._study.directory / BEST_FILE).is_file())
            self.end(stage, trials, decision)
        ended, complete = None, False
        if decision is not None and not decision.stop and not shown[-1].facts.later:
            ended, complete = ending(decision.config, shown), True
        self.close(ended, complete=complete)

    def _replicates(self, ended: Trial) -> list[Trial]:
        """The trials of the winner with new seeds, where the study has them; else the winner."""
        trials = self._led["winner"].search.trials() if "winner" in self._led else []
        return [trial for trial in trials if trial.replicates(ended.config)] or [ended]

    def _crown(self, stage: Stage, trial: Trial) -> None:
        view, search = self._stage(stage), stage.search
        directory, name = search.run_directory(trial.number), f"{search.name}/{trial.number}"
        pictures: list[Path] = [draw_learning_curves(directory, name)]
        if search.dataset.shape is not None:
            pictures.append(draw_weights(directory))
        view.log_pictures(trial.number, pictures)
        caption = champion_caption(self._study, name, trial)
        view.log_model(trial.number, directory, caption)

    def _stage(self, stage: Stage) -> StudyView:
        if stage.key not in self._views:
            root, caption = self._open(), stage_caption(stage)
            self._views[stage.key] = StudyView(
                self._tracker, stage.search.name, _settings(stage), caption, time.time(),
                root.run_id,
            )  # fmt: skip
        return self._views[stage.key]

    def _open(self) -> StudyView:
        if self._root is None:
            config, name = self._study.config, self._study.name
            title, measure = config.run.dataset.title, measure_of(config.run)
            self._tracker = make_tracker(config.output, self._tracking, title, measure)
            first = next(self._study.stages()).search
            searched = first.declared.settings if first.is_sampled else ()
            flat = flatten(to_mapping(config.run))
            values = {name: value for name, value in flat if name not in searched}
            values |= {"strategy": config.strategy.name}
            caption = study_caption(self._study)
            self._root = StudyView(self._tracker, name, values, caption, time.time())
        return self._root


def _settings(stage: Stage) -> dict[str, object]:
    """What a stage's run shows: how its trials are sampled, if they are."""
    if not stage.search.is_sampled:
        return {"stage": stage.title}
    config = to_mapping(stage.search.config)
    how = {key: config[key] for key in ("search_space", "sampler", "pruner")}
    study = {
        key: value
        for key, value in config["study"].items()
        if f"study.{key}" not in settings.EXTENDABLE  # MLflow's params can't change, these may
    }
    return {"stage": stage.title, **dict(flatten({**how, "study": study}))}


def optuna_view(search: Search) -> OptunaView:
    """A search in Optuna's database."""
    return OptunaView(
        search.config, search.name, str(search.id), search.directions, search.objective_names,
        lambda: search.space.distributions,
    )  # fmt: skip


def optuna_trial(search: Search, trial: Trial) -> OptunaTrial:
    """A finished trial as Optuna's database takes it.

    Raises:
        UserError: its record is not whole.
    """
    proposal, settled = search.proposal(trial.number), search.settled(trial)
    if proposal is None:
        path = search.run_directory(trial.number).path / PROPOSAL
        raise UserError(f"{path} is missing; repeat the command of the study")
    result = trial.result
    return OptunaTrial(
        complete=settled.complete,
        params=proposal.params,
        values=settled.values,
        scores=settled.scores,
        outcome={"state": result.state, "reason": result.reason},
        started=result.started,
        ended=result.ended,
    )


def best_metrics(trials: Sequence[Trial]) -> dict[str, float]:
    """What the runs of a study and of its stages are sorted by: the mean of some trials."""
    if not trials:
        return {}
    shown = measure_of(trials[0].config).renamed(BEST)
    return {
        shown: fmean(trial.result.validation_accuracy or 0.0 for trial in trials),
        "best/validation_cost": fmean(trial.result.validation_cost or 0.0 for trial in trials),
    }
