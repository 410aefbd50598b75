"""Fits the live preview: a linear map from a code's vector to the p x p RGB patch that it most often turns into.

The patch is the mean over the token's frames, at `patch` x `patch` pixels (here the token's own size in the picture),
fitted by least squares over training clips, weighted by how often each code occurs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .data import Clips
from .tokenizer.model import Tokenizer

Array = np.ndarray[Any, Any]


@torch.no_grad()
def fit_preview(model: Tokenizer, clips: Clips, count: int = 96) -> tuple[dict[str, Array], float]:
    """-> ({preview.weight [D, p*p*3], preview.bias [p*p*3]}, PSNR in dB of the fit against the averaged patches)."""
    t, p, q = model.config.downsample
    assert p == q, "the preview patch is square"
    inputs, outputs = [], []
    for index in np.linspace(0, len(clips) - 1, count).astype(int):
        video = clips.read(int(index)).unsqueeze(0)
        with torch.autocast("cpu", torch.bfloat16):
            ids = model.tokens(video)
        inputs.append(F.embedding(ids, model.codebook.codes).flatten(0, 3))  # [N, D]
        mean = F.avg_pool3d(video, (t, 1, 1))[0]  # [3, T', H, W]
        patches = mean.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [3, T', H', p, W', p]
        outputs.append(patches.permute(1, 2, 4, 3, 5, 0).flatten(3).flatten(0, 2))  # [N, p*p*3]
    x, y = torch.cat(inputs), torch.cat(outputs)
    x = torch.cat([x, torch.ones(x.shape[0], 1)], 1)
    solution = torch.linalg.lstsq(x, y).solution
    error = float((x @ solution - y).square().mean())
    weight, bias = solution[:-1].contiguous().numpy(), solution[-1].contiguous().numpy()
    return {"preview.weight": weight, "preview.bias": bias}, -10 * float(np.log10(error))
