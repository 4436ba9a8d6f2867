"""The looks at the test set that count for a study, also under another name of it."""

from pathlib import Path

from nndl_exp.config import SweepConfig
from nndl_exp.records import looks
from nndl_exp.records.looks import Look, Register
from nndl_exp.study import settings


def looks_at_study(config: SweepConfig, name: str, data: str) -> list[Look]:
    """The looks that count for the study ``name``; ``data`` is the SHA-256 of its dataset.

    A study of the same output folder with the same settings and data is the same study. The
    settings of one that this version does not read are not compared.
    """
    output, names = Path(config.output), {name}
    for path in output.glob(f"studies/*/{looks.FILE}"):
        if path.with_name(settings.FILE).is_file() and settings.is_readable(path.parent):
            saved = settings.load(path.parent, output)
            if saved.data == data and settings.same_settings(saved.config, config):
                names.add(path.parent.name)
    return [look for look in looks.read_all(output) if look.counts_for(names)]


def looks_at(register: Register, data: str) -> list[Look]:
    """The looks that count for what a register is of, at the test set of the dataset ``data``."""
    if register.folder is None or not settings.is_readable(register.folder):
        found = looks.read(register.path)
    else:
        config = settings.load(register.folder, register.folder.parent.parent).config
        found = looks_at_study(config, register.name, data)
    return [look for look in found if look.data in ("", data)]
