"""Studies whose pages are looked at: one in stages, one of a table with names that mean harm."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import SERIAL

from nndl_exp.api import load_study
from nndl_exp.report import main
from nndl_exp.sweep import main as sweep

STAGED = (
    "strategy=chapter3", "strategy.stages=[learning_rate,joint,winner]", "strategy.epochs=70",
    "strategy.options.learning_rate.epochs=2", "strategy.options.winner.candidates=2",
    "strategy.options.winner.seeds=3", "dataset.training_size=400", "dataset.validation_size=300",
    "network.hidden=[12]", "training.eta=0.5", "training.epochs=8", "study.n_trials=12",
    "study.lag=2", "study.name=pages", "pruner=none",
    "tracking=none", "executor=serial",
)  # fmt: skip
ALERT = "<script>document.title='owned'</script>"
HOSTILE = (ALERT, "</script><img src=x onerror=alert(1)>", "<svg onload=alert(2)>")
"""The name of a class, that of another, and how a trial failed."""
SECRET = "postgresql://nndl:s3cret@127.0.0.1/x"


def report(study, *words: str) -> str:
    """What the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main([study.name, "--output", study.config.output, *words])
    return printed.getvalue()


def sweep_in(folder: Path, *words: str) -> None:
    """Lead a study by the command, which ends with its exit status."""
    with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as end:
        sweep([*words, f"output={folder}"])
    assert end.value.code == 0


def table_study(target: str, name: str):
    """A small study of a table in the working folder, led to its end."""
    rng = np.random.default_rng(1)
    size, age = rng.uniform(30, 200, 240), rng.integers(0, 100, 240)
    price = 3000 * size - 1500 * age + rng.normal(0, 5000, 240)
    dear = np.where(price > np.median(price), HOSTILE[0], HOSTILE[1])
    frame = pd.DataFrame({"size": size, "age": age, "price": price, "is": dear})
    frame.to_csv("houses.csv", index=False)
    other = "is" if target == "price" else "price"
    words = ("dataset=table", "dataset.path=houses.csv", f"dataset.target={target}",
             f"dataset.ignore=[{other}]", "strategy=joint", "study.n_trials=4", "training.epochs=4",
             f"study.name={name}", "tracking=none", *SERIAL)  # fmt: skip
    sweep_in(Path("nndl-output"), *words)
    return load_study(list(words))


def made_hostile(study) -> None:
    """Change the records of a study as a stranger may who sends its folder."""
    directory = next(study.stages()).search.run_directory(1).path
    result = json.loads((directory / "result.json").read_text())
    result |= {"state": "failed", "reason": f"{HOSTILE[2]} {SECRET}"}
    (directory / "result.json").write_text(json.dumps(result))
    for path in study.directory.glob("stages/*/trials/*/provenance.json"):
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({**facts, "cpu": ALERT, "system": SECRET}))
