"""Every parameter of one sky clip, drawn from its seed. These are also the labels. No pixels here.

Axes, everywhere in this package: x right, y up, z forward, unit vectors; angles in degrees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

VARIETIES = ("sky-64", "sky-128")
HORIZONS = ("rolling", "jagged", "ridges", "forest", "plain")
COVERS = {"clear": 0.13, "few": 0.27, "scattered": 0.36, "broken": 0.18, "overcast": 0.06}
COVER_RANGE = {
    "clear": (0.0, 0.02),
    "few": (0.12, 0.24),
    "scattered": (0.26, 0.46),
    "broken": (0.50, 0.68),
    "overcast": (0.78, 0.92),
}


@dataclass(frozen=True)
class Scene:
    seed: int
    hour: str  # day | golden | night: what the middle of the clip looks like
    # camera
    fov: float  # tan units spanned by the picture's height
    horizon_y: float  # height of the true horizon, fraction of the picture
    # celestial: everything turns about one pole by `turn` degrees from first to last frame
    pole_azimuth: float  # of the pole, relative to the view direction
    latitude: float
    turn: float
    sun_azimuth: float  # at the middle of the clip, relative to the view direction
    sun_elevation: float
    sun_elevation_first: float
    sun_elevation_last: float
    sun_radius: float  # pixels of a 64 pixel picture
    turbidity: float
    # night
    moon: bool
    moon_x: float  # place in the picture at the middle of the clip, 0..1 from the left
    moon_y: float  # 0..1 from the bottom
    moon_radius: float
    moon_phase: float  # lit fraction 0..1
    moon_tilt: float
    stars: int
    night_hue: float  # -1 teal .. 1 violet
    # clouds
    cover: str
    cumulus: float  # covered fraction of the lower deck
    softness: float
    puff: float  # size of the largest puffs, in deck heights
    cirrus: float  # opacity 0..1
    cirrus_angle: float
    wind_direction: float
    wind_speed: float  # pixels of a 64 pixel picture per frame (of 64), at the top row
    evolution: float  # radians through which the shapes change in 64 frames
    haze: float
    # land
    land: str
    land_height: float  # fraction of the picture
    land_hue: float  # 0 green .. 1 blue-brown
    # what only sky-128's scenes have; the defaults draw none of it
    variety: str = "sky-64"
    relief: float = 0.0  # depth of the folds under a deck that covers everything; 0: no such deck
    water: bool = False  # below the horizon, the land standing on its far shore
    ripple: float = 0.0  # slope of the waves, rms
    fog: float = 0.0  # opacity of the banks
    fog_height: float = 0.0  # fraction of the picture
    lights: int = 0  # of a town at the foot of the hills
    lights_warm: float = 0.0  # share of warm ones
    lights_glow: float = 0.0  # of the air above them

    @property
    def fine(self) -> bool:
        """Drawn for pictures of 128 pixels: finer texture of clouds and land, stars as points."""
        return self.variety != "sky-64"

    def labels(self) -> dict[str, object]:
        """A flat, JSON-ready dictionary."""
        out = asdict(self)
        return out if self.fine else {k: out[k] for k in list(out)[: -len(_ONLY_128)]}


_ONLY_128 = ("variety", "relief", "water", "ripple", "fog", "fog_height", "lights", "lights_warm", "lights_glow")


def unit(azimuth: float, elevation: float) -> np.ndarray:
    """Degrees to a unit vector [3]."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def turn_about(axis: np.ndarray, vectors: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Rodrigues: vectors [N, 3] turned by each angle [T] -> [T, N, 3]."""
    c, s = (f(np.radians(degrees))[:, None, None] for f in (np.cos, np.sin))
    v = vectors[None]  # [1, N, 3]
    along = (v @ axis)[..., None] * axis
    return v * c + np.cross(axis, v) * s + along * (1 - c)


def sun_path(azimuth: float, elevation: float, pole: np.ndarray, turn: float, frames: int) -> np.ndarray:
    """Sun directions [T, 3] on a true arc about the pole, the given place at the middle."""
    angles = turn * (np.linspace(0, 1, frames) - 0.5)
    return turn_about(pole, unit(azimuth, elevation)[None], angles)[:, 0]


def _draw_sun(rng: np.random.Generator, hour: str, fov: float, horizon_y: float) -> dict[str, float]:
    """Place and arc of the sun; the elevation only falls or only rises through the clip."""
    top = float(np.degrees(np.arctan((0.93 - horizon_y) * fov)))
    half = float(np.degrees(np.arctan(0.42 * fov)))
    for _ in range(200):
        evening = rng.random() < 0.5
        pole_azimuth = (90.0 if evening else -90.0) + rng.uniform(-35, 35)
        latitude = rng.uniform(25, 55)
        pole = unit(pole_azimuth, latitude)
        if hour == "day":
            seen = rng.random() < 0.45
            elevation = rng.uniform(13, top) if seen else rng.uniform(14, 58)
            change = rng.uniform(0.1, 1.0) if rng.random() < 0.25 else rng.uniform(1.5, 7.0)
        elif hour == "golden":
            seen = rng.random() < 0.7
            elevation = rng.uniform(-4.5, 8.5)
            change = rng.uniform(4.0, 10.0)
        else:
            seen = rng.random() < 0.6
            elevation = rng.uniform(-11, -8) if rng.random() < 0.35 else rng.uniform(-25, -12)
            change = rng.uniform(0.5, 3.5) if elevation < -12 else rng.uniform(3.0, 6.0)
        azimuth = rng.uniform(-half, half) if seen else rng.choice([-1, 1]) * rng.uniform(55, 175)
        climb = abs(float(np.cross(pole, unit(azimuth, elevation))[1]))  # rise per radian turned
        turn = float(change / max(climb, 0.05))
        path = sun_path(azimuth, elevation, pole, turn, 9)
        heights = np.degrees(np.arcsin(path[:, 1]))
        steps = np.diff(heights)
        if turn < 13 and (np.all(steps > 0) or np.all(steps < 0)):
            break
    else:
        raise RuntimeError(f"scene: no one-way sun arc found for hour={hour!r} in 200 draws")
    return {
        "pole_azimuth": float(pole_azimuth),
        "latitude": float(latitude),
        "turn": turn,
        "sun_azimuth": float(azimuth),
        "sun_elevation": float(elevation),
        "sun_elevation_first": float(heights[0]),
        "sun_elevation_last": float(heights[-1]),
    }


def _draw_clouds(rng: np.random.Generator, hour: str) -> dict[str, float | str]:
    weights = np.array(list(COVERS.values()))
    if hour == "night":  # stars should be seen
        weights = weights * np.array([3.0, 1.6, 0.8, 0.4, 0.15])
    cover = str(rng.choice(list(COVERS), p=weights / weights.sum()))
    cirrus = rng.uniform(0.35, 0.95) if rng.random() < (0.4 if hour == "night" else 0.62) else 0.0
    if cover == "clear" and hour != "night" and rng.random() < 0.85:
        cirrus = rng.uniform(0.5, 1.0)
    return {
        "cover": cover,
        "cumulus": float(rng.uniform(*COVER_RANGE[cover])),
        "softness": float(rng.uniform(0.0, 1.0)),
        "puff": float(rng.uniform(0.55, 0.95)),
        "cirrus": float(cirrus * (0.6 if hour == "night" else 1.0)),
        "cirrus_angle": float(rng.uniform(0, 180)),
        "wind_direction": float(rng.uniform(0, 360)),
        "wind_speed": float(0.08 + 0.42 * rng.beta(2.0, 2.8)),
        "evolution": float(rng.uniform(0.3, 0.9)),
        "haze": float(rng.beta(2, 2.5)),
    }


def draw_scene(seed: int, variety: str = "sky-64") -> Scene:
    """The scene of a seed; the same seed and variety give the same scene for ever."""
    if variety == "sky-128":
        return _draw_128(seed)
    if variety != "sky-64":
        raise ValueError(f"scenes: there are {VARIETIES}, not {variety!r}")
    rng = np.random.default_rng([seed, 0x5C1E])
    hour = str(rng.choice(["day", "golden", "night"], p=[0.45, 0.35, 0.20]))
    land = str(rng.choice(HORIZONS, p=[0.25, 0.2, 0.25, 0.18, 0.12]))
    if land == "plain":
        height = rng.uniform(0.05, 0.10)
    else:
        height = rng.uniform(0.10, 0.30) if rng.random() < 0.7 else rng.uniform(0.08, 0.14)
    fov = float(rng.uniform(0.75, 1.05))
    horizon_y = float(max(0.03, height * rng.uniform(0.4, 0.7)))
    sun = _draw_sun(rng, hour, fov, horizon_y)
    dark = min(sun["sun_elevation_first"], sun["sun_elevation_last"]) < -3
    return Scene(
        seed=seed,
        hour=hour,
        fov=fov,
        horizon_y=horizon_y,
        **sun,  # type: ignore[arg-type]
        sun_radius=float(rng.uniform(2.0, 2.9)),
        turbidity=float(rng.uniform(0.5, 2.2)),
        moon=bool(dark and rng.random() < (0.8 if hour == "night" else 0.5)),
        moon_x=float(rng.uniform(0.14, 0.86)),
        moon_y=float(rng.uniform(0.55, 0.88)),
        moon_radius=float(rng.uniform(2.3, 3.3)),
        moon_phase=float(rng.choice([rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.9), 1.0], p=[0.35, 0.3, 0.35])),
        moon_tilt=float(rng.uniform(-70, 70) + (180 if rng.random() < 0.5 else 0)),
        stars=int(rng.integers(25, 71)),
        night_hue=float(rng.uniform(-1, 1)),
        **_draw_clouds(rng, hour),  # type: ignore[arg-type]
        land=land,
        land_height=float(height),
        land_hue=float(rng.random()),
    )


def _draw_128(seed: int) -> Scene:
    """Scenes of sky-128: those of sky-64 with calmer wind, and water, fog, a town or a full deck in a few of them."""
    rng = np.random.default_rng([seed, 0x5C1E, 128])
    hour = str(rng.choice(["day", "golden", "night"], p=[0.42, 0.36, 0.22]))
    water, foggy = rng.random() < 0.2, rng.random() < 0.15
    odds = np.array([0.25, 0.2, 0.25, 0.18, 0.12]) * ([1, 1, 1, 1, 0] if foggy and not water else [1, 1, 1, 1, 1])
    land = str(rng.choice(HORIZONS, p=odds / odds.sum()))
    fov = float(rng.uniform(0.75, 1.05))
    if water:
        horizon_y = float(rng.uniform(0.20, 0.36))
        height = rng.uniform(0.05, 0.16) * (0.5 if land == "plain" else 1.0)
    else:
        tall = rng.random() < 0.75 or foggy
        height = rng.uniform(0.14, 0.32) if tall else rng.uniform(0.09, 0.14)
        height = rng.uniform(0.05, 0.10) if land == "plain" else height
        horizon_y = float(max(0.03, height * rng.uniform(0.4, 0.7)))
    sun = _draw_sun(rng, hour, fov, horizon_y)
    clouds = _draw_clouds(rng, hour)
    full = rng.random() < (0.035 if hour == "night" else 0.095)
    if clouds["cover"] == "overcast":  # holes, but no full deck
        clouds |= {"cover": "broken", "cumulus": float(rng.uniform(*COVER_RANGE["broken"]))}
    if full:
        clouds |= {"cover": "overcast", "cumulus": 1.0, "cirrus": 0.0}
    clouds["wind_speed"] = float(0.06 + 0.30 * rng.beta(2.0, 2.8))
    lowest = min(sun["sun_elevation_first"], sun["sun_elevation_last"])
    dark, town = lowest < -3, lowest < -2.5 and rng.random() < 0.35
    return Scene(
        seed=seed,
        hour=hour,
        fov=fov,
        horizon_y=horizon_y,
        **sun,  # type: ignore[arg-type]
        sun_radius=float(rng.uniform(1.6, 2.5)),
        turbidity=float(rng.uniform(0.5, 2.2)),
        moon=bool(dark and not full and rng.random() < (0.75 if hour == "night" else 0.45)),
        moon_x=float(rng.uniform(0.14, 0.86)),
        moon_y=float(rng.uniform(0.58, 0.88)),
        moon_radius=float(rng.uniform(2.2, 3.2)),
        moon_phase=float(rng.choice([rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.9), 1.0], p=[0.35, 0.3, 0.35])),
        moon_tilt=float(rng.uniform(-70, 70) + (180 if rng.random() < 0.5 else 0)),
        stars=int(rng.integers(50, 121)),
        night_hue=float(rng.uniform(-1, 1)),
        **clouds,  # type: ignore[arg-type]
        land=land,
        land_height=float(height),
        land_hue=float(rng.random()),
        variety="sky-128",
        relief=float(rng.uniform(0.5, 1.0)) if full else 0.0,
        water=bool(water),
        ripple=float(rng.uniform(0.010, 0.030)) if water else 0.0,
        fog=float(rng.uniform(0.55, 0.9)) if foggy else 0.0,
        fog_height=float(rng.uniform(0.05, 0.11)) if foggy else 0.0,
        lights=int(rng.integers(22, 61)) if town else 0,
        lights_warm=float(rng.uniform(0.5, 0.9)) if town else 0.0,
        lights_glow=float(rng.uniform(0.0, 1.0)) if town else 0.0,
    )
