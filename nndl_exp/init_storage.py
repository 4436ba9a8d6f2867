"""``python -m nndl_exp.init_storage``: make the tables of a PostgreSQL database."""

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import command_line
from nndl_exp.config import TrackingConfig

HELP = """Make our tables, Optuna's and MLflow's in a PostgreSQL database, unless they are there.

The first sweep does it too, if its user may. A password comes from PGPASSWORD, from the file of
PGPASSFILE, or with NNDL_STORAGE_URL.
"""


@click.command(name="python -m nndl_exp.init_storage", help=HELP)
@click.option(
    "--url",
    default=None,
    help="postgresql://USER@HOST:5432/DATABASE, without a password; if not NNDL_STORAGE_URL.",
)
def command(url: str | None) -> None:
    """Make the tables of a database."""
    from nndl_exp import database
    from nndl_exp.study.running.table import create_tables
    from nndl_exp.tracking import optuna_view
    from nndl_exp.tracking.client import connect

    base = database.address(url, "--url")
    create_tables(database.schema_url(base, "nndl_exp"))
    optuna_view.create_tables(database.schema_url(base, "optuna")).engine.dispose()
    connect(".", TrackingConfig(uri=database.schema_url(base, "mlflow")))
    shown = base.set(query={}).render_as_string(hide_password=True)
    make_console().print(f"{shown} has the tables of nndl_exp, Optuna and MLflow")


main = command_line(command)

if __name__ == "__main__":
    main()
