"""The terminal's view of a study: the plan, the trials, what each stage decided, what to type."""

from collections.abc import Sequence
from math import inf

from nndl_exp.config import RunConfig
from nndl_exp.display.commands import Commands, command_of, dashboard_command
from nndl_exp.display.findings import StageFindings
from nndl_exp.display.terminal.data import show_dataset
from nndl_exp.display.terminal.live import Watched
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.display.terminal.trials import TrialLines
from nndl_exp.display.terminal.watch import Watch
from nndl_exp.display.words import counted, importance_text, limits_text, run_text, seconds_text
from nndl_exp.run import measure_of
from nndl_exp.study.forecast import Forecast
from nndl_exp.study.looks import looks_at_study
from nndl_exp.study.running.trials import Slot
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.stage import Decision, Stage
from nndl_exp.study.study import Study, least, title_of
from nndl_exp.study.summary import BEST
from nndl_exp.training.statistics import resolution

_MUCH = 1.5
_TYPICAL = 0.95
"""The accuracy for which it is said what difference a validation set can show."""


class Presentation:
    """Shows one start of a study on a screen."""

    def __init__(self, study: Study, screen: Screen, forecast: Forecast) -> None:
        self.study, self._screen, self._forecast = study, screen, forecast
        self._lines: TrialLines | None = None

    def plan(self, workers: int) -> None:
        """The first block."""
        study, config = self.study, self.study.config
        finished = sum(1 for _ in study.directory.glob("stages/*/trials/*/result.json"))
        state = f"resumed · {finished} trials finished" if study.exists() else "new"
        self._print(
            f"study    {study.name:<17} {state} · seed {config.study.seed} · output "
            f"{study.directory}"
        )
        looks = looks_at_study(config, study.name, study.dataset.sha256)
        show_dataset(self._screen, study.dataset, looks)
        for line in (*limits_text(config, study.dataset), *self._resolution()):
            self._print(f"{'':9}{line}")
        first = next(study.stages()).search
        if first.is_sampled:
            self._search(first)
        else:
            network, training = run_text(config.run)
            self._print(f"start    {network}\n{'':9}{training}")
        self._print(f"plan     {self._planned(workers)}")
        self._warn(workers)
        if config.study.dry_run:
            for position, key in enumerate(config.strategy.stages, 1):
                seconds = seconds_text(self._forecast.seconds_of(key))
                self._print(f"  [{position}] {title_of(key):<24} about {seconds}")

    def _warn(self, workers: int) -> None:
        """Where the plan is not what will happen."""
        config, needed = self.study.config, least(self.study)
        if config.strategy.epochs < needed:
            self._print(
                f"{'':9}it will take longer than that: the stages need at least about {needed} "
                f"epochs, and strategy.epochs is {config.strategy.epochs}"
            )
        if (idle := workers - config.study.lag) > 0 and "joint" in config.strategy.stages:
            self._tell(
                f"{'':9}{idle} of {workers} workers will idle in the joint search: at most "
                f"study.lag={config.study.lag} trials run at a time"
            )

    def begin(self, position: int, stage: Stage) -> None:
        """A stage's heading."""
        search = stage.search
        self._screen.print(f"\n{self._heading(position, stage)}", style="bold")
        if search.is_sampled and position > 1:
            self._search(search)
        for note in stage.source.notes:
            self._print(f"{'':9}{note}")
        self._lines = TrialLines(search)
        self._screen.print(self._lines.header(), style="dim")

    def watched(self, position: int, stage: Stage, slots: Sequence[Slot]) -> Watched:
        """What the region below the lines shows of a stage that has begun."""
        assert self._lines is not None
        counts, search = stage.facts.share == inf, stage.search
        return Watched(
            search=search,
            watch=Watch(search, slots),
            lines=self._lines,
            heading=self._heading(position, stage),
            total=search.total(0) if counts else stage.facts.share,
            amount=(lambda config, epochs: 1.0) if counts else stage.facts.work,
            counts=counts,
            later=[(title_of(key), self._forecast.amounts[key]) for key in stage.facts.later],
        )

    def trial(self, trial: Trial) -> None:
        """The line of the stage's next trial; where the best ones are always shown, only one that
        is better."""
        assert self._lines is not None
        line = self._lines.line(trial)
        is_best = self._lines.best_number == trial.number
        self._screen.print(line, style="green" if is_best else "", minor=not is_best)

    def decided(self, stage: Stage, decision: Decision, *, ends: bool) -> None:
        """What a stage found, and why; ``ends`` says that it is the study's verdict."""
        say = self._screen.tell if ends else self._screen.print
        for i, words in enumerate(decision.words):
            say(f"{'→ ' if i == 0 else '  '}{words}")
        if stage.spent > _MUCH * stage.facts.share:
            self._print(
                "  this took more than the stage's share of the work: a stage does the least that "
                "it can; raise strategy.epochs to give it more"
            )

    def end(self, trials: int, seconds: float, waited: float, stopped: str | None) -> None:
        """How much was trained; ``waited`` is the fraction of their time that workers idled,
        ``stopped`` why the study ended early."""
        self._print(
            f"\ntrials   {trials} in {seconds_text(seconds)} · workers waited {100 * waited:.0f} % "
            "of their time"
        )
        if stopped:
            self._screen.tell(f"stopped  {stopped}", style=WARNING)

    def result(self, config: RunConfig, *, is_winner: bool) -> None:
        """The run that the study ends with, or where it stands."""
        network, training = run_text(config)
        say, title = (self._tell, "winner  ") if is_winner else (self._print, "so far  ")
        say(f"{title} {network}\n{'':9}{training}")
        if is_winner:
            self._print(f"saved    {self.study.directory / BEST}")

    def importances(self, stage: StageFindings) -> None:
        """Which hyper-parameters decide, once the figures are drawn."""
        self._print(f"decides  {importance_text(stage.importances)}")

    def commands(
        self, words: Sequence[str], page: str, ended: tuple[Stage, Trial] | None, *, complete: bool
    ) -> None:
        """What to type next; ``page`` is where the UI shows the study."""
        config, tracked, name = self.study.config, self.study.tracking, self.study.name
        commands = Commands(config.output, tracked)
        self._print("")
        if not complete:
            self._tell(f"resume     {command_of(words)}")
        if tracked.name == "mlflow":
            self._print(f"look       {commands.ui()}")
            if page and not tracked.is_server:
                self._print(f"           then open http://127.0.0.1:5000/{page}")
        if dashboard := dashboard_command(config):
            self._print(f"dashboard  {dashboard}")
        self._print(f"report     {commands.report(name)}")
        if ended is not None:
            winner = f"{ended[0].search.name}/{ended[1].number}"
            self._print(f"reproduce  {commands.reproduce(winner)}")
            self._print(f"evaluate   {commands.evaluate(winner)}")
            if complete and config.strategy.stages == ("joint",):
                self._print(f"race       {commands.race(name, words)}")

    def no_winner(self, stopped: str | None, decision: Decision | None) -> None:
        """The last line where the study has no winner: why."""
        why = f"yet: {stopped}" if stopped else decision.words[0] if decision else "yet"
        self._tell(f"no winner  {why}")

    def _search(self, search: Search) -> None:
        """The ranges of a search, and how it samples them."""
        self._print(f"search   {search.space.describe()}")
        if search.plan is None:
            return
        sampler, pruner = str(search.plan.sampler["name"]), str(search.plan.pruner["name"])
        parts = [
            f"{sampler.upper() if len(sampler) < 5 else sampler}, lag {search.plan.lag}",
            "no pruner" if pruner == "none" else f"{pruner.replace('_', ' ')} pruner",
        ]
        if (second := search.config.study.second_objective) != "none":
            parts.append(f"two objectives: {second.replace('_', '-')} small")
        self._print(f"{'':9}{' · '.join(parts)}")

    def _heading(self, position: int, stage: Stage) -> str:
        count = len(self.study.config.strategy.stages)
        return f"[{position}/{count}] {stage.title}"

    def _resolution(self) -> list[str]:
        if not measure_of(self.study.config.run).is_fraction:
            return []
        least = 100 * resolution(_TYPICAL, n := len(self.study.dataset.validation))
        return [
            f"{n:,} validation examples tell two networks of {100 * _TYPICAL:.0f} % apart from "
            f"{least:.2g} points on"
        ]

    def _planned(self, workers: int) -> str:
        config = self.study.config
        stages = ", ".join(key.replace("_", " ") for key in config.strategy.stages)
        parts = [stages, counted(workers, "worker")]
        if self._forecast.trials:
            parts.insert(1, f"{self._forecast.trials} trials")
        if config.study.budget:
            parts.append(f"at most {config.study.budget}")
        parts.append(f"up to about {seconds_text(self._forecast.seconds)}")
        return " · ".join(parts)

    def _print(self, line: str) -> None:
        self._screen.print(line)

    def _tell(self, line: str) -> None:
        self._screen.tell(line)
