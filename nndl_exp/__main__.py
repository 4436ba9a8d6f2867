"""``nndl`` and ``python -m nndl_exp``: every command as a subcommand."""

import importlib

import click

from nndl_exp.cli.errors import command_line

HYDRA_COMMANDS = {
    "train": "Train one network, or several with --multirun.",
    "sweep": "Search hyper-parameters: run a study, or go on with it.",
}
COMMANDS = (
    "studies", "report", "reproduce", "evaluate", "predict", "demo", "sync", "init_storage",
)  # fmt: skip
_PACKAGES = {"demo": "nndl_exp.demo.__main__"}
"""The others are modules of their own name."""


class Nndl(click.Group):
    """Loads a command's module only when the command is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All commands, those that start work first."""
        return [*HYDRA_COMMANDS, *COMMANDS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """A command by its name."""
        if name in HYDRA_COMMANDS:
            return _hydra_command(name)
        if name in COMMANDS:
            command = importlib.import_module(_PACKAGES.get(name, f"nndl_exp.{name}")).command
            assert isinstance(command, click.Command)
            return command
        return None


def _hydra_command(name: str) -> click.Command:
    @click.command(
        name=name,
        help=HYDRA_COMMANDS[name],
        add_help_option=False,  # Hydra answers --help
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def command(words: tuple[str, ...]) -> None:
        importlib.import_module(f"nndl_exp.{name}").main(list(words))

    return command


@click.command(
    cls=Nndl,
    help="Hyper-parameter studies of neural networks, reproducible to the bit.",
    invoke_without_command=True,
)
@click.version_option(package_name="nndl_exp")
@click.pass_context
def nndl(context: click.Context) -> None:
    """Print the help where no command is given."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


main = command_line(nndl)
"""The console script."""

if __name__ == "__main__":
    main()
