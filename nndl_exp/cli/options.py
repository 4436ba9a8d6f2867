"""Options that several commands take."""

import click

from nndl_exp.cli.runs import default_output

output_option = click.option(
    "--output",
    default=default_output,
    show_default="nndl-output, or NNDL_OUTPUT",
    help="The folder that the runs are kept in.",
)
tracking_option = click.option(
    "--tracking-uri",
    envvar="NNDL_TRACKING_URI",
    default=None,
    help="MLflow's tracking URI, if not the database in the output folder.",
)
