"""A script of a user's own that trains with workers."""

import subprocess
import sys

import pytest

SCRIPT = """
from nndl_exp.api import load_study

study = load_study(["dataset=digits_8x8", "tracking=none", "study.n_trials=2", "study.name=s",
                    "training.epochs=1", "workers=2", "strategy={strategy}", "executor={executor}"])
for trial in study.run():
    print(trial)
"""


@pytest.mark.parametrize(
    ("strategy", "executor"),
    [
        ("joint", "processes"),
        ("chapter3", "processes"),
        pytest.param("joint", "dask", marks=pytest.mark.long),
    ],
)
def test_a_script_that_workers_can_not_import_is_told_what_to_add(tmp_path, strategy, executor):
    script = tmp_path / "study.py"
    script.write_text(SCRIPT.format(strategy=strategy, executor=executor))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert 'below if __name__ == "__main__":' in done.stderr
    assert not list(tmp_path.rglob("trials/*/config.yaml")), "nothing is trained"
