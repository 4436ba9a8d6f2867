"""How good the recommended configuration is: the strategy, not tuning, and others that search.

    NNDL_DATA_DIR=... python -m benchmarks.quality --keep FOLDER      # writes benchmarks/README.md
    python -m benchmarks.quality --keep FOLDER --sets digits_8x8 --seeds 1 --page SOME.md

All search for the same training time: that which the strategy took on the same split of the same
set, the sum of the seconds of all epochs of all trials, without searching, storing and measuring.
What a search recommends is trained again with three seeds that no search uses, and judged by the
mean score on test examples that no search sees: accuracy, or R² of regression, in points. Each seed
has a split of its own. The strategy runs with its budget and with a quarter of it; the others are
read at both times from one search. GP needs PyTorch, SMAC3 needs smac (the extra ``bench``); what
is not installed is left out, and the tables say so. What FOLDER holds is not run again: use a new
one when the strategy has changed.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from benchmarks.quality import tables
from benchmarks.quality.jobs import Job, Outcome, run
from benchmarks.quality.searchers import NEEDS
from benchmarks.quality.sets import PROBLEMS, write_pool
from benchmarks.readme import README, write_section
from nndl_exp.api import load_study

CONTENDERS = ("chapter3", "untuned", *NEEDS)
SPACES = {"default": False, "techniques": True}
"""The search spaces, and whether they have the strategy's techniques."""


def jobs_of(options: argparse.Namespace, *, techniques: bool) -> list[Job]:
    """The jobs of a search space, a set and seed after another."""
    return [
        Job(
            options.keep.resolve(), name, seed, contender, options.budget,
            techniques and contender in NEEDS,
        )
        for name in options.sets
        for seed in range(options.seeds or PROBLEMS[name].seeds)
        for contender in options.contenders
    ]  # fmt: skip


def run_all(jobs: list[Job], at_once: int) -> None:
    """Run jobs, so many at a time: the strategy first, whose time the others get."""
    jobs = list(dict.fromkeys(job for job in jobs if not job.path.exists()))
    first = [job for job in jobs if job.contender == "chapter3"]
    others = [job for job in jobs if job.contender != "chapter3"]
    for some in (first, others):
        with ProcessPoolExecutor(at_once, get_context("spawn")) as pool:
            list(pool.map(run, some))


def outcomes(jobs: list[Job]) -> tables.Outcomes:
    """The outcomes of jobs that are done, by contender, set and seed."""
    found: dict[str, dict[tables.Key, dict[str, Outcome]]] = {}
    for job in jobs:
        found.setdefault(job.contender, {})[job.name, job.seed] = job.outcomes()
    return found


def options_of(words: list[str] | None) -> tuple[argparse.Namespace, str]:
    """The options of a command line, and a note on the contenders that are not installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, required=True, help="the folder with the results")
    parser.add_argument("--sets", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--seeds", type=int, help="of each set (8; 3 of the larger ones)")
    parser.add_argument("--budget", type=int, help="strategy.epochs (its default)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--jobs", type=int, default=2, help="at a time (2)")
    parser.add_argument("--page", type=Path, default=README, help="what the tables go into")
    options = parser.parse_args(words)
    missing = {c: need for c, need in NEEDS.items() if need and find_spec(need) is None}
    wanted = [c for c in CONTENDERS if c in options.contenders or c == "chapter3"]
    note = "".join(
        f"\n\n{c} was left out: {missing[c]} is not installed." for c in wanted if c in missing
    )
    options.contenders = [c for c in wanted if c not in missing]
    options.budget = options.budget or load_study().config.strategy.epochs
    return options, note


def main(words: list[str] | None = None) -> None:
    """Run what is missing, and write the tables."""
    options, note = options_of(words)
    for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(variable, None)
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    options.keep = options.keep / f"epochs_{options.budget}"
    for name in options.sets:
        write_pool(name, options.keep)
    jobs = {space: jobs_of(options, techniques=has) for space, has in SPACES.items()}
    run_all([job for some in jobs.values() for job in some], options.jobs)
    found = {space: outcomes(some) for space, some in jobs.items()}
    sections = {
        f"quality: {space}": f"{tables.ranking(some)}\n\n{tables.by_set(some)}{note}"
        for space, some in found.items()
    }
    sections["quality: stages"] = tables.by_stage(found["default"]["chapter3"])
    for title, text in sections.items():
        print(f"{title}\n\n{text}\n")
        write_section(title, text, options.page)


if __name__ == "__main__":
    main()
