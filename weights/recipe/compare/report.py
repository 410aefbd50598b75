"""The numbers of a comparison as Markdown tables. Computes no measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..evaluate.report import number, percent, table

Row = dict[str, Any]
SHARES = ("0.125", "0.5", "0.875", "0.99", "1.0")  # of masked tokens, as recipe.mebt.train logs them


def find(row: Row, path: str) -> Any:
    """A value inside nested rows, None where there is none (yet)."""
    value: Any = row
    for name in path.split("/"):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def digits(count: int, factor: float = 1.0) -> Callable[[float], str]:
    return lambda value: f"{value * factor:,.{count}f}"


COST: dict[str, tuple[str, Callable[[Any], str]]] = {
    "parameters": ("parameters", lambda n: f"{n / 1e6:.2f} M"),
    "training steps": ("training/steps", str),
    "TFLOP": ("training/teraflops", digits(1)),
    "processor min": ("training/minutes", digits(1)),
}
LIKELIHOOD: dict[str, tuple[str, Callable[[Any], str]]] = {
    "nats a token": ("likelihood/nats", digits(3)),
    **{f"at {float(share):.3g} masked": (f"likelihood/nll_{share}", digits(3)) for share in SHARES},
}
SAMPLING: dict[str, tuple[str, Callable[[Any], str]]] = {
    "a clip, s": ("sampling/seconds", digits(2)),
    "processor s": ("sampling/processor_seconds", digits(2)),
    "calls": ("sampling/calls", digits(0)),
    "TFLOP a clip": ("sampling/flops", digits(3, 1e-12)),
}
QUALITY: dict[str, tuple[str, Callable[[Any], str]]] = {
    "clips": ("clips/clips", str),
    "Fréchet": ("clips/distance/frechet", number),
    "floor": ("clips/floor/frechet", number),
    "kernel ×10³": ("clips/distance/kernel", digits(1)),
    "precision": ("clips/distance/precision", percent),
    "recall": ("clips/distance/recall", percent),
    "hills stay": ("clips/course/hills", digits(3)),
    "light goes one way": ("clips/course/one_way_light", percent),
    "wind": ("clips/course/wind_speed_median", number),
    "wind steady": ("clips/course/wind_steady", percent),
    "colour drift": ("clips/course/colour_drift", lambda drift: number(drift[-1], 3)),
}


def columns(rows: Sequence[Row], shown: dict[str, tuple[str, Callable[[Any], str]]]) -> str:
    """A table of those rows and columns that have values; nothing where fewer than two rows have."""
    measured = [row for row in rows if any(find(row, path) is not None for path, _ in shown.values())]
    if len(measured) < 2:
        return ""
    used = {head: found for head, found in shown.items() if any(find(row, found[0]) is not None for row in measured)}
    lines = []
    for row in measured:
        values = [(find(row, path), text) for path, text in used.values()]
        lines.append([row["label"], *("" if value is None else text(value) for value, text in values)])
    return table(["", *used], lines)


def label(row: Row) -> str:
    curriculum = "" if row["curriculum"] == "none" else f", curriculum {row['curriculum']}"
    latents = f", {row['latent_tokens']} latent tokens" if row["latent_tokens"] else ""
    family = "MeBT" if row["family"] == "mebt" else row["family"]
    return f"{family}{latents}{curriculum}"


def section(title: str, rows: Sequence[Row], references: Sequence[Row] = ()) -> str:
    named = [row | {"label": label(row)} for row in rows]
    tables = [columns(named, COST | SAMPLING), columns(named, LIKELIHOOD), columns([*references, *named], QUALITY)]
    return "\n".join([f"### {title}\n", *(text for text in tables if text)])


def base_latents(rows: Sequence[Row]) -> int:
    """The number of latent tokens of the main comparison: that of the shortest MeBT."""
    mebts = [row for row in rows if row["family"] == "mebt"]
    return min(mebts, key=lambda row: row["latent_frames"])["latent_tokens"] if mebts else 0


def terms(report: Row) -> str:
    settings, budget = report["settings"], report["budget"]
    if budget["flops"]:
        spent = f"{budget['flops'] / 1e12:,.1f} TFLOP a variant, of forward and backward passes, counted by formula"
    else:
        spent = f"{budget['minutes']:g} minutes of the processor a variant"
    side = settings["corner"]
    part = f"The lower left {side} by {side} tokens of the pictures. " if side else ""
    return (
        f"{part}Equal training compute: {spent}. Network `{settings['size']}`, {settings['batch']} of the longest "
        f"clips a step, learning rate {settings['lr']:g}, seed {settings['seed']}; measured on {report['device']}.\n"
    )


def markdown(report: Row) -> str:
    rows = list(report["variants"].values())
    usual, lengths = base_latents(rows), sorted({row["latent_frames"] for row in rows})
    whole = [row for row in rows if row["curriculum"] == "none"]
    parts = [terms(report)]
    for length in lengths:
        families = [row for row in whole if row["latent_frames"] == length and row["latent_tokens"] in (0, usual)]
        references = [row | {"label": name} for name, row in report["references"].get(str(length), {}).items()]
        title = f"Families, {report['frames_per_latent'] * length} frames ({families[0]['tokens']:,} tokens)"
        parts.append(section(title, families, references))
    longest = [row for row in rows if row["latent_frames"] == lengths[-1] and row["family"] == "mebt"]
    by_curriculum = [row for row in longest if row["latent_tokens"] == usual]
    by_latents = [row for row in longest if row["curriculum"] == "none"]
    if len(by_curriculum) > 1:
        parts.append(section("Curriculum", by_curriculum))
    if len(by_latents) > 1:
        parts.append(section("Latent tokens", sorted(by_latents, key=lambda row: row["latent_tokens"])))
    return "\n".join(parts)
