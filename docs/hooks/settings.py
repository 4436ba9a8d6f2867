"""reference/settings.md and groups.md, made from nndl_exp/config.py and conf/.

What a setting is called, takes and has by default is read from its dataclass as pydantic checks it;
what it means from the docstring below it. It is done when the site is built.
"""

import json
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import TypeAdapter

from nndl_exp import config
from nndl_exp.cli.conf import CONF
from nndl_exp.cli.settings_help import attribute_docstrings
from nndl_exp.config import RUN_KEYS, SweepConfig
from nndl_exp.datasets import FILES, SOURCES
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.costs import OUTPUTS_OF
from nndl_exp.nn.initializers import INITIALIZERS
from nndl_exp.study.stages.chapter3 import STAGES

Schema = dict[str, Any]

INTRODUCTION = """# Settings

Every key that `python -m nndl_exp.train` and `python -m nndl_exp.sweep` take, made from the
program's own definitions. A setting is typed as `KEY=VALUE`, a list in quotes:
`'network.hidden=[30, 10]'`. The defaults are those of the program; the option of a
[group](groups.md) that you choose may set others, and `--cfg job` prints all that is in force. A
key that does not exist, or a value that is not accepted, ends the command with one line and
status 2.

`train` knows the groups `dataset`, `network`, `training`, `tracking`, and `seed`, `output`;
`sweep` knows all of them. Both take `from=FILE`, a run's `config.yaml` or a study's `best.yaml` to
start from, and `+experiment=NAME`.
"""

STAGE_OPTIONS = """
## strategy.options

What the stages of `strategy=chapter3` take. [The strategy](../explanation/strategy.md) says what
they do.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the two pages."""
    files.append(File.generated(config, "reference/settings.md", content=settings_page()))
    files.append(File.generated(config, "reference/groups.md", content=groups_page()))
    return files


def settings_page() -> str:
    """Every setting of every group in a table of its group."""
    schema = TypeAdapter(SweepConfig).json_schema()
    definitions = schema["$defs"]
    described = {name: attribute_docstrings(getattr(config, name)) for name in definitions}
    described["SweepConfig"] = attribute_docstrings(SweepConfig)
    top = {**definitions["RunConfig"]["properties"], **schema["properties"]}
    lines, single = [INTRODUCTION], []
    for key, entry in top.items():
        if key == "run":
            continue
        if "$ref" in entry:
            name = class_of(entry)
            lines += [f"\n## {key}\n", definitions[name]["description"], "", *HEADINGS]
            lines += rows(f"{key}.", definitions[name], name, definitions, described)
        else:
            owner = "RunConfig" if key in RUN_KEYS else "SweepConfig"
            single.append(row(key, entry, described[owner].get(key, "")))
    lines += ["\n## Without a group\n", *HEADINGS, *single, STAGE_OPTIONS]
    for key, stage in STAGES.items():
        options = TypeAdapter(stage.Options).json_schema()
        said = attribute_docstrings(stage.Options)
        lines += [f"\n### {key}\n", options["description"], "", *HEADINGS]
        lines += [
            row(f"strategy.options.{key}.{name}", entry, said.get(name, "see above"))
            for name, entry in options["properties"].items()
        ]
    return "\n".join(lines) + "\n"


def groups_page() -> str:
    """Every option of every group, with the file that it is."""
    lines = [
        "# Groups and options\n",
        "An option is a file of `conf/GROUP/`, chosen by `GROUP=OPTION`; it names what differs "
        "from the [defaults of the settings](settings.md). To add one is to add a file; "
        "`--config-dir FOLDER` finds those of a folder of yours. Experiments are chosen by "
        "`+experiment=NAME` and set several groups.\n",
    ]
    for folder in sorted(path for path in CONF.iterdir() if path.is_dir()):
        lines.append(f"\n## {folder.name}\n")
        for path in sorted(folder.glob("*.yaml")):
            lines += [
                f"### {folder.name}={path.stem}\n",
                "```yaml",
                path.read_text().strip(),
                "```\n",
            ]
    return "\n".join(lines)


NAMES: dict[str, Any] = {
    "dataset.name": {**SOURCES, **FILES},
    "network.activation": ACTIVATIONS,
    "network.output": ACTIVATIONS,
    "network.cost": OUTPUTS_OF,
    "network.initializer": INITIALIZERS,
}
"""Settings that name a part, and the parts that there are."""
HEADINGS = ("| setting | default | accepted | meaning |", "|---|---|---|---|")


def rows(prefix: str, schema: Schema, name: str, definitions: Schema, said: Any) -> Iterator[str]:
    """A row for each setting of a dataclass, and of those inside it."""
    for key, entry in schema["properties"].items():
        if "$ref" in entry:
            inner = class_of(entry)
            yield from rows(f"{prefix}{key}.", definitions[inner], inner, definitions, said)
        else:
            yield row(f"{prefix}{key}", entry, said[name].get(key, ""))


def row(name: str, entry: Schema, meaning: str) -> str:
    """One setting."""
    default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "that of its group"
    if "$ref" not in entry and entry.get("type") == "object" and "default" not in entry:
        default = "the option's"
    takes = ", ".join(f"`{n}`" for n in NAMES[name]) if name in NAMES else accepted(entry)
    cells = (f"`{name}`", default.replace('"', ""), takes, " ".join(meaning.split()))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def accepted(entry: Schema) -> str:
    """The values that a setting can have, in words."""
    if "anyOf" in entry:
        return " or ".join(accepted(one) for one in entry["anyOf"])
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    kind = entry.get("type")
    if kind == "array":
        return f"a list: {accepted(entry['items'])}"
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + limits(entry)
    if kind == "string" and (pattern := entry.get("pattern")) and "Cc" not in pattern:
        return f"text like `{pattern}`"
    return {"boolean": "`true`, `false`", "null": "`null`", "object": "a mapping"}.get(kind, "text")


def limits(entry: Schema) -> str:
    """The bounds of a number."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {entry[key]:g}" for key, sign in signs.items() if key in entry]
    return (" " + ", ".join(bounds)) if bounds else ""


def class_of(entry: Schema) -> str:
    """The name of the dataclass that a setting refers to."""
    return str(entry["$ref"]).rpartition("/")[2]
