"""The tokenizer: shapes, padding, exactness in time, and a codebook that learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.tokenizer.model import (
    Codebook,
    Conv3d,
    Stage,
    Tokenizer,
    TokenizerConfig,
    UpConv3d,
    on_sphere,
    replicate_pad,
)
from recipe.tokenizer.train import edge_loss, hold_decoder

torch.set_num_threads(1)
CONFIG = TokenizerConfig(
    codes=16,
    code_width=4,
    norm="none",
    decoder=(Stage(12, (2, 1, 1), 1, resample_kernel=(4, 3, 3)), Stage(6, (2, 2, 2), 1, kernel=(1, 3, 3))),
    encoder=(Stage(6, (2, 2, 2), 1, kernel=(1, 3, 3)), Stage(12, (2, 1, 1), 1, resample_kernel=(4, 3, 3))),
    encoder_input=3,
)


@pytest.fixture(scope="module")
def model() -> Tokenizer:
    torch.manual_seed(0)
    model = Tokenizer(CONFIG).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, Conv3d) and not bool(module.weight.any()):
            torch.nn.init.normal_(module.weight, std=0.1)
    return model


def test_shapes_go_there_and_back(model: Tokenizer) -> None:
    video = torch.rand(2, 3, 8, 6, 10) - 0.5
    ids = model.tokens(video)
    assert ids.shape == (2, 2, 3, 5)
    assert CONFIG.downsample == (4, 2, 2)
    assert model.decode_tokens(ids).shape == video.shape


def test_config_survives_json() -> None:
    assert TokenizerConfig.from_json(CONFIG.to_json()) == CONFIG


@pytest.mark.parametrize(("kernel", "stride"), [((4, 4, 4), (2, 2, 2)), ((3, 3, 3), (1, 1, 1)), ((4, 3, 1), (1, 1, 1))])
def test_padding_repeats_the_border_the_larger_half_in_front(
    kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> None:
    x = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    total = [k - s for k, s in zip(kernel, stride, strict=True)]
    pads = [n for t in reversed(total) for n in (t - t // 2, t // 2)]
    expected = F.pad(x, pads, mode="replicate")
    torch.testing.assert_close(replicate_pad(x, kernel, stride), expected, rtol=0, atol=0)
    seed = torch.randn_like(expected)
    (ours,) = torch.autograd.grad(replicate_pad(x, kernel, stride), x, seed)
    (stock,) = torch.autograd.grad(expected, x, seed)
    torch.testing.assert_close(ours, stock, rtol=0, atol=1e-12)


def test_up_convolution_multiplies_extents_by_the_stride() -> None:
    layer = UpConv3d(3, 5, (4, 3, 4), (2, 1, 2))
    assert layer(torch.randn(1, 3, 2, 4, 3)).shape == (1, 5, 4, 4, 6)


def test_decoding_a_part_with_its_surroundings_is_exact(model: Tokenizer) -> None:
    latents = torch.randn(1, 4, 12, 3, 3)
    whole = model.decode(latents)
    part = model.decode(latents[:, :, 2:10])  # 8 latent frames, the outer ones are surroundings
    torch.testing.assert_close(part[:, :, 12:20], whole[:, :, 20:28], rtol=0, atol=1e-6)


def test_nearest_code_is_the_nearest() -> None:
    codebook = Codebook(16, 4)
    codebook.codes.mul_(torch.rand(16, 1) + 0.5)  # of any length
    points = torch.randn(2, 4, 2, 3, 3)
    flat = points.permute(0, 2, 3, 4, 1).reshape(-1, 4)
    expected = torch.cdist(flat.double(), codebook.codes.double()).argmin(1)
    assert torch.equal(codebook.nearest(points).flatten(), expected)


def test_codes_have_one_length_so_an_embedding_needs_none(model: Tokenizer) -> None:
    embeddings = torch.randn(1, 4, 2, 2, 2)
    lengths = model.codebook.codes.norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0))
    assert torch.equal(model.codebook.nearest(embeddings), model.codebook.nearest(on_sphere(embeddings, 1)))


def clusters(count: int, each: int) -> Tensor:
    """[1, D, count * each, 1, 1] points in tight clusters."""
    generator = torch.Generator().manual_seed(1)
    centres = on_sphere(torch.randn(count, 4, generator=generator), 1)
    points = centres.repeat_interleave(each, 0) + 0.01 * torch.randn(count * each, 4, generator=generator)
    return on_sphere(points, 1).t()[None, :, :, None, None]


def test_codebook_learns_clusters_and_restarts_dead_codes() -> None:
    torch.manual_seed(0)
    codebook = Codebook(8, 4).train()
    points = clusters(8, 16)
    for _ in range(150):
        _, _, ids = codebook(points)
    flat = points[0, :, :, 0, 0].t()
    assert ids.unique().numel() >= 6
    for code in ids.unique():
        mean = on_sphere(flat[ids.flatten() == code].mean(0, keepdim=True), 1)[0]
        torch.testing.assert_close(codebook.codes[code], mean, rtol=0, atol=0.02)
    codebook.counts[3], codebook.codes[3] = 0.0, on_sphere(torch.tensor([[9.0, -9, 9, -9]]), 1)[0]
    stranded = codebook.codes[3].clone()
    codebook(points)
    assert not torch.allclose(codebook.codes[3], stranded)
    assert float((codebook.codes[3] - flat).norm(dim=1).min()) < 1e-5


def test_gradient_passes_straight_through_the_codebook() -> None:
    codebook = Codebook(8, 4).eval()
    points = torch.randn(1, 4, 2, 2, 2, requires_grad=True)
    quantized, _, ids = codebook(points)
    torch.testing.assert_close(quantized, F.embedding(ids, codebook.codes).permute(0, 4, 1, 2, 3))
    (gradient,) = torch.autograd.grad(quantized.sum(), points)
    torch.testing.assert_close(gradient, torch.ones_like(points))


def test_edge_loss_sees_blur_and_not_brightness() -> None:
    video = torch.rand(1, 3, 4, 8, 8)
    assert float(edge_loss(video + 0.3, video)) < 1e-6
    assert float(edge_loss(F.avg_pool3d(video, 3, 1, 1), video)) > 0.1


def test_a_new_encoder_learns_while_codebook_and_decoder_stay() -> None:
    torch.manual_seed(0)
    model = Tokenizer(CONFIG).train()
    hold_decoder(model, True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quantized, commitment, _ = model.codebook(model.encode(torch.rand(2, 3, 8, 8, 8) - 0.5))
    (model.decode(quantized).square().mean() + commitment).backward()
    learning = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split("_")[0] for name in learning} == {"encoder", "pre"}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    hold_decoder(model, False)
    assert model.codebook.training
    assert all(p.requires_grad for p in model.parameters())
