"""A study as one HTML file that needs nothing else: to read, to print, to send to somebody."""

import base64
import functools
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from nndl_exp.config import TrackingConfig, to_mapping
from nndl_exp.database import is_tracked
from nndl_exp.datasets import Dataset
from nndl_exp.display.findings import StageFindings, finalists
from nndl_exp.display.report import search, stages, verdict
from nndl_exp.display.report.environment import environment
from nndl_exp.display.report.network import Shown, network
from nndl_exp.display.report.pictures import Place
from nndl_exp.display.report.trials import trials_table
from nndl_exp.display.words import baseline_text, counted, looks_text, when
from nndl_exp.errors import UserError
from nndl_exp.masking import masked
from nndl_exp.records import atomic
from nndl_exp.run import measure_of, recorded_data
from nndl_exp.study import settings
from nndl_exp.study.looks import looks_at_study
from nndl_exp.study.summary import Summary
from nndl_exp.yaml_file import to_yaml

FILE = "report.html"
LARGEST = 5_000_000
"""Bytes of a report; one that would be larger does without charts."""
_TOO_LARGE = (
    f"The charts are left out: with them the report would be larger than {LARGEST / 1e6:g} MB. "
    "Their trials are in the table of all trials."
)


@dataclass(frozen=True)
class Sources:
    """The study that a report is made of, and what is not in its records.

    ``stages`` are the stages so far; none where the study can't be opened, and then ``why`` says
    why. ``looks`` is what the test set said, in words, empty where nobody looked. ``tracking`` is
    where MLflow shows the study, None where it does not. ``formats`` are those of the figures that
    are written beside the report.
    """

    found: Summary
    stages: Sequence[StageFindings]
    why: str = ""
    looks: str = ""
    tracking: TrackingConfig | None = None
    formats: Sequence[str] = ("png",)


def sources_of(
    found: Summary, stages: Sequence[StageFindings], tracking: TrackingConfig, why: str = ""
) -> Sources:
    """The sources of the report of a study; ``tracking`` is where MLflow would show it."""
    data = settings.load(found.folder, found.config.output).data
    looks = looks_text(looks_at_study(found.config, found.name, data))
    tracked = is_tracked(found.config.output, tracking)
    return Sources(found, stages, why, looks, tracking if tracked else None)


def write_report(sources: Sources) -> Path:
    """Write the report of a study into its folder, and its figures into ``figures/``.

    Raises:
        UserError: a record is damaged.
    """
    path = sources.found.folder / FILE
    page = render(sources).encode()
    if len(page) > LARGEST:
        page = render(sources, interactive=False).encode()
    atomic.write(path, page)
    return path


def render(sources: Sources, *, interactive: bool = True) -> str:
    """The report of a study; its figures are written into the study's folder.

    Where it is not ``interactive`` it has no charts and none of plotly's 2 MB.
    """
    found, place = sources.found, Place(sources.found.folder / "figures", sources.formats)
    dataset, why = _dataset(sources)
    best = found.best.name if found.best else None
    shown = Shown()
    if found.best is not None:
        shown = network(found.best, found.replicates(), dataset, why, place)
    return _template().render(
        found=found,
        baseline=baseline_text(dataset) if dataset else "",
        facts=_facts(sources, dataset),
        commands=verdict.commands(found, best, sources.tracking),
        why=sources.why,
        chapters=stages.chapters(found, sources.stages, place),
        network=shown,
        best=best,
        trials=trials_table(sources.stages),
        settings=to_yaml(to_mapping(found.best.config())) if found.best else "",
        environment=environment(found.best, dataset, why),
        **_verdict(sources, dataset),
        **_searches(sources, place, interactive=interactive),
    )


def _verdict(sources: Sources, dataset: Dataset | None) -> dict[str, Any]:
    found, raced = sources.found, finalists(sources.stages)
    said, rests_on = verdict.sentence(found, dataset, raced)
    rows = verdict.rows(raced, measure_of(found.config.run)) if raced else []
    return {"verdict": said, "rests_on": rests_on, "finalists": rows,
            "decided": verdict.reasons(found)}  # fmt: skip


def _searches(sources: Sources, place: Place, *, interactive: bool) -> dict[str, Any]:
    """The pictures of the searches with the scripts that draw charts, and what is lacking."""
    best = sources.found.best
    pictures = search.of_study(sources.stages, best.name if best else None, place)
    lacking = [_TOO_LARGE]
    if interactive:
        searches = [stage for stage in sources.stages if stage.search.is_sampled and stage.trials]
        pictures += [chart for stage in searches for chart in search.of_search(stage)]
        lacking = [line for stage in searches for line in search.lacking(stage)]
    pictures = [picture for picture in pictures if interactive or not picture.chart]
    charts = {picture.key: picture.chart for picture in pictures if picture.chart}
    return {"pictures": pictures, "lacking": lacking, **_scripts(charts)}


def _dataset(sources: Sources) -> tuple[Dataset | None, str]:
    """The data of the recommended run, or why they can't be had."""
    if sources.found.best is None:
        return None, sources.why
    try:
        return recorded_data(sources.found.best), ""
    except UserError as e:
        return None, str(e)


def _facts(sources: Sources, dataset: Dataset | None) -> list[tuple[str, str]]:
    found = sources.found
    title = found.config.run.dataset.title
    sizes = (
        f", {len(dataset.training):,} to train, {len(dataset.validation):,} to validate"
        if dataset
        else ""
    )
    ended = f", last trial {when(found.ended)}" if found.ended else ""
    return [
        ("State", f"{found.state}, {counted(found.trials, 'trial')}{ended}"),
        ("Strategy", found.config.strategy.name.replace("_", " ")),
        ("Data", title + sizes),
        ("Test set", sources.looks or "locked: nobody has looked at it"),
    ]


def _template() -> jinja2.Template:
    environment_ = jinja2.Environment(
        loader=jinja2.PackageLoader("nndl_exp.display", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: masked(value) if type(value) is str else value,
    )
    environment_.filters["prose"] = lambda text: str(text).replace(" %", "\u00a0%")
    return environment_.get_template("report.html.j2")


def _scripts(charts: dict[str, Any]) -> dict[str, Any]:
    """The report's scripts, and the digests of the only ones that a browser shall run.

    plotly is there once and compressed, where there is a chart: 2 MB instead of 4.8.
    """
    own = _part("report.js")
    digests, packed = [_digest(own.encode())], ""
    if charts:
        packed, digest = _plotly()
        digests.append(digest)
    return {"charts": charts, "plotly": Markup(packed), "digests": digests, "script": Markup(own),
            "style": Markup(_part("report.css"))}  # fmt: skip


@functools.cache
def _plotly() -> tuple[str, str]:
    """plotly.js, compressed and as base64, and the digest of what it is unpacked to."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs().encode()
    return base64.b64encode(gzip.compress(script, 6, mtime=0)).decode(), _digest(script)


def _part(name: str) -> str:
    return (files("nndl_exp.display.report") / name).read_text("utf-8")


def _digest(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
