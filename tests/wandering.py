"""Runs of every kind, drawn at random, and all that can be read from one: for tests that compare two ways of reading."""

import math
import random
from collections.abc import Iterator

from lrtui.metrics import Measurement, RunSeries


def wandering(rng: random.Random) -> Iterator[tuple[int, list[Measurement]]]:
    """Yield (attempt, lines): steps that go on, stand or go back, evaluations now and then, missing axes, nan, restarts."""
    step, attempt = 0, 1
    for _ in range(rng.randrange(1, 6)):
        kind = rng.choice(("even", "evaluated", "axes", "unsteady"))
        lines = []
        for k in range(rng.randrange(1, 900)):
            step += 1 if kind != "unsteady" else rng.choice((1, 1, 1, 2, 0, -1))
            lines.append(_line(rng, kind, max(step, 0), k))
        yield attempt, lines
        if rng.random() < 0.4:
            attempt += 1
            step = max(0, step - rng.randrange(200))


def _line(rng: random.Random, kind: str, step: int, k: int) -> Measurement:
    values = {"loss": rng.choice((rng.random(), round(rng.random(), 1), math.nan, math.inf))}
    if kind == "evaluated" and k % 50 == 0:
        values["acc"] = rng.random()
    if kind == "axes":
        values["rare" if rng.random() < 0.02 else "often"] = float(k)
    return Measurement(
        level=float(step),
        step=float(step) if kind != "axes" else None,
        epoch=None if kind == "axes" and rng.random() < 0.01 else step / 10,
        tokens=None,
        time=0.0 if rng.random() < 0.002 else k * 0.1,
        values=values,
    )


def contents(series: RunSeries) -> dict[str, object]:
    """Return all that can be read from a run, to the last bit."""
    found: dict[str, object] = {
        "size": (len(series), series.level, series.bad, series.rate()),
        "names": series.names(),
        "axes": series.axes(),
    }
    for name in series.names():
        for axis in ("level", "step", "epoch", "tokens", "time"):
            points = series.get(name, axis)
            found[f"{name} by {axis}"] = (points.x.tobytes(), points.y.tobytes())
        found[f"{name} at its best"] = (series.best(name, "min"), series.best(name, "max"))
    return found
