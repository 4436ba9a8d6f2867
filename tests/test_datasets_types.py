"""What columns, labels and pictures of a user's file are taken for, and what is said about it."""

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from studies import SERIAL

from nndl_exp import predict, reproduce, sweep, train
from nndl_exp.api import load_config, run
from nndl_exp.cli.hydra_config import compose
from nndl_exp.cli.prediction import read_examples
from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.datasets import framing_of, load_dataset, read_new
from nndl_exp.datasets.target import read_target
from nndl_exp.demo.__main__ import main as demo
from nndl_exp.demo.subject import Subject
from nndl_exp.display.figures.predictions import confusion_matrix
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.report import main as report
from nndl_exp.tracking.entities import params

QUICK = ("network.hidden=[5]", "training.epochs=2", "tracking=none")
SEARCH = ("strategy=joint", "search_space.training.mini_batch_size.high=10", *QUICK, *SERIAL)
PLAN = ("study.dry_run=true", *SEARCH)


@pytest.fixture
def in_process(tmp_path, monkeypatch, capsys):
    """Runs a command in this process: its exit status, what it prints, its errors."""
    monkeypatch.chdir(tmp_path)

    def run(main, *words: str) -> tuple[int, str, str]:
        status = 0
        try:
            main(list(words))
        except SystemExit as e:
            status = int(e.code or 0)
        return status, *capsys.readouterr()

    return run


def write(path: Path, **columns) -> Path:
    """A CSV file with columns of texts as they are to stand in it."""
    quoted = {k: [f'"{v}"' if "," in v else v for v in map(str, c)] for k, c in columns.items()}
    lines = [",".join(columns), *map(",".join, zip(*quoted.values(), strict=True))]
    path.write_text("\n".join([*lines, ""]))
    return path


def load(path: Path, target: str = "y", **options):
    return load_dataset("table", path=str(path), target=target, test=True, **options)


def table_words(path: Path, target: str = "y") -> list[str]:
    return ["dataset=table", f"dataset.path={path}", f"dataset.target={target}"]


def plan(in_process, path: Path, *words: str) -> list[str]:
    """The lines of a study's plan, which are also those of a training."""
    status, out, err = in_process(sweep.main, *table_words(path), *PLAN, *words)
    assert (status, err) == (0, "")
    return out.splitlines()


def rows(data) -> np.ndarray:
    return np.concatenate([part.x for part in (data.training, data.validation, data.test)])


# ------------------------------------------------------------------------- new rows, as in training


def spies(path: Path, n: int = 60) -> Path:
    codes = ["007", "12", "x"] * (n // 3)
    kinds = ["spy" if code == "007" else "other" for code in codes]
    return write(path, code=codes, a=np.arange(n) % 7, y=kinds)


def test_new_rows_are_read_with_the_types_of_the_training_table(in_process, tmp_path):
    path = spies(tmp_path / "spies.csv")
    words = [*table_words(path), "network.hidden=[10]", "training.epochs=80", "tracking=none"]
    status, out, _ = in_process(train.main, *words)
    assert status == 0
    name = re.search(r"run      (\S+)", out)[1]
    # With x in the file pandas reads 007 as text, without it as the number 7.
    for codes in (["007", "12", "x"], ["007", "12"], ["007"]):
        new = write(tmp_path / "new.csv", code=codes, a=[1] * len(codes))
        status, out, err = in_process(predict.main, name, str(new))
        assert (status, err) == (0, "")
        told = re.findall(r": (\w+)   \(", out)
        assert told == ["spy", "other", "other"][: len(codes)]
        assert out.splitlines()[0].split(": ")[1].startswith("spy")


def test_texts_that_training_did_not_have_are_counted(in_process, tmp_path):
    path = spies(tmp_path / "spies.csv")
    status, out, _ = in_process(train.main, *table_words(path), *QUICK)
    name = re.search(r"run      (\S+)", out)[1]
    new = write(tmp_path / "new.csv", code=["7", "12", "\x1b[2J"], a=[1, 2, 3])
    status, out, err = in_process(predict.main, name, str(new))
    assert (status, len(out.splitlines())) == (0, 3)
    assert err == (
        f"warning: {new}: column code: 2 of 3 values unknown from training, such as '7'; the "
        "network takes them for none of its categories\n"
    )


def test_the_record_carries_the_types_and_is_refused_without_them(tmp_path):
    path = write(
        tmp_path / "t.csv", code=["07", "12"] * 20, age=[*range(39), "-1"],
        is_=["true", "False"] * 20, y=list("ab") * 20,
    )  # fmt: skip
    data = load(path, missing_values=(-1, "none"), missing="impute")
    inputs = json.loads(json.dumps(data.reading.to_mapping()))["encoding"]["inputs"]
    assert inputs["types"] == {"code": "text", "age": "number", "is_": "boolean"}
    assert inputs["missing_values"] == ["-1", "none"]
    new = write(tmp_path / "new.csv", code=["7"], age=["?"], is_=["TRUE"], y=["c"])
    x = read_new("table", data.reading, new).x
    np.testing.assert_array_equal(x[0, -2:], [0, 0])
    assert x[0, 0] == pytest.approx((inputs["median"][0] - inputs["mean"][0])
                                    / inputs["deviation"][0], rel=1e-5)  # fmt: skip
    for column, value, message in (
        ("age", "True", "must hold numbers, as in training: got 'True'"),
        ("is_", "maybe", "must hold true or false, as in training: got"),
        ("is_", "2", "must hold true or false, as in training: got"),
    ):
        bad = {"code": ["7"], "age": ["1"], "is_": ["true"], column: [value]}
        with pytest.raises(UserError, match=rf"column {column} in .*new.csv {message}"):
            read_new("table", data.reading, write(new, **bad))
    del inputs["types"]
    old = dataclasses.replace(data.reading, encoding={"inputs": inputs})
    with pytest.raises(UserError, match=r"dataset.json must give the type of each input column"):
        read_new("table", old, new)


def test_inputs_are_those_of_scikit_learn_to_the_bit(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "a": rng.normal(3, 1e-3, 200), "b": rng.integers(-5, 1000, 200), "c": 10.0 ** rng.normal(
            0, 9, 200), "t": rng.choice(["x", "y", "NA"], 200), "y": rng.choice(["no", "yes"], 200),
    })  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for path in (tmp_path / "t.csv", tmp_path / "t.parquet"):
        data = load(path)
        # The order of the rows, found again by a column of different values.
        found = rows(data)[:, 0] * data.encoding["inputs"]["deviation"][0]
        order = np.abs(frame.a.to_numpy()[:, None] - data.encoding["inputs"]["mean"][0]
                       - found).argmin(axis=0)  # fmt: skip
        shuffled = frame.iloc[order]
        n = len(data.training)
        numbers = shuffled[["a", "b", "c"]].astype(float)
        scaled = StandardScaler().fit(numbers[:n]).transform(numbers)
        hot = OneHotEncoder(sparse_output=False).fit(shuffled[["t"]][:n])
        expected = np.hstack([scaled, hot.transform(shuffled[["t"]])]).astype(np.float32)
        np.testing.assert_array_equal(rows(data), expected)


# ------------------------------------------------------------------------------- labels as written


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["007", "7", "8"], "auto", ("007", "7", "8")),
        (["1e5", "100000", "2"], "auto", ("100000", "1e5", "2")),
        (["1E5", "1e5"], "auto", ("1E5", "1e5")),
        (["9007199254740993", "9007199254740992"], "auto",
         ("9007199254740992", "9007199254740993")),
        (["1.50", "1.5e0", "01.5"], "classes", ("01.5", "1.50", "1.5e0")),
        (["0.12345678901234567", "0.12345678901234566"], "classes",
         ("0.12345678901234566", "0.12345678901234567")),
        (["10", "9", "2"], "auto", ("2", "9", "10")),
        (["1.0", "0.0"], "auto", ("0", "1")),
        (["1234567.5", "1234567.25"], "classes", ("1234567.25", "1234567.5")),
        (["true", "False"], "auto", ("False", "true")),
        (["1.5", "5.3e-05", "0.12345678901234567", "2"], "auto", ()),
        (["007", "7", "1e2", "8"], "numbers", ()),
    ],
)  # fmt: skip
def test_labels_stay_as_they_are_written(tmp_path, values, task, classes):
    repeated = values * 20
    path = write(tmp_path / "t.csv", x=np.arange(len(repeated)) % 11, y=repeated)
    data = load(path, task=task)
    assert data.classes == classes
    # What auto came to is recorded, and gives the same data with an empty cache.
    again = load(write(tmp_path / "again.csv", x=np.arange(len(repeated)) % 11, y=repeated),
                 task=data.task)  # fmt: skip
    assert again.classes == classes and again.encoding.get("target") == data.encoding.get("target")


def test_types_of_oddly_named_columns_are_one_param_of_mlflow():
    # A param's name may hold letters, digits and a few signs: no parenthesis, no escape.
    words = [*table_words(Path("t.csv")), r"dataset.types={size \(cm\): text}"]
    settings = to_mapping(run_config(compose("train", words).settings))
    settings["dataset"]["target"] = EVIL
    logged = {param.key: param.value for param in params(settings)}
    assert logged["dataset.types"] == "{'size (cm)': 'text'}"
    assert logged["dataset.target"] == SHOWN
    assert all(re.fullmatch(r"[\w. -]+", name) for name in logged)


def test_labels_that_floats_and_utf8_would_merge_stay_apart(tmp_path):
    big = np.array([2**53, 2**53 + 1] * 20)
    pd.DataFrame({"x": np.arange(40) % 7, "y": big}).to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").classes == ("9007199254740992", "9007199254740993")
    latin = np.array(["\xe9".encode("latin-1"), "\xe8".encode("latin-1")] * 20)
    x = np.random.default_rng(0).random((40, 3))
    assert load_npz(npz(tmp_path / "x.npz", x=x, y=latin)).classes == ("\\xe8", "\\xe9")


def test_given_types_decide(tmp_path, in_process):
    n = 40
    path = write(tmp_path / "t.csv", code=["007", "7", "8", "9"] * 10, size=np.arange(n) % 13,
                 y=["1", "2"] * 20)  # fmt: skip
    data = load(path)
    assert data.encoding["inputs"]["categories"] == {"code": ["007", "7", "8", "9"]}
    assert load(path, types={"code": "number"}).encoding["inputs"]["categories"] == {}
    data = load(path, types={"size": "text", "y": "text"})
    assert list(data.encoding["inputs"]["categories"]) == ["code", "size"]
    assert data.classes == ("1", "2")
    for words, message in (
        ("dataset.types={q: text}", f"dataset.types must name columns of {path}: it has no q"),
        ("dataset.types={code: date}", "dataset.types.code must be 'number' or 'text': got 'date'"),
    ):
        status, _, err = in_process(train.main, *table_words(path), words)
        assert (status, err) == (2, f"error: {message}\n")
    status, out, _ = in_process(
        train.main, *table_words(path), *QUICK, "dataset.types={size: text}"
    )
    assert status == 0 and "18 inputs" not in out and "text: code 4, size 13" in out
    path = write(tmp_path / "u.csv", a=["1", "2", "three", "4"] * 10, y=["1", "2"] * 20)
    with pytest.raises(UserError, match=r"column a must hold numbers \(dataset.types\): got 'thre"):
        load(path, types={"a": "number"})
    frame = pd.DataFrame({"a": ["1", "2", "?", "4"] * 10, "b": np.arange(n), "y": [1, 2] * 20})
    frame.to_parquet(tmp_path / "t.parquet")
    data = load(tmp_path / "t.parquet", types={"a": "number", "b": "text", "y": "text"},
                missing="impute")  # fmt: skip
    assert data.encoding["inputs"]["numeric"] == ["a"]
    assert data.classes == ("1", "2")


# ---------------------------------------------------------------------------------- missing values


def test_a_class_named_na_is_a_class(tmp_path):
    path = write(tmp_path / "t.csv", x=np.arange(60) % 7, land=["NA", "?", "null"] * 20,
                 y=["NA", "NaN", "DE"] * 20)  # fmt: skip
    data = load(path)
    assert data.classes == ("DE", "NA", "NaN")
    assert data.encoding["inputs"]["categories"] == {"land": ["?", "NA", "null"]}
    with pytest.raises(UserError, match="the target y must be known in every row: 20 rows have"):
        load(path, missing_values=("NA",))


def test_numbers_that_are_missing_are_counted_however_they_are_written(tmp_path, in_process):
    gaps = ["NA", "NaN", "N/A", "null", "?", ""]
    ages = [*gaps, *map(str, range(54))]
    path = write(tmp_path / "t.csv", age=ages, town=["", *["A", "NA"] * 29, "B"],
                 y=["u", "v"] * 30)  # fmt: skip
    with pytest.raises(UserError, match="column age must have no missing values: got 6"):
        load(path)
    data = load(path, missing="impute")
    assert data.notes[1] == "missing values, imputed · age 6, town 1"
    assert data.encoding["inputs"]["numeric"] == ["age"]
    lines = plan(in_process, path, "dataset.missing=impute", "dataset.missing_values=[NA,53]")
    assert "         missing values, imputed · age 7, town 30" in lines
    pd.DataFrame({"a": [1, -9] * 20, "y": ["u", "v"] * 20}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="column a must have no missing values: got 20"):
        load(tmp_path / "t.parquet", missing_values=(-9,))


def test_a_target_of_numbers_with_a_gap_is_refused_with_what_to_do(tmp_path):
    path = write(tmp_path / "t.csv", x=np.arange(40) % 7, y=["1", "2", "3", "NA"] * 10)
    with pytest.raises(UserError) as error:
        load(path)
    assert str(error.value) == (
        "the target y must be known in every row: 10 rows have none; a row without one can't be "
        "learnt from, remove it, or make NA a class by dataset.types={y: text}"
    )
    assert load(path, types={"y": "text"}).classes == ("1", "2", "3", "NA")


def test_cells_without_a_name_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "1,2,a\n3,4,b\n" * 20)  # pandas takes the first for row names
    with pytest.raises(UserError, match="its header has 2, its rows have 3 cells"):
        load(path)


# ---------------------------------------------------------------------------------------- pictures


def digits() -> tuple[np.ndarray, np.ndarray]:
    bunch = load_digits()
    return bunch.images, bunch.target


def npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def load_npz(path: Path, **options):
    return load_dataset("npz", path=str(path), test=True, **options)


@pytest.mark.parametrize(
    ("most", "options", "white"),
    [(16, {}, 16), (1, {}, 1), (17, {}, 256), (255, {}, 256), (16, {"white": 32.0}, 32),
     (255, {"white": 255.0}, 255)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_pictures_are_divided_by_256_or_by_their_largest(tmp_path, most, options, white,
                                                               dtype):  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.integers(0, most + 1, (60, 5, 4)).astype(dtype)
    x[:, 0, 0] = most
    path = npz(tmp_path / "p.npz", x=x, y=np.arange(60) % 3)
    data = load_npz(path, **options)
    assert rows(data).max() == np.float32(most / white)
    assert data.encoding["inputs"] == {"white": white, "whole": True}
    assert f"grey values divided by {white}," in data.notes[0]
    x[:2, 1:] = 0
    new = read_new("npz", data.reading, npz(tmp_path / "new.npz", x=x[:2])).x
    assert new.max() == np.float32(most / white)
    # Other numbers are pictures that have been scaled before.
    np.savez(tmp_path / "new.npz", x=x[:2] / most)
    new = read_new("npz", data.reading, tmp_path / "new.npz").x
    np.testing.assert_array_equal(new, np.float32(x[:2] / most).reshape(2, -1))
    with pytest.raises(UserError, match="must be numbers from 0 to 1, as in training"):
        read_new("npz", data.reading, npz(tmp_path / "new.npz", x=x[:2] * 2.0))
    assert framing_of("npz", data.reading).peak == (255 / 256 if white == 256 else 1)


def test_the_scale_is_that_of_the_training_pictures(tmp_path):
    x = np.zeros((30, 2, 2), np.uint8)
    x[:10], x[10:20], x[20:] = 8, 4, 16
    y = np.arange(30) % 2
    given = {"x_train": x[:10], "y_train": y[:10], "x_validation": x[10:20],
             "y_validation": y[10:20], "x_test": x[20:], "y_test": y[20:]}  # fmt: skip
    data = load_npz(npz(tmp_path / "p.npz", **given))
    maxima = [part.x.max() for part in (data.training, data.validation, data.test)]
    assert maxima == [1, 0.5, 2]
    x[20:] = 200
    with pytest.raises(UserError, match="must be whole numbers from 0 to 16"):
        load_npz(npz(tmp_path / "q.npz", **{**given, "x_test": x[20:]}))


def test_pictures_of_few_greys_are_learnt_predicted_and_drawn(in_process, tmp_path):
    x, y = digits()
    path = npz(tmp_path / "d.npz", x=x.astype(np.uint8), y=y)
    words = ["dataset=npz", f"dataset.path={path}", "network.hidden=[30]", "training.epochs=10"]
    status, out, _ = in_process(train.main, *words, "tracking=none")
    assert status == 0
    assert "pictures of 8 x 8 · grey values divided by 16, the largest of the training set" in out
    assert float(re.search(r"best     ([\d.]+)", out)[1]) > 90
    name = re.search(r"run      (\S+)", out)[1]
    directory = RunDirectory(tmp_path / "nndl-output/runs" / name)
    # A picture that happens to be dim is scaled as the others were.
    dim = (x[:20] * (np.arange(20) < 1)[:, None, None] + np.minimum(x[:20], 3)).clip(0, 16)
    new = npz(tmp_path / "new.npz", x=dim[1:].astype(np.uint8))
    examples = read_examples(new, "npz", directory.reading())
    assert np.concatenate([one for _, one in examples]).max() == np.float32(3 / 16)
    status, out, _ = in_process(predict.main, name, str(npz(tmp_path / "n.npz",
                                                           x=x[:50].astype(np.uint8))))  # fmt: skip
    told = [int(digit) for digit in re.findall(r": (\d)   \(", out)]
    assert status == 0 and np.mean(np.array(told) == y[:50]) > 0.9
    subject = Subject.open(name, directory)
    assert subject.framing.peak == 1
    assert max(subject.example(0)["input"]) == pytest.approx(1, abs=0.1)
    mapping = json.loads(directory.reading_path.read_text())
    del mapping["encoding"]["inputs"]["white"]
    directory.reading_path.write_text(json.dumps(mapping))
    for main, extra in ((predict.main, [str(new)]), (demo, ["--no-browser"])):
        status, _, err = in_process(main, name, *extra)
        assert status == 2 and "must give the grey value that becomes 1 (white)" in err


def test_white_goes_with_pictures_only(tmp_path):
    path = npz(tmp_path / "x.npz", x=np.random.default_rng(0).random((40, 3)), y=np.arange(40) % 2)
    with pytest.raises(UserError, match=r"dataset.white goes with pictures"):
        load_npz(path, white=16)
    with pytest.raises(UserError, match=r"dataset.white goes with pictures"):
        load(spies(tmp_path / "t.csv"), white=16)
    with pytest.raises(UserError, match=r"dataset.white goes with dataset=table and dataset=npz"):
        load_dataset("mnist_5k", white=16)
    for option in ({"types": {"a": "text"}}, {"missing_values": (1,)}):
        with pytest.raises(UserError, match="goes with dataset=table"):
            load_npz(path, **option)


def test_pictures_that_are_no_whole_numbers_can_have_another_white(tmp_path):
    x, y = digits()
    path = npz(tmp_path / "d.npz", x=x, y=y)
    with pytest.raises(UserError, match=r"must be numbers from 0 to 1 \(dataset.white=N: to N\)"):
        load_npz(path)
    data = load_npz(path, white=16)
    assert rows(data).max() == 1
    new = read_new("npz", data.reading, npz(tmp_path / "n.npz", x=x[:2] / 2)).x
    np.testing.assert_array_equal(new, x[:2].reshape(2, -1) / 32)


def test_a_file_that_is_read_in_another_way_is_another_dataset(tmp_path, monkeypatch, cache):
    path = spies(tmp_path / "spies.csv")
    config = load_config([*table_words(path), *QUICK])
    run(config, tmp_path / "run")
    before = load(path).sha256
    monkeypatch.setattr("nndl_exp.datasets.file.READING", 3)
    assert load(path).sha256 != before
    with pytest.raises(UserError, match="must have the data that it was begun with"):
        run(config, tmp_path / "run")


def test_the_scale_is_part_of_a_run(in_process, tmp_path):
    path = npz(tmp_path / "p.npz", x=np.full((60, 2, 2), 9, np.uint8) * (np.arange(60) % 2)[
        :, None, None].astype(np.uint8), y=np.arange(60) % 2)  # fmt: skip
    names = set()
    for extra in ((), ("dataset.white=9",), ("dataset.white=16",)):
        words = ["dataset=npz", f"dataset.path={path}", *QUICK, *extra]
        _, out, _ = in_process(train.main, *words)
        name = re.search(r"run      (\S+)", out)[1]
        names.add(name)
        assert in_process(reproduce.main, name, "-q")[:2] == (0, "IDENTICAL\n")
    assert len(names) == 3


# ------------------------------------------------------------------------- targets that are classes


@pytest.mark.parametrize(
    ("y", "classes", "made_from"),
    [
        (np.eye(3)[np.arange(60) % 3], ("0", "1", "2"), "one-hot rows"),
        (np.eye(3, dtype=bool)[np.arange(60) % 3], ("0", "1", "2"), "one-hot rows"),
        (np.eye(2, dtype=np.uint8)[np.arange(60) % 2], ("0", "1"), "one-hot rows"),
        (np.arange(60) % 2 * 1.0, ("0", "1"), "numbers such as 1.0"),
        ((np.arange(60) % 3 * 1.0)[:, None], ("0", "1", "2"), "numbers such as 1.0"),
    ],
)
def test_one_hot_rows_and_whole_numbers_are_classes(tmp_path, y, classes, made_from):
    path = npz(tmp_path / "x.npz", x=np.random.default_rng(0).random((60, 3)), y=y)
    data = load_npz(path)
    assert data.classes == classes
    labels = np.concatenate([p.labels for p in (data.training, data.validation, data.test)])
    assert sorted(labels) == sorted(np.arange(60) % len(classes))
    assert f"{len(classes)} classes from {made_from}: {', '.join(classes)}" in data.notes[-1]
    assert load_npz(path, task="classes").classes == classes
    if y.dtype != bool:
        assert load_npz(path, task="numbers").task == "numbers"


@pytest.mark.parametrize(
    "y",
    [np.ones((60, 2)), np.zeros((60, 2)), np.eye(2)[np.arange(60) % 2] * 2, np.arange(60) % 2 / 2,
     np.arange(60) * 1.0],
)  # fmt: skip
def test_other_numbers_are_numbers(y):
    assert not hasattr(read_target(y, "auto", "y"), "labels")


def test_a_one_hot_column_without_a_row_is_refused(tmp_path):
    y = np.eye(4)[np.arange(60) % 3]
    path = npz(tmp_path / "x.npz", x=np.random.default_rng(0).random((60, 3)), y=y)
    with pytest.raises(UserError, match="at least two rows of each class: got none of 3"):
        load_npz(path)


def test_the_plan_says_that_an_npz_has_classes(in_process, tmp_path):
    path = npz(tmp_path / "x.npz", x=np.random.default_rng(0).random((60, 3)),
               y=np.eye(3)[np.arange(60) % 3])  # fmt: skip
    status, out, _ = in_process(sweep.main, "dataset=npz", f"dataset.path={path}", *PLAN)
    assert status == 0
    assert "         the target y · 3 classes from one-hot rows: 0, 1, 2\n" in out


# ------------------------------------------------------------------------------ suspicious columns

N = 60
NUMBERS = np.random.default_rng(3).permutation(N) + 0.5
DATES = pd.date_range("2026-01-01", periods=N)
SUSPICIOUS = {
    "decimal commas": ([f"{x:g}".replace(".", ",") for x in NUMBERS],
                       "(text, 3@ inputs): looks like numbers in another notation, such as '"),
    "percent": ([f"{x:g}%" for x in NUMBERS],
                "(text, 3@ inputs): looks like numbers in another notation, such as '"),
    "thousands": ([f"{1000 * x:,.2f}" for x in NUMBERS],
                  "(text, 3@ inputs): looks like numbers in another notation, such as '"),
    "dates": (DATES.strftime("%Y-%m-%d"), "(text, 3@ inputs): looks like dates, such as '2026-0"),
    "German dates": (DATES.strftime("%d.%m.%Y"), "(text, 3@ inputs): looks like dates, such as '"),
    "moments": (DATES.strftime("%d/%m/%Y 12:30"), "(text, 3@ inputs): looks like dates, such as"),
    "identifiers": ([f"u{i}" for i in range(N)], "(text, 3@ inputs): another value in nearly every "
                    "row: an identifier?, such as 'u0'"),
    "row numbers": (np.arange(N) + 5, "(numbers, 1 input): counts the rows"),
    "constant": ([3] * N, "(numbers, 1 input): the same in all training rows"),
    "constant text": (["q"] * N, "(text, 1 input): the same in all training rows"),
    "mostly numbers": ([*range(20), *range(38), "-", "-"], "(text, 3@ inputs): mostly numbers, but "
                       "for some values, such as '-'"),
    "leading zeros": (["007", "7", "8"] * 20, "(text, 3 inputs): text because of leading zeros, "
                      "such as '007'"),
    "repeated header": ([*"ab" * 29, "odd", "odd"], "(text, 3 inputs): 2 cells repeat its name: a "
                        "missing or repeated header?"),
}  # fmt: skip


@pytest.mark.parametrize("case", SUSPICIOUS)
def test_suspicious_columns_are_warned_of(tmp_path, case):
    values, expected = SUSPICIOUS[case]
    path = write(tmp_path / "t.csv", good=np.arange(N) * 7 % 13, odd=values, y=["u", "v"] * 30)
    data = load(path)
    assert len(data.warnings) == 1
    assert re.fullmatch("column odd " + re.escape(expected).replace("@", r"\d") + ".*",
                        data.warnings[0])  # fmt: skip
    assert re.match(r"\d+ inputs · numbers: good", data.notes[0])
    assert data.notes[-1] == "the target y · 2 classes from text: u, v"
    # A column of a type that was given is meant so; one that was left out is no concern.
    assert load(path, ignore=("odd",)).warnings == ()
    constant = case.startswith("constant")
    assert bool(load(path, types={"odd": "text"}).warnings) == constant


def test_the_plan_shows_what_columns_are_taken_for(in_process, tmp_path):
    path = write(tmp_path / "t.csv", good=np.arange(N) * 7 % 13, is_=["true", "false"] * 30,
                 odd=SUSPICIOUS["dates"][0], y=["u", "v"] * 30)  # fmt: skip
    expected = [
        "         38 inputs · numbers: good · true/false: is_ · text: odd 36",
        "         the target y · 2 classes from text: u, v",
        "warning  column odd (text, 36 inputs): looks like dates, such as '2026-01-01'",
    ]
    stages = [word for word in PLAN if not word.startswith(("strategy", "search_space"))]
    for main, words in (
        (sweep.main, PLAN),
        (sweep.main, ["strategy.stages=[regularization,winner]", *stages]),
        (train.main, QUICK),
    ):
        status, out, _ = in_process(main, *table_words(path), *words)
        assert status == 0
        lines = out.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("data     "))
        assert lines[at + 1 : at + 4] == expected
    status, out, _ = in_process(train.main, *table_words(path), *QUICK, "-q")
    assert status == 0 and out.startswith(expected[2])


def test_suspicious_names_are_warned_of(tmp_path):
    body = "".join(f"{i % 7},{i % 5},{'pq'[i % 2]}\n" for i in range(N))
    path = tmp_path / "t.csv"
    for header, expected in (
        ("a,a,y", ["column a: the header has the name 'a' more than once",
                   "column a.1: the header has the name 'a' more than once"]),
        ("a,y ,y", ["column y : its name begins or ends with a space"]),
        ("0.5,3,y", ["column 0.5: its name is a number: is the header missing?",
                     "column 3: its name is a number: is the header missing?"]),
        ("a,b,y", []),
    ):  # fmt: skip
        path.write_text(f"{header}\n{body}")
        assert list(load(path).warnings) == expected
    path.write_text("0,1,2\n" + body)  # as pandas names columns that have no names
    assert not load(path, "2").warnings
    path.write_text(body)
    warned = load(path, "p").warnings
    assert warned[-1] == (
        "column p (the target, 2 classes): 29 cells repeat its name: a missing or repeated header?"
    )


def test_many_columns_with_one_reason_are_one_warning(tmp_path):
    columns = {f"c{i}": [i] * N for i in range(9)}
    data = load(write(tmp_path / "t.csv", a=np.arange(N) % 7, **columns, y=["u", "v"] * 30))
    assert data.warnings == (
        "9 columns: the same in all training rows: c0, c1, c2, c3, c4 and 4 more",
    )
    assert data.notes[0] == "10 inputs · numbers: a, c0, c1, c2, c3, c4, c5, c6 and 2 more"


def test_a_column_with_too_many_texts_is_refused_with_what_it_looks_like(tmp_path):
    dates = pd.date_range("2020-01-01", periods=500).strftime("%Y-%m-%d")
    path = write(tmp_path / "t.csv", a=np.arange(500) % 7, when=dates, y=["u", "v"] * 250)
    with pytest.raises(UserError, match=r"got 300; .* \(looks like dates, such as '2020-"):
        load(path)


def test_a_target_that_looks_like_numbers_is_warned_of(tmp_path):
    path = write(tmp_path / "t.csv", a=np.arange(N) % 7, y=["1,5", "2,5", "3,5"] * 20)
    assert load(path).warnings == (
        "column y (the target, 3 classes): looks like numbers in another notation, such as '1,5'",
    )


# ------------------------------------------------------------------------------ what is not printed

EVIL = "\x1b[2J\x07<b>\u202e"
SHOWN = "\\x1b[2J\\x07<b>\\u202e"


def evil_table(path: Path) -> Path:
    label = np.where(np.arange(80) % 2, "good", EVIL)
    frame = pd.DataFrame({"a": np.arange(80) % 2 + 0.1 * (np.arange(80) % 7), f"c{EVIL}": 1.0,
                          "y": label})  # fmt: skip
    frame.to_csv(path, index=False)
    return path


def is_plain(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_labels_columns_and_files_are_printed_without_what_a_terminal_obeys(in_process, tmp_path):
    path = evil_table(tmp_path / "t.csv")
    status, out, err = in_process(train.main, *table_words(path), *QUICK)
    assert (status, err) == (0, "") and is_plain(out)
    assert f"2 classes from text: {SHOWN}, good" in out
    assert f"column c{SHOWN} (numbers, 1 input): the same in all training rows" in out
    name = re.search(r"run      (\S+)", out)[1]
    new = tmp_path / f"n{EVIL.replace('/', '')}.csv"
    path.rename(new)
    status, out, err = in_process(predict.main, name, str(new))
    assert (status, err) == (0, "") and is_plain(out)
    assert f"n{SHOWN}.csv[0]: " in out and f"{SHOWN} " in out.partition(": ")[2]
    new.write_text("a\n1\n")
    status, out, err = in_process(predict.main, name, str(new))
    assert status == 2 and is_plain(err) and f"got no c{SHOWN}" in err
    status, out, err = in_process(predict.main, name, str(tmp_path / f"{EVIL}.csv"))
    assert status == 2 and is_plain(err)


def test_a_record_that_others_wrote_has_printable_labels(tmp_path):
    config = load_config([*table_words(evil_table(tmp_path / "t.csv")), *QUICK])
    run(config, tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    mapping = json.loads(directory.reading_path.read_text())
    mapping["classes"] = [EVIL, "good"]
    directory.reading_path.write_text(json.dumps(mapping))
    assert directory.reading().classes == (SHOWN, "good")


def test_a_report_with_such_labels_is_well_formed(in_process, tmp_path):
    path = evil_table(tmp_path / "t.csv")
    words = [*table_words(path), *SEARCH, "study.n_trials=2", "study.name=s"]
    status, out, _ = in_process(sweep.main, *words)
    assert status in (0, 1) and is_plain(out)
    status, out, _ = in_process(report, "s", "--format", "svg")
    assert status == 0 and is_plain(out)
    folder = tmp_path / "nndl-output/studies/s"
    drawn = list(folder.rglob("*.svg"))
    assert any(file.name == "confusion_matrix.svg" for file in drawn)
    for file in drawn:
        ElementTree.parse(file)
    pages = [*folder.rglob("*.html"), *folder.rglob("*.csv"), *folder.rglob("*.yaml")]
    assert any(file.suffix == ".html" for file in pages)
    for file in pages:
        assert not set("\x1b\x07\u202e") & set(file.read_text()), file


def test_a_label_with_dollars_is_text_and_not_mathematics():
    figure = confusion_matrix(np.array([[3, 1], [0, 2]]), ["$\\foo$", "$5-$10"])
    figure.canvas.draw()
    texts = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert texts == ["$\\foo$", "$5-$10"]
    assert not any(label.get_parse_math() for label in figure.axes[0].get_xticklabels())


def test_old_records_of_runs_are_read_with_the_new_settings():
    plain = to_mapping(RunConfig())
    for name in ("types", "missing_values", "white"):
        del plain["dataset"][name]
    assert run_config(plain) == RunConfig()
