"""What is compared, as plain data: a variant is a family, a length, a curriculum and a number of latent tokens.

All variants of a length have the same width and depth, and so, but for latent tokens, the same parameters. The dense
family is MeBT's network with every block in `maskgit` mode (decoded as MaskGIT is), as in src/config/model.ts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import nn

from ..flops import TRAINING, causal_flops, forward_flops
from ..mebt.batches import Plan, Step
from ..mebt.model import MEBTS, Mebt, MebtConfig, mebt_modes
from .autoregressive import Autoregressive, AutoregressiveConfig

FAMILIES = ("mebt", "dense", "autoregressive")
#: none: whole clips only. mixed: shorter ones among them (recipe.mebt.batches). doubling: mixed, and short ones first.
CURRICULA = ("none", "mixed", "doubling")
Model = Mebt | Autoregressive

#: Networks to compare at: `small` learns something in minutes on a CPU.
SIZES = {
    "small": replace(MEBTS["sky-64"], width=128, heads=4, modes=mebt_modes(2, 1)),
    "sky-64": MEBTS["sky-64"],
    "sky-128": MEBTS["sky-128"],
}


@dataclass(frozen=True)
class Variant:
    family: str
    latent_frames: int
    curriculum: str
    latent_tokens: int  # 0: the family has none
    config: MebtConfig | AutoregressiveConfig

    @property
    def name(self) -> str:
        latents = f"-{self.latent_tokens}" if self.latent_tokens else ""
        curriculum = "" if self.curriculum == "none" else f"-{self.curriculum}"
        return f"{self.family}{latents}-{self.latent_frames}{curriculum}"

    def build(self) -> Model:
        if isinstance(self.config, MebtConfig):
            return Mebt(self.config)
        return Autoregressive(self.config)

    def plan(self, batch: int, seed: int) -> Plan:
        shortest = max(1, self.latent_frames // 4) if self.curriculum == "doubling" else 0
        mixed, causal = self.curriculum != "none", self.family == "autoregressive"
        return Plan(batch, seed, self.latent_frames, shortest, mixed, causal)

    def pass_flops(self, contexts: int, targets: int, asked: int | None = None) -> int:
        """Operations of a pass over one clip; `asked`: see Mebt.forward."""
        config = self.config
        if isinstance(config, MebtConfig):
            return forward_flops(config, contexts, targets, asked)
        return causal_flops(config.width, config.depth, config.vocabulary, contexts + targets)

    def step_flops(self, step: Step) -> int:
        """Operations of a training step, forward and backward; the optimizer's are not counted."""
        _, context, target = step.tensors
        return TRAINING * len(target) * self.pass_flops(context.shape[1], target.shape[1])

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "name": self.name}


def make_variant(
    base: MebtConfig, family: str, latent_frames: int, curriculum: str = "none", latent_tokens: int = 0
) -> Variant:
    grid = (latent_frames, *base.grid[1:])
    if family == "autoregressive":
        causal = AutoregressiveConfig(base.vocabulary, grid, base.width, base.heads, len(base.modes))
        return Variant(family, latent_frames, curriculum, 0, causal)
    if family == "dense":
        dense = replace(
            base, grid=grid, latent_tokens=1, modes=("maskgit",) * len(base.modes)
        )  # one that nothing reads
        return Variant(family, latent_frames, curriculum, 0, dense)
    latents = latent_tokens or base.latent_tokens
    return Variant(family, latent_frames, curriculum, latents, replace(base, grid=grid, latent_tokens=latents))


def make_variants(
    base: MebtConfig,
    lengths: Sequence[int],
    families: Sequence[str] = FAMILIES,
    curricula: Sequence[str] = CURRICULA,
    latent_tokens: Sequence[int] = (),
) -> list[Variant]:
    """Every family at every length (latent frames) without a curriculum; at the longest also MeBT with each curriculum
    and each number of latent tokens."""
    found = [make_variant(base, family, length) for length in sorted(lengths) for family in families]
    if "mebt" in families:
        found += [make_variant(base, "mebt", max(lengths), curriculum) for curriculum in curricula]
        found += [make_variant(base, "mebt", max(lengths), latent_tokens=count) for count in latent_tokens]
    return list({variant.name: variant for variant in found}.values())


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
