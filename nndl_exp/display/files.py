"""The files that a report leaves: a study's table, and the figures of its stages."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.display.figures.study_figures import FIGURES, draw_figure, missing
from nndl_exp.display.findings import Analysis
from nndl_exp.records import atomic
from nndl_exp.study.search import Search, Trial, table

if TYPE_CHECKING:
    import pandas as pd


def write_tables(folder: Path, searches: Sequence[Search]) -> list[Path]:
    """Write the trials of a study as trials.csv and trials.parquet into its folder; the files."""
    trials = table(searches)
    csv, parquet = (folder / f"trials.{suffix}" for suffix in ("csv", "parquet"))
    atomic.write(csv, trials.to_csv(index=False).encode())
    atomic.write(parquet, columnar(trials).to_parquet(index=False))
    return [csv, parquet]


def columnar(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with one type a column: where kinds are mixed, as for dropout, as JSON."""
    columns = {}
    for name in table.columns:
        if len({type(value) for value in table[name].dropna()}) > 1:
            columns[name] = table[name].map(json.dumps)
    return table.assign(**columns)


def report_stage(
    search: Search,
    trials: Sequence[Trial],
    analysis: Analysis,
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Draw the figures of a stage that its trials are enough for into its figures/; the files.

    All of a sampled search, else those that tell. One of an earlier report that the trials are no
    longer enough for is removed.
    """
    from nndl_exp.display.figures.stages import draw_picture

    folder, lacking = search.directory / "figures", missing(analysis)
    folder.mkdir(parents=True, exist_ok=True)
    for name in lacking:
        for old in folder.glob(f"{name}.*"):
            old.unlink()
    names = tuple(FIGURES) if search.is_sampled else ("slices",)
    drawn = [draw_figure(name, analysis, folder, formats) for name in names if name not in lacking]
    files = [path for paths in drawn for path in paths]
    return files + draw_picture(search, trials, formats) if trials else files
