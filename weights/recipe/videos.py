"""Video files in the renderer's place: a folder of them, cut in clips. `python -m recipe.videos --data DIR --out DIR`.

Writes OUT/train.npy and OUT/validation.npy (uint8 [N, T, H, W, 3], what data.py reads) and beside each a .jsonl that
says, line by line, which file and which second a clip is from. Every file goes to one split as a whole, chosen by a
hash of its contents: the same film under two names stays in one split, and more files do not move the old ones
(but for the one that is held out of a folder too small to hold out any).
It does not look for cuts inside a film: give it shots.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
import numpy as np

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".ogv", ".gif")
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Cut:
    frames: int  # of a clip
    size: int  # pixels along a side
    fps: float


def find_videos(data: Path) -> list[Path]:
    """Video files at any depth, in a fixed order."""
    found = sorted(p for p in data.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"--data {data}: no video file in it (looked for {' '.join(SUFFIXES)})")
    return found


def split_files(paths: list[Path], share: float) -> dict[str, list[Path]]:
    """Which files are trained on and which are held out: about `share` of them, and one at least of each."""
    if not 0 < share < 1:
        raise ValueError(f"--validation: needs a share between 0 and 1, got {share}")
    place = {}
    for path in paths:
        with path.open("rb") as file:
            place[path] = int(hashlib.file_digest(file, "sha256").hexdigest()[:12], 16) / 16**12
    if len(set(place.values())) < 2:
        raise ValueError("--data: needs two different videos at least, one to train on and one to hold out")
    lowest, highest = min(place.values()), max(place.values())
    limit = min(max(share, np.nextafter(lowest, 1)), highest)
    held_out = [p for p in paths if place[p] < limit]
    return {"train": [p for p in paths if place[p] >= limit], "validation": held_out}


def _shown(frame: av.VideoFrame, ratio: float, size: int) -> np.ndarray:
    """The middle square of a frame as it is meant to be shown, [size, size, 3]; `ratio`: width of a pixel to height."""
    scale = size / min(frame.width * ratio, frame.height)
    width, height = max(size, round(frame.width * ratio * scale)), max(size, round(frame.height * scale))
    picture = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    top, left = (height - size) // 2, (width - size) // 2
    return np.rot90(picture[top : top + size, left : left + size], round(frame.rotation / 90) % 4)


def steady_frames(path: Path, size: int, fps: float) -> Iterator[np.ndarray]:
    """The film's pictures [size, size, 3] at `fps` of them a second: at each tick the one then on the screen."""
    with av.open(path) as container:
        if not container.streams.video:
            raise ValueError("no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        ratio = float(stream.sample_aspect_ratio or 1)
        rate = float(stream.average_rate or fps)
        tick, start, before = 0, 0.0, None
        for i, frame in enumerate(container.decode(stream)):
            now = i / rate if frame.time is None else frame.time
            start = now if before is None else start
            while before is not None and start + tick / fps < now - 1e-4:
                yield _shown(before, ratio, size)
                tick += 1
            before, last = frame, now
        if before is not None and start + tick / fps < last + 1e-4:
            yield _shown(before, ratio, size)


def clips_of(path: Path, cut: Cut) -> Iterator[np.ndarray]:
    """Clips [T, H, W, 3] of a film, end to end; what is left over at its end is not used."""
    clip = np.empty((cut.frames, cut.size, cut.size, 3), np.uint8)
    filled = 0
    for picture in steady_frames(path, cut.size, cut.fps):
        clip[filled] = picture
        filled += 1
        if filled == cut.frames:
            yield clip
            filled = 0


class ClipFile:
    """A .npy of clips that grows: NumPy leaves room in the header for a larger first axis."""

    def __init__(self, path: Path, shape: tuple[int, ...]):
        self.count, self._shape = 0, shape  # of one clip
        self._file = path.open("wb")
        self._header()
        self._start = self._file.tell()

    def _header(self) -> None:
        self._file.seek(0)
        described = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, described)

    def append(self, clip: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(clip, np.uint8).tobytes())
        self.count += 1

    def __enter__(self) -> ClipFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._header()
        assert self._file.tell() == self._start, "NumPy's header grew over the first clip"
        self._file.close()


def build(data: Path, out: Path, cut: Cut, share: float) -> dict[str, int]:
    """Writes both splits; returns how many clips each has. A file that cannot be used is named and left out."""
    if cut.frames < 1 or cut.size < 2 or cut.fps <= 0:
        raise ValueError(f"clips: need frames >= 1, size >= 2 and fps > 0, got {cut}")
    files = split_files(find_videos(data), share)
    out.mkdir(parents=True, exist_ok=True)
    if there := [f"{out / s}.npy" for s in SPLITS if (out / f"{s}.npy").exists()]:
        raise FileExistsError(f"{', '.join(there)}: already there; move it away first")
    counts = {}
    for split in SPLITS:
        with (
            ClipFile(out / f"{split}.npy", (cut.frames, cut.size, cut.size, 3)) as clips,
            (out / f"{split}.jsonl").open("w") as labels,
        ):
            for path in files[split]:
                first = clips.count
                try:
                    for clip in clips_of(path, cut):
                        second = (clips.count - first) * cut.frames / cut.fps
                        labels.write(json.dumps({"file": path.relative_to(data).as_posix(), "second": second}) + "\n")
                        clips.append(clip)
                except (av.FFmpegError, ValueError) as error:
                    print(f"{path}: {error}; used up to there", file=sys.stderr)
                if clips.count == first:
                    print(f"{path}: no clip of {cut.frames} frames at {cut.fps:g} a second in it", file=sys.stderr)
                print(f"{split}: {path.name}: {clips.count - first} clips", flush=True)
            counts[split] = clips.count
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of video files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--fps", type=float, default=16)
    parser.add_argument("--validation", type=float, default=0.05, help="share of the files that is held out")
    a = parser.parse_args()
    counts = build(a.data, a.out, Cut(a.frames, a.size, a.fps), a.validation)
    print(", ".join(f"{split}: {n} clips" for split, n in counts.items()))
    return 0 if all(counts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
