"""The tokenizer: a 3D-convolutional VQGAN-style autoencoder with a codebook. Pixels <-> a grid of tokens.

Shapes are channels first, as PyTorch has them: B clips, C channels, T x H x W frames, rows, columns;
T' x H' x W' is the token grid, D the width of a code, U the number of codes. Video is in [-0.5, 0.5].

The layout is the family that the official tokenizer belongs to (Eq. 1 of the paper): replicate padding, stages of a
strided (transposed) convolution followed by residual blocks. Two choices differ and are plain in the configuration:
channels are given stage by stage, and the norm is either `none` (no statistics: exact in time chunks and at every
length, as a folded batch norm is; these nets are shallow enough to train without) or `group`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..workers import Workers

Extent = tuple[int, int, int]


@dataclass(frozen=True)
class Stage:
    """One resolution: channels at its end, stride from the coarser one, kernel of its residual blocks."""

    channels: int
    stride: Extent
    blocks: int
    kernel: Extent = (3, 3, 3)
    resample_kernel: Extent = (4, 4, 4)


@dataclass(frozen=True)
class TokenizerConfig:
    codes: int
    code_width: int
    norm: str
    decoder: tuple[Stage, ...]
    encoder: tuple[Stage, ...]
    encoder_input: int

    @property
    def downsample(self) -> Extent:
        t = h = w = 1
        for stage in self.decoder:
            t, h, w = t * stage.stride[0], h * stage.stride[1], w * stage.stride[2]
        return t, h, w

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> TokenizerConfig:
        def stages(items: list[dict[str, Any]]) -> tuple[Stage, ...]:
            return tuple(
                Stage(
                    s["channels"],
                    tuple(s["stride"]),
                    s["blocks"],
                    tuple(s["kernel"]),
                    tuple(s["resample_kernel"]),
                )
                for s in items
            )

        return TokenizerConfig(
            data["codes"],
            data["code_width"],
            data["norm"],
            stages(data["decoder"]),
            stages(data["encoder"]),
            data["encoder_input"],
        )


# The tokenizers of the models that this project ships, by the model's name.
TOKENIZERS = {
    # 8 x 4 x 4 pixels a token; 43 GFLOP to decode 64 frames at 64 x 64.
    "sky-64": TokenizerConfig(
        codes=1024,
        code_width=16,
        norm="none",
        decoder=(
            Stage(112, (2, 1, 1), 2, resample_kernel=(4, 3, 3)),
            Stage(64, (2, 2, 2), 1),
            Stage(24, (2, 2, 2), 1, kernel=(1, 3, 3)),
        ),
        encoder=(
            Stage(48, (2, 2, 2), 1, kernel=(1, 3, 3)),
            Stage(96, (2, 2, 2), 1),
            Stage(112, (2, 1, 1), 1, resample_kernel=(4, 3, 3)),
        ),
        encoder_input=16,
    ),
    # 4 x 8 x 8 pixels a token. Most of the work is done at the coarse end, where a channel costs little.
    "sky-128": TokenizerConfig(
        codes=2048,
        code_width=16,
        norm="none",
        decoder=(
            Stage(160, (1, 1, 1), 2, resample_kernel=(1, 1, 1)),
            Stage(96, (2, 2, 2), 2),
            Stage(48, (2, 2, 2), 1, kernel=(1, 3, 3)),
            Stage(24, (1, 2, 2), 1, kernel=(1, 3, 3), resample_kernel=(1, 4, 4)),
        ),
        encoder=(
            Stage(32, (1, 2, 2), 1, kernel=(1, 3, 3), resample_kernel=(1, 4, 4)),
            Stage(96, (2, 2, 2), 1, kernel=(1, 3, 3)),
            Stage(160, (2, 2, 2), 1),
        ),
        encoder_input=12,
    ),
}


class ReplicatePad(torch.autograd.Function):
    """F.pad(mode="replicate") that keeps channels-last memory: one copy and thin slabs, 5x the stock speed on CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pads: tuple[tuple[int, int], ...]) -> Tensor:
        ctx.pads = pads
        size = [n + front + back for n, (front, back) in zip(x.shape[2:], pads, strict=True)]
        out = torch.empty(
            (x.shape[0], x.shape[1], *size), dtype=x.dtype, device=x.device, memory_format=torch.channels_last_3d
        )
        centre = out
        for axis, (front, _) in enumerate(pads):
            centre = centre.narrow(axis + 2, front, x.shape[axis + 2])
        centre.copy_(x)
        for axis, (front, back) in reversed(list(enumerate(pads))):
            n = x.shape[axis + 2]
            if front:
                out.narrow(axis + 2, 0, front).copy_(out.narrow(axis + 2, front, 1))
            if back:
                out.narrow(axis + 2, front + n, back).copy_(out.narrow(axis + 2, front + n - 1, 1))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        grad = grads[0].clone(memory_format=torch.channels_last_3d)
        for axis, (front, back) in enumerate(ctx.pads):
            n = grad.shape[axis + 2] - front - back
            if front:
                grad.narrow(axis + 2, front, 1).add_(grad.narrow(axis + 2, 0, front).sum(axis + 2, keepdim=True))
            if back:
                tail = grad.narrow(axis + 2, front + n, back).sum(axis + 2, keepdim=True)
                grad.narrow(axis + 2, front + n - 1, 1).add_(tail)
            grad = grad.narrow(axis + 2, front, n)
        return grad, None


def replicate_pad(x: Tensor, kernel: Extent, stride: Extent) -> Tensor:
    """Pads each axis by k - s in all, the larger half in front, repeating the border (SamePadConv3d)."""
    pads = tuple((k - s - (k - s) // 2, (k - s) // 2) for k, s in zip(kernel, stride, strict=True))
    if not any(front + back for front, back in pads):
        return x
    return ReplicatePad.apply(x, pads)


class Conv3d(nn.Module):
    """Replicate-padded convolution. The weight is kept as a matrix [out, in * k], so that Muon can take it."""

    def __init__(self, inputs: int, outputs: int, kernel: Extent, stride: Extent = (1, 1, 1), zero: bool = False):
        super().__init__()
        self.kernel, self.stride, self.inputs, self.outputs = kernel, stride, inputs, outputs
        fan_in = inputs * kernel[0] * kernel[1] * kernel[2]
        weight = torch.zeros(outputs, fan_in) if zero else torch.randn(outputs, fan_in) * fan_in**-0.5
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def kernel_weight(self) -> Tensor:
        return self.weight.view(self.outputs, self.inputs, *self.kernel)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv3d(replicate_pad(x, self.kernel, self.stride), self.kernel_weight(), self.bias, self.stride)


class UpConv3d(nn.Module):
    """Replicate-padded transposed convolution; the output is `stride` times as long. Weight [in, out * k]."""

    def __init__(self, inputs: int, outputs: int, kernel: Extent, stride: Extent):
        super().__init__()
        self.kernel, self.stride, self.inputs, self.outputs = kernel, stride, inputs, outputs
        taps = kernel[0] * kernel[1] * kernel[2]
        seen = inputs * taps / (stride[0] * stride[1] * stride[2])
        self.weight = nn.Parameter(torch.randn(inputs, outputs * taps) * seen**-0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def kernel_weight(self) -> Tensor:
        return self.weight.view(self.inputs, self.outputs, *self.kernel)

    def forward(self, x: Tensor) -> Tensor:
        padding = tuple(k - 1 for k in self.kernel)
        padded = replicate_pad(x, self.kernel, self.stride)
        return F.conv_transpose3d(padded, self.kernel_weight(), self.bias, self.stride, padding)


def make_norm(kind: str, channels: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "group":
        return nn.GroupNorm(32, channels, eps=1e-6)
    raise ValueError(f"tokenizer norm must be 'none' or 'group', got {kind!r}")


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, kernel: Extent, norm: str):
        super().__init__()
        self.norm1, self.norm2 = make_norm(norm, channels), make_norm(norm, channels)
        self.conv1 = Conv3d(channels, channels, kernel)
        self.conv2 = Conv3d(channels, channels, kernel, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class DecoderStage(nn.Module):
    def __init__(self, inputs: int, stage: Stage, norm: str):
        super().__init__()
        self.up = UpConv3d(inputs, stage.channels, stage.resample_kernel, stage.stride)
        self.blocks = nn.Sequential(*(ResidualBlock(stage.channels, stage.kernel, norm) for _ in range(stage.blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.up(x))


class EncoderStage(nn.Module):
    def __init__(self, inputs: int, stage: Stage, norm: str):
        super().__init__()
        self.down = Conv3d(inputs, stage.channels, stage.resample_kernel, stage.stride)
        self.blocks = nn.Sequential(*(ResidualBlock(stage.channels, stage.kernel, norm) for _ in range(stage.blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.down(x))


class Tokenizer(nn.Module):
    """encode: video [B, 3, T, H, W] -> embeddings [B, D, T', H', W']; decode: embeddings -> video."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        c0, norm = config.decoder[0].channels, config.norm
        self.encoder_input = Conv3d(3, config.encoder_input, (1, 3, 3))
        widths = [config.encoder_input, *(s.channels for s in config.encoder)]
        self.encoder_stages = nn.Sequential(
            *(EncoderStage(c, s, norm) for c, s in zip(widths, config.encoder, strict=False))
        )
        self.encoder_norm = make_norm(norm, widths[-1])
        self.pre_quantization = Conv3d(widths[-1], config.code_width, (1, 1, 1))
        self.post_quantization = Conv3d(config.code_width, c0, (1, 1, 1))
        self.decoder_norm = make_norm(norm, c0)
        widths = [c0, *(s.channels for s in config.decoder)]
        self.decoder_stages = nn.Sequential(
            *(DecoderStage(c, s, norm) for c, s in zip(widths, config.decoder, strict=False))
        )
        self.output = Conv3d(widths[-1], 3, config.decoder[-1].kernel)
        self.codebook = Codebook(config.codes, config.code_width)

    def encode(self, video: Tensor) -> Tensor:
        x = self.encoder_stages(self.encoder_input(video))
        return on_sphere(self.pre_quantization(F.silu(self.encoder_norm(x))).float(), 1)

    def decode(self, latents: Tensor) -> Tensor:
        x = F.silu(self.decoder_norm(self.post_quantization(latents)))
        return self.output(self.decoder_stages(x))

    def tokens(self, video: Tensor) -> Tensor:
        """[B, 3, T, H, W] -> ids [B, T', H', W']."""
        return self.codebook.nearest(self.encode(video))

    def decode_tokens(self, ids: Tensor) -> Tensor:
        """ids [B, T', H', W'] -> video [B, 3, T, H, W]."""
        return self.decode(F.embedding(ids, self.codebook.codes).permute(0, 4, 1, 2, 3))


def decoder_parts(model: Tokenizer) -> tuple[nn.Module, ...]:
    return model.post_quantization, model.decoder_norm, model.decoder_stages, model.output


def on_sphere(x: Tensor, axis: int) -> Tensor:
    """Scales vectors along `axis` to length sqrt(D), where all codes lie.

    With codes of one length the nearest code does not depend on the embedding's length, so nobody who reads the
    exported encoder needs to know of this; training is steadier, and more codes come into use.
    """
    return F.normalize(x, dim=axis) * x.shape[axis] ** 0.5


class Codebook(nn.Module):
    """U codes of width D and length sqrt(D), moved by an exponential average of what they stand for; dead ones restart.

    A code whose running count falls below `restart_below` of the average is put onto a random embedding of the batch.
    """

    def __init__(self, codes: int, width: int, decay: float = 0.97, restart_below: float = 0.075):
        super().__init__()
        self.decay, self.restart_below = decay, restart_below
        self.codes: Tensor
        self.counts: Tensor
        self.sums: Tensor
        self.ready: Tensor
        self.register_buffer("codes", on_sphere(torch.randn(codes, width), 1))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", torch.zeros(codes, width))
        self.register_buffer("ready", torch.tensor(False))

    def nearest(self, embeddings: Tensor) -> Tensor:
        """[B, D, T', H', W'] -> ids [B, T', H', W'] of the nearest codes."""
        b, d, t, h, w = embeddings.shape
        flat = embeddings.float().permute(0, 2, 3, 4, 1).reshape(-1, d)
        score = flat @ self.codes.t() - 0.5 * self.codes.square().sum(1)
        return score.argmax(1).view(b, t, h, w)

    def forward(self, embeddings: Tensor, workers: Workers | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """-> (quantized with a straight-through gradient, commitment loss, ids); learns when training.

        With `workers` the codes move by what all of them have seen, and stay the same for all.
        """
        embeddings = embeddings.float()
        flat = embeddings.detach().permute(0, 2, 3, 4, 1).reshape(-1, embeddings.shape[1])
        if self.training and not bool(self.ready):
            n, codes = flat.shape[0], self.codes.shape[0]
            pick = torch.randperm(max(n, codes), device=flat.device)[:codes] % n
            self.codes.copy_(flat[pick])
            self.counts.fill_(2 * self.restart_below * n / codes)  # as a restarted code: soon dead if not used
            self.sums.copy_(flat[pick] * self.counts[:, None])
            if workers:
                workers.start_alike(self)
            self.ready.fill_(True)
        ids = self.nearest(embeddings.detach())
        quantized = F.embedding(ids, self.codes).permute(0, 4, 1, 2, 3)
        if self.training:
            self._move(flat, ids.reshape(-1), workers)
        commitment = F.mse_loss(embeddings, quantized)
        return embeddings + (quantized - embeddings).detach(), commitment, ids

    def _move(self, flat: Tensor, ids: Tensor, workers: Workers | None) -> None:
        count = torch.bincount(ids, minlength=self.codes.shape[0]).float()
        total = torch.zeros_like(self.sums).index_add_(0, ids, flat)
        if workers:
            workers.sum_(count)
            workers.sum_(total)
        self.counts.lerp_(count, 1 - self.decay)
        self.sums.lerp_(total, 1 - self.decay)
        least = self.restart_below * float(self.counts.mean())
        dead = self.counts < least
        if bool(dead.any()):
            fresh = flat[torch.randint(flat.shape[0], (int(dead.sum()),), device=flat.device)]
            self.sums[dead] = fresh * least * 2
            self.counts[dead] = least * 2
            if workers:
                workers.start_alike(self)
        self.codes.copy_(on_sphere(self.sums, 1))
