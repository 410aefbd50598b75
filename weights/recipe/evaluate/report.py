"""The numbers of an evaluation as Markdown tables that a model card can include, and as curves. Computes no measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..report import INK, MUTED, label, new_figure, save
from .told import READ

Row = dict[str, Any]
DAMAGE_COLOURS = ("#1f2a44", "#d9822b", "#2a7f62", "#8a4fbf", "#c0392b")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


DISTANCES: dict[str, Callable[[float], str]] = {
    "frechet": number,
    "kernel": lambda value: number(value, 1),
    "precision": percent,
    "recall": percent,
}


def kind_of_weights(made: Row) -> str:
    """The kind in which most matrices are stored, which is the smallest: some tensors are always in larger ones."""
    kinds = made.get("weights", [])
    return next((kind for kind in ("int4", "int8", "float16") if kind in kinds), "float32")


def maker(made: Row) -> str:
    if made.get("backend") == "pytorch":
        return f"PyTorch, {kind_of_weights(made)}" if "weights" in made else "PyTorch"
    return f"the page's engine, {made['backend']}, {kind_of_weights(made)}" if "backend" in made else ""


def all_rows(report: Row) -> list[Row]:
    return [
        report["held_out"],
        *([report["reconstructions"]] if "reconstructions" in report else []),
        *report["samples"],
    ]


def compared(report: Row) -> list[Row]:
    """The rows with clips enough for a distance."""
    return [row for row in all_rows(report) if "distance" in row]


def distances(report: Row) -> str:
    """In brackets: what as many held-out clips reach against the others, and how far one draw of them is off."""
    head = ["", "clips", "Fréchet", "kernel ×10³", "precision", "recall"]
    rows = []
    for row in compared(report):
        found, floor = row["distance"], row.get("floor")
        if floor is None:
            name, clips = "held-out clips, half against half", found["clips"]
            rows.append([name, str(clips), *(shown(found[n]) for n, shown in DISTANCES.items())])
            continue
        bounds = {n: shown(floor[n]) for n, shown in DISTANCES.items()}
        if "frechet_scatter" in floor:
            bounds["frechet"] += f" ± {number(floor['frechet_scatter'])}"
        cells = [f"{shown(found[n])} ({bounds[n]})" for n, shown in DISTANCES.items()]
        rows.append([row["name"], str(row["clips"]), *cells])
    return table(head, rows)


def goals(report: Row) -> str:
    """Samples as multiples of what bounds them."""
    held = report["held_out"]["course"]["hills"]
    head = ["", "made by", "Fréchet, of as many reconstructions'", "hills stay, of held-out clips'"]
    rows = []
    for row in report["samples"]:
        share = number(row["course"]["hills"] / held, 3)
        rows.append([row["name"], maker(row["made"]), number(row.get("frechet_of_reconstructions")), share])
    return table(head, rows)


def courses(report: Row) -> str:
    head = ["", "hills stay", "light goes one way", "wind", "its change", "wind steady", "colour drift to the end"]
    rows = []
    for row in all_rows(report):
        course = row["course"]
        rows.append([
            row["name"], number(course["hills"], 3), percent(course["one_way_light"]),
            number(course["wind_speed_median"]), number(course["wind_change_median"]), percent(course["wind_steady"]),
            number(course["colour_drift"][-1], 3),
        ])  # fmt: skip
    chance = report["held_out"]["course"]["hills_of_unrelated_clips"]
    return table(head, [*rows, ["unrelated held-out clips", number(chance, 3), *[""] * 5]])


def seams(report: Row) -> str:
    head = ["", "hills agree", "jump", "light step", "colour step", "wind change"]
    rows = []
    for row in all_rows(report):
        if "seams" not in row:
            continue
        found = row["seams"]
        rows.append(
            [
                row["name"],
                *(number(found[name], 3) for name in ("hills", "jump", "light_step", "colour_step", "wind_change")),
            ]
        )
    return table(head, rows)


def hours(report: Row) -> str:
    names = list(report["held_out"]["hours"])
    return table(["", *names], [[row["name"], *(percent(row["hours"][n]) for n in names)] for row in all_rows(report)])


def told(report: Row) -> str:
    """What clips were told to be of, as the network reads it off them; of held-out clips what they are of."""
    told_rows = [row for row in all_rows(report) if "told" in row]
    names = [name for name in ("light", *READ) if all(name in row["told"] for row in told_rows)]
    rows = []
    for row in told_rows:
        shares = [percent(row["told"][name]["right"]) for name in names]
        wind = row["told"].get("wind")
        rows.append([row["name"], str(row["clips"]), *shares, f"{wind['off']:.0f}°" if wind else ""])
    return table(["", "clips", *names, "wind, off by"], rows)


def readings(labels: Row) -> str:
    rows = []
    for name, facts in labels.items():
        match facts["kind"]:
            case "number":
                reached = f"R² {facts['r2']:.2f}, off by {facts['mean_error']:.3g} on average"
            case "angle":
                reached = f"off by {facts['mean_error_degrees']:.0f}° on average (90° by chance)"
            case _:
                reached = f"{facts['right']:.0%} (commonest: {facts['commonest']:.0%})"
        rows.append([name.replace("_", " "), reached, str(facts["clips"])])
    return table(["label", "read on held-out clips", "clips"], rows)


def proof(report: Row) -> str:
    strengths = [row["strength"] for row in next(iter(report["proof"].values()))]
    rows = [[name, *(number(row["frechet"]) for row in rows)] for name, rows in report["proof"].items()]
    return table(["damage, at strength", *(f"{strength:g}" for strength in strengths)], rows)


def fidelity(facts: Row) -> str:
    return table(
        ["tokenizer, held-out clips", "float32", "int8"],
        [
            ["PSNR", *(f"{facts[name]:.2f} dB" for name in ("psnr", "psnr_int8"))],
            ["PSNR on edges", *(f"{facts[name]:.2f} dB" for name in ("psnr_edges", "psnr_edges_int8"))],
            ["codes in use", percent(facts["codes_in_use"]), ""],
        ],
    )


def likelihood(facts: Row) -> str:
    names = list(facts["float32"])
    rows = [[kind, *(number(row[name], 3) for name in names)] for kind, row in facts.items() if kind != "clips"]
    return table(["nats a token, share masked", *(f"{float(name):.3g}" for name in names)], rows)


def markdown(report: Row) -> str:
    parts = [
        ("Distance to held-out clips", distances(report)),
        ("Against what bounds them", goals(report)),
        ("What lasts through a clip", courses(report)),
        ("Hours", hours(report)),
    ]
    if any("told" in row for row in report["samples"]):
        parts.append(("What was told, as the network reads it", told(report)))
    if any("seams" in row for row in report["samples"]):
        parts.append(("Across seams, and at places of held-out clips that have none", seams(report)))
    if "tokenizer" in report:
        parts.append(("Fidelity", fidelity(report["tokenizer"])))
    if "nll" in report:
        parts.append(("Likelihood", likelihood(report["nll"])))
    if "proof" in report:
        parts.append(("Fréchet distance of damaged clips", proof(report)))
    read = report["held_out"].get("read")
    if read:
        parts.append(("What the network reads", readings(read)))
    return "\n".join(f"### {title}\n\n{text}" for title, text in parts)


def steps_of(row: Row) -> int | None:
    steps = row["made"].get("options", {}).get("steps")
    return int(steps) if steps else None


def way(row: Row) -> str:
    """How clips were sampled, but for the number of steps."""
    options = row["made"].get("options", {})
    how = [str(options[name]) for name in ("order", "schedule") if name in options]
    return ", ".join([maker(row["made"]), f"{row['frames']} frames", *how])


def draw(report: Row, path: Path) -> None:
    """Distance over steps (a line for each way of sampling with several numbers of them), distance over damage, drift
    of the colours over time."""
    figure, (steps, damage, drift) = new_figure(3)
    ways: dict[str, dict[int, float]] = {}
    for row in sorted(compared(report), key=lambda row: row["clips"]):  # of the same steps the most clips stand
        if row in report["samples"] and (count := steps_of(row)) is not None:
            ways.setdefault(way(row), {})[count] = row["distance"]["kernel"]
    lines = {name: points for name, points in ways.items() if len(points) > 1}
    for i, (name, points) in enumerate(lines.items()):
        counts = sorted(points)
        steps.plot(counts, [points[n] for n in counts], marker="o", ms=3, color=DAMAGE_COLOURS[i % 5], label=name)
    if "reconstructions" in report:
        steps.axhline(
            report["reconstructions"]["distance"]["kernel"], color=MUTED, lw=1, ls="--", label="reconstructions"
        )
    steps.set_xscale("log", base=2)
    if lines:
        steps.legend(fontsize=7, frameon=False)
    label(steps, "Kernel distance over steps", "steps")
    for i, (name, rows) in enumerate(report.get("proof", {}).items()):
        floor = rows[0]["frechet"]
        damage.plot(
            [r["strength"] for r in rows],
            [r["frechet"] / floor for r in rows],
            marker="o",
            ms=3,
            color=DAMAGE_COLOURS[i % 5],
            label=name,
        )
    if "proof" in report:
        damage.set_yscale("log")
        damage.legend(fontsize=7, frameon=False)
    label(damage, "Fréchet distance, of that of whole clips", "strength of the damage")
    for row in all_rows(report):
        held = row is report["held_out"]
        course = row["course"]["colour_drift"]
        x = [i / (len(course) - 1) for i in range(len(course))]
        drift.plot(x, course, color=INK if held else MUTED, lw=2 if held else 1, label=row["name"] if held else None)
    drift.legend(fontsize=7, frameon=False)
    label(drift, "Drift of the colours", "share of the clip")
    save(figure, path)
