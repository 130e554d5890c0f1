"""Writes the points of lrtui's runs as other monitors read them: `PYTHON -m tests.benchmarks.peer_data FROM TO`, run by `monitor`.

It needs tensorboard and wandb, which lrtui does not have, and imports nothing of lrtui.
"""

import csv
import json
import os
import sys
from pathlib import Path

METRICS = ("train_loss", "val_loss")


def points_of(folder: Path) -> list[dict[str, float]]:
    """Return a run's metric lines."""
    with (folder / "a1" / "metrics.jsonl").open() as file:
        return [json.loads(line) for line in file]


def tensorboard(name: str, points: list[dict[str, float]], to: Path) -> None:
    """Write a TensorBoard event file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(to / name))
    for point in points:
        values = [Summary.Value(tag=metric, simple_value=point[metric]) for metric in METRICS]
        at, step = 1.79e9 + point["time"], int(point["step"])
        writer.add_event(Event(wall_time=at, step=step, summary=Summary(value=values)))
    writer.close()


def lightning(name: str, points: list[dict[str, float]], to: Path) -> None:
    """Write the metrics.csv of Lightning's CSVLogger."""
    folder = to / name / "version_0"
    folder.mkdir(parents=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", *METRICS])
        writer.writerows((0, int(p["step"]), *(p[metric] for metric in METRICS)) for p in points)


def wandb(name: str, points: list[dict[str, float]], to: Path) -> None:
    """Write an offline run of Weights & Biases."""
    import wandb as library

    to.mkdir(parents=True, exist_ok=True)
    settings = library.Settings(silent=True, console="off", x_disable_stats=True)
    run = library.init(mode="offline", dir=to, name=name, project="benchmark", settings=settings)
    for point in points:
        run.log({metric: point[metric] for metric in METRICS}, step=int(point["step"]))
    run.finish()


def main(source: Path, to: Path) -> None:
    """Write every run in each form."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    for folder in sorted(source.glob("r*-lr*")):
        points = points_of(folder)
        for write in (tensorboard, lightning, wandb):
            write(folder.name, points, to / write.__name__)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
