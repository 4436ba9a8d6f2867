"""A study that begins with the trials of an earlier one: for the sampler to know from the start,
or for the best of them to race.

Their rows are copied when the study is created; what becomes of the earlier study afterwards
changes nothing. What is known is the same for every trial, so the lag does not matter to it.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nndl_exp.config import RunConfig, SweepConfig, flatten, run_config, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory, atomic
from nndl_exp.run import sizes_of
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.proposer import Settled
from nndl_exp.study.proposing.search_space import Params, SearchSpace
from nndl_exp.study.settings import no_such_study, study_names

FILE = "warm_start.json"
_DURATION = ("seed", "training.epochs", "training.max_seconds", "training.target_accuracy")
_HOW_LONG = ("training.stopping.", "training.schedule.", "training.monitor_")
"""Names, and beginnings of names, of settings that a row may have otherwise."""


@dataclass(frozen=True)
class Row:
    """A trial of the earlier study: what it was called, its run, and how it came out."""

    name: str
    config: RunConfig
    settled: Settled


def load(config: SweepConfig, dataset: Dataset, name: str, path: Path) -> tuple[Row, ...]:
    """The rows that a study was created with, or would be created with now.

    Args:
        config: the study's; ``study.warm_start`` names the earlier one.
        dataset: that of the study.
        name: the study's own name.
        path: where its copy of the rows is, or will be.

    Raises:
        UserError: there is no such study, none of its trials is of use, or the copy was changed.
    """
    other = config.study.warm_start
    if other is None:
        return ()
    sampler = config.sampler.get("name")
    if "joint" in config.strategy.stages and sampler != "tpe":
        raise UserError(f"study.warm_start goes with sampler=tpe: got {sampler}")
    if path.is_file():
        return _read(path)
    if other == name or other not in study_names(config.output):
        raise UserError(f"study.warm_start: {no_such_study(config.output, other)}")
    rows = tuple(_rows(config, dataset, Path(config.output) / "studies" / other))
    if not rows:
        raise UserError(f"study.warm_start={other} must have trials on the same dataset: got none")
    return rows


def save(rows: Sequence[Row], path: Path) -> None:
    """Put the rows down with their digest, unless they are there."""
    if rows and not path.is_file():
        plain = [
            {"name": r.name, "run": to_mapping(r.config), "settled": asdict(r.settled)}
            for r in rows
        ]
        record = {"sha256": _digest(plain), "rows": plain}
        atomic.write(path, json.dumps(record).encode(), durable=True)


def best(rows: Sequence[Row]) -> list[RunConfig]:
    """The runs of the completed rows, the best first; one of those that differ by seed only."""
    completed = [row for row in rows if row.settled.complete]

    def goodness(row: Row) -> float:
        value = row.settled.values[0]
        return -value if row.config.training.judged_by == "validation_cost" else value

    distinct: dict[RunConfig, RunConfig] = {}
    for row in sorted(completed, key=goodness, reverse=True):
        distinct.setdefault(replace(row.config, seed=0), row.config)
    return list(distinct.values())


def known(
    rows: Sequence[Row], space: SearchSpace, base: RunConfig
) -> tuple[tuple[Params, Settled], ...]:
    """The rows that tell of variations of ``base`` inside ``space``, as a sampler takes them.

    What is not searched must be as it is in ``base``, but for the seed and how long was trained.
    """
    fixed = _fixed(base, space)
    usable = []
    for row in rows:
        if _fixed(row.config, space) != fixed:
            continue
        settings = dict(flatten(to_mapping(row.config)))
        try:
            params = space.params_of({name: settings[name] for name in space.settings})
        except UserError:
            continue  # outside of the space
        usable.append((params, row.settled))
    return tuple(usable)


def _rows(config: SweepConfig, dataset: Dataset, folder: Path) -> Iterable[Row]:
    base, second = config.run, config.study.second_objective
    ended = []
    for path in folder.glob("**/trials/*/result.json"):
        directory = RunDirectory(path.parent)
        result = directory.result()
        assert result is not None
        ended.append((result.started, path.parent, directory, result))
    for _, path, directory, result in sorted(ended, key=lambda one: one[:2]):
        run = directory.config()
        same_data = directory.provenance().get("data") == dataset.sha256
        if not same_data or run.dataset != base.dataset:
            continue
        if run.training.judged_by != base.training.judged_by or result.state == "failed":
            continue
        history = directory.epochs()
        settled = objectives.settled(run, sizes_of(run, dataset), result, history, second)
        name = path.relative_to(folder).as_posix().replace("trials/", "")
        yield Row(name, run, replace(settled, attrs={}))


def _read(path: Path) -> tuple[Row, ...]:
    try:
        record = json.loads(path.read_bytes())
        if record["sha256"] != _digest(record["rows"]):
            raise ValueError
        return tuple(
            Row(row["name"], run_config(row["run"]), _settled(row["settled"]))
            for row in record["rows"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError(
            f"{path} must be as it was written when the study was created: it was changed"
        ) from None


def _settled(values: dict[str, Any]) -> Settled:
    lists = {key: tuple(values[key]) for key in ("values", "scores")}
    return Settled(**{**values, **lists})


def _digest(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _fixed(config: RunConfig, space: SearchSpace) -> dict[str, Any]:
    return {
        name: value
        for name, value in flatten(to_mapping(config))
        if name not in (*space.settings, *_DURATION) and not name.startswith(_HOW_LONG)
    }
