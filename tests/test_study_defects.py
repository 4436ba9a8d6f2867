"""What a trial raises: the configuration's fault is recorded, a defect of ours is shown."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from studies import SERIAL, SMALL, lead, search_of

from nndl_exp.errors import UserError
from nndl_exp.study import trial

DEFECT = """
import sys

if {everywhere} or any(word.startswith("from multiprocessing.spawn") for word in sys.orig_argv):
    import nndl_exp.study.trial

    def defective(task, run):
        raise KeyError("a defect of ours")

    nndl_exp.study.trial._train = defective
"""


def sweep(folder: Path, *words: str, defect: str = "") -> subprocess.CompletedProcess[str]:
    """A sweep as one types it; ``defect`` is run as each interpreter starts."""
    (folder / "sitecustomize.py").write_text(defect)
    return subprocess.run(
        [sys.executable, "-m", "nndl_exp.sweep", *SMALL, *words, "study.n_trials=3",
         "study.name=s", f"output={folder / 'out'}"],
        cwd=folder, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip


@pytest.mark.parametrize("how", [("executor=serial",), ("workers=2",), ("executor=dask",)],
                         ids=lambda how: how[0])  # fmt: skip
def test_a_defect_shows_the_traceback_of_its_worker_and_is_no_failed_trial(tmp_path, how):
    if how == ("executor=dask",):
        pytest.importorskip("distributed")
    broken = sweep(tmp_path, *how, defect=DEFECT.format(everywhere=how == ("executor=serial",)))
    assert broken.returncode == 1
    assert broken.stderr.rstrip().endswith("KeyError: 'a defect of ours'")
    assert 'sitecustomize.py", line 8, in defective' in broken.stderr
    assert not list(tmp_path.glob("out/studies/s/stages/joint/trials/*/result.json"))
    mended = sweep(tmp_path, *how)
    assert mended.returncode == 0, mended.stderr
    assert len(list(tmp_path.glob("out/studies/s/stages/joint/trials/*/result.json"))) == 3


@pytest.mark.parametrize(
    "error",
    [
        UserError("training.eta must be small"),
        OverflowError("cannot convert float infinity to integer"),
        FloatingPointError("underflow"),
        np.linalg.LinAlgError("SVD did not converge"),
    ],
    ids=repr,
)
def test_what_its_configuration_causes_is_a_failed_trial(tmp_path, monkeypatch, error):
    train = trial._train

    def train_but_two(task, run):
        if task.number == 2:
            raise error
        train(task, run)

    monkeypatch.setattr(trial, "_train", train_but_two)
    study = search_of(tmp_path, *SERIAL, "study.n_trials=4")
    lead(study)
    results = [trial.result for trial in study.trials()]
    assert [result.state == "failed" for result in results] == [False, False, True, False]
    assert str(error) in results[2].reason
