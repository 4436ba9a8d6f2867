"""Hydra, through its public API: from the words of a command line to plain settings.

``run`` hands a command line over to ``hydra.main``, which answers ``--help`` and tab completion and
runs a task, several times with ``--multirun``; ``compose`` only composes. The default of a setting
stands in ``nndl_exp.config``: Hydra is given the dataclasses as plain mappings, which the YAML
files of ``conf/`` change.
"""

import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nndl_exp.cli.base import start_from
from nndl_exp.cli.conf import CONF
from nndl_exp.cli.explain import explained
from nndl_exp.cli.settings_help import help_of
from nndl_exp.cli.typed import answers, completes_a_flag, parsed
from nndl_exp.config import (
    ExecutorConfig,
    RunConfig,
    StorageConfig,
    StrategyConfig,
    StudyConfig,
    TrackingConfig,
    default_output,
    default_tracking_uri,
    to_mapping,
)
from nndl_exp.errors import UserError
from nndl_exp.fast import kernels
from nndl_exp.masking import masked

FITTED = ("training.eta", "training.mini_batch_size")
"""Settings whose default is fitted to the data where nobody sets them."""


@dataclass(frozen=True)
class Composed:
    """Plain settings, and where they come from.

    ``typed`` are the names of those that were typed, ``fitted`` of those of ``FITTED`` that nothing
    set: no word and no file. ``base`` is the run's file that they are based on, if there is one.
    ``several``: whether they are one combination of a ``--multirun``.
    """

    settings: dict[str, Any]
    words: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()
    base: Path | None = None
    several: bool = False


Task = Callable[[Composed], object]


def run(name: str, words: Sequence[str], task: Task, check: Task = lambda composed: None) -> None:
    """Run ``task`` with the settings that the words of a command line describe.

    With ``--multirun`` it is run for each combination, after all of them have passed ``check``.

    Args:
        name: the primary config, ``conf/NAME.yaml``.
        words: what was typed behind the command.
        task: what to run; can be pickled, so that Hydra's launchers can run it elsewhere.
        check: raises UserError for settings that make no sense.

    Raises:
        UserError: anything that Hydra can't compose, in one line; or what the two raise.
    """
    words = parsed(words)
    if completes_a_flag(words):
        return
    CheckFirst.check = check

    def job(config: DictConfig) -> None:
        _start(config, task)

    main = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(job)
    with _as_typed(words), explained(name, words, compose):
        try:
            main()
        except _Raised as e:
            raise e.error from e.error.__cause__


def compose(name: str, overrides: Sequence[str] = (), config_dir: Path | None = None) -> Composed:
    """The configuration ``conf/NAME.yaml`` with overrides, as one types them.

    Args:
        name: the primary config.
        overrides: what one would type.
        config_dir: a folder of settings of one's own, as ``--config-dir`` takes it.

    Raises:
        UserError: anything that Hydra can't compose, in one line.
    """
    words, extra = parsed(overrides), list[str]()
    if config_dir is not None:
        folder = QuotedString(f"file://{Path(config_dir).resolve()}", Quote.double)
        extra = [f"hydra.searchpath=[{folder.with_quotes()}]"]
    folder_of_ours = hydra.initialize_config_dir(str(CONF), version_base="1.3")
    with explained(name, words, compose), folder_of_ours:
        return _composed(hydra.compose(name, [*words, *extra]), words)


class _Raised(BaseException):
    """An exception on its way out of Hydra, which would print a line of it, or only warn."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def _carried() -> Iterator[None]:
    try:
        yield
    except Exception as e:
        raise _Raised(e) from e


def _start(config: DictConfig, task: Task) -> None:
    """Run the task of a job; in a process of its own, if a launcher has some."""
    job = HydraConfig.get()
    with _carried():
        composed = _composed(config, job.overrides.task)
        task(replace(composed, several=job.mode == RunMode.MULTIRUN))


class CheckFirst(Callback):
    """Checks every combination of a ``--multirun`` before the first is run."""

    check: ClassVar[Task]

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose and check each; a sweeper that does not say what it will run is not asked."""
        name = config.hydra.job.config_name
        with _carried():
            for words in _combinations(list(config.hydra.overrides.task)):
                CheckFirst.check(_composed(hydra.compose(name, words), words))


def _combinations(words: list[str]) -> Iterator[list[str]]:
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    each = []
    for override in parser.parse_overrides(words):
        if not override.is_sweep_override():
            each.append([str(override.input_line)])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            each.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            return
    yield from map(list, itertools.product(*each))


def _composed(config: DictConfig, words: Sequence[str]) -> Composed:
    settings = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    raw = OmegaConf.to_container(config, resolve=False)
    assert isinstance(settings, dict) and isinstance(raw, dict)
    plain: dict[str, Any] = {str(key): value for key, value in settings.items()}
    overrides = OverridesParser.create().parse_overrides(list(words))
    typed = tuple(str(override.key_or_group) for override in overrides)
    _add_environment(plain)
    kernels.choose(str(plain.get("kernels")))
    fitted = tuple(name for name in FITTED if _is_fitted(raw, name))
    base = plain.pop("from", None)
    if base is None:
        return Composed(plain, tuple(words), typed, fitted)
    if not isinstance(base, str) or not base:
        raise UserError(f"from must be the path of a run's config: got {base!r}")
    start_from(Path(base), plain, typed)
    return Composed(plain, tuple(words), typed, (), Path(base))


def _is_fitted(raw: dict[Any, Any], name: str) -> bool:
    group, _, key = name.partition(".")
    return str((raw.get(group) or {}).get(key)).startswith("${fitted:")


def _add_environment(settings: dict[str, Any]) -> None:
    """Put what the environment says where nothing was typed."""
    if settings.get("output") is None:
        settings["output"] = default_output()
    tracking = settings.get("tracking")
    if isinstance(tracking, dict) and tracking.get("name") == "mlflow":
        tracking["uri"] = tracking.get("uri") or default_tracking_uri()


@contextmanager
def _as_typed(words: Sequence[str]) -> Iterator[None]:
    """Hydra reads ``sys.argv``; what it prints of settings is printed without passwords."""
    hidden, said = sys.argv, io.StringIO()
    sys.argv = [hidden[0], *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else it prints errors itself, over several lines
    try:
        if not answers(words):
            yield
            return
        with redirect_stdout(said):
            yield
    finally:
        sys.argv = hidden
        print(masked(said.getvalue()), end="")


def _defaults() -> dict[str, dict[str, Any]]:
    """The settings of each command as its dataclasses have them."""
    run: dict[str, Any] = to_mapping(RunConfig())
    for name in FITTED:
        group, _, key = name.partition(".")
        run[group][key] = f"${{fitted:{run[group][key]}}}"
    shared = {"tracking": to_mapping(TrackingConfig()), "output": "${default_output:}"}
    sweep = {"search_space": {}, "sampler": {}, "pruner": {}, "workers": "auto"} | {
        key: to_mapping(cls())
        for key, cls in {"study": StudyConfig, "strategy": StrategyConfig,
                         "executor": ExecutorConfig, "storage": StorageConfig}.items()
    }  # fmt: skip
    book = {"executor": to_mapping(ExecutorConfig()), "workers": "auto"}
    base = {"from": None}
    return {"train": {**run, **shared, **base}, "sweep": {**run, **sweep, **shared, **base},
            "book": {**run, **book, **shared}}  # fmt: skip


def _register() -> None:
    """Tell Hydra and OmegaConf what ``conf/`` refers to."""
    for name, node in _defaults().items():
        ConfigStore.instance().store(f"{name}_defaults", node, provider="nndl_exp")
    OmegaConf.register_new_resolver("fitted", lambda value: value, replace=True)
    OmegaConf.register_new_resolver("default_output", default_output, replace=True)
    OmegaConf.register_new_resolver("help_of", help_of, replace=True)


_register()
