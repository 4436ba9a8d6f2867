"""One search for a given training time, over the project's search space or a larger one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.quality.judging import training
from benchmarks.quality.searchers import Searcher
from nndl_exp.api import Dataset, Epoch, RunConfig
from nndl_exp.study.proposing.search_space import Params, SearchSpace, nearest

# What the strategy tries besides the hyper-parameters of conf/search_space/chapter3.yaml.
TECHNIQUES = {
    "training": {
        "momentum": {"low": 0.0, "high": 0.99},
        "dropout": {"low": 0.0, "high": 0.6},
    },
    "network": {"activation": {"choices": ["sigmoid", "tanh", "relu"]}},
}
OF_CLASSES = {"network": {"output": {"choices": ["sigmoid", "softmax"]}}}
OF_PICTURES = {"training": {"expansion": {"name": {"choices": ["none", "shifts"]}}}}
INITIALIZERS: dict[str, Any] = {"sigmoid": "default", "tanh": "glorot", "relu": "he"}
COSTS: dict[str, Any] = {
    "sigmoid": "cross_entropy", "softmax": "log_likelihood", "linear": "quadratic"
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """A trial that has ended: the validation score, None if it did not complete; and the training
    time of the whole search until then, in seconds."""

    config: RunConfig
    score: float | None
    seconds: float


def search(
    searcher: Searcher, run_of: Callable[[Params], RunConfig], dataset: Dataset, limit: float
) -> list[Ended]:
    """The trials of a search that end within the limit, in seconds of training; at least one.

    ``run_of`` is the run of a proposal.
    """
    spent, ended = 0.0, list[Ended]()
    constant = dataset.baseline(dataset.validation) or 0.0
    while not ended or spent < limit:
        config, pruned = run_of(searcher.ask()), False
        for _, history in training(config, dataset):
            spent += history[-1].seconds
            pruned = searcher.prunes(len(history), _bounded(history[-1], constant))
            if pruned or (ended and spent > limit):
                break
        if ended and spent > limit:
            break
        best = history.best or history[-1]
        complete = not pruned and not history[-1].diverged
        ended.append(Ended(config, best.validation_accuracy if complete else None, spent))
        searcher.tell(None if pruned else _bounded(best, constant) if complete else constant)
    return ended


def _bounded(epoch: Epoch, constant: float) -> float:
    """An epoch's score for a model: at least that of a constant prediction."""
    return max(epoch.validation_accuracy, constant) if not epoch.diverged else constant


def recommended(ended: Sequence[Ended], seconds: float) -> Ended:
    """The best trial by validation of those that had completed by a time, the first where none."""
    within = [one for one in ended if one.seconds <= seconds and one.score is not None]
    return max(within or ended[:1], key=lambda one: one.score or 0.0)


def run_of(space: SearchSpace, start: RunConfig, params: Params) -> RunConfig:
    """The run of a proposal; the start as it is for the parameters nearest to it.

    The initial weights go with the hidden neurons and the cost with the output neurons, as where
    the strategy tries them: a search space can't say that.
    """
    if params == nearest(space, start):
        return start
    run = space.apply(start, params)
    network = run.network
    if "network.activation" in params:
        network = replace(network, initializer=INITIALIZERS[network.activation])
    return replace(run, network=replace(network, cost=COSTS[network.output]))


def with_techniques(entries: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """The search space with the techniques that go with a dataset."""
    some = [entries, TECHNIQUES]
    some += [OF_CLASSES] if dataset.task == "classes" else []
    some += [OF_PICTURES] if dataset.shape else []
    keys = dict.fromkeys(key for one in some for key in one)
    return {key: {k: v for one in some for k, v in one.get(key, {}).items()} for key in keys}
