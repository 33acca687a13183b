"""Turns results into a Markdown report with plots.

Results are {"machine": …, "sections": […]}; a section is

    {"section": str, "notes": [str],
     "tables": [{"title": str, "columns": [str], "rows": [[…]]}],
     "ratios": [{"title": str, "value": median, "rounds": […], "target": number or null,
                 "target_kind": "at least" or "at most", "limit": number or null}],
     "plots": [{"title": str, "file": "NAME.svg", "x_label": str, "y_label": str, "x": […],
                "x_scale": "log2", "series": {"NAME": [numbers or null]}}]}

A plot may also have a y_scale ("log10"). The limit of a ratio is its value for something that moves the
same data without any work, such as a copy. Apart from noise, nothing is faster than that.
"""

import pathlib
from typing import Any

Section = dict[str, Any]


def markdown(results: dict[str, Any]) -> str:
    """Returns the report, which refers to the plots by their file names."""
    machine = results["machine"]
    parts = ["# Benchmark results", f"`{machine['command']}`", _machine_table(machine)]
    for section in results["sections"]:
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def write_plots(sections: list[Section], folder: pathlib.Path) -> None:
    """Writes the plots of all sections into `folder`."""
    import matplotlib  # pylint: disable=import-outside-toplevel  # Slow, and only needed here.

    matplotlib.use("svg")
    # Makes the files depend only on the results.
    matplotlib.rcParams["svg.hashsalt"] = "quantd"
    for section in sections:
        for plot in section["plots"]:
            _write_plot(plot, folder / plot["file"])


def is_met(ratio: dict[str, Any]) -> bool | None:
    """Returns whether a ratio reaches its target; None if it has no target."""
    if ratio["target"] is None:
        return None
    if ratio["target_kind"] == "at most":
        return ratio["value"] <= ratio["target"]
    return ratio["value"] >= ratio["target"]


def _machine_table(machine: dict[str, Any]) -> str:
    rows = [[name, value] for name, value in machine.items() if name not in ("command", "versions")]
    rows.append(["versions", ", ".join(f"{name} {version}"
                                       for name, version in machine["versions"].items())])
    return table(["", "machine"], rows)


def _section(section: Section) -> list[str]:
    parts = [f"## {section['section']}", "\n".join(f"- {note}" for note in section["notes"])]
    if section["ratios"]:
        parts += ["### Ratios", "Medians over the rounds, with the minimum and the maximum.",
                  table(["", "ratio", "rounds", "limit", "target", ""],
                        map(_ratio_row, section["ratios"]))]
    for plot in section["plots"]:
        parts.append(f"![{plot['title']}]({plot['file']})")
    for content in section["tables"]:
        parts += [f"### {content['title']}", table(content["columns"], content["rows"])]
    return parts


def _ratio_row(ratio: dict[str, Any]) -> list[Any]:
    met = is_met(ratio)
    rounds = ratio["rounds"]
    limit = ratio["limit"]
    beyond_limit = limit is not None and is_met(ratio | {"value": limit}) is False
    return [
        ratio["title"],
        ratio["value"],
        f"{_cell(min(rounds))} … {_cell(max(rounds))}" if rounds else None,
        limit,
        None if met is None else f"{ratio['target_kind']} {_cell(ratio['target'])}",
        {True: "met", False: "**not met**" + ", nor by the limit" * beyond_limit, None: ""}[met],
    ]


def table(columns: list[str], rows: Any) -> str:
    """Returns a Markdown table that is also readable as plain text."""
    cells = [[_cell(value) for value in row] for row in [columns, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in cells]
    lines.insert(1, "| " + " | ".join("-" * max(3, width) for width in widths) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    """Formats a value. Numbers get three digits; on a noisy machine, more would be meaningless."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _write_plot(plot: dict[str, Any], path: pathlib.Path) -> None:
    import matplotlib.pyplot as plt  # pylint: disable=import-outside-toplevel

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained", facecolor="white")
    for number, (name, values) in enumerate(plot["series"].items()):
        drawn = [float("nan") if value is None else value for value in values]
        axes.plot(plot["x"], drawn, label=name, marker="osD^vPX*"[number % 8], markersize=5,
                  linestyle=("-", "--", ":")[number // 10 % 3])
    _scale_x(axes, plot)
    if plot.get("y_scale") == "log10":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set(title=plot["title"], xlabel=plot["x_label"], ylabel=plot["y_label"])
    axes.grid(alpha=0.3)
    if plot["series"]:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _scale_x(axes: Any, plot: dict[str, Any]) -> None:
    if plot.get("x_scale") == "log2":
        axes.set_xscale("log", base=2)
    axes.set_xticks(plot["x"], [_tick(value) for value in plot["x"]])
    axes.minorticks_off()


def _tick(value: Any) -> str:
    """Formats a value on the x axis. Numbers from 1024 on are bytes."""
    if not isinstance(value, int) or value < 1024:
        return str(value)
    mebibytes = value / 2**20
    return f"{mebibytes:g} MiB" if mebibytes >= 1 else f"{value / 2**10:g} KiB"
