"""A study as files: the table of its trials, the configuration of its best run."""

from pathlib import Path

from nndl_exp.config import to_mapping
from nndl_exp.display.files import columnar
from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.study.study import Study
from nndl_exp.study.summary import summary
from nndl_exp.yaml_file import to_yaml


def export_study(
    output: str, name: str, *, csv: str | None, parquet: str | None, yaml: str | None
) -> list[str]:
    """Write the files of a study that are asked for; their paths.

    Raises:
        UserError: a folder is not there, or the study has no best run.
    """
    files: dict[str, bytes] = {}
    if csv or parquet:
        table = Study.open(output, name).table()
        files |= {csv: table.to_csv(index=False).encode()} if csv else {}
        files |= {parquet: columnar(table).to_parquet(index=False)} if parquet else {}
    if yaml:
        best = summary(output, name).best
        if best is None:
            raise UserError(f"{name} must have a trial that trained to its end: got none")
        config = {**to_mapping(best.config()), "origin": {"run": best.name}}
        files[yaml] = f"# {best.name}\n{to_yaml(config)}".encode()
    for path, content in files.items():
        if not Path(path).resolve().parent.is_dir():
            raise UserError(f"no such folder: {Path(path).parent}")
        atomic.write(Path(path), content)
    return list(files)
