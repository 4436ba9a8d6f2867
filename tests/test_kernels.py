"""A run is the same to the bit on another processor that can run the same kernels of BLAS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nndl_exp.api import load_config
from nndl_exp.cli.hydra_config import compose
from nndl_exp.errors import UserError
from nndl_exp.fast import kernels
from nndl_exp.records import RunDirectory
from nndl_exp.run import check
from nndl_exp.study.study import Study
from nndl_exp.sweep import sweep_config

SMALL = ("dataset=digits_8x8", "network.hidden=[20]", "training.epochs=3", "tracking=none",
         "training.momentum=0.5")  # fmt: skip
both = pytest.mark.skipif(
    "X86_V4" not in kernels.features(), reason="this processor has one family of kernels"
)


def run(folder: Path, module: str, *words: str, core: str | None = None):
    environment = {k: v for k, v in os.environ.items() if k != kernels.CORE}
    if core:
        environment[kernels.CORE] = core
    return subprocess.run([sys.executable, "-m", f"nndl_exp.{module}", *words], cwd=folder,
                          env=environment, capture_output=True, text=True, check=False)  # fmt: skip


def trained(folder: Path, *words: str, core: str | None = None) -> RunDirectory:
    done = run(folder, "train", *SMALL, *words, core=core)
    assert done.returncode == 0, done.stderr
    (path,) = (path for path in (folder / "nndl-output/runs").iterdir() if path.is_dir())
    return RunDirectory(path)


@both
@pytest.mark.long
def test_float64_is_reproduced_without_the_instructions_that_the_record_lacks(tmp_path):
    """NumPy's exp of float64 has other last bits with AVX-512."""
    folder = tmp_path / "portable"
    folder.mkdir()
    words = ("network.dtype=float64", "network.hidden=[100]", "training.mini_batch_size=50")
    native = trained(tmp_path, *words, core="Haswell")
    portable = trained(folder, *words, "kernels=portable")
    assert portable.provenance()["simd"] == ["X86_V3"]
    assert portable.result().weights != native.result().weights, "else this would show nothing"
    done = run(folder, "reproduce", portable.name, core="SkylakeX")
    assert done.returncode == 0, done.stdout + done.stderr


@both
@pytest.mark.parametrize(("then", "now"), [("Haswell", "SkylakeX"), ("SkylakeX", "Haswell")])
def test_a_run_is_reproduced_with_the_kernels_that_it_was_trained_with(tmp_path, then, now):
    directory = trained(tmp_path, core=then)
    assert {text.split()[-1] for text in directory.provenance()["blas"]} == {then}
    done = run(tmp_path, "reproduce", directory.name, core=now)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("IDENTICAL")


@both
@pytest.mark.long
def test_the_kernels_make_a_difference(tmp_path):
    """Else the other tests would show nothing."""
    one = trained(tmp_path, core="Haswell").result().weights
    (tmp_path / "other").mkdir()
    assert trained(tmp_path / "other", core="SkylakeX").result().weights != one


def test_a_run_of_kernels_that_this_processor_lacks_is_not_comparable(tmp_path):
    directory = trained(tmp_path)
    path = directory.path / "provenance.json"
    recorded = json.loads(path.read_text())
    recorded["blas"] = ["openblas 0.3.31 SapphireRapids"] * 2
    path.write_text(json.dumps(recorded))
    done = run(tmp_path, "reproduce", directory.name)
    assert done.returncode == 1
    assert "NOT COMPARABLE: it was trained with the kernels SapphireRapids" in done.stdout
    assert "blas: ['openblas 0.3.31 SapphireRapids'" in done.stdout
    assert "Traceback" not in done.stderr


@both
@pytest.mark.long
def test_portable_kernels_are_loaded_where_the_processor_has_faster_ones(tmp_path):
    for words in ((), ("kernels=portable",)):
        folder = tmp_path / "-".join(("x", *words))
        folder.mkdir()
        found = kernels.family(trained(folder, *words).provenance()["blas"])
        assert found == ("Haswell" if words else "SkylakeX")


@both
@pytest.mark.long
def test_the_workers_of_a_study_have_the_portable_kernels(tmp_path):
    words = ("strategy=joint", "study.n_trials=2", "study.name=s", "kernels=portable", "workers=2")
    done = run(tmp_path, "sweep", *SMALL, *words)
    assert done.returncode == 0, done.stderr
    trials = tmp_path / "nndl-output/studies/s/stages/joint/trials"
    for number in "01":
        provenance = RunDirectory(trials / number).provenance()
        assert kernels.family(provenance["blas"]) == "Haswell"
    done = run(tmp_path, "reproduce", "s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("IDENTICAL")


@both
@pytest.mark.long
def test_other_commands_need_no_special_kernels(tmp_path):
    """Only a training has to have them: a study is looked at on any machine."""
    words = ("strategy=joint", "study.n_trials=2", "study.name=s", "kernels=portable")
    assert run(tmp_path, "sweep", *SMALL[:-1], *words).returncode == 0
    for module, *others in (
        ("report", "s"),
        ("studies", "show", "s"),
        ("sync",),
        ("evaluate", "s"),
    ):
        done = run(tmp_path, module, *others, core="SkylakeX")
        assert done.returncode == 0, done.stderr


def test_a_study_is_refused_before_its_first_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "loaded", lambda: "accelerate")
    words = (*SMALL[:-1], f"output={tmp_path}", "executor=serial", "kernels=portable")
    study = Study(sweep_config(compose("sweep", words)))
    with pytest.raises(UserError, match="kernels=portable needs OpenBLAS"):
        next(study.run())
    assert not list(tmp_path.rglob("proposal.json"))


@both
@pytest.mark.long
def test_a_process_that_has_numpy_already_is_refused(tmp_path):
    code = ("import numpy; from nndl_exp.api import load_config, run; "
            f"run(load_config([*{SMALL[:-2]!r}, 'kernels=portable']), 'r')")  # fmt: skip
    environment = {**os.environ, kernels.CORE: "SkylakeX"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert "kernels=portable needs OpenBLAS with the kernels Haswell, and NumPy" in done.stderr
    assert "got SkylakeX and" in done.stderr
    assert not list(tmp_path.iterdir())
    environment |= {kernels.CORE: "Haswell", kernels.FEATURES: "X86_V4 AVX512_ICL AVX512_SPR"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_families():
    assert kernels.family(["openblas 0.3.31 Haswell", "openblas 0.3.29 Zen"]) == "Haswell"
    assert kernels.family(["openblas 0.3.31 Cooperlake", "openblas 0.3.31 SkylakeX"]) == "SkylakeX"
    assert kernels.family(["openblas 0.3.31 Haswell", "mkl 2024.1"]) == "Haswell, mkl 2024.1"
    assert kernels.family(["accelerate"]) == "accelerate"
    for blas in (["mkl 2024.1"], ["openblas 0.3.31 Haswell", "openblas 0.3.31 SkylakeX"]):
        with pytest.raises(LookupError):
            kernels.variables({"blas": blas})
    assert kernels.variables({"blas": kernels.libraries()}) is None
    assert kernels.variables({"blas": kernels.libraries(), "simd": kernels.features()}) is None


def test_the_setting_is_part_of_a_study_and_not_searched(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "loaded", lambda: "Haswell")
    monkeypatch.setattr(kernels, "features", lambda: ["X86_V3"])

    def study(*words: str) -> Study:
        return Study(sweep_config(compose("sweep", [*SMALL[:-1], f"output={tmp_path}", *words])))

    assert study().identity != study("kernels=portable").identity
    with pytest.raises(UserError, match="search_space can't have kernels"):
        study("strategy=joint", "+search_space.kernels={choices: [native, portable]}").check()
    monkeypatch.setattr(kernels, "loaded", lambda: "accelerate")
    with pytest.raises(UserError, match=r"needs OpenBLAS .* got accelerate and X86_V3"):
        check(load_config(["kernels=portable"]))
