"""The contenders that search: each proposes a configuration, and is told how good it was.

All but random search try the start first, moved to the nearest end where it lies outside. Random
search and TPE have the project's options and its median pruner, TPE may have Hyperband. GP and
SMAC3 model completed trials only, so theirs are not pruned.
"""

import tempfile
import warnings
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from nndl_exp.config import SweepConfig
from nndl_exp.study.proposing.algorithms import make_pruner
from nndl_exp.study.proposing.search_space import Params, SearchSpace

NEEDS = {"random": None, "TPE": None, "TPE, Hyperband": None, "GP": "torch", "SMAC3": "smac"}
"""The contenders, and the package that each needs."""


class Searcher(Protocol):
    """A search, one trial at a time. Scores are validation scores, larger is better."""

    def ask(self) -> Params:
        """The parameters of the next trial."""
        ...

    def prunes(self, epoch: int, score: float) -> bool:
        """Whether to end the trial after this epoch."""
        ...

    def tell(self, score: float | None) -> None:
        """Take the trial's best score; None if it was pruned."""
        ...


class Optunas:
    """A search by one of Optuna's samplers, in memory."""

    def __init__(
        self, sampler: BaseSampler, pruner: BasePruner, space: SearchSpace, first: Params | None
    ) -> None:
        self.space = space
        self.study = optuna.create_study(
            study_name="quality", direction="maximize", sampler=sampler, pruner=pruner
        )
        if first is not None:
            self.study.enqueue_trial(first)

    def ask(self) -> Params:
        """The parameters of the next trial."""
        self.trial = self.study.ask()
        return self.space.suggest(self.trial)

    def prunes(self, epoch: int, score: float) -> bool:
        """The pruner's decision."""
        self.trial.report(score, epoch)
        return self.trial.should_prune()

    def tell(self, score: float | None) -> None:
        """Settle the trial."""
        state = TrialState.PRUNED if score is None else TrialState.COMPLETE
        self.study.tell(self.trial, score, state)


class Smacs:
    """SMAC3's facade for hyper-parameters, asked and told. What it writes is thrown away."""

    def __init__(self, space: SearchSpace, first: Params, startup: int, seed: int) -> None:
        from ConfigSpace import Configuration
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.runhistory import TrialInfo

        self.folder = tempfile.TemporaryDirectory(prefix="smac-")
        configurations = configuration_space(space, seed)
        scenario = Scenario(
            configurations, deterministic=True, n_trials=100_000, seed=seed,
            output_directory=self.folder.name,
        )  # fmt: skip
        facade = HyperparameterOptimizationFacade
        design = facade.get_initial_design(scenario, n_configs=startup)
        self.smac = facade(
            scenario, lambda config, seed: 0.0, initial_design=design, logging_level=False
        )
        self.first: Any = TrialInfo(Configuration(configurations, first), seed=0)

    def ask(self) -> Params:
        """The parameters of the next trial, as plain numbers and text."""
        with warnings.catch_warnings():  # its log averages over no times
            warnings.simplefilter("ignore", RuntimeWarning)
            self.trial, self.first = self.first or self.smac.ask(), None
        values = dict(self.trial.config)
        return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}

    def prunes(self, epoch: int, score: float) -> bool:
        """No trial is pruned."""
        return False

    def tell(self, score: float | None) -> None:
        """Settle the trial: SMAC3 minimises a cost."""
        from smac.runhistory import TrialValue

        assert score is not None
        self.smac.tell(self.trial, TrialValue(cost=1 - score), save=False)


def configuration_space(space: SearchSpace, seed: int) -> Any:
    """The search space as SMAC3 takes it. The width of a layer applies where there is the layer."""
    import ConfigSpace

    found = ConfigSpace.ConfigurationSpace(seed=seed)
    found.add([_parameter(name, d) for name, d in space.distributions.items()])
    layers = "network.hidden.layers"
    if layers in space.distributions:
        widths = [name for name in found if name.startswith("network.hidden.width_")]
        for i, name in enumerate(widths[1:], 1):
            found.add(ConfigSpace.GreaterThanCondition(found[name], found[layers], i))
    return found


def _parameter(name: str, distribution: BaseDistribution) -> Any:
    import ConfigSpace

    if isinstance(distribution, CategoricalDistribution):
        return ConfigSpace.CategoricalHyperparameter(name, distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    ends = {"lower": distribution.low, "upper": distribution.high, "log": distribution.log}
    if isinstance(distribution, IntDistribution):
        return ConfigSpace.UniformIntegerHyperparameter(name, **ends)
    return ConfigSpace.UniformFloatHyperparameter(name, **ends)


def make_searcher(
    contender: str, space: SearchSpace, first: Params, config: SweepConfig, epochs: int
) -> Searcher:
    """The search of a contender, with the sampler's and pruner's options of ``config``; its trials
    have at most so many epochs."""
    options, seed = {k: v for k, v in config.sampler.items() if k != "name"}, config.study.seed
    startup, pruner = options["n_startup_trials"], make_pruner(config.pruner)
    if contender == "SMAC3":
        return Smacs(space, first, startup, seed)
    if contender == "random":
        return Optunas(RandomSampler(seed), pruner, space, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if contender == "GP":
            gp = GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
            return Optunas(gp, NopPruner(), space, first)
        tpe = TPESampler(seed=seed, **options)
    if contender == "TPE, Hyperband":
        pruner = make_pruner({**config.pruner, "max_resource": epochs})
    return Optunas(tpe, pruner, space, first)
