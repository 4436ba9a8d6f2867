"""The only module that knows Hydra: from the words of a command line to plain settings.

Hydra composes the configuration and answers ``--help``, ``--cfg`` and tab completion. It does not
run the command: its runner makes an output folder and prints errors over several lines, before
anything has been checked. So ``--multirun`` is expanded here, with Hydra's own sweeper, and every
combination is composed and checked before the first is trained.
"""

import io
import os
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nndl_exp.cli.options import FLAGS, verbosity_of
from nndl_exp.config import (
    RUN_KEYS,
    default_output,
    default_tracking_uri,
    flatten,
    no_such_setting,
    read_yaml,
    run_config,
)
from nndl_exp.errors import UserError
from nndl_exp.masking import masked

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(
    (path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir()),
    _PACKAGE / "conf",
)
"""The configs: inside the package when installed from a wheel, beside it in a checkout."""

_NOT_HYDRA = "settings of Hydra itself can't be changed here"
_TELL_MORE_OR_LESS = ("train", "sweep")
_FLAGS = ("--help", "--cfg", "--multirun", "--config-dir", *FLAGS)
"""What tab offers after a dash."""

_PATHS = ("output", "from", "dataset.path", "out", "published")
"""Settings that are paths: Hydra's grammar takes many of them for something else."""

_HYDRA_VARIES = ("overrides", "runtime", "job", "searchpath", "mode")
"""Settings of Hydra that differ from one command line to another."""


@dataclass(frozen=True)
class Composed:
    """Plain settings, the names of those that were typed, and the run's file that they are based
    on, if there is one."""

    settings: dict[str, Any]
    typed: tuple[str, ...]
    base: Path | None = None


def compose_all(name: str, arguments: Sequence[str]) -> list[Composed] | None:
    """The configurations that a command line asks for: one, or several with ``--multirun``.

    None where it asked for help, the configuration or tab completion, which has been answered then.

    Raises:
        UserError: anything that Hydra can't compose, in one line.
    """
    from hydra._internal.utils import get_args_parser

    several = any(word in ("-m", "--multirun") for word in arguments)
    arguments = [_literal(word, several) for word in arguments]
    if name in _TELL_MORE_OR_LESS:
        _, arguments = verbosity_of(arguments)  # Hydra does not know -q and -v
    parser = get_args_parser()
    # argparse would print the usage, over many lines.
    parser.error = _refuse  # type: ignore[method-assign]
    flags = parser.parse_intermixed_args(arguments)
    _check_flags(flags, name)
    if flags.shell_completion and _completes_a_flag():
        return None
    if flags.help or flags.hydra_help or flags.cfg or flags.info or flags.shell_completion:
        _let_hydra_answer(name, arguments)
        return None
    try:
        return [
            _compose(name, overrides, flags.config_dir)
            for overrides in _combinations(flags.overrides, flags.multirun)
        ]
    except UserError:
        raise
    except Exception as e:
        raise _explain(e, name) from None


def _check_flags(flags: Namespace, name: str) -> None:
    """Refuse what would have Hydra load or make things that are none of ours.

    Hydra makes its callbacks, launchers and logging handlers of any ``_target_`` that a setting of
    its own names, and unpickles what ``--experimental-rerun`` names.
    """
    for flag in ("config_path", "config_name", "experimental_rerun"):
        if getattr(flags, flag) is not None:
            raise UserError(
                f"--{flag.replace('_', '-')} can't be used here (--config-dir adds a folder of "
                f"settings): got {getattr(flags, flag)}"
            )
    for override in flags.overrides:
        if re.match(r"[+~]*(hydra([./@:=]|$)|[^=]*@\s*hydra\b)", override):
            raise UserError(f"{_NOT_HYDRA}: got {override}")
    if flags.config_dir is not None:
        if not flags.config_dir or not Path(flags.config_dir).is_dir():
            raise UserError(f"--config-dir must be a folder that is there: got {flags.config_dir}")
        try:
            changed = _changed_in_hydra(name, flags)
        except Exception as e:
            raise _explain(e, name) from None
        if changed:
            raise UserError(f"{_NOT_HYDRA}: {flags.config_dir} sets hydra.{changed[0]}")


def _changed_in_hydra(name: str, flags: Namespace) -> list[str]:
    """The settings of Hydra that the user's own folder changes; composing makes nothing of them."""
    ours = _hydra_node(name, [], None)
    return [
        key
        for combination in _combinations(flags.overrides, flags.multirun)
        for key, value in _hydra_node(name, combination, flags.config_dir).items()
        if key not in _HYDRA_VARIES and value != ours.get(key)
    ]


def _hydra_node(name: str, overrides: list[str], config_dir: str | None) -> dict[str, Any]:
    from omegaconf import OmegaConf

    node = OmegaConf.to_container(_composed(name, overrides, config_dir).hydra, resolve=False)
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items()}


def compose(name: str, overrides: Sequence[str] = ()) -> Composed:
    """The configuration ``conf/NAME.yaml`` with overrides, as one types them.

    Raises:
        UserError: anything that Hydra can't compose, in one line.
    """
    try:
        return _compose(name, [_literal(word) for word in overrides], None)
    except UserError:
        raise
    except Exception as e:
        raise _explain(e, name) from None


def _combinations(overrides: list[str], multirun: bool) -> list[list[str]]:
    if not multirun:
        return [overrides]
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(overrides)
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [combination for batch in batches for combination in batch]


def _composed(name: str, overrides: list[str], config_dir: str | None) -> Any:
    """What Hydra composes, with its own settings in it."""
    import hydra
    from hydra.core.override_parser.types import Quote, QuotedString

    extra = []
    if config_dir is not None:
        folder = QuotedString(f"file://{Path(config_dir).resolve()}", Quote.double)
        extra = [f"hydra.searchpath=[{folder.with_quotes()}]"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides + extra, return_hydra_config=True)


def _compose(name: str, overrides: list[str], config_dir: str | None) -> Composed:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf, open_dict

    config = _composed(name, overrides, config_dir)
    with open_dict(config):
        del config["hydra"]
    settings = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    parsed = OverridesParser.create().parse_overrides(overrides)
    typed = tuple(str(override.key_or_group) for override in parsed)
    plain: dict[str, Any] = {str(key): value for key, value in settings.items()}
    _add_environment(plain)
    base = plain.pop("from", None)
    if base is not None:
        if not isinstance(base, str) or not base:
            raise UserError(f"from must be the path of a run's config: got {base!r}")
        _start_from(Path(base), plain, typed)
    return Composed(plain, typed, None if base is None else Path(base))


def _add_environment(settings: dict[str, Any]) -> None:
    """Put what the environment says where nothing was typed."""
    if settings.get("output") is None:
        settings["output"] = default_output()
    tracking = settings.get("tracking")
    if isinstance(tracking, dict) and tracking.get("name") == "mlflow":
        tracking["uri"] = tracking.get("uri") or default_tracking_uri()


def _literal(word: str, several: bool = False) -> str:
    """A word of the command line, its path in Hydra's quotes where Hydra would not read it as one.

    With ``several`` values of a ``--multirun`` a comma separates paths.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Quote, QuotedString
    from hydra.errors import HydraException

    key, _, path = word.partition("=")
    if key.lstrip("+") not in _PATHS or not path:
        return word
    try:
        parsed = OverridesParser.create().parse_override(word)
    except HydraException:
        pass
    else:
        value = parsed.value()
        in_its_words = value is None or path[0] in "'\"" or "\\" in path
        if in_its_words or value == path or (several and parsed.is_sweep_override()):
            return word
    return f"{key}={QuotedString(path, Quote.double).with_quotes()}"


def _start_from(path: Path, settings: dict[str, Any], typed: Sequence[str]) -> None:
    """Put the run that a file describes into ``settings``, under what was typed."""
    if "experiment" in typed:
        raise UserError("from and +experiment are both a base to start from: give one of them")
    try:
        loaded = read_yaml(path)  # not by OmegaConf: what another wrote is not interpolated
    except UserError as e:
        raise UserError(f"from={e}") from None
    if not set(RUN_KEYS) <= set(loaded):
        raise UserError(f"from={path} must be a run's config, with {', '.join(RUN_KEYS)}")
    base: dict[str, Any] = {key: loaded[key] for key in RUN_KEYS}
    for key, value in flatten(base):
        if "${" in str(value):
            raise UserError(f"from={path} must hold plain values: got {key}={value}")
    run_config(base)
    for name in typed:
        *outer, key = name.split(".")
        if name.split(".")[0] in RUN_KEYS:
            source, target = settings, base
            for part in outer:
                source, target = source[part], target[part]
            target[key] = source[key]
    settings.update(base)


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message} (--help explains)")


def _completes_a_flag() -> bool:
    """Answer tab after a dash, which Hydra does not; hide from it the flags that it does not know.

    Bash gives the line that is being typed as COMP_LINE.
    """
    head, *words = os.environ.get("COMP_LINE", "").split(" ")
    if words and words[-1].startswith("-"):
        print(" ".join(_FLAGS))
        return True
    if words:
        os.environ["COMP_LINE"] = " ".join([head, *verbosity_of(words)[1]])
    return False


def _let_hydra_answer(name: str, arguments: Sequence[str]) -> None:
    import hydra

    hidden, said = sys.argv, io.StringIO()
    sys.argv = [hidden[0], *arguments]  # where Hydra reads its words
    try:
        with redirect_stdout(said):
            main = hydra.main(config_path=str(CONF), config_name=name, version_base="1.3")
            main(lambda _: None)()
    finally:
        sys.argv = hidden
        print(masked(said.getvalue()), end="")


def _explain(error: Exception, name: str) -> Exception:
    """One line for what Hydra or OmegaConf says in several; other exceptions are defects."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    if not isinstance(error, HydraException | OmegaConfBaseException):
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError):
            # What Hydra's own code trips over when a group is given a value, or a key is deleted.
            return UserError(f"these settings can't be read: {error}")
        return error
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = masked(str(error.missing_cfg_file)).rpartition("/")
        known = ", ".join(error.options)
        return UserError(f"no such {group}: {option} (there are {known})")
    message = str(error)
    if found := re.search(r"In 'experiment/(\w+)': Could not override '(\w+)'", message):
        return UserError(
            f"+experiment={found[1]} is a study: it chooses {found[2]}, which nndl_exp.{name} does "
            "not have; give it to nndl_exp.sweep"
        )
    if found := re.search(r"Could not (?:override|append to config|delete)[^']*'([^'@]*)", message):
        names = list(_known(name))
        if any(key == found[1] or key.startswith(f"{found[1]}.") for key in names):
            return UserError(
                f"{found[1]} has other keys; to put something else in its place, delete it and add "
                f"it: '~{found[1]}' '+{found[1]}=...'"
            )
        return UserError(no_such_setting(found[1], names))
    first = message.splitlines()[0]
    if first.startswith("Ambiguous value"):
        return UserError(f"{first}: give one value, or --multirun to run each of several")
    return UserError(f"these settings can't be read: {first}")


def _known(name: str) -> Iterator[str]:
    composed = _compose(name, [], None)
    yield from (path.name for path in CONF.iterdir() if path.is_dir())
    yield from (key for key, _ in flatten(composed.settings))
