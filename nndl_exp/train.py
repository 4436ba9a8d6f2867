"""``python -m nndl_exp.train``: train one network, or several with ``--multirun``."""

import sys
from collections.abc import Sequence
from functools import partial

from nndl_exp.cli import hydra_config
from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed
from nndl_exp.cli.options import verbosity_of
from nndl_exp.config import RUN_KEYS, TrainConfig, parse, to_mapping
from nndl_exp.display.terminal.screen import Verbosity


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, check every configuration, then train each."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbosity, others = verbosity_of(words)  # Hydra does not know -q and -v
    hydra_config.run("train", others, partial(_train, words, verbosity), check=_check)


def _check(composed: Composed) -> TrainConfig:
    config = train_config(composed)
    from nndl_exp.run import check

    check(config.run)  # before the heavier imports: a mistake is answered at once
    return config


def _train(words: Sequence[str], verbosity: Verbosity, composed: Composed) -> None:
    config = _check(composed)
    from nndl_exp.cli.training import train_one
    from nndl_exp.display.commands import command_of
    from nndl_exp.records.looks import origin_of_file

    origin = origin_of_file(composed.base) if composed.base else None
    screen = make_screen(verbosity)
    number, finished = train_one(config, screen, origin, again=not composed.several)
    if number is not None:
        if composed.several or not finished:
            screen.tell(f"resume     {command_of(words, 'train')}")
        sys.exit(128 + number)


def train_config(composed: Composed) -> TrainConfig:
    """The configuration of a training from composed settings.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    others = {key: value for key, value in composed.settings.items() if key not in RUN_KEYS}
    return parse(TrainConfig, {**others, "run": to_mapping(run_of(composed))})


if __name__ == "__main__":
    main()
