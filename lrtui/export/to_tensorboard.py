"""To TensorBoard: a folder of event files, one per run, with the HParams plugin's session; the verdict as text in the folder itself.

TensorBoard keeps values as 32-bit floats. Its own record writer needs neither TensorFlow nor torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from lrtui.export.names import Names

if TYPE_CHECKING:
    from lrtui.export.subject import ExportedRun, Subject
    from lrtui.sweep.events import Scalar

_STATUS = {
    "finished": api_pb2.STATUS_SUCCESS,
    "pruned": api_pb2.STATUS_SUCCESS,
    "failed": api_pb2.STATUS_FAILURE,
    "diverged": api_pb2.STATUS_FAILURE,
    "lost": api_pb2.STATUS_FAILURE,
    "running": api_pb2.STATUS_RUNNING,
}
_VALUE = "lrtui/value"
"""The value that a run is ranked by."""


def write(subject: Subject, folder: Path) -> int:
    """Write the experiment; return the number of values."""
    tags = _Tags()
    with _events(folder, subject.opened) as add:
        add(_config(subject, tags), subject.opened)
        add(text_pb("lrtui/verdict", subject.verdict_text()), subject.opened)
    return sum(_run(subject, run, folder / run.name, tags) for run in subject.runs)


def _run(subject: Subject, run: ExportedRun, folder: Path, tags: Names) -> int:
    count = last = 0
    folder.mkdir(exist_ok=True)
    with _events(folder, run.started) as add:
        hparams = {**run.settings, "state": run.state, "recommended": run.recommended}
        start = summary_v2.hparams_pb(hparams, trial_id=run.name, start_time_secs=run.started)
        add(start, run.started)
        if run.told.why:
            add(text_pb("lrtui/why", run.told.why), run.started)
        for row in subject.rows(run):
            values = [
                Summary.Value(tag=tags.of(name), simple_value=value)
                for name, value in (*row.values.items(), *subject.walk.beside(row))
            ]
            add(Summary(value=values), row.wall, row.at)
            count += len(row.values)
            last = row.at
        ended = run.ended or run.started
        if run.value is not None:
            value = Summary.Value(tag=_VALUE, simple_value=run.value)
            add(Summary(value=[value]), ended, last)
        add(_end(run.state, run.ended or 0.0), ended)
    return count


class _Tags(Names):
    """Tags that differ from the HParams plugin's own."""

    def shape(self, name: str) -> str:
        return f"metric{name}" if name.startswith("_hparams_") else name


def _config(subject: Subject, tags: Names) -> Any:
    """Return the summary that defines the columns of the HParams tab."""
    metrics = [
        _VALUE,
        *(tags.of(name) for name in (subject.plan.metric, subject.plan.loss) if name),
    ]
    domains: dict[str, set[Scalar]] = {"recommended": {False, True}}
    for run in subject.runs:
        for key, value in {**run.settings, "state": run.state}.items():
            domains.setdefault(key, set()).add(value)
    return summary_v2.hparams_config_pb(
        [summary_v2.HParam(key, _domain(values)) for key, values in domains.items()],
        [summary_v2.Metric(name) for name in dict.fromkeys(metrics)],
        subject.opened,
    )


def _domain(values: set[Scalar]) -> summary_v2.Domain:
    numbers = [float(each) for each in values if not isinstance(each, (bool, str))]
    if numbers:
        return summary_v2.RealInterval(min(numbers), max(numbers))
    return summary_v2.Discrete(list(values))


def _end(state: str, at: float) -> Summary:
    """Return the summary that ends a session; the plugin's function for it needs TensorFlow."""
    status = _STATUS.get(state, api_pb2.STATUS_UNKNOWN)
    data = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=at)
    )
    described = metadata.create_summary_metadata(data)
    return Summary(
        value=[
            Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG, metadata=described, tensor=metadata.NULL_TENSOR
            )
        ]
    )


@contextmanager
def _events(folder: Path, at: float) -> Iterator[Any]:
    """Yield a function that adds a summary to a new event file: (summary, unix time, step)."""
    with open(folder / f"events.out.tfevents.{int(at)}.lrtui", "xb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=at, file_version="brain.Event:2").SerializeToString())

        def add(summary: Summary, wall: float, step: int = 0) -> None:
            event = Event(wall_time=wall, step=step, summary=summary)
            records.write(event.SerializeToString())

        yield add
