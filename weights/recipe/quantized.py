"""A trained module with its weights as the page gets them: rounded to int8 per output channel and back.

Which tensors are rounded, and along which axis, is what manifest.py and names.py do to the same weights on export.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from .manifest import quantize_int8
from .mebt.model import Mebt
from .tokenizer.model import Conv3d, UpConv3d

Module = TypeVar("Module", bound=nn.Module)


def round_trip(weight: Tensor) -> Tensor:
    """Output channels last -> the same, as dequantized on the page."""
    values, scale = quantize_int8(weight.detach().numpy())
    return torch.from_numpy(values * scale)


def quantized(model: Module) -> Module:
    """A copy whose matrices and kernels went through int8; vectors, norms and the codebook are as they were."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | Conv3d):
                module.weight.copy_(round_trip(module.weight.t()).t())
            elif isinstance(module, UpConv3d):
                kernel = module.weight.view(module.inputs, module.outputs, -1).transpose(1, 2)  # [in, taps, out]
                module.weight.copy_(round_trip(kernel).transpose(1, 2).flatten(1))
            elif isinstance(module, Mebt):
                tables = (module.token_embedding.weight, module.position_embedding, module.latent_tokens)
                for table in tables:
                    table.copy_(round_trip(table))
    return model
