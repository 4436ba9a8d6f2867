"""The book's published files beside the figures that were replayed."""

import copy
import json

import pytest

from experiments import replay
from nndl_exp.book.experiment import lead
from nndl_exp.book.published import beside_published, equal_epochs, read_published
from nndl_exp.errors import UserError

CURVES = [[0.5, 0.4, 0.3], [910, 920, 930], [], [1, 2, 3]]
ALL = [len(curve) for curve in CURVES if curve]


def test_curves_are_equal_up_to_the_epoch_where_the_first_of_them_parts():
    other = copy.deepcopy(CURVES)
    assert equal_epochs(CURVES, other) == ALL
    other[0][2] += 1e-12
    assert equal_epochs(CURVES, other) == ALL, "rounding"
    other[0][2] += 1e-8
    assert equal_epochs(CURVES, other) == [2, *ALL[1:]]
    assert equal_epochs(CURVES, other, 1e-6) == ALL, "rounding that has grown"
    other[1][1] += 1
    parted = [2, 1, *ALL[2:]]
    assert equal_epochs(CURVES, other) == parted, "a count is equal or not"
    assert equal_epochs([CURVES, CURVES], [CURVES, other]) == [*ALL, *parted], "multiple_eta"
    assert equal_epochs({"a": CURVES}, {"a": other}) == parted, "as of weight_initialization"
    assert equal_epochs([1.0, 2.0], [1.0, 2.1]) == [1], "as of more_data"


@pytest.mark.parametrize("other", [{"a": []}, [[0.5]], [[0.5], [1], [], [1]], 3, [[], [], [], []]])
def test_a_file_of_another_shape_is_refused(other):
    with pytest.raises(UserError, match="the published file must have"):
        equal_epochs(CURVES, other)


def test_replay_says_up_to_which_epoch_a_figure_is_the_published_one(tmp_path):
    parted = copy.deepcopy(CURVES)
    parted[3][1] += 1
    (tmp_path / "regularized.json").write_text(json.dumps(CURVES))
    (tmp_path / "overfitting_full.json").write_text(json.dumps(parted))
    names = ("regularized", "overfitting_full", "overfitting")
    published = {name: read_published(tmp_path, name) for name in names}
    whole, part = beside_published(dict.fromkeys(names, CURVES), published)
    assert (whole.book, whole.mean, whole.verdict) == (3, 3, "agrees")
    assert (part.book, part.mean, part.verdict) == (3, 1, "differs")
    many = len(ALL)
    assert part.note == (
        f"{many - 1} of {many} curves to the end, all up to epoch 1, and to 1e-06 up to 1: "
        "rounding grows"
    )


def test_published_files_that_are_none_are_refused_before_anything_is_replayed(tmp_path, data_dir):
    with pytest.raises(UserError, match="published must be a folder"):
        lead(replay, (f"output={tmp_path}", f"published={tmp_path / 'none'}"))
    (tmp_path / "overfitting.json").write_text("{")
    with pytest.raises(UserError, match="must be JSON"):
        lead(replay, (f"output={tmp_path}", f"published={tmp_path}"))
