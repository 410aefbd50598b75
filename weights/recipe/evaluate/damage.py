"""Damages of known strength, by which it is shown that a distance is one of something: it has to grow with each.

Each takes clips uint8 [N, T, H, W, 3] and a strength from 0 (nothing) to 1, and is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .labels import Array, Labels

Damage = Callable[[Array, float], Array]
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def noise(clips: Array, strength: float, seed: int = 0) -> Array:
    """Gaussian, of a deviation of 0.2 of the range at strength 1."""
    out = np.empty_like(clips)
    for i, clip in enumerate(clips):
        grain = np.random.default_rng(seed + i).normal(0, 0.2 * 255 * strength, clip.shape)
        out[i] = (clip + grain).round().clip(0, 255)
    return out


def blur(clips: Array, strength: float) -> Array:
    """Gaussian over rows and columns, of a deviation of a sixteenth of the height at strength 1."""
    sigma = strength * clips.shape[2] / 16
    if sigma == 0:
        return np.array(clips)
    reach = int(np.ceil(3 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.sum()
    out = np.empty_like(clips)
    for i, clip in enumerate(clips):
        level = (
            torch.from_numpy(np.array(clip)).float().permute(0, 3, 1, 2).flatten(0, 1).unsqueeze(1)
        )  # [T * 3, 1, H, W]
        level = F.conv2d(F.pad(level, (0, 0, reach, reach), mode="replicate"), weights[None, None, :, None])
        level = F.conv2d(F.pad(level, (reach, reach, 0, 0), mode="replicate"), weights[None, None, None, :])
        out[i] = level.unflatten(0, (-1, 3))[:, :, 0].permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
    return out


def shuffled(clips: Array, strength: float, seed: int = 0) -> Array:
    """A share of the frames, drawn at random, in random places of one another."""
    out = np.array(clips)
    frames = clips.shape[1]
    for i in range(len(clips)):
        random = np.random.default_rng(seed + i)
        moved = random.permutation(frames)[: round(strength * frames)]
        out[i, np.sort(moved)] = clips[i, moved]
    return out


def backwards(clips: Array, strength: float) -> Array:
    """That share of the clips is played backwards."""
    out = np.array(clips)
    count = round(strength * len(clips))
    out[:count] = clips[:count, ::-1]
    return out


def collapsed(clips: Array, strength: float) -> Array:
    """That share of the clips is replaced by copies of the first sixteenth of them."""
    few, out = max(1, len(clips) // 16), np.arange(len(clips))
    replaced = out[len(out) - round(strength * (len(out) - few)) :]
    out[replaced] = replaced % few
    return np.array(clips[out])


DAMAGES: dict[str, Damage] = {
    "noise": noise,
    "blur": blur,
    "frames shuffled": shuffled,
    "played backwards": backwards,
    "mode collapse": collapsed,
}


# What a network can be asked to see in a single clip: a label for each, its strength.
VISIBLE = ("damage_noise", "damage_blur", "damage_shuffled")


def damaged(
    clips: Array, rows: Sequence[Labels], share: float, random: np.random.Generator
) -> tuple[Array, list[Labels]]:
    """That share of the clips, each by one damage of VISIBLE at a strength between 0.1 and 1; with their labels. A
    damaged clip keeps none but the damage's (shuffled frames tell no wind)."""
    whole = dict.fromkeys(VISIBLE, 0.0)
    out, labels = np.array(clips), [dict(row) | whole for row in rows]
    for i in random.permutation(len(out))[: round(share * len(out))]:
        name, strength, seed = str(random.choice(VISIBLE)), float(random.uniform(0.1, 1)), int(random.integers(2**31))
        clip = out[i : i + 1]
        if name == "damage_blur":
            out[i] = blur(clip, strength)[0]
        else:
            out[i] = (noise if name == "damage_noise" else shuffled)(clip, strength, seed)[0]
        labels[i] = whole | {name: strength}
    return out, labels


def rising(rows: Sequence[Labels]) -> Array:
    """Numbers of the clips in which the sun rises. Played backwards all clips together are what they were: as many suns
    set as rise, and no cloud has a preferred direction. Time can only be told from clips that agree on its course."""
    numbers = [i for i, row in enumerate(rows) if row["sun_elevation_last"] > row["sun_elevation_first"]]
    return np.array(numbers, np.int64)
