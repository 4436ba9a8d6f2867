"""``python -m nndl_exp.sweep``: run a study, or go on with it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nndl_exp.cli import hydra_config
from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of, space_of
from nndl_exp.cli.hydra_config import Composed
from nndl_exp.cli.options import verbosity_of
from nndl_exp.config import RUN_KEYS, SweepConfig, parse, to_mapping
from nndl_exp.display.terminal.screen import Verbosity
from nndl_exp.errors import UserError


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, check the configuration, then run the study."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbosity, others = verbosity_of(words)  # Hydra does not know -q and -v
    hydra_config.run("sweep", others, partial(_sweep, words, verbosity), check=_refuse_several)


def _refuse_several(composed: Composed) -> None:
    raise UserError("a sweep is one study: --multirun goes with nndl_exp.train")


def _sweep(words: Sequence[str], verbosity: Verbosity, composed: Composed) -> None:
    config = sweep_config(composed)
    from nndl_exp.run import check

    check(config.run)  # before the heavier imports: a mistake is answered at once
    if config.study.dry_run:  # the plan is what was asked for
        verbosity = max(verbosity, Verbosity.NORMAL)
    from nndl_exp.cli.sweeping import sweep

    sys.exit(sweep(config, make_screen(verbosity), words))


def sweep_config(composed: Composed) -> SweepConfig:
    """The configuration of a study from composed settings.

    A setting that was typed is not searched, unless the joint search comes after other stages.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    run = run_of(composed)
    others = {key: value for key, value in composed.settings.items() if key not in RUN_KEYS}
    if not isinstance(others.get("search_space"), dict):
        raise UserError("search_space must be settings with ranges: got none")
    others["search_space"] = space_of(composed, run)
    if next(iter(others.get("strategy", {}).get("stages") or []), "joint") == "joint":
        others["search_space"] = _without(others["search_space"], composed.typed)
    config = parse(SweepConfig, {**others, "run": to_mapping(run)})
    from nndl_exp.study import executors

    executors.check(config)
    return _tracked(config)


def _tracked(config: SweepConfig) -> SweepConfig:
    """With MLflow in the database of the study, where it has one and is told no other place."""
    if config.storage.name == "sqlite":
        if config.storage.url is not None:
            raise UserError("storage.url goes with storage=postgresql: got storage=sqlite")
        return config
    from nndl_exp import database

    uri = database.url_of(config, "mlflow")
    if config.tracking.name != "mlflow" or config.tracking.uri:
        return config
    return replace(config, tracking=replace(config.tracking, uri=uri))


def _without(space: dict[str, object], typed: Sequence[str], prefix: str = "") -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, entry in space.items():
        name = f"{prefix}{key}"
        searched = any(other.startswith(f"search_space.{name}") for other in typed)
        if name in typed and "." in name and not searched:
            continue
        kept[key] = _without(entry, typed, f"{name}.") if isinstance(entry, dict) else entry
    return kept


if __name__ == "__main__":
    main()
