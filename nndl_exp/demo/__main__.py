"""``python -m nndl_exp.demo RUN``: draw a digit and watch a run's network, on a page of its own."""

import threading
import webbrowser
from contextlib import suppress

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option
from nndl_exp.cli.runs import find_run
from nndl_exp.config import TrackingConfig

HELP = """Open a page where one draws a digit and watches the network of RUN: its activations, layer
by layer, and its outputs.

RUN is a name (STUDY/17), a study (its winner), a run's folder, a best.yaml or an MLflow run
id, trained on pictures. Only this machine can see the page, unless --host is given. Ctrl-C ends it.
"""
HOST = """An address or a name of this machine, to show the page to others, such as a class's
tablets. There is no password: anyone on the network can see the page and ask the network.
[default: 127.0.0.1, this machine only]"""


@click.command(name="python -m nndl_exp.demo", help=HELP)
@click.argument("run")
@click.option("--host", default="127.0.0.1", help=HOST)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where on this machine; 0 is any that is free.  [default: 8008, else any]",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open the page.")
@output_option
@tracking_option
def command(
    run: str, host: str, port: int | None, browser: bool, output: str, tracking_uri: str | None
) -> None:
    """Open the page of a run."""
    found, console = find_run(run, output, TrackingConfig(uri=tracking_uri)), make_console()
    from nndl_exp.demo.server import PORT, hosts_of, is_shared, listen, serve
    from nndl_exp.demo.subject import Subject

    subject = Subject.open(found.name, found.directory)
    with listen(port, host) as listening:
        here = listening.getsockname()[1]
        address = f"http://{host}:{here}/"
        if port is None and here != PORT:
            console.print(f"port {PORT} is taken: this is another one")
        console.print(f"run   {subject.name} · {subject.summary()}")
        if is_shared(listening):
            console.print(
                "warning: anyone on the network can see this page and ask the network; there is "
                "no password"
            )
        console.print(f"open  {address}      (Ctrl-C ends it)")
        if browser:
            # A browser in the terminal would not return before it is closed.
            threading.Thread(target=_open, args=[address], daemon=True).start()
        with suppress(KeyboardInterrupt):
            serve(subject, listening, hosts_of(host, listening))
    console.print("ended")


def _open(address: str) -> None:
    if not webbrowser.open(address):
        make_console().print("no browser was found: open the address yourself")


main = command_line(command)

if __name__ == "__main__":
    main()
