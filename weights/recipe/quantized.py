"""A trained module with its weights as the page gets them: rounded to float16, int8 or int4 and back.

Which tensors are rounded, and along which axis, is what export.py, manifest.py and names.py do to the same weights.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from .manifest import quantize_int4, quantize_int8
from .mebt.model import Mebt
from .rotation import turn
from .tokenizer.model import Conv3d, UpConv3d

Module = TypeVar("Module", bound=nn.Module)
INT4_GROUP = 64


def round_trip(weight: Tensor, dtype: str = "int8") -> Tensor:
    """Output channels last -> the same, as dequantized on the page."""
    if dtype == "float16":
        return weight.detach().half().float()
    if dtype == "int4":
        levels, scales = quantize_int4(weight.detach().numpy(), INT4_GROUP)
        return torch.from_numpy(levels * scales.repeat(INT4_GROUP, 0)[: len(levels)])
    values, scale = quantize_int8(weight.detach().numpy())
    return torch.from_numpy(values * scale)


def quantized(model: Module, matrices: str = "int8") -> Module:
    """A copy whose matrices and kernels were rounded; vectors, norms and the codebook are as they were."""
    model = copy.deepcopy(model)
    if isinstance(model, Mebt) and matrices != "float16":
        turn(model)
    rest = "float16" if matrices == "float16" else "int8"  # what kernels and tables are stored in
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(round_trip(module.weight.t(), matrices).t())
            elif isinstance(module, Conv3d):
                module.weight.copy_(round_trip(module.weight.t(), rest).t())
            elif isinstance(module, UpConv3d):
                kernel = module.weight.view(module.inputs, module.outputs, -1).transpose(1, 2)  # [in, taps, out]
                module.weight.copy_(round_trip(kernel, rest).transpose(1, 2).flatten(1))
            elif isinstance(module, Mebt):
                embedding = module.token_embedding.weight
                embedding.copy_(round_trip(embedding, "float16" if matrices == "int8" else rest))
                for table in (module.position_embedding, module.latent_tokens):
                    table.copy_(round_trip(table, rest))
    return model
