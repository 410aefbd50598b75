"""Films made here, with known colours at known times, and what the clips cut from them hold."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from recipe.data import Clips
from recipe.videos import Cut, build, clips_of, find_videos, split_files, steady_frames


def film(path: Path, frames: int, rate: int, seed: int = 0, step: int = 2) -> None:
    """Left third red, right third blue, in the middle a grey of step * frame + seed levels."""
    width, height = 96, 48
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for i in range(frames):
            picture = np.full((height, width, 3), step * i + seed, np.uint8)
            picture[:, : width // 6], picture[:, -width // 6 :] = (255, 0, 0), (0, 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def greys(path: Path, fps: float) -> list[float]:
    return [float(p[8:-8, 8:-8].mean()) for p in steady_frames(path, 32, fps)]


def test_the_middle_square_is_kept(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", 8, 16, seed=100)
    (clip,) = (c.copy() for c in clips_of(tmp_path / "a.mp4", Cut(8, 24, 16)))
    assert clip.shape == (8, 24, 24, 3) and clip.dtype == np.uint8
    spread = clip.max(-1).astype(int) - clip.min(-1)
    assert spread.max() < 12  # grey all over: neither the red nor the blue of the sides


@pytest.mark.parametrize(
    ("rate", "expected"), [(16, range(24)), (32, range(0, 24, 2)), (8, [i // 2 for i in range(47)])]
)
def test_ticks_are_steady_whatever_the_films_rate(tmp_path: Path, rate: int, expected: range | list[int]) -> None:
    film(tmp_path / "a.mp4", 24, rate, seed=40, step=8)
    found = greys(tmp_path / "a.mp4", 16)
    assert len(found) == len(expected)
    assert np.abs(np.array(found) - (40 + 8 * np.array(expected))).max() < 3  # levels that the codec costs


def test_splits_are_read_as_clips_and_share_no_film(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    (data / "more").mkdir(parents=True)
    for i in range(6):
        film(data / ("more" if i % 2 else ".") / f"{i}.mp4", 21, 16, seed=20 * i)
    counts = build(data, out, Cut(8, 32, 16), 0.3)
    assert counts["train"] + counts["validation"] == 12  # two whole clips of each film
    assert min(counts.values()) > 0
    films = {}
    for split, n in counts.items():
        clips = Clips(out / f"{split}.npy")
        assert len(clips) == n and clips.frames == 8
        lines = [json.loads(line) for line in (out / f"{split}.jsonl").read_text().splitlines()]
        films[split] = {line["file"] for line in lines}
        assert [line["second"] for line in lines] == [0.0, 0.5] * (n // 2)
        for i, line in enumerate(lines):  # a clip shows the film and the time that its label names
            grey = 20 * int(Path(line["file"]).stem) + 2 * 16 * line["second"]
            assert abs(float(clips.array[i, 0, 8:-8, 8:-8].mean()) - grey) < 3
    assert not films["train"] & films["validation"] and len(films["train"] | films["validation"]) == 6


def test_copies_of_a_film_stay_together_and_old_ones_stay_put(tmp_path: Path) -> None:
    for i in range(8):
        film(tmp_path / f"{i}.mp4", 2, 16, seed=20 * i)
        shutil.copy(tmp_path / f"{i}.mp4", tmp_path / f"copy-{i}.mp4")
    files = split_files(find_videos(tmp_path), 0.5)
    assert all(sum(p.name.removeprefix("copy-") == f"{i}.mp4" for p in files["train"]) in (0, 2) for i in range(8))
    film(tmp_path / "new.mp4", 2, 16, seed=200)
    later = split_files(find_videos(tmp_path), 0.5)
    assert all(set(files[split]) <= set(later[split]) for split in files)


def test_what_cannot_be_used_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        film(tmp_path / f"{i}.mp4", 8, 16, seed=30 * i)
    film(tmp_path / "short.mp4", 3, 16)
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    counts = build(tmp_path, tmp_path / "out", Cut(8, 16, 16), 0.4)
    said = capsys.readouterr().err
    assert sum(counts.values()) == 4 and "broken.mp4" in said and "short.mp4" in said
    with pytest.raises(FileExistsError, match="move it away"):
        build(tmp_path, tmp_path / "out", Cut(8, 16, 16), 0.4)


def test_a_folder_that_cannot_be_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no video file"):
        find_videos(tmp_path)
    film(tmp_path / "a.mp4", 2, 16)
    with pytest.raises(ValueError, match="two different videos"):
        split_files(find_videos(tmp_path), 0.1)
