"""The trials of a study as files: trials.csv and trials.parquet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.records import atomic
from nndl_exp.study.search import Search, table

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
