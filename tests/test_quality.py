"""The benchmark of recommended configurations: its arithmetic, and a small run of all of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="needs the repository's benchmarks/")

from benchmarks.quality.jobs import Outcome
from benchmarks.quality.search import Ended, recommended, run_of, with_techniques
from benchmarks.quality.tables import by_set, by_stage, in_words, interval, mean_ranks, ranking
from nndl_exp.api import load_config, load_dataset, load_study
from nndl_exp.run import check_parts
from nndl_exp.study.proposing.search_space import SearchSpace, nearest


def test_equal_scores_share_their_ranks_and_sets_count_alike():
    scores = np.array([[90.0, 95.0, 95.0], [80.0, 70.0, 60.0], [80.0, 70.0, 60.0]])
    assert mean_ranks(scores, ["a", "b", "b"]) == pytest.approx([2.0, 1.75, 2.25])


def test_the_interval_is_students():
    mean, low, high = interval([1.0, 2.0, 3.0, 6.0])
    half = 3.182446 * np.sqrt(14 / 3) / 2  # t of 3 degrees of freedom, the deviation, root of n
    assert (mean, low, high) == pytest.approx((3.0, 3 - half, 3 + half), abs=1e-5)
    assert in_words([1.0, 2.0, 3.0, 6.0]) == "+3.00 (-0.44 to +6.44)"
    assert in_words([1.25]) == "+1.25"  # one says nothing about others


def test_tables_pair_by_set_and_seed_and_leave_the_hard_start_out_of_differences():
    keys = [("digits_8x8", 0), ("digits_8x8", 1), ("hard start", 0)]
    scores = {"chapter3": [91.0, 93.0, 95.0], "untuned": [90.0, 91.0, 10.0]}

    def outcomes(score: float) -> dict[str, Outcome]:
        full = Outcome(1.0, [score - 1, score + 1], 1, {}, {"start": 90.0, "winner": score})
        return {"quarter": Outcome(1.0, [score], 1, {}), "full": full}

    found = {
        contender: {key: outcomes(score) for key, score in zip(keys, some, strict=True)}
        for contender, some in scores.items()
    }
    difference = "+1.50 (-4.85 to +7.85)"  # t of one degree of freedom is 12.706
    row = f"| untuned | 2.00 | 2.00 | {difference} | {difference} |"
    assert ranking(found).splitlines()[-1] == row
    assert by_set(found).splitlines()[-1] == "| hard start | 1 | 95.00 | 10.00 | +85.00 |"
    gained = "| winner | 2 | 2 | +2.00 (-10.71 to +14.71) | +1.00 |"
    assert by_stage(found["chapter3"]).splitlines()[-1] == gained


def test_the_best_trial_that_had_ended_in_time_is_recommended():
    runs = [load_config([f"seed={seed}"]) for seed in range(5)]
    scores = [None, 0.5, 0.9, 0.7, 0.95]
    ended = [Ended(runs[i], score, 1.0 + i) for i, score in enumerate(scores)]
    best = [recommended(ended, seconds).config.seed for seconds in (0.5, 1.0, 2.0, 3.5, 4.9, 5.0)]
    assert best == [0, 0, 1, 2, 2, 4]


def test_a_negative_score_is_better_than_a_worse_one():
    ended = [Ended(load_config([f"seed={i}"]), score, 1.0) for i, score in enumerate([-3.0, -0.5])]
    assert recommended(ended, 2.0).config.seed == 1


def test_a_start_outside_the_space_is_moved_to_its_end_for_the_sampler_but_run_as_it_is():
    start = load_config(["training.eta=20", "training.lmbda=1000", "network.hidden=[30,20]"])
    space = SearchSpace.parse(load_study().config.search_space, start)
    params = nearest(space, start)
    assert params["training.eta"] == 10 and params["training.lmbda"] == 100
    assert run_of(space, start, params) is start
    other = run_of(space, start, {**params, "training.mini_batch_size": 7})
    assert other.training.eta == 10 and other.network.hidden == (30, 20)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_what_goes_with_a_technique_follows_it(activation, output):
    start, dataset = load_config(["dataset=digits_8x8"]), load_dataset("digits_8x8")
    space = SearchSpace.parse(with_techniques(load_study().config.search_space, dataset), start)
    assert {"training.dropout", "training.momentum", "training.expansion.name"} <= set(
        space.settings
    )
    wanted = {"network.activation": activation, "network.output": output}
    found = run_of(space, start, {**nearest(space, start), **wanted, "training.eta": 0.1})
    check_parts(found, dataset)
    named = load_config(["dataset=digits_8x8", f"network={activation}"])
    assert found.network.initializer == named.network.initializer


@pytest.mark.long
def test_all_of_it_on_a_small_set_and_nothing_again(tmp_path):
    page = tmp_path / "page.md"
    titles = [f"quality: {title}" for title in ("default", "techniques", "stages")]
    page.write_text("".join(f"<!-- {title} -->\n<!-- end {title} -->\n" for title in titles))
    words = ["--sets", "breast_cancer", "--seeds", "1", "--budget", "40", "--page", str(page)]
    words += ["--keep", str(tmp_path), "--contenders", "chapter3", "untuned", "random"]
    command = [sys.executable, "-m", "benchmarks.quality", *words]
    root = Path(__file__).parents[1]
    subprocess.run(command, cwd=root, check=True)  # it sets environment variables
    results = sorted((tmp_path / "epochs_40" / "results").rglob("*.json"))
    names = ["chapter3.json", "random, techniques.json", "random.json", "untuned.json"]
    assert [path.name for path in results] == names
    first, times = page.read_text(), [path.stat().st_mtime_ns for path in results]
    rows = [line.split(" | ") for line in first.splitlines() if line.startswith("| ")]
    assert {"| chapter3", "| untuned", "| random", "| breast_cancer", "| winner"} <= {
        row[0] for row in rows
    }
    ranks = [float(row[1]) for row in rows if row[0] in ("| chapter3", "| untuned", "| random")]
    assert sum(ranks) == pytest.approx(2 * (1 + 2 + 3))  # in both spaces
    subprocess.run(command, cwd=root, check=True)
    assert page.read_text() == first
    assert [path.stat().st_mtime_ns for path in results] == times
