"""``python -m nndl_exp.train``: train one network, or several with ``--multirun``."""

import sys
from collections.abc import Sequence
from typing import Any

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.options import verbosity_of
from nndl_exp.config import TrainConfig, command_of, no_such_setting, parse, to_mapping
from nndl_exp.errors import UserError

_SETTINGS = ("dataset", "network", "training", "seed", "tracking", "output")


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, check every configuration, then train each."""
    words = sys.argv[1:] if arguments is None else arguments
    composed = compose_all("train", words)
    if composed is None:
        return
    configs = [train_config(one) for one in composed]
    from nndl_exp.records.looks import origin_of_file
    from nndl_exp.run import check

    for config in configs:
        check(config.run)  # before the heavier imports: a mistake is answered at once
    origins = [origin_of_file(one.base) if one.base else None for one in composed]
    from nndl_exp.cli.training import train_one

    screen = make_screen(verbosity_of(words)[0])
    several = any(word in ("-m", "--multirun") for word in words)
    for config, origin in zip(configs, origins, strict=True):
        number, finished = train_one(config, screen, origin, again=not several)
        if number is not None:
            if several or not finished:
                screen.tell(f"resume     {command_of(words, 'train')}")
            sys.exit(128 + number)


def train_config(composed: Composed) -> TrainConfig:
    """The configuration of a training from composed settings.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    settings = composed.settings
    for key in settings:
        if key not in _SETTINGS:
            raise UserError(no_such_setting(key, _SETTINGS))
    others: dict[str, Any] = {
        key: settings[key] for key in ("tracking", "output") if key in settings
    }
    return parse(TrainConfig, {"run": to_mapping(run_of(composed)), **others})


if __name__ == "__main__":
    main()
