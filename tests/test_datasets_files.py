"""A user's own files, tables and arrays: what is made of them, and every way they can be wrong."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nndl_exp.config import DatasetConfig
from nndl_exp.datasets import FileOptions, load_dataset, read_new
from nndl_exp.datasets.inputs import MISSING
from nndl_exp.errors import UserError


def people(n: int = 100) -> pd.DataFrame:
    """A table with numbers, text, true/false, a constant and a class that depends on them."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, n)
    height = rng.normal(1.7, 0.1, n)
    town = rng.choice(["Delft", "Ghent", "Lille"], n)
    label = np.where(age + 20 * (town == "Ghent") > 60, "old", "young")
    return pd.DataFrame({
        "age": age, "town": town, "height": height, "member": rng.random(n) < 0.5,
        "planet": 3, "label": label, "price": 1000.0 + 50 * age + rng.normal(0, 1, n),
    })  # fmt: skip


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    return path


def load(path: Path, target: str | None = "label", **options):
    return load_dataset("table", path=str(path), target=target, test=True, **options)


def parts(data):
    return data.training, data.validation, data.test


def all_rows(data) -> np.ndarray:
    return np.concatenate([part.x for part in parts(data)])


# --------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_becomes_standardised_numbers_and_one_hot_text(tmp_path, suffix):
    frame, path = people(), tmp_path / f"people{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data = load(path, ignore=("price",))
    assert data.name == "people"
    assert data.classes == ("old", "young")
    assert [len(part) for part in parts(data)] == [60, 20, 20]
    assert (data.n_in, data.n_out, data.shape) == (4 + 3, 2, None)
    # Columns of numbers in the order of the file (age, height, member, planet), then the towns.
    numbers = data.training.x[:, :4]
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(numbers.std(axis=0), [1, 1, 1, 0], atol=1e-6)
    assert (all_rows(data)[:, 3] == 0).all(), "a constant column becomes 0"
    towns = all_rows(data)[:, 4:]
    assert set(np.unique(towns)) == {0, 1}
    assert (towns.sum(axis=1) == 1).all()
    # Every row of the file is in one set, with its own label and town.
    mean, deviation = (np.array(data.encoding["inputs"][key]) for key in ("mean", "deviation"))
    found = all_rows(data)[:, 0] * deviation[0] + mean[0]
    labels = np.concatenate([part.labels for part in parts(data)])
    made = [(round(a), ["Delft", "Ghent", "Lille"][t], data.classes[c])
            for a, t, c in zip(found, towns.argmax(axis=1), labels, strict=True)]  # fmt: skip
    assert sorted(made) == sorted(zip(frame.age, frame.town, frame.label, strict=True))


def test_the_statistics_are_those_of_the_training_rows_alone(table):
    before = load(table)
    frame = pd.read_csv(table)
    # Change what is only in the validation and test set: nothing in the training set may notice.
    ages = np.rint(before.training.x[:, 0] * before.encoding["inputs"]["deviation"][0]
                   + before.encoding["inputs"]["mean"][0])  # fmt: skip
    rows = rows_of(before, frame)
    assert sorted(frame.age[rows[0]]) == sorted(ages)
    outside = np.concatenate(rows[1:])
    frame.loc[outside, "age"] = 10_000
    frame.loc[outside[0], "town"] = "Bruges"
    frame["planet"] = frame["planet"].astype(float)
    frame.loc[outside, "planet"] = 9.0
    other = table.with_name("other.csv")
    frame.to_csv(other, index=False)
    after = load(other)
    np.testing.assert_array_equal(after.training.x, before.training.x)
    np.testing.assert_array_equal(after.training.labels, before.training.labels)
    assert after.encoding == before.encoding
    assert after.validation.x[:, 0].min() > 100
    assert (all_rows(after)[:, 3] == 0).all(), "constant in training is constant"
    towns = np.concatenate([after.validation.x, after.test.x])[:, -3:].sum(axis=1)
    assert sorted(set(towns)) == [0, 1]
    assert (towns == 0).sum() == 1, "a town first seen outside of the training set gives zeros"


def rows_of(data, frame: pd.DataFrame) -> list[np.ndarray]:
    """The rows of the file that each set has, found by the heights, which are all different."""
    inputs = data.encoding["inputs"]
    column = inputs["numeric"].index("height")
    found = []
    for part in parts(data):
        height = part.x[:, column] * inputs["deviation"][column] + inputs["mean"][column]
        nearest = np.abs(frame.height.to_numpy()[:, None] - height).argmin(axis=0)
        found.append(nearest)
    assert sorted(np.concatenate(found)) == list(range(len(frame))), "each row is in one set"
    return found


def test_the_split_is_stable_stratified_and_decided_by_its_seed_and_fractions(table):
    first, again, other = load(table), load(table), load(table, split_seed=1)
    np.testing.assert_array_equal(first.training.x, again.training.x)
    assert not np.array_equal(first.training.x[:, 0], other.training.x[:, 0])
    shares = [(part.labels == 0).mean() for part in parts(first)]
    assert np.ptp(shares) < 0.06
    cut = load(table, fractions=(0.8, 0.1, 0.1), training_size=30)
    assert [len(part) for part in parts(cut)] == [30, 10, 10]
    # Nobody's default order: the rows of a sorted table come mixed.
    frame = people().sort_values("age")
    frame.to_csv(table.with_name("sorted.csv"), index=False)
    data = load(table.with_name("sorted.csv"))
    assert abs(np.corrcoef(all_rows(data)[:, 0], np.arange(100))[0, 1]) < 0.4


def test_the_cache_is_keyed_by_what_decides_the_arrays(table, cache):
    folder = cache / "prepared-3"
    load(table)
    made = set(folder.iterdir())
    load(table)
    moved = table.with_name("renamed.csv")
    table.rename(moved)
    load(moved, validation_size=10)
    assert set(folder.iterdir()) == made, "the same content and options are prepared once"
    load(moved, task="classes")
    assert set(folder.iterdir()) == made, "it is what auto has come to"
    load(moved, split_seed=3)
    load(moved, ignore=("town",))
    load(moved, training_size=10)
    moved.write_text(moved.read_text().replace("young", "Young"))
    assert load(moved).classes == ("Young", "old")
    assert len(set(folder.iterdir()) - made) == 4
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_missing_values_are_refused_or_imputed_from_the_training_rows(table):
    frame = people()
    frame["age"] = frame["age"].astype(float)
    rows = rows_of(load(table), frame)
    frame.loc[rows[0][:3], "age"] = np.nan
    frame.loc[rows[1][:2], "age"] = np.nan
    frame.loc[rows[0][3:8], "town"] = None
    frame.loc[rows[2][0], "town"] = None
    path = table.with_name("gaps.csv")
    frame.to_csv(path, index=False)
    with pytest.raises(UserError, match="column age must have no missing values: got 5"):
        load(path)
    data = load(path, missing="impute")
    inputs = data.encoding["inputs"]
    assert inputs["median"][0] == frame.age[rows[0]].median()
    filled = np.rint(data.validation.x[:2, 0] * inputs["deviation"][0] + inputs["mean"][0])
    assert filled.tolist() == [inputs["median"][0]] * 2
    assert inputs["categories"]["town"] == [MISSING, "Delft", "Ghent", "Lille"]
    assert data.training.x[:, -4].sum() == 5
    assert data.test.x[:, -4].sum() == 1
    with pytest.raises(UserError, match="column town must have no missing values: got 6"):
        load(path, ignore=("age",))


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["b", "a"] * 20, "auto", ("a", "b")),
        ([True, False] * 20, "auto", ("False", "True")),
        ([10, 9, 2, 9] * 10, "auto", ("2", "9", "10")),
        (list(range(40)), "auto", ()),
        ([1, 2] * 20, "numbers", ()),
        ([1.5, 2.0] * 20, "auto", ()),
        ([1.5, 2.0] * 20, "classes", ("1.5", "2")),
    ],
)
def test_what_a_target_means(tmp_path, values, task, classes):
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": np.arange(40) % 7, "y": values}).to_csv(path, index=False)
    data = load(path, "y", task=task)
    assert data.classes == classes
    assert data.task == ("classes" if classes else "numbers")
    assert data.n_out == (len(classes) or 1)


def test_numbers_to_predict_are_standardised_by_the_training_rows_alone(table):
    frame, before = people(), load(table, "price", ignore=("label",))
    assert before.task == "numbers"
    rows = rows_of(before, frame)
    prices = frame.price.to_numpy()
    mean, deviation = prices[rows[0]].mean(), prices[rows[0]].std()
    for part, of_it in zip(parts(before), rows, strict=True):
        _, y = part.examples(1)
        assert y.shape == (len(part), 1)
        np.testing.assert_allclose(y[:, 0], (prices[of_it] - mean) / deviation, atol=1e-5)
    frame.loc[np.concatenate(rows[1:]), "price"] *= 100
    frame.to_csv(table.with_name("dear.csv"), index=False)
    after = load(table.with_name("dear.csv"), "price", ignore=("label",))
    np.testing.assert_array_equal(after.training.y, before.training.y)
    assert after.encoding == before.encoding
    assert after.test.y.min() > 100
    np.testing.assert_allclose(
        after.reading.target.undo(after.test.y)[:, 0], frame.price[rows[2]], rtol=1e-5
    )


def test_rows_that_a_run_does_not_keep_decide_nothing(table, tmp_path):
    """With dataset.training_size, and dataset.classes, the others are as if they were not there."""
    cut = load(table, training_size=20)
    np.testing.assert_allclose(cut.training.x[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(cut.training.x[:, :2].std(axis=0), 1, atol=1e-5)
    prices = load(table, "price", ignore=("label",), training_size=20)
    np.testing.assert_allclose(prices.training.y.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(prices.training.y.std(), 1, atol=1e-5)
    some = load(table, "town", ignore=("label",), classes=(2, 0))
    np.testing.assert_allclose(some.training.x[:, :2].mean(axis=0), 0, atol=1e-5)
    frame = people()
    kept = rows_of(load(table), frame)[0][:20]
    frame["town"] = np.where(frame.index.isin(kept), frame.town, "Bruges")
    frame.to_csv(tmp_path / "far.csv", index=False)
    seen = load(tmp_path / "far.csv", training_size=20)
    assert "Bruges" not in seen.encoding["inputs"]["categories"]["town"]
    frame["age"] = frame.age.where(frame.index.isin(kept), 10_000)
    frame.to_csv(tmp_path / "farther.csv", index=False)
    farther = load(tmp_path / "farther.csv", training_size=20)
    np.testing.assert_array_equal(farther.training.x, seen.training.x)
    rows = load_npz(tmp_path / "mine.npz", {"x": X, "y": Y}, training_size=7)
    np.testing.assert_allclose(rows.training.x.mean(axis=0), 0, atol=1e-5)


def test_categories_of_parquet_and_classes_cut_down(tmp_path):
    frame = people()
    frame["town"] = frame["town"].astype("category")
    frame["member"] = frame["member"].astype("boolean")
    frame["age"] = frame["age"].astype("Int64")
    path = tmp_path / "people.parquet"
    frame.to_parquet(path)
    data = load(path, "town", classes=(2, 0), ignore=("label",))
    assert data.classes == ("Lille", "Delft")
    assert sum(map(len, parts(data))) == (frame.town != "Ghent").sum()
    with pytest.raises(UserError, match=r"ones of 0 \.\. 2 \(Delft, Ghent, Lille\): got"):
        load(path, "town", classes=(0, 3))
    with pytest.raises(UserError, match=r"dataset.classes must be null where the targets are num"):
        load(path, "price", classes=(0, 1))


def test_other_rows_are_prepared_as_the_training_rows_were(table):
    data, frame = load(table), people()
    rows = rows_of(data, frame)
    new = table.with_name("new.csv")
    frame.iloc[rows[2]].drop(columns="label")[[*reversed(frame.columns[:-2]), "price"]].to_csv(
        new, index=False
    )
    np.testing.assert_array_equal(read_new("table", data.reading, new).x, data.test.x)
    for change, message in (
        ({"drop": "town"}, "must have the columns of the training data: got no town"),
        ({"set": ("age", "unknown")}, "column age in .*new.csv must hold numbers, as in training"),
        ({"set": ("age", np.nan)}, "column age must have no missing values: got 20"),
    ):
        changed = frame.iloc[rows[2]].copy()
        if "drop" in change:
            changed = changed.drop(columns=change["drop"])
        else:
            changed[change["set"][0]] = change["set"][1]
        changed.to_csv(new, index=False)
        with pytest.raises(UserError, match=message):
            read_new("table", data.reading, new)
    with pytest.raises(UserError, match=r"must end in \.csv or \.parquet"):
        read_new("table", data.reading, new.with_suffix(".npz"))


BAD_TABLES = {
    "empty file": ("", {}, "must have a line of column names: it is empty"),
    "header only": ("age,label\n", {}, "must have at least one row below its header: got none"),
    "no such column": ("age,kind\n1,a\n", {}, r"must be a column of .*\(age, kind\)"),
    "semicolons": ("age;label\n1;a\n", {}, "got label; columns are separated by commas"),
    "no target": ("age,label\n1,a\n", {"target": None}, r"\(age, label\): got None"),
    "only the target": ("label\na\nb\n", {}, "must have a column besides the target label"),
    "unknown target": ("x,label\n1,a\n2,\n3,\n4,b\n", {}, "known in every row: 2 rows have"),
    "one class": ("x,label\n" + "1,a\n2,a\n" * 9, {}, "must have at least two classes: got only a"),
    "rare class": ("x,label\n1,c\n" + "1,a\n2,b\n" * 9, {},
                   "at least two rows of each class: got one of c"),
    "no training row of a class": ("x,label\n" + "1,a\n2,b\n" * 9 + "1,c\n2,c\n",
                                   {"fractions": (0.2, 0.4, 0.4)},
                                   "must have a training row of each class: got none of c"),
    "constant": ("x,z,label\n" + "1,u,a\n1,u,b\n" * 9, {}, "must have a column that varies"),
    "infinite": ("x,label\n" + "1,a\n2,b\n" * 9 + "inf,a\n", {},
                 "column x must be finite: got infinity in 1 row"),
    "infinite target": ("x,y\n" + "1,1.5\n2,2.5\n" * 9 + "1,inf\n", {"target": "y"},
                        "the target y must be finite in every row: got NaN or infinity in 1"),
    "huge": ("x,label\n" + "1e200,a\n2,b\n" * 9, {}, "column x must be within ±1e150: got 1e"),
    "constant numbers": ("x,y\n" + "1,2.5\n2,2.5\n" * 9, {"target": "y"},
                         "the target y must not be the same in all training rows"),
    "never known": ("x,z,label\n" + "1,,a\n2,,b\n" * 9, {"missing": "impute"},
                    "column z must have a value in some training row: got none"),
    "text as numbers": ("x,label\n" + "1,a\n2,b\n" * 9, {"task": "numbers"},
                        "must be numbers with dataset.task=numbers: got text"),
    "row numbers": (",x,label\n" + "0,1,a\n1,2,b\n" * 9, {}, "has a column without a name"),
    "names": ("x,label\n" + "".join(f"id{i},{'ab'[i % 2]}\n" for i in range(500)), {},
              "column x must have at most 200 different texts: got 300; dataset.ignore"),
    "few rows": ("x,label\n1,a\n2,a\n3,b\n4,b\n", {"fractions": (0.9, 0.05, 0.05)},
                 "dataset.fractions must leave every set at least one of 4 examples"),
    "too many cells": ("x,label\n1,a\n2,b,3,4\n", {}, "is not a CSV file in UTF-8"),
    "unknown ignore": ("x,label\n1,a\n2,b\n", {"ignore": ("q",)}, "it has no q"),
    "fractions": ("x,label\n1,a\n", {"fractions": (0.6, 0.2, 0.3)},
                  r"with the sum 1, .* got \[0.6, 0.2, 0.3\], with the sum 1.1"),
    "negative fraction": ("x,label\n1,a\n", {"fractions": (1.2, -0.1, -0.1)}, "sum 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_makes_no_sense_is_refused_in_one_line(tmp_path, case, cache):
    text, options, message = BAD_TABLES[case]
    path = tmp_path / "mine.csv"
    path.write_text(text)
    before = set((cache / "prepared-3").glob("*"))
    with pytest.raises(UserError, match=message) as error:
        load(path, **{"target": "label", **options})
    assert "\n" not in str(error.value)
    assert set((cache / "prepared-3").glob("*")) == before, "nothing is left half-written"


def test_a_path_that_leads_nowhere_is_refused(tmp_path):
    for path, message in (
        (None, r"dataset=table needs dataset.path, a file \.csv or \.parquet: got none"),
        (str(tmp_path / "no.csv"), "dataset.path must be a file: there is none at .*no.csv"),
        (str(tmp_path), r"dataset.path must end in \.csv or \.parquet with dataset=table"),
        (
            str(tmp_path / "x.xlsx"),
            r"must end in \.csv or \.parquet with dataset=table: got .*xlsx",
        ),
    ):
        with pytest.raises(UserError, match=message):
            load_dataset("table", path=path, target="label")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="must be a file"):
        load(tmp_path / "folder.csv")


def test_damaged_parquet_and_text_that_is_not_utf8_are_refused(tmp_path):
    path = tmp_path / "mine.parquet"
    people().to_parquet(path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:100] + bytes(99) + whole[199:]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a Parquet file, or damaged") as error:
            load(path)
        assert "\n" not in str(error.value)
    path = tmp_path / "mine.csv"
    path.write_bytes("größe,label\n1,a\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not a CSV file in UTF-8"):
        load(path)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UserError):
        load(path)


def test_columns_that_are_neither_numbers_nor_text_are_refused(tmp_path):
    frame = people().assign(born=pd.Timestamp("2000-01-01"))
    path = tmp_path / "people.parquet"
    frame.to_parquet(path)
    with pytest.raises(
        UserError, match="column born must hold numbers, text or true/false: got da"
    ):
        load(path)
    assert load(path, ignore=("born",)).n_in == 8


def test_options_of_a_file_do_not_go_with_other_sources():
    with pytest.raises(UserError, match=r"dataset.path goes with dataset=table and dataset=npz"):
        load_dataset("mnist_5k", path="mine.csv")


def test_options_and_config_have_the_same_defaults():
    config = dataclasses.asdict(DatasetConfig())
    assert {key: config[key] for key in dataclasses.asdict(FileOptions())} == dataclasses.asdict(
        FileOptions()
    )


# ---------------------------------------------------------------------------------------- arrays


def load_npz(path: Path, arrays: dict, **options):
    np.savez(path, **arrays)
    return load_dataset("npz", path=str(path), test=True, **options)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "mine.npz"


X = np.random.default_rng(0).normal(5, 2, (50, 4))
Y = np.tile(["no", "yes"], 25)


def test_arrays_are_split_and_standardised_as_a_table_is(path):
    data = load_npz(path, {"x": X, "y": Y})
    assert [len(part) for part in parts(data)] == [30, 10, 10]
    assert data.classes == ("no", "yes")
    np.testing.assert_allclose(data.training.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.training.x.std(axis=0), 1, atol=1e-6)
    inputs = data.encoding["inputs"]
    rows = all_rows(data) * np.array(inputs["deviation"]) + np.array(inputs["mean"])
    order = np.lexsort(rows.T)
    np.testing.assert_allclose(rows[order], X[np.lexsort(X.T)], rtol=1e-5)
    labels = np.concatenate([part.labels for part in parts(data)])
    assert (labels[order] == (Y == "yes")[np.lexsort(X.T)]).all()
    np.savez(path.with_name("new.npz"), x=X[:3])
    new = read_new("npz", data.reading, path.with_name("new.npz")).x
    np.testing.assert_allclose(new * inputs["deviation"] + inputs["mean"], X[:3], rtol=1e-5)


def test_sets_that_are_given_are_kept_in_their_order(path):
    given = {"x_train": X[:30], "y_train": Y[:30], "x_validation": X[30:35],
             "y_validation": Y[30:35], "x_test": X[35:], "y_test": Y[35:]}  # fmt: skip
    data = load_npz(path, given)
    assert [len(part) for part in parts(data)] == [30, 5, 15]
    mean, deviation = X[:30].mean(axis=0), X[:30].std(axis=0)
    np.testing.assert_allclose(all_rows(data), (X - mean) / deviation, atol=1e-5)
    del given["x_validation"], given["y_validation"]
    data = load_npz(path, given, fractions=(0.6, 0.3, 0.1))
    assert [len(part) for part in parts(data)] == [20, 10, 15]
    assert data.test.labels.tolist() == (Y[35:] == "yes").tolist()


def test_pictures_have_a_shape_and_are_grey(path):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (40, 6, 5), dtype=np.uint8)
    labels = np.arange(40) % 4
    for pictures in (grey, grey.astype(np.int64), grey / 256):
        data = load_npz(path, {"x": pictures, "y": labels[:, None]})
        assert data.shape == (6, 5)
        assert data.n_in == 30
        assert 0 <= all_rows(data).min() < all_rows(data).max() <= 255 / 256
        assert len(np.unique(all_rows(data) * 256)) == len(np.unique(grey))
    np.savez(path.with_name("new.npz"), x=grey[:2])
    with pytest.raises(UserError, match="must be numbers from 0 to 1, as in training: got uint8"):
        read_new("npz", data.reading, path.with_name("new.npz"))
    np.savez(path.with_name("new.npz"), x=grey[:2] / 256)
    assert read_new("npz", data.reading, path.with_name("new.npz")).x.shape == (2, 30)


BAD_ARRAYS = {
    "no y": ({"x": X}, {}, "must hold x and y, or x_train, .*: got x"),
    "no test": ({"x_train": X, "y_train": Y}, {}, "must hold x and y, or x_train"),
    "half a set": ({"x_train": X, "y_train": Y, "x_test": X}, {}, "must hold y_test too: got x_tr"),
    "both": ({"x": X, "y": Y, "x_test": X, "y_test": Y}, {}, "must hold x and y, or x_train"),
    "empty": ({}, {}, "got no arrays"),
    "lengths": ({"x": X, "y": Y[:-1]}, {}, "must have the same length: got 50 and 49"),
    "one dimension": ({"x": X[:, 0], "y": Y}, {}, r"\(n, features\) or \(n, height, width\): got"),
    "text": ({"x": X.astype(str), "y": Y}, {}, "x in .* must be numbers of shape"),
    "no rows": ({"x": X[:0], "y": Y[:0]}, {}, "x in .* must be numbers of shape"),
    "NaN": ({"x": np.where(X > 9, np.nan, X), "y": Y}, {},
            r"column \d of x in .* must have no missing values: got \d"),
    "infinity": ({"x": np.where(X > 9, np.inf, X), "y": Y}, {}, "must be finite: got infinity"),
    "NaN target": ({"x": X, "y": np.where(X[:, 0] > 8, np.nan, 1.0)}, {}, "be finite in every"),
    "constant": ({"x": np.ones((50, 3)), "y": Y}, {}, "every column is constant"),
    "one class": ({"x": X, "y": np.ones(50, int)}, {}, "at least two classes: got only 1"),
    "white": ({"x": np.full((50, 2, 2), 16.0), "y": Y}, {},
              r"must be numbers from 0 to 1 \(dataset.white=N: to N\): got float64"),
    "NaN picture": ({"x": np.full((50, 2, 2), np.nan), "y": Y}, {}, "must be numbers from 0 to 1"),
    "target": ({"x": X, "y": Y}, {"target": "y"}, "dataset.target goes with dataset=table"),
    "class of the test set only": (
        {"x_train": X[:40], "y_train": Y[:40], "x_test": X[40:], "y_test": ["maybe"] * 10}, {},
        "must have a training row of each class: got none of maybe"),
    "shapes": ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, {},
               "the inputs in .* must be alike in all sets"),
    "matrix of text": ({"x": X, "y": np.stack([Y, Y], axis=1)}, {}, "or labels of shape"),
    "complex": ({"x": X, "y": X[:, 0] + 1j}, {}, "must be numbers, or labels"),
    "matrix as classes": ({"x": X, "y": X[:, :2]}, {"task": "classes"}, "must be one label a row"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_arrays_that_make_no_sense_are_refused_in_one_line(path, case):
    arrays, options, message = BAD_ARRAYS[case]
    with pytest.raises(UserError, match=message) as error:
        load_npz(path, arrays, **options)
    assert "\n" not in str(error.value)


def test_pickles_and_damaged_files_are_refused(path):
    np.savez(path, x=X, y=np.array([{"a": 1}] * 50, dtype=object))
    with pytest.raises(UserError, match="Python objects, which are never loaded"):
        load_dataset("npz", path=str(path))
    np.savez_compressed(path, x=X, y=Y)
    whole = path.read_bytes()
    for content in (b"", b"junk", whole[:-30], whole[:200] + bytes(200) + whole[400:]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not an npz file, or damaged") as error:
            load_dataset("npz", path=str(path))
        assert "\n" not in str(error.value)
    with path.open("wb") as opened:
        np.save(opened, X)
    with pytest.raises(UserError, match="is not an npz file, or damaged"):
        load_dataset("npz", path=str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "hello")
    with pytest.raises(UserError):
        load_dataset("npz", path=str(path))
