"""Commands that are offered as the next step, as one types them into a shell.

Each names ``--output`` and ``--tracking-uri`` where they are needed, and holds no password.
"""

import importlib.util
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nndl_exp import database
from nndl_exp.config import OUTPUT, SweepConfig, TrackingConfig, default_output
from nndl_exp.masking import masked

_DASHBOARD = "http://127.0.0.1:8080/"
"""The address of Optuna's dashboard by default."""
_OF_A_SEARCH = ("strategy", "study", "sampler", "pruner", "search_space")
"""Settings that a race has of its own."""


@dataclass(frozen=True)
class Commands:
    """The commands for an output folder; ``tracking`` is where its runs are shown, if anywhere."""

    output: str
    tracking: TrackingConfig | None = None

    def reproduce(self, name: str) -> str:
        """Train a run or a study again and compare every bit."""
        return self._command("reproduce", name)

    def evaluate(self, name: str) -> str:
        """Measure a run on the test set, once."""
        return self._command("evaluate", name, tracked=True)

    def report(self, study: str) -> str:
        """Write the report of a study."""
        return self._command("report", study, tracked=True)

    def export(self, study: str) -> str:
        """Write all trials of a study into a file."""
        return self._command("studies", f"export {study} --csv FILE")

    def sync(self) -> str:
        """Bring MLflow and Optuna's database up to date."""
        return self._command("sync", "", tracked=True)

    def train_from(self, best: Path, epochs: int) -> str:
        """Train a configuration for longer."""
        base = f"python -m nndl_exp.train {path_setting('from', best)}"
        return f"{base} training.epochs={epochs}{output_setting(self.output)}"

    def race(self, study: str, words: Sequence[str]) -> str:
        """Train the best trials of a search again with new seeds; ``words`` started the search."""
        group = {word: word.lstrip("+~").partition("=")[0].partition(".")[0] for word in words}
        same = [word for word in words if group[word] not in _OF_A_SEARCH]
        race = ["strategy=race", f"study.warm_start={study}", f"study.name={study}-race"]
        return command_of([*same, *race])

    def ui(self) -> str:
        """Open MLflow's UI."""
        if self.tracking and self.tracking.is_server:
            return f"open {masked(str(self.tracking.uri))}"
        return f"mlflow ui --workers 1 --backend-store-uri {shlex.quote(self._mlflow())}"

    def serve(self, study: str) -> str:
        """Have the champion of a study's registered model answer requests."""
        return (
            f"MLFLOW_TRACKING_URI={shlex.quote(self._mlflow())} mlflow models serve "
            f"--model-uri models:/{study}@champion --env-manager local --port 5001"
        )

    def _mlflow(self) -> str:
        uri = self.tracking.uri if self.tracking else None
        return masked(uri) if uri else database.file_url(database.mlflow_file(self.output))

    def _command(self, module: str, words: str, *, tracked: bool = False) -> str:
        options = output_words(self.output)
        if tracked and self.tracking:
            options += tracking_words(self.tracking)
        return f"python -m nndl_exp.{module} {words}".rstrip() + options


def dashboard_command(config: SweepConfig) -> str | None:
    """The command that shows a study in Optuna's dashboard; None where that is not installed."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        return None
    if config.storage.name == "sqlite":
        url = database.file_url(Path(config.output) / database.FILES["optuna"])  # as it was given
    else:
        url = database.url_of(config, "optuna")
    return f"optuna-dashboard {shlex.quote(url)}    # then open {_DASHBOARD}"


def command_of(words: Sequence[str], command: str = "sweep") -> str:
    """What to type to run a command again: with the settings that were taken from the environment,
    and without passwords."""
    taken = {"output": os.environ.get("NNDL_OUTPUT"),
             "tracking.uri": os.environ.get("NNDL_TRACKING_URI")}  # fmt: skip
    typed = {word.lstrip("+").partition("=")[0] for word in words}
    added = [f"{key}={value}" for key, value in taken.items() if value and key not in typed]
    return masked(shlex.join(["python", "-m", f"nndl_exp.{command}", *words, *added]))


def output_words(output: str) -> str:
    """``--output`` as printed commands have it, with a space in front.

    It is left out only for the built-in folder while NNDL_OUTPUT is not set: so a command can be
    pasted into a shell that has the variable, and into one that has not.
    """
    return "" if _is_plain(output) else f" --output {shlex.quote(output)}"


def output_setting(output: str) -> str:
    """The same for ``train`` and ``sweep``, which take settings."""
    return "" if _is_plain(output) else f" {path_setting('output', output)}"


def path_setting(key: str, path: Path | str) -> str:
    """A path as a setting that is typed into a shell: nothing of it is interpolated."""
    return shlex.quote(f"{key}={path}".replace("${", r"\${"))


def _is_plain(output: str) -> bool:
    return output == OUTPUT == default_output()


def tracking_words(tracking: TrackingConfig) -> str:
    """``--tracking-uri`` as printed commands have it, with a space in front and no password."""
    uri = tracking.uri if tracking.name == "mlflow" else None
    return f" --tracking-uri {shlex.quote(masked(uri))}" if uri else ""
