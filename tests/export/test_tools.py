"""Exports, opened again with each tool's own reader."""

import gzip
import json
import math
import os
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lrtui.cli.main import main
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.report import Report, content
from tests.export.test_export import table, write_hostile, write_lines
from tests.recorded import make


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep(here: Path) -> Report:
    """Write a sweep with two seeds, a run that resumed, one that was pruned and one that goes on; return its report."""
    directory = make(here / "sweep", ["finished", "pruned", "running"], attempts=2, seeds=2)
    return content(DirectoryReader(directory).snapshot(60))


def opened(logdir: str):
    """Return what TensorBoard's server reads of a folder, and its HParams plugin's view."""
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    events = EventMultiplexer(tensor_size_guidance={"scalars": 0, "text": 0})
    events.AddRunsFromDirectory(logdir)
    events.Reload()
    provider = data_provider.MultiplexerDataProvider(events, logdir)
    plugin = backend_context.Context(TBContext(data_provider=provider, multiplexer=events))
    asked = context.RequestContext()
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[0, 1, 2, 3], start_index=0, slice_size=100
    )
    groups = list_session_groups.Handler(asked, plugin, "", request).run().session_groups
    return events, groups


def scalars(events, run: str, tag: str) -> list[tuple[int, float, float]]:
    found = events.Tensors(run, tag)
    return [(each.step, each.wall_time, each.tensor_proto.float_val[0]) for each in found]


def test_tensorboard(here):
    report = sweep(here)
    assert main(["export", "sweep", "--to", "tensorboard"]) == 0
    events, groups = opened("sweep-tensorboard")
    assert len(groups) == 6
    first = next(each for each in groups if each.name == "r01-lr1e-05")
    hparams = {name: getattr(each, each.WhichOneof("kind")) for name, each in first.hparams.items()}
    assert hparams["lr"] == 1e-05
    assert hparams["optimizer"] == "adam"
    assert hparams["recommended"] is True
    assert {"seed", "schedule", "batch_size", "model", "dataset", "state"} <= hparams.keys()
    values = {each.name.tag: each.value for each in first.metric_values}
    assert values["lrtui/value"] == pytest.approx(report.runs[0].value)
    assert set(values) == {"lrtui/value", "val_acc", "train_loss"}
    statuses = {each.name: each.sessions[0].status for each in groups}
    assert [statuses[each] for each in sorted(statuses)] == [1, 1, 1, 1, 3, 3]

    series = DirectoryReader(here / "sweep").snapshot(60).series["r01"].get("val_acc", "step")
    found = scalars(events, "r01-lr1e-05", "val_acc")
    assert [step for step, _, _ in found] == list(series.x)
    assert [value for _, _, value in found] == pytest.approx(list(series.y))
    started = DirectoryReader(here / "sweep").snapshot(60).sweep.runs["r01"].attempts[0].started_at
    assert found[0][1] == started + 12.5
    epochs = scalars(events, "r01-lr1e-05", "epoch")
    assert (epochs[0][0], epochs[0][2]) == (78, pytest.approx(0.2))

    (verdict,) = events.Tensors(".", "lrtui/verdict")
    assert report.verdict.headline in verdict.tensor_proto.string_val[0].decode()


def test_tensorboard_takes_hostile_names_and_values(here):
    write_hostile(here / "sweep")
    lines = [{"epoch": n, "a": value} for n, value in ((1, math.nan), (2, math.inf), (3, 1e300))]
    write_lines(here / "sweep", "r02", lines)
    assert main(["export", "sweep", "--to", "tensorboard"]) == 0
    events, groups = opened("sweep-tensorboard")
    assert len(groups) == 2
    (bad,) = (run for run in events.Runs() if run.startswith("r02"))
    assert [str(value) for _, _, value in scalars(events, bad, "a")] == ["nan", "inf", "inf"]
    (named,) = (run for run in events.Runs() if run.startswith("r01"))
    assert {"../../x", "metric_hparams_/y", "=1+1"} <= set(events.Runs()[named]["tensors"])


def test_parquet(here):
    """The rows of the CSV, with types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    report = sweep(here)
    lines = [
        {"epoch": n, "val_acc": value} for n, value in ((1, 0.5), (2, math.nan), (3, math.inf))
    ]
    write_lines(here / "sweep", "r01", lines)
    for tool in ("csv", "parquet"):
        assert main(["export", "sweep", "--to", tool]) == 0
    read = pq.read_table(here / "sweep-parquet/metrics.parquet")
    rows = read.to_pylist()
    texts = table(here / "sweep-csv/metrics.csv")
    assert [str(row["value"]) for row in rows] == [str(float(row["value"])) for row in texts]
    assert [row["run"] for row in rows] == [row["run"] for row in texts]
    assert [row["wall_time"].timestamp() for row in rows] == [
        float(row["wall_time"]) for row in texts
    ]
    assert read.schema.field("epoch").type == pa.float64()
    told = json.loads(read.schema.metadata[b"lrtui"])
    assert told["verdict"]["headline"] == report.verdict.headline
    runs = pq.read_table(here / "sweep-parquet/runs.parquet")
    assert runs.schema.field("recommended").type == pa.bool_()
    assert runs.schema.field("seed").type == pa.int64()
    assert runs.column("lr").to_pylist()[0] == 1e-05
    assert runs.schema.field("value").type == pa.float64()
    verdict = pq.read_table(here / "sweep-parquet/verdict.parquet").to_pylist()
    assert verdict[0]["headline"] == report.groups[0].headline


def mlflow_runs(folder: Path):
    """Return MLflow's client for a file store, its one experiment, and the runs by name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=folder.resolve().as_uri())
    (experiment,) = client.search_experiments()
    runs = client.search_runs([experiment.experiment_id])
    return client, experiment, {run.info.run_name: run for run in runs}


def test_mlflow(here):
    report = sweep(here)
    assert main(["export", "sweep", "--to", "mlflow"]) == 0
    client, experiment, runs = mlflow_runs(here / "sweep-mlflow")
    assert experiment.name == "sweep"
    assert experiment.tags["lrtui.headline"] == report.verdict.headline
    assert report.verdict.reasons[0] in experiment.tags["mlflow.note.content"]
    statuses = [runs[name].info.status for name in sorted(runs)]
    assert statuses == ["FINISHED"] * 2 + ["KILLED"] * 2 + ["RUNNING"] * 2
    run = runs["r01-lr1e-05"]
    assert run.data.params["lr"] == "1e-05"
    assert run.data.params["optimizer"] == "adam"
    assert run.data.params["seed"] == "0"
    assert run.data.tags["lrtui.recommended"] == "True"
    assert run.data.metrics["lrtui/value"] == report.runs[0].value
    snapshot = DirectoryReader(here / "sweep").snapshot(60)
    series = snapshot.series["r01"].get("val_acc", "step")
    found = client.get_metric_history(run.info.run_id, "val_acc")
    assert [each.step for each in found] == list(series.x)
    assert [each.value for each in found] == list(series.y)
    started = snapshot.sweep.runs["r01"].attempts[0].started_at
    assert found[0].timestamp == 1000 * (started + 12.5)


def test_mlflow_takes_hostile_names_and_values(here):
    """Of two metrics one may be named as the other's folder, and a name may be longer than a file's."""
    make(here / "sweep", ["finished"])
    long = "\U0001d538" * 120
    values = {"a": math.nan, "a/b": math.inf, "b/c": -math.inf, "b": 1.0, "b_2/x": 2.0, long: 3.0}
    write_lines(here / "sweep", "r01", [{"epoch": 1, **values}])
    assert main(["export", "sweep", "--to", "mlflow"]) == 0
    client, _, runs = mlflow_runs(here / "sweep-mlflow")
    (run,) = runs.values()
    names = ("a", "a_b", "b/c", "b_2", "b_2_x", long[:45])
    found = [client.get_metric_history(run.info.run_id, name)[0].value for name in names]
    assert list(map(str, found)) == list(map(str, values.values()))

    write_hostile(here / "evil")
    assert main(["export", "evil", "--to", "mlflow"]) == 0
    _, experiment, runs = mlflow_runs(here / "evil-mlflow")
    assert "\x1b" not in experiment.name
    assert (
        "__/__/x" in next(run for run in runs.values() if "r01" in run.info.run_name).data.metrics
    )


class Wandb(BaseHTTPRequestHandler):
    """As much of a W&B server as `wandb sync` needs; it keeps what is uploaded."""

    protocol_version = "HTTP/1.1"
    uploads: list[tuple[str, dict]]

    def do_POST(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            sent = gzip.decompress(sent)
        answer: dict = {}
        if self.path.endswith(("/graphql", "/file_stream")):
            asked = json.loads(sent)
            self.uploads.append((self.path, asked))
            if "upsertBucket" in asked.get("query", ""):
                project = {"id": "p", "name": "sweep", "entity": {"id": "e", "name": "me"}}
                name = asked["variables"]["name"]
                bucket = {"id": "b", "name": name, "historyLineCount": 0, "project": project}
                answer = {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def wandb_server():
    """Serve on loopback; yield the address, and what is uploaded."""
    uploads: list[tuple[str, dict]] = []
    handler = type("Handler", (Wandb,), {"uploads": uploads})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", uploads
        server.shutdown()
        thread.join()


def test_wandb(here, monkeypatch):
    """As `wandb sync` uploads it."""
    make(here / "sweep", ["finished"])
    lines = [
        {"epoch": n / 1000, "val_acc": 1 / n, "../../x": n, "_step": 1} for n in range(1, 2001)
    ]
    lines += [{"epoch": 3, "val_acc": math.nan, "a": math.inf}, {"epoch": 4, "val_acc": 0.5}]
    write_lines(here / "sweep", "r01", lines)
    report = content(DirectoryReader(here / "sweep").snapshot(60))
    (here / "home").mkdir()
    monkeypatch.setenv("HOME", str(here / "home"))
    assert main(["export", "sweep", "--to", "wandb"]) == 0
    assert sorted(each.name for each in here.iterdir()) == ["home", "sweep", "sweep-wandb"]
    assert list((here / "home").iterdir()) == []
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with wandb_server() as (address, uploads):
        environment |= {"WANDB_BASE_URL": address, "WANDB_API_KEY": "a" * 40}
        words = [sys.executable, "-m", "wandb", "sync", "--yes", "sweep-wandb/wandb"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    about = [asked["variables"] for path, asked in uploads if path.endswith("/graphql")]
    told = {key: value for each in about for key, value in each.items() if value}
    assert told["project"] == told["groupName"] == "sweep"
    assert told["displayName"] == "r01-lr1e-05"
    assert set(told["tags"]) == {"finished", "recommended"}
    assert report.verdict.reasons[0] in told["notes"]
    config = json.loads(told["config"])
    assert config["lr"]["value"] == 1e-05
    assert config["optimizer"]["value"] == "adam"
    assert config["lrtui"]["value"]["verdict"]["headline"] == report.verdict.headline
    streams = [asked for path, asked in uploads if path.endswith("/file_stream")]
    files = [each["files"] for each in streams if "files" in each]
    rows = [json.loads(line) for each in files for line in each.get("wandb-history.jsonl", {}).get("content", ())]  # fmt: skip
    assert [row["_step"] for row in rows] == [*range(1, 2001), 3000, 4000]
    assert [row["epoch"] for row in rows] == [line["epoch"] for line in lines]
    assert [row["../../x"] for row in rows[:2000]] == list(range(1, 2001))
    assert str(rows[2000]["val_acc"]) == "nan"
    summary = json.loads(files[-1]["wandb-summary.json"]["content"][-1])
    assert (summary["val_acc"], summary["lrtui/state"], summary["a"]) == (0.5, "finished", math.inf)
    assert streams[-1]["exitcode"] == 0
