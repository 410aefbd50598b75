"""Operations of a transformer's pass by formula: products only, a multiply-add is two, as the page's bench counts."""

from __future__ import annotations

from .mebt.model import MebtConfig, last_reader_of_targets

TRAINING = 3  # a step is one pass forward and, for the gradients of inputs and of weights, two of its products back


def layer_flops(width: int, queries: int, keys: int, pairs: int | None = None) -> int:
    """`pairs`: of a query and a key that it looks at; all of them where not given."""
    pairs = queries * keys if pairs is None else pairs
    return 2 * width * width * (10 * queries + 2 * keys) + 4 * pairs * width


def forward_flops(config: MebtConfig, contexts: int, targets: int, asked: int | None = None) -> int:
    """Of one clip; `asked`: see Mebt.forward."""
    latents, asked = config.latent_tokens, targets if asked is None else asked
    last_reader = last_reader_of_targets(config.modes)
    blocks = 0
    for i, mode in enumerate(config.modes):
        hidden = targets if i <= last_reader else asked
        sizes = {
            "latent_enc": (latents, contexts),
            "latent_self": (latents, latents),
            "latent_dec": (hidden, latents),
            "lt2l": (latents, latents + hidden),
            "maskgit": (contexts + hidden, contexts + hidden),
        }
        blocks += layer_flops(config.width, *sizes[mode])
    return blocks + 2 * asked * config.width * config.vocabulary


def causal_flops(width: int, blocks: int, vocabulary: int, tokens: int) -> int:
    """An autoregressive transformer over a clip, at once or token by token with a cache: a token looks at itself and at
    those before it; what a kernel computes beyond that is not counted."""
    pairs = tokens * (tokens + 1) // 2
    return blocks * layer_flops(width, tokens, tokens, pairs) + 2 * tokens * width * vocabulary
