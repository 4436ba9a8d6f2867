"""A study as a value and as a folder: its identity, its trials, its winner."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from nndl_exp.config import (
    RunConfig,
    SweepConfig,
    flatten,
    parse,
    read_yaml,
    to_mapping,
    to_yaml,
)
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory, atomic
from nndl_exp.run import check, measure_of, sizes_of
from nndl_exp.study import warm_start
from nndl_exp.study.names import no_such_study
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.proposer import Judge, Plan, Proposer, Settled, View
from nndl_exp.study.proposing.search_space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

    from nndl_exp.study.leadership import Leadership

FORMAT = 1
SAVED = ("run", "search_space", "sampler", "pruner", "study", "strategy")
"""What study.yaml holds."""
_EXTENDABLE = {
    "study.name", "study.n_trials", "study.budget", "study.max_retries", "study.give_up_after",
    "study.dry_run",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Trial:
    """A settled trial: its number, its config and how it ended."""

    number: int
    config: RunConfig
    result: Result


class Study:
    """A study that ``config`` describes, in the folder ``studies/NAME`` of its output folder.

    Making the value reads the dataset, and checks that all parts fit together; nothing is written
    before ``create``.

    Raises:
        UserError: what does not fit, by the name of the setting.
    """

    is_search = True
    """Whether its trials are sampled from its search space, rather than chosen by a script."""

    def __init__(self, config: SweepConfig) -> None:
        self.config = config
        self._configs: list[RunConfig] = []  # of settled trials, which are asked for often
        self.dataset = data_of_study(config)
        self.space = SearchSpace.parse(config.search_space, config.run)
        self._check_mini_batch_size()
        second = config.study.second_objective
        pruner = {"name": "none"} if second != "none" else config.pruner
        self.directions = objectives.directions(config.run.training.judged_by, second)
        self.objective_names = objectives.names(config.run.training.judged_by, second)
        enqueue = tuple(self.space.params_of(settings) for settings in config.study.enqueue)
        identity = self._identity(pruner)
        self.name = self._name(identity)
        self.rows = warm_start.load(config, self.dataset, self.name, self.rows_path)
        self.plan = Plan(
            identity=identity,
            space=self.space,
            directions=self.directions,
            sampler=config.sampler,
            pruner=pruner,
            seed=config.study.seed,
            lag=config.study.lag,
            enqueue=enqueue,
            known=warm_start.known(self.rows, self.space, config.run),
        )
        self._check_known()
        self._try_out()

    @classmethod
    def open(cls, output: Path | str, name: str) -> "Study":
        """A study that exists, by its name.

        Raises:
            UserError: there is no study of that name; the message lists those there are.
        """
        folder = Path(output) / "studies" / name
        if not _NAME.fullmatch(name) or not (folder / "study.yaml").is_file():
            raise UserError(no_such_study(output, name))
        config, data = load_settings(folder / "study.yaml", output)
        study = cls(config)
        check_same_data(name, data, study.dataset)
        return study

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return Path(self.config.output) / "studies" / self.name

    @property
    def settings_path(self) -> Path:
        """The file that says what the study is."""
        return self.directory / "study.yaml"

    @property
    def id(self) -> str | None:
        """Tells the study from any other that had or will have its name; None before ``create``."""
        return id_in(self.settings_path)

    @property
    def rows_path(self) -> Path:
        """Where the rows of the study that it begins with are kept."""
        return self.directory / warm_start.FILE

    @property
    def n_trials(self) -> int:
        """How many trials the study has in all."""
        return total_of(self.config, self.space)

    def total(self, settled: int) -> int:
        """How many trials there are in all, as far as the first ``settled`` ones tell."""
        return self.n_trials

    def has_failed(self, result: Result) -> bool:
        """Whether a trial tells nothing of its neighbours: an error, or a cost that is not finite.

        Where trials are asked for by a script it looks for the edge beyond which they diverge.
        """
        return result.state == "failed" or (self.is_search and result.state == "diverged")

    def proposer(self) -> Proposer:
        """What proposes the trials."""
        return View(self.plan)

    @property
    def leadership(self) -> "Leadership":
        """Held by one of the processes that run the study."""
        from nndl_exp.study.leadership import Leadership

        return Leadership(self.directory)

    def exists(self) -> bool:
        """Whether the study was created before."""
        return self.settings_path.is_file()

    def verify(self) -> None:
        """Check that the study that has this name, if there is one, is this one.

        Raises:
            UserError: it has another identity; the message says what differs.
        """
        path = self.settings_path
        if path.is_file():
            saved, data = load_settings(path, self.config.output)
            self._check_same(saved)
            check_same_data(self.name, data, self.dataset)

    def create(self) -> None:
        """Make the study's folder.

        Raises:
            UserError: see ``verify``.
        """
        with creating(self.directory):
            self.verify()
            warm_start.save(self.rows, self.rows_path)
            save_settings(self.settings_path, self.config, self.name, self.dataset.sha256)

    def run(self) -> Iterator[Trial]:
        """Lead the study to its end, or on from where it stopped; yields every trial in order.

        Raises:
            KeyboardInterrupt: it was interrupted; all that was trained is kept.
            UserError: workers died again and again, or the database has gone.
        """
        from nndl_exp.study.running.coordinator import Coordinator

        coordinator = Coordinator(self)
        yield from coordinator
        coordinator.raise_what_stopped()

    def run_directory(self, number: int) -> RunDirectory:
        """The record of a trial."""
        return RunDirectory(self.directory / "trials" / str(number))

    def trials(self) -> list[Trial]:
        """The settled trials 0, 1, ... up to the first that has not ended: the study's table.

        Trials beyond that one may have ended too, on other workers; they count once it has.
        """
        return list(self._settled_prefix())

    def settled(self, trial: Trial) -> Settled:
        """A trial's result as samplers and pruners see it."""
        directory = self.run_directory(trial.number)
        history = directory.epochs()
        if len(history) != trial.result.epochs:
            raise UserError(
                f"{directory.path} must hold {trial.result.epochs} epochs: got {len(history)}; "
                "delete the folder to train the trial again"
            )
        sizes = sizes_of(trial.config, self.dataset)
        second = self.config.study.second_objective
        return objectives.settled(trial.config, sizes, trial.result, history, second)

    def trained(self, config: RunConfig, *, exactly: bool = False) -> Trial | None:
        """The first trial that completed this run, whatever its seed unless ``exactly``."""
        for trial in self.trials():
            same = trial.config if exactly else replace(trial.config, seed=config.seed)
            if same == config and trial.result.state == "complete":
                return trial
        return None

    def shown_range(self, name: str, values: Sequence[float]) -> tuple[float, float]:
        """From where to where a hyper-parameter is shown, given the values that trials had."""
        distribution: Any = self.space.distributions[name]
        return distribution.low, distribution.high

    def table(self, trials: Sequence[Trial] | None = None) -> "pd.DataFrame":
        """The trials as a pandas table, a row each: varied settings, results, weights' digests.

        ``trials`` are the settled ones if they have been read before.
        """
        import pandas as pd  # not for workers, nor for a plan or an error line

        accuracy = measure_of(self.config.run).renamed("validation_accuracy")
        rows = [
            {
                "trial": trial.number,
                "state": trial.result.state,
                "reason": trial.result.reason,
                **self.varied(trial.config),
                accuracy: trial.result.validation_accuracy,
                "validation_cost": trial.result.validation_cost,
                "best_epoch": trial.result.best,
                "epochs": trial.result.epochs,
                "seconds": trial.result.seconds,
                "weights_sha256": trial.result.weights["best"],
            }
            for trial in (self.trials() if trials is None else trials)
        ]
        columns = ["trial", "state", "reason", *self.space.settings, accuracy]
        columns += ["validation_cost", "best_epoch", "epochs", "seconds", "weights_sha256"]
        return pd.DataFrame(rows, columns=columns)  # the columns also where there is no row

    def varied(self, config: RunConfig) -> dict[str, Any]:
        """The settings of a run that the study varies, by dotted name."""
        settings = dict(flatten(to_mapping(config)))
        return {name: settings[name] for name in self.space.settings}

    def _settled_prefix(self) -> Iterator[Trial]:
        number = 0
        while (result := (directory := self.run_directory(number)).result()) is not None:
            if number == len(self._configs):
                self._configs.append(directory.config())
            yield Trial(number, self._configs[number], result)
            number += 1

    def _name(self, identity: str) -> str:
        return check_name(self.config.study.name, self.config.run.dataset.title, identity)

    def _identity(self, pruner: dict[str, Any]) -> str:
        identity = {
            "format": FORMAT,
            "run": to_mapping(self.config.run),
            "search_space": {n: repr(d) for n, d in self.space.distributions.items()},
            "sampler": self.config.sampler,
            "pruner": pruner,
            "study": {
                key: value
                for key, value in to_mapping(self.config.study).items()
                if f"study.{key}" not in _EXTENDABLE
            },
            "data": self.dataset.sha256,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def _check_same(self, saved: SweepConfig) -> None:
        if Study(replace(saved, study=replace(saved.study, name=self.name))).plan == self.plan:
            return
        raise UserError(other_settings(self.name, saved, self.config))

    def _try_out(self) -> None:
        """Propose and judge once, so that options that fail do so before anything is trained."""
        try:
            View(self.plan).ask([])
            Judge(self.plan, 0, []).prunes([0.5])
        except (TypeError, ValueError, ArithmeticError) as e:
            raise UserError(f"the sampler or pruner does not take these options: {e}") from None

    def _check_known(self) -> None:
        if self.rows and not self.plan.known:
            raise UserError(
                f"study.warm_start={self.config.study.warm_start} must have trials inside the "
                f"search space, with the same settings otherwise: got none in {len(self.rows)}"
            )

    def _check_mini_batch_size(self) -> None:
        distribution = self.space.distributions.get("training.mini_batch_size")
        choices = getattr(distribution, "choices", None)
        largest = max(choices) if choices else getattr(distribution, "high", 1)
        if largest > (n := len(self.dataset.training)):
            raise UserError(
                "search_space.training.mini_batch_size must not exceed the size of the training "
                f"set ({n}): got {largest}"
            )


def data_of_study(config: SweepConfig) -> Dataset:
    """The dataset of a study, whose test set it does not see.

    Raises:
        UserError: it asks for the test set, or the run does not fit together.
    """
    if config.run.dataset.monitor == "test":
        raise UserError("dataset.monitor must be validation in a study: got test")
    return check(config.run)


def total_of(config: SweepConfig, space: SearchSpace) -> int:
    """How many trials a search has in all: a grid has no more than its points."""
    if config.sampler.get("name") != "grid":
        return config.study.n_trials
    return min(config.study.n_trials, prod(len(values) for values in space.grid().values()))


def check_same_data(name: str, then: str | None, dataset: Dataset) -> None:
    """Check that a study's dataset is the one with the SHA-256 ``then``, if that is known.

    Raises:
        UserError: the data have changed since the study was begun.
    """
    now = dataset.sha256
    if then not in (None, now):
        raise UserError(
            f"the study {name} must have the data that it was begun with (sha256 "
            f"{str(then)[:12]}...): the dataset has changed, it is {now[:12]}... now"
        )


def check_name(name: str, dataset: str, identity: str) -> str:
    """A study's name; ``auto`` is the dataset and a digest of what identifies the study.

    Raises:
        UserError: a name that can't be a folder's.
    """
    if name == "auto":
        return f"{dataset}-{identity[:6]}"
    if not _NAME.fullmatch(name):
        raise UserError(
            "study.name must be 1 to 100 letters, digits, dots, dashes or underscores, and "
            f"start with a letter or digit: got {name!r}"
        )
    return name


@contextmanager
def creating(folder: Path) -> Iterator[None]:
    """Make a study's folder; one process at a time says what study is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".create.lock"):
        yield


def id_in(path: Path) -> str | None:
    """The id of the study whose settings are in a file; None where there is none."""
    found = read_yaml(path).get("id") if path.is_file() else None
    return None if found is None else str(found)


def new_id() -> str:
    """A random id; nothing that is computed depends on it."""
    return uuid.uuid4().hex


def save_settings(path: Path, config: SweepConfig, name: str, data: str) -> None:
    """Keep what identifies a study, its id, its total of trials, the SHA-256 of its data, and
    MLflow's experiment where that is not the dataset's; to be called inside ``creating``."""
    everything = to_mapping(config)
    settings = {key: everything[key] for key in SAVED}
    settings["study"] |= {"name": name, "dry_run": False}
    settings |= {"data": data, "id": id_in(path) or new_id()}
    if config.tracking.experiment is not None:
        settings["tracking"] = {"experiment": config.tracking.experiment}
    header = f"# the study {name}: what identifies it, and its total of trials\n"
    atomic.write(path, (header + to_yaml(settings)).encode(), durable=True)


def shown_as_before(config: SweepConfig, directory: Path) -> SweepConfig:
    """With the MLflow experiment that a study, if it exists, has been shown in so far.

    Raises:
        UserError: another one is asked for.
    """
    path = directory / "study.yaml"
    if not path.is_file():
        return config
    saved, _ = load_settings(path, config.output)
    then, now = saved.tracking.experiment, config.tracking.experiment
    shown = then or config.run.dataset.title
    if now not in (None, shown):
        raise UserError(
            f"tracking.experiment must be that in which the study {directory.name} is shown "
            f"({shown}): got {now}"
        )
    return replace(config, tracking=replace(config.tracking, experiment=then))


def load_settings(path: Path, output: Path | str) -> tuple[SweepConfig, str | None]:
    """The settings of a study, and the SHA-256 of the data that it was begun with.

    Raises:
        UserError: the file is missing or damaged.
    """
    settings = read_yaml(path)
    data, _ = settings.pop("data", None), settings.pop("id", None)
    try:
        return parse(SweepConfig, {**settings, "output": str(output)}), data
    except UserError as e:
        raise UserError(f"{path} is not a study's settings: {e}") from None


def other_settings(name: str, saved: SweepConfig, config: SweepConfig) -> str:
    """The error line for a study that exists with other settings: what was, and what is now."""
    then, now = dict(flatten(_settings(saved))), dict(flatten(_settings(config)))
    changed = [
        f"{key} was {then.get(key)}, now {now.get(key)}"
        for key in [*now, *(key for key in then if key not in now)]
        if then.get(key) != now.get(key) and key not in _EXTENDABLE
    ]
    return (
        f"the study {name} exists with other settings ({'; '.join(changed)}); "
        "give them again, or another study.name"
    )


def same_settings(saved: SweepConfig, config: SweepConfig) -> bool:
    """Whether two studies are the same one, whatever their names and their totals of trials."""
    then, now = dict(flatten(_settings(saved))), dict(flatten(_settings(config)))
    keys = {*then, *now} - _EXTENDABLE
    return all(then.get(key) == now.get(key) for key in keys)


def _settings(config: SweepConfig) -> dict[str, Any]:
    return {key: value for key, value in asdict(config).items() if key in SAVED}
