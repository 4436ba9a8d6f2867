"""Room on the disk: told beforehand, refused in one line where it is not there."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from needs import needs
from studies import SERIAL, SMALL, lead, search_of, study_of

from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.space import checkpoint_bytes, run_bytes
from nndl_exp.run import Run, check, sizes_of
from nndl_exp.study.study import expected_trials
from nndl_exp.sweep import main as sweep
from nndl_exp.train import main as train

TRAIN = ("training.epochs=2", "dataset.training_size=200", "tracking=none")


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own, for a test that ``needs("mount")``."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def refused(command, words: list[str], capsys) -> str:
    with pytest.raises(SystemExit) as end:
        command(words)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "trial" not in out
    return err.removeprefix("error: ").strip()


def run_of(**training: object) -> RunConfig:
    plain = to_mapping(RunConfig())
    plain["dataset"] |= {"training_size": 300, "validation_size": 50}
    plain["network"]["hidden"] = [60, 40]
    plain["training"] |= {"epochs": 5, "stopping": {"name": "none"}, **training}
    return run_config(plain)


@pytest.mark.parametrize(
    "config",
    [run_of(), run_of(momentum=0.9), run_of(monitor_every=10, layer_metrics=True, epochs=40)],
    ids=["plain", "momentum", "watched"],
)
def test_the_estimate_is_near_what_a_run_takes(tmp_path, config):
    dataset, directory = check(config), RunDirectory(tmp_path / "run")
    sizes = sizes_of(config, dataset)
    with Run(config, directory, dataset) as training:
        for epoch in training:
            if epoch.number == config.training.epochs - 1:
                training.suspend()
                size = (directory.path / "checkpoint.npz").stat().st_size
    assert 2 * size == pytest.approx(checkpoint_bytes(config, sizes, 300), rel=0.15)
    taken = sum(path.stat().st_size for path in directory.path.iterdir())
    small = ("config.yaml", "provenance.json", "dataset.json", "result.json")  # held in blocks
    taken -= sum((directory.path / name).stat().st_size for name in small)
    estimate = run_bytes(config, sizes, 300) - 80 * 1024
    assert taken <= estimate * 1.05 <= 2.1 * taken + 2**16


def test_a_study_in_stages_expects_trials(tmp_path):
    study = study_of(tmp_path, "strategy=chapter3", "training.epochs=30")
    assert expected_trials(study) == 80


@needs("mount")
def test_a_study_that_does_not_fit_is_refused_with_the_numbers(tmp_path, capsys):
    with disk(tmp_path / "small", "size=6m") as folder:
        line = refused(sweep, [*SMALL, f"output={folder}/out"], capsys)
        expected = (
            r"output must have room for 14 runs, about (\d+\.\d) MB: \S+/out has (\S+) MB left"
        )
        needed, left = re.fullmatch(expected, line).groups()
        assert 6 < float(needed) < 40
        assert 5.5 < float(left) < 6.5
        line = refused(sweep, [*SMALL, "strategy=chapter3", f"output={folder}/out"], capsys)
        assert "room for 600 runs" in line
        line = refused(train, [*TRAIN, "network.hidden=[3000]", f"output={folder}/out"], capsys)
        assert "output must have room for 1 run, about" in line
        assert [path for path in folder.rglob("*") if path.is_file()] == []


@needs("mount")
def test_what_fits_is_trained_without_a_word(tmp_path, capsys):
    with disk(tmp_path / "small", "size=6m") as folder:
        train([*TRAIN, "network.hidden=[10]", f"output={folder}"])
        assert "room" not in "".join(capsys.readouterr())
        words = ("study.n_trials=2", *SERIAL, "search_space.network.hidden=null",
                 "network.hidden=[5]")  # fmt: skip
        lead(search_of(folder, *words, "study.name=s"))
        # All trials have ended: there is no need of room to show them again.
        (folder / "filling").write_bytes(bytes(4 * 2**20))
        with pytest.raises(SystemExit) as end:
            sweep([*SMALL, *words, "study.name=s", f"output={folder}"])
        assert end.value.code == 0
        said = capsys.readouterr().out
        assert "the report can't be written (No space left on device)" in said
        assert "nndl_exp.report s --output" in said
        line = refused(sweep, [*SMALL, *words, "study.name=s", "study.n_trials=3",
                               f"output={folder}"], capsys)  # fmt: skip
        assert "room for 1 run" in line


@needs("mount")
def test_a_folder_that_can_not_be_written_is_refused(tmp_path, capsys):
    with disk(tmp_path / "small", "size=1m,ro") as folder:
        for command, words in ((train, TRAIN), (sweep, SMALL)):
            line = refused(command, [*words, f"output={folder}"], capsys)
            assert line == f"output must be a folder that can be written: got {folder}"
            line = refused(command, [*words, f"output={folder}/new"], capsys)
            assert line == f"output must be a folder: got {folder}/new (Read-only file system)"


@needs("mount")
def test_the_error_of_a_full_disk_is_one_line(tmp_path, capsys):
    with disk(tmp_path / "small", "size=6m") as folder:
        (folder / "out").mkdir()
        (folder / "filling").write_bytes(bytes(6 * 2**20 - 2**16))
        with pytest.raises(UserError, match="room for 1 run"):
            from nndl_exp.cli.output import check_space
            from nndl_exp.train import train_config

            config = train_config(compose("train", [*TRAIN, f"output={folder}/out"]))
            check_space(config, (784, 100, 10), 200, runs=1)
        assert capsys.readouterr() == ("", "")
