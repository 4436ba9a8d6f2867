"""What the terminal shows of a study: the plan, a line a trial, the winner, what to type next."""

import shlex
from collections.abc import Sequence

from nndl_exp.config import output_words, to_mapping, to_yaml, tracking_words
from nndl_exp.records import atomic
from nndl_exp.report.analysis import Analysis
from nndl_exp.report.live import Search
from nndl_exp.report.screen import Screen
from nndl_exp.report.study_text import importance_line
from nndl_exp.report.text import (
    TrialLines,
    limits_text,
    plain_accuracy,
    result_text,
    seconds_text,
    settings_text,
    show_dataset,
)
from nndl_exp.report.watch import Watch
from nndl_exp.run import measure_of
from nndl_exp.study import winner as winners
from nndl_exp.study.dashboard import dashboard_command
from nndl_exp.study.finished import command_of, trials_on_disk
from nndl_exp.study.forecast import forecast
from nndl_exp.study.looks import looks_at_study
from nndl_exp.study.proposing.proposer import Proposal
from nndl_exp.study.proposing.search_space import short_name
from nndl_exp.study.running.report import Ended, Report
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.client import is_server, ui_command


class Presentation:
    """Shows one start of a study on a screen; ``trials_a_second`` is what its plan foretold."""

    def __init__(self, study: Study, screen: Screen) -> None:
        self.study = study
        self.trials_a_second: float | None = None
        self._screen = screen
        self._lines = TrialLines(study)

    def plan(self, workers: int) -> None:
        """The first block, and the headings of the table."""
        study, config = self.study, self.study.config
        settled = len(study.trials()) if study.exists() else 0
        state = f"resumed · {settled} trials settled" if study.exists() else "new"
        self._print(
            f"study    {study.name:<17} {state} · seed {config.study.seed} · output "
            f"{study.directory}"
        )
        looks = looks_at_study(config, study.name, study.dataset.sha256)
        show_dataset(self._screen, study.dataset, looks)
        for line in limits_text(config, study.dataset):
            self._print(f"         {line}")
        self._print(f"search   {study.space.describe()}")
        if study.rows:
            self._print(
                f"known    {len(study.plan.known)} of {len(study.rows)} trials of "
                f"{config.study.warm_start}: inside the space, other settings the same"
            )
        self._print(f"plan     {self._plan(workers, study.n_trials - settled)}")
        if workers > study.plan.lag:
            self._tell(
                f"         {workers - study.plan.lag} of {workers} workers will idle: at most "
                f"study.lag={study.plan.lag} trials run at a time"
            )
        if (front := config.study.second_objective) != "none":
            self._print(f"         two objectives: {front.replace('_', '-')} small; no pruner")
        if not config.study.dry_run:
            self._print("")
            self._screen.print(self._lines.header(), style="dim")

    def search(self, proposed: Sequence[Proposal]) -> Search:
        """What the region below the lines shows."""
        return Search(
            study=self.study,
            watch=Watch(self.study, proposed),
            lines=self._lines,
            heading=self.study.name,
            total=self.study.n_trials,
            amount=lambda config, epochs: 1.0,
            counts=True,
        )

    def trial(self, trial: Trial) -> None:
        """The line of the next trial."""
        show_trial(self._screen, self._lines, trial)

    def end(self, trials: Sequence[Trial], report: Report, seconds: float) -> Trial | None:
        """The winner, or the best trial so far, which is written to best.yaml; None if no trial
        completed."""
        states = [trial.result.state for trial in trials]
        counts = " · ".join(
            f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))
        )
        waited = report.idle / (report.busy + report.idle) if report.busy else 0.0
        self._print(
            f"\ntrials   {len(trials)}: {counts or 'none settled'} · {seconds:.0f} s · "
            f"workers waited {100 * waited:.0f} % of their time"
        )
        if report.why:
            self._tell(f"stopped  {report.why}")
        best = winners.winner(self.study, trials)
        if best is None:
            return None
        complete = len(trials) >= self.study.n_trials
        ended_by = "all trials" if complete else report.why or "stopped"
        is_winner = complete or report.ended is Ended.TIME_IS_UP
        self._winner(trials, best, is_winner)
        path = self.study.directory / "best.yaml"
        atomic.write(path, self._best_yaml(best, ended_by, is_winner).encode())
        self._print(f"saved    {path}")
        return best

    def report(self, analysis: Analysis) -> None:
        """Which hyper-parameters decide, once the figures are drawn."""
        self._print(f"decides  {importance_line(analysis)}\n")

    def no_winner(self, stopped: str | None, trials: int) -> None:
        """The last line where no trial completed: why, and why there are no more trials."""
        why = f"no trial trained to its end, of {trials}"
        self._tell(f"no winner  {why}{f'; {stopped}' if stopped else ''}")

    def commands(
        self, best: Trial | None, complete: bool, words: Sequence[str], page: str, finished: bool
    ) -> None:
        """What to type next; ``page`` is where the UI shows the study. Only a winner is evaluated:
        the best trial of a study that is not ``finished`` is none yet."""
        config = self.study.config
        if not complete:
            self._tell(f"resume     {command_of(words)}")
        if config.tracking.name == "mlflow":
            self._print(f"look       {ui_command(config.output, config.tracking)}")
            if page and not is_server(config.tracking):
                self._print(f"           then open http://127.0.0.1:5000/{page}")
        if dashboard := dashboard_command(config):
            self._print(f"dashboard  {dashboard}")
        output, tracking = output_words(config.output), tracking_words(config.tracking)
        self._print(f"report     python -m nndl_exp.report {self.study.name}{output}{tracking}")
        if best is not None:
            path = shlex.quote(str(self.study.directory / "best.yaml"))
            self._print(f"reproduce  python -m nndl_exp.reproduce {path}")
        if best is not None and finished:
            name = f"{self.study.name}/{best.number}"
            self._print(f"evaluate   python -m nndl_exp.evaluate {name}{output}{tracking}")

    def _plan(self, workers: int, trials: int) -> str:
        config = self.study.config
        sampler, pruner = str(config.sampler["name"]), str(self.study.plan.pruner["name"])
        parts = [
            f"{self.study.n_trials} trials",
            f"{sampler.upper() if len(sampler) < 5 else sampler}, lag {self.study.plan.lag}",
            "no pruner" if pruner == "none" else f"{pruner.replace('_', ' ')} pruner",
            f"{workers} worker{'s' if workers > 1 else ''}",
        ]
        if config.study.budget:
            parts.append(f"at most {config.study.budget}")
        if trials > 0:
            seconds = forecast(self.study, workers, trials)
            self.trials_a_second = trials / seconds
            parts.append(f"about {seconds_text(seconds)}")
        return " · ".join(parts)

    def _winner(self, trials: Sequence[Trial], best: Trial, is_winner: bool) -> None:
        study, result = self.study, best.result
        measure = measure_of(study.config.run)
        assert result.validation_accuracy is not None
        others = winners.not_distinguishable(study, trials, best)
        phrase = result_text(measure, result.validation_accuracy, study.dataset)
        title = "winner  " if is_winner else "so far  "
        self._tell(f"{title} trial {best.number} · {phrase} · cost {result.validation_cost:.4f}")
        if (baseline := study.dataset.baseline(study.dataset.validation)) is not None:
            self._tell(f"         always naming the commonest class: {100 * baseline:.1f} %")
        self._tell(f"         {settings_text(study.varied(best.config))}")
        if others:
            several = f"{len(others)} other trials lie" if len(others) > 1 else "1 other trial lies"
            shown = ", ".join(map(str, others[:6])) + (", ..." if len(others) > 6 else "")
            self._tell(f"         {several} within its 95 % interval ({shown})")
        self._tell(f"         {self._edges(best)}")
        if study.config.study.second_objective != "none":
            front = winners.pareto_front(study, trials)
            shown = ", ".join(
                f"{t.number} ({winners.size(study, t):,}: "
                f"{plain_accuracy(measure, t.result.validation_accuracy or 0.0)}"
                f"{' %' if measure.is_fraction else ''})"
                for t in front
            )
            self._tell(f"         {winners.RULES[winners.rule(study)]}")
            self._tell(f"         Pareto front: {shown}")

    def _edges(self, best: Trial) -> str:
        params = self.study.space.params_of(self.study.varied(best.config))
        edges = self.study.space.at_edges(params)
        if not edges:
            return "inside the search space on every side"
        names = ", ".join(short_name(name) for name in edges)
        return f"at the edge of the search space in {names}: a wider one may hold a better trial"

    def _best_yaml(self, best: Trial, ended_by: str, is_winner: bool) -> str:
        result = best.result
        origin = {
            "study": self.study.name,
            "trial": best.number,
            "epochs": result.epochs,
            measure_of(best.config).renamed("validation_accuracy"): result.validation_accuracy,
            "weights_sha256": result.weights["best"],
            "trials": trials_on_disk(self.study.directory),
            "ended_by": ended_by,
        }
        what = "winner of" if is_winner else "best so far in"
        head = f"# the {what} {self.study.name}: trial {best.number}\n"
        head += "# train it:  python -m nndl_exp.train from=THIS_FILE [SETTING=VALUE ...]\n"
        return head + to_yaml({**to_mapping(best.config), "origin": origin})

    def _print(self, line: str) -> None:
        self._screen.print(line)

    def _tell(self, line: str) -> None:
        self._screen.tell(line)


def show_trial(screen: Screen, lines: TrialLines, trial: Trial) -> None:
    """Print a trial's line; where the best ones are shown all the time, only one that is better."""
    line = lines.line(trial)
    is_best = lines.best_number == trial.number
    screen.print(line, style="green" if is_best else "", minor=not is_best)
