"""What ``python -m nndl_exp.report`` prints of a study."""

from collections.abc import Iterator, Sequence

from nndl_exp.config import short_name
from nndl_exp.display.findings import Analysis, Parameter
from nndl_exp.display.words import TrialLines, plain, seconds_text
from nndl_exp.study.search import Search, Trial, ranked

BEST = 5
"""So many trials are shown."""

_STRIP = 25
_BAR = 30


def report_lines(search: Search, trials: Sequence[Trial], analysis: Analysis) -> Iterator[str]:
    """The best trials, what decides, and where the winner stands in each range."""
    states = [trial.result.state for trial in trials]
    counts = " · ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    spent = seconds_text(sum(trial.result.seconds for trial in trials))
    total = search.total(len(trials))
    done = f"{len(trials)} of {total} trials"
    yield f"search   {search.name} · {done}: {counts} · {spent} of training"
    yield from _best_lines(search, trials)
    yield ""
    yield f"importance  {analysis.importance_note}"
    largest = max(analysis.importances.values(), default=0.0)
    for name, share in analysis.importances.items():
        bar = "█" * max(1, round(_BAR * share / largest)) if share > 0 else ""
        yield f"  {short_name(name):<16} {100 * share:>3.0f} %  {bar}".rstrip()
    yield ""
    yield from _winner_lines(search, trials, analysis)


def importance_line(analysis: Analysis) -> str:
    """What decides, in one line: eta 61 % · lmbda 20 % (PED-ANOVA); or why that is unknown."""
    if not analysis.importances:
        return f"unknown: {analysis.importance_note}"
    percents = [(short_name(name), round(100 * s)) for name, s in analysis.importances.items()]
    return " · ".join(f"{name} {percent} %" for name, percent in percents if percent) + (
        " (PED-ANOVA)"
    )


def _best_lines(search: Search, trials: Sequence[Trial]) -> Iterator[str]:
    lines, complete = TrialLines(search), ranked(trials)
    if complete:
        yield ""
        yield lines.header()
        yield from (lines.line(trial) for trial in complete[:BEST])
        if len(complete) > BEST:
            yield f"     and {len(complete) - BEST} more that completed: trials.csv"


def _winner_lines(search: Search, trials: Sequence[Trial], analysis: Analysis) -> Iterator[str]:
    if analysis.winner is None:
        yield "winner   none: no trial trained to its end"
        return
    config, point = trials[analysis.winner].config, analysis.points[analysis.winner]
    edges = search.space.at_edges(search.space.params_of(search.varied(config)))
    finished = len(trials) >= search.total(len(trials))
    title = "winner  " if finished else "so far  "
    yield f"{title} trial {point.number}, in the ranges that were searched"
    for parameter in analysis.parameters:
        if parameter.name in point.params:
            edge = "   ← at the edge" if parameter.name in edges else ""
            yield f"  {short_name(parameter.name):<16} {_place(parameter, point.params)}{edge}"


def _place(parameter: Parameter, params: dict[str, float]) -> str:
    value = params[parameter.name]
    if parameter.choices:
        return f"{parameter.choices[round(value)]:<8} of {', '.join(parameter.choices)}"
    if parameter.low == parameter.high:
        return f"{plain(value):<8} the only value"
    at = round(parameter.position(value) * (_STRIP - 1))
    strip = "".join("●" if i == at else "─" for i in range(_STRIP))
    ends = f"{parameter.low:>7g} {strip} {parameter.high:g}"
    return f"{value:<8.3g}{ends}{' log' if parameter.log else ''}"
