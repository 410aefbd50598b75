"""The trained modules as the tensors of a manifest: names of ARCHITECTURE.md, channels last, float32 numpy arrays.

The arrays are views of the weights (of modules on a CPU, in float32), so what is written into them is loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from .mebt.model import Block, Mebt
from .tokenizer.model import Conv3d, ResidualBlock, Tokenizer, TokenizerConfig, UpConv3d

Array = np.ndarray[Any, Any]
Tensors = dict[str, Array]


def array(x: Tensor) -> Array:
    result: Array = x.detach().float().numpy()
    return result


def linear(name: str, layer: nn.Linear) -> Tensors:
    tensors = {f"{name}.weight": array(layer.weight.t())}  # [in, out]
    if layer.bias is not None:
        tensors[f"{name}.bias"] = array(layer.bias)
    return tensors


def norm(name: str, layer: nn.Module) -> Tensors:
    """Scale and bias of a LayerNorm or GroupNorm; nothing for a tokenizer without norms."""
    if isinstance(layer, nn.LayerNorm | nn.GroupNorm):
        return {f"{name}.scale": array(layer.weight), f"{name}.bias": array(layer.bias)}
    return {}


def convolution(name: str, layer: Conv3d | UpConv3d) -> Tensors:
    order = (2, 3, 4, 1, 0) if isinstance(layer, Conv3d) else (2, 3, 4, 0, 1)
    return {f"{name}.weight": array(layer.kernel_weight().permute(order)), f"{name}.bias": array(layer.bias)}


def transformer_tensors(model: Mebt) -> Tensors:
    tensors = {
        "transformer.tokenEmbedding": array(model.token_embedding.weight),
        "transformer.positionEmbedding": array(model.position_embedding),
        "transformer.maskEmbedding": array(model.mask_embedding),
        "transformer.latentTokens": array(model.latent_tokens),
    }
    if model.trait_embedding is not None:
        tensors["transformer.traitEmbedding"] = array(model.trait_embedding)
    for index, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        at = f"transformer.blocks.{index}"
        tensors |= norm(f"{at}.norm1", block.norm1) | norm(f"{at}.norm2", block.norm2)
        for part in ("query", "key", "value", "projection", "expand", "contract"):
            tensors |= linear(f"{at}.{part}", getattr(block, part))
    return tensors | norm("transformer.finalNorm", model.final_norm) | linear("transformer.head", model.head)


def residual(name: str, block: ResidualBlock) -> Tensors:
    return (
        norm(f"{name}.norm1", block.norm1)
        | convolution(f"{name}.conv1", block.conv1)
        | norm(f"{name}.norm2", block.norm2)
        | convolution(f"{name}.conv2", block.conv2)
    )


def stages(side: str, resample: str, modules: nn.Sequential) -> Tensors:
    tensors: Tensors = {}
    for i, stage in enumerate(modules):
        at = f"tokenizer.{side}.stages.{i}"
        tensors |= convolution(f"{at}.{resample}", getattr(stage, resample))
        blocks = stage.blocks
        assert isinstance(blocks, nn.Sequential)
        for j, block in enumerate(blocks):
            assert isinstance(block, ResidualBlock)
            tensors |= residual(f"{at}.blocks.{j}", block)
    return tensors


def tokenizer_tensors(model: Tokenizer, encoder: bool) -> Tensors:
    tensors = {"tokenizer.codebook": array(model.codebook.codes)}
    tensors |= convolution("tokenizer.postQuantization", model.post_quantization)
    tensors |= norm("tokenizer.decoder.inputNorm", model.decoder_norm)
    tensors |= stages("decoder", "up", model.decoder_stages)
    tensors |= convolution("tokenizer.decoder.output", model.output)
    return tensors | (encoder_tensors(model) if encoder else {})


def encoder_tensors(model: Tokenizer) -> Tensors:
    tensors = convolution("tokenizer.encoder.input", model.encoder_input)
    tensors |= stages("encoder", "down", model.encoder_stages)
    tensors |= norm("tokenizer.encoder.outputNorm", model.encoder_norm)
    return tensors | convolution("tokenizer.preQuantization", model.pre_quantization)


def tokenizer_json(config: TokenizerConfig, encoder: bool) -> dict[str, Any]:
    """The tokenizer's part of a manifest's `model`."""

    def side(items: tuple[Any, ...]) -> list[dict[str, Any]]:
        return [{"channels": s.channels, "stride": list(s.stride), "residualBlocks": s.blocks} for s in items]

    result: dict[str, Any] = {
        "codes": config.codes,
        "codeWidth": config.code_width,
        "norm": config.norm,
        "decoder": side(config.decoder),
    }
    if encoder:
        result["encoder"] = side(config.encoder)
    return result


def transformer_json(model: Mebt) -> dict[str, Any]:
    """The transformer's part of a manifest's `model`."""
    c = model.config
    traits = [trait.to_json() for trait in c.traits]
    result = {
        "width": c.width,
        "heads": c.heads,
        "latentTokens": c.latent_tokens,
        "vocabulary": c.vocabulary,
        "positions": c.positions,
        "modes": list(c.modes),
    }
    return result | ({"traits": traits} if traits else {})
