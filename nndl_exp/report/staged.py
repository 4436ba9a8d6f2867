"""What the terminal shows of a study in stages: the plan, the trials, what each stage decided."""

from collections.abc import Sequence

from nndl_exp.config import RunConfig, output_words, to_mapping, to_yaml, tracking_words
from nndl_exp.records import atomic
from nndl_exp.report.live import Search
from nndl_exp.report.screen import Screen
from nndl_exp.report.study import show_trial
from nndl_exp.report.text import TrialLines, limits_text, run_text, seconds_text, show_dataset
from nndl_exp.report.watch import Watch
from nndl_exp.run import measure_of
from nndl_exp.study.dashboard import dashboard_command
from nndl_exp.study.finished import command_of
from nndl_exp.study.looks import looks_at_study
from nndl_exp.study.proposing.proposer import Proposal
from nndl_exp.study.stages.chapter3 import STAGES
from nndl_exp.study.stages.joint import JointStage
from nndl_exp.study.stages.script import Decision
from nndl_exp.study.strategy import Stage, StagedStudy
from nndl_exp.study.study import Trial
from nndl_exp.tracking.client import is_server, ui_command
from nndl_exp.training.statistics import resolution

_MUCH = 1.5
_TYPICAL = 0.95
"""The accuracy for which it is said what difference a validation set can show."""


class StagedPresentation:
    """Shows one start of a study in stages on a screen."""

    def __init__(self, study: StagedStudy, screen: Screen) -> None:
        self.study = study
        self._screen = screen
        self._lines: TrialLines | None = None

    def plan(self, workers: int, seconds: float) -> None:
        """The first block."""
        study, config = self.study, self.study.config
        state = "resumed" if study.exists() else "new"
        network, training = run_text(config.run)
        self._print(
            f"study    {study.name:<17} {state} · seed {config.study.seed} · output "
            f"{study.directory}"
        )
        looks = looks_at_study(config, study.name, study.dataset.sha256)
        show_dataset(self._screen, study.dataset, looks)
        for line in limits_text(config, study.dataset):
            self._print(f"         {line}")
        if measure_of(config.run).is_fraction:
            least = 100 * resolution(_TYPICAL, n := len(study.dataset.validation))
            self._print(
                f"         {n:,} validation examples tell two networks of "
                f"{100 * _TYPICAL:.0f} % apart from {least:.2g} points on"
            )
        self._print(f"start    {network}\n         {training}")
        stages = ", ".join(key.replace("_", " ") for key in config.strategy.stages)
        parts = [stages, f"{workers} worker{'s' if workers > 1 else ''}"]
        if config.study.budget:
            parts.append(f"at most {config.study.budget}")
        parts.append(f"up to about {seconds_text(seconds)}")
        self._print(f"plan     {' · '.join(parts)}")
        if config.study.dry_run:
            for position, key in enumerate(config.strategy.stages, 1):
                part = seconds * study.share(key) / study.work()
                self._print(f"  [{position}] {_title(key):<24} about {seconds_text(part)}")

    def begin(self, position: int, stage: Stage) -> None:
        """A stage's heading."""
        count = len(self.study.config.strategy.stages)
        self._screen.print(f"\n[{position}/{count}] {stage.title}", style="bold")
        if stage.key == "joint":
            self._print(f"search   {stage.space.describe()}")
            for said in getattr(stage, "centred", []):
                self._print(f"         {said}")
        self._lines = TrialLines(stage)
        self._screen.print(self._lines.header(), style="dim")

    def search(self, position: int, stage: Stage, proposed: Sequence[Proposal]) -> Search:
        """What the region below the lines shows of a stage that has begun."""
        assert self._lines is not None
        keys = self.study.config.strategy.stages
        return Search(
            study=stage,
            watch=Watch(stage, proposed),
            lines=self._lines,
            heading=f"[{position}/{len(keys)}] {stage.title}",
            total=stage.facts.share,
            amount=stage.facts.work,
            counts=False,
            later=[(_title(key), self.study.share(key)) for key in keys[position:]],
        )

    def trial(self, trial: Trial) -> None:
        """The line of the stage's next trial."""
        assert self._lines is not None
        show_trial(self._screen, self._lines, trial)

    def decided(self, decision: Decision, times: float, *, ends: bool) -> None:
        """What a stage found, and why; ``times`` is how often it spent its share of the work,
        ``ends`` whether the study ends with it: then that is its verdict."""
        say = self._screen.tell if ends else self._screen.print
        for i, words in enumerate(decision.words):
            say(f"{'→ ' if i == 0 else '  '}{words}")
        if times > _MUCH:
            self._print(
                f"  this took {times:.1f} times the stage's share of the work: a stage does the "
                "least that it can; raise strategy.epochs to give it more"
            )

    def end(
        self, config: RunConfig, ended: tuple[Stage, Trial] | None, trials: int, seconds: float
    ) -> None:
        """The run that the study ends with, written to best.yaml; ``ended`` is its trial."""
        network, training = run_text(config)
        self._print(f"\ntrials   {trials} in {seconds_text(seconds)}")
        self._screen.tell(f"winner   {network}\n         {training}")
        path = self.study.directory / "best.yaml"
        atomic.write(path, self._best_yaml(config, _name(ended)).encode())
        self._print(f"saved    {path}\n")

    def unfinished(self, decision: Decision | None, trials: int, seconds: float) -> None:
        """Where a study stands that was stopped before its last stage had decided."""
        self._print(f"\ntrials   {trials} in {seconds_text(seconds)}")
        if decision is not None:
            network, training = run_text(decision.config)
            self._print(f"so far   {network}\n         {training}")

    def no_winner(self, stopped: str | None, decision: Decision | None) -> None:
        """The last line where the study has no winner: why."""
        why = f"yet: {stopped}" if stopped else decision.words[0] if decision else "yet"
        self._screen.tell(f"no winner  {why}")

    def commands(
        self, words: Sequence[str], complete: bool, page: str, ended: tuple[Stage, Trial] | None
    ) -> None:
        """What to type next; ``page`` is where the UI shows the study."""
        config = self.study.config
        if not complete:
            self._screen.tell(f"resume     {command_of(words)}")
        if config.tracking.name == "mlflow":
            self._print(f"look       {ui_command(config.output, config.tracking)}")
            if page and not is_server(config.tracking):
                self._print(f"           then open http://127.0.0.1:5000/{page}")
        if dashboard := dashboard_command(config):
            self._print(f"dashboard  {dashboard}")
        output, tracking = output_words(config.output), tracking_words(config.tracking)
        self._print(f"report     python -m nndl_exp.report {self.study.name}{output}{tracking}")
        if winner := _name(ended):
            self._print(f"reproduce  python -m nndl_exp.reproduce {winner}{output}")
            self._print(f"evaluate   python -m nndl_exp.evaluate {winner}{output}{tracking}")

    def _best_yaml(self, config: RunConfig, name: str | None) -> str:
        head = f"# what {self.study.name} ended with\n"
        head += "# train it:  python -m nndl_exp.train from=THIS_FILE [SETTING=VALUE ...]\n"
        return head + to_yaml({**to_mapping(config), "origin": {"run": name}})

    def _print(self, line: str) -> None:
        self._screen.print(line)


def _name(ended: tuple[Stage, Trial] | None) -> str | None:
    return f"{ended[0].name}/{ended[1].number}" if ended else None


def _title(key: str) -> str:
    return STAGES[key].TITLE if key in STAGES else JointStage.title
