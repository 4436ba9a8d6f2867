"""The files that a study's report leaves in its folder: the tables and the figures."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.records import atomic
from nndl_exp.report.analysis import Analysis, analyse
from nndl_exp.report.study_figures import FIGURES, draw_figure, missing
from nndl_exp.study.executors import SerialExecutor
from nndl_exp.study.study import Study, Trial

if TYPE_CHECKING:
    import pandas as pd


def write_tables(study: Study, trials: Sequence[Trial]) -> list[Path]:
    """Write the trials as trials.csv and trials.parquet; the files."""
    table = study.table(trials)
    csv, parquet = (study.directory / f"trials.{suffix}" for suffix in ("csv", "parquet"))
    atomic.write(csv, table.to_csv(index=False).encode())
    atomic.write(parquet, columnar(table).to_parquet(index=False))
    return [csv, parquet]


def columnar(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with one type a column: where kinds are mixed, as for dropout, as JSON."""
    columns = {}
    for name in table.columns:
        if len({type(value) for value in table[name].dropna()}) > 1:
            columns[name] = table[name].map(json.dumps)
    return table.assign(**columns)


def start_drawing(
    executor: Executor,
    analysis: Analysis,
    study: Study,
    formats: Sequence[str] = ("png",),
    names: Sequence[str] = tuple(FIGURES),
) -> "list[Future[list[Path]]]":
    """Have the figures drawn that the trials are enough for, into the study's figures/.

    One of an earlier report that they are no longer enough for is removed.
    """
    folder = study.directory / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    lacking = missing(analysis)
    for name in lacking:
        for old in folder.glob(f"{name}.*"):
            old.unlink()
    drawn: list[Any] = [name for name in names if name not in lacking]
    return [executor.submit(draw_figure, name, analysis, folder, formats) for name in drawn]


def report_stage(
    stage: Study, trials: Sequence[Trial], formats: Sequence[str] = ("png",)
) -> list[Path]:
    """Write the tables of a stage and its pictures: all of a search, else those that tell."""
    if not trials:
        return []
    from nndl_exp.report.stage_figures import draw_picture

    analysis, files = analyse(stage, trials), write_tables(stage, trials)
    names = tuple(FIGURES) if stage.is_search else ("slices",)
    drawings = start_drawing(SerialExecutor(), analysis, stage, formats, names)
    for drawing in drawings:
        files += drawing.result()
    return files + draw_picture(stage, trials, formats)
