"""What a script gets besides its arguments: a resume flag only with a checkpoint, variables, and files made from templates."""

import json
import os
from pathlib import Path

import pytest

from lrtui.config import argv, describe, load, own_environment, own_files, parse, same_experiment
from lrtui.config.describe import _meaning
from lrtui.config.directory import open_experiment, read_experiment, read_origin
from lrtui.config.keys import KEYS
from lrtui.errors import ExperimentError, UserError
from lrtui.integrations import PYTHONPATH
from lrtui.supervisor.startup import _write_files, job
from lrtui.sweep.events import Plan, RunLaunched, RunLost, RunQueued, Setting, SweepOpened
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import fold
from tests.config.test_worker_command import ATTEMPT

OWN = 'epochs = 10\nmetric = "max val_acc"\nlr = 1e-3\n'
COMMAND = 'command = ["t", "{run_dir}/conf/a.yaml"]\n'


def command(*words) -> str:
    return f"command = {json.dumps(words)}\n{OWN}"


@pytest.mark.parametrize(
    ("words", "first", "resumed"),
    [
        (["{?checkpoint:--resume={checkpoint}}"], [], ["--resume=/runs/x/r01/a1/checkpoint"]),
        (
            ["{?checkpoint:--resume}", "{?checkpoint:{checkpoint}}"],
            [],
            ["--resume", "/runs/x/r01/a1/checkpoint"],
        ),
        (["init={?checkpoint:resume}"], ["init="], ["init=resume"]),
        (["", "--lr={lr}"], ["", "--lr=6.25e-03"], ["", "--lr=6.25e-03"]),
        (['{"a": {lr}}', "{?x}"], ['{"a": 6.25e-03}', "{?x}"], ['{"a": 6.25e-03}', "{?x}"]),
    ],
)
def test_a_condition_stands_only_with_a_checkpoint(words, first, resumed) -> None:
    experiment = parse(command("t", *words), "x.toml")
    assert argv(experiment, ATTEMPT)[1:] == first
    assert argv(experiment, ATTEMPT, resumed=True)[1:] == resumed
    assert experiment.checkpoints == any("{checkpoint}" in word for word in words)


def test_a_string_is_split_around_conditions() -> None:
    text = f'command = "t {{?checkpoint:--resume={{checkpoint}}}} --lr={{lr}}"\n{OWN}'
    assert argv(parse(text, "x.toml"), ATTEMPT) == ["t", "--lr=6.25e-03"]


def test_variables_have_placeholders() -> None:
    text = f'{command("t")}env = {{ KERAS_BACKEND = "torch", LR = "{{lr}}", N = 3 }}\n'
    experiment = parse(text, "x.toml")
    expected = {"KERAS_BACKEND": "torch", "LR": "6.25e-03", "N": "3"}
    assert own_environment(experiment, ATTEMPT) == expected
    assert not any("LRTUI_LR" in note for note in experiment.notes), "{lr} reaches the script"


@pytest.fixture
def file(tmp_path) -> Path:
    """Return an experiment file with a template beside it."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a.yaml").write_text('lr: {lr}\nout: "{{kept}}"\nsave: {checkpoint}\n')
    made = tmp_path / "x.toml"
    made.write_text(f'{COMMAND}{OWN}\n[files]\n"conf/a.yaml" = "{{run_dir}}/conf/a.yaml"\n')
    return made


def test_templates_are_filled_in(file) -> None:
    experiment = load(file)
    ((path, text),) = own_files(experiment, ATTEMPT)
    assert path == "/runs/x/r01/conf/a.yaml"
    assert text == 'lr: 6.25e-03\nout: "{kept}"\nsave: /runs/x/r01/a1/checkpoint\n'
    assert experiment.checkpoints
    assert experiment.notes == ()


def test_check_shows_them(file) -> None:
    file.write_text(
        file.read_text()
        .replace('"t"', '"t", "{?checkpoint:--resume}"')
        .replace("[files]", 'env = { A = "b c" }\n[files]')
    )
    shown = "\n".join(describe(load(file)))
    run_dir = "runs/x/r01-lr1e-03"
    assert f"  'A=b c' t {run_dir}/conf/a.yaml\n" in shown
    assert f"  'A=b c' t --resume {run_dir}/conf/a.yaml\n" in shown
    assert f"{run_dir}/conf/a.yaml:\n  lr: 1e-03\n" in shown


def test_a_sweep_keeps_its_templates(file, tmp_path) -> None:
    """What is edited meanwhile reaches no run, and is noticed like an edit of the experiment file."""
    directory, _ = open_experiment(file, {}, under=tmp_path / "runs", new=False)
    (tmp_path / "conf/a.yaml").write_text("lr: 1\n")
    frozen = read_experiment(directory)
    assert own_files(frozen, ATTEMPT)[0][1].startswith("lr: 6.25e-03\n")
    assert frozen.checkpoints
    assert same_experiment(frozen, load(file)) == ["files"]
    with pytest.raises(UserError, match="was edited since"):
        open_experiment(file, {}, under=tmp_path / "runs", new=False)


@pytest.mark.parametrize(
    ("more", "what", "hint"),
    [
        ("env = 3", "env must be a table", "Remove it"),
        ('env = { "A-B" = "1" }', "a variable's name consists of", "KERAS_BACKEND"),
        ('env = { LRTUI_LR = "1" }', "LRTUI_LR is set by lrtui", "another name"),
        ('env = { CUDA_VISIBLE_DEVICES = "1" }', "CUDA_VISIBLE_DEVICES is set by lrtui", "devices"),
        ("env = { A = true }", "A must be a string or a number", 'A = "1"'),
        ('env = { A = "\\u0000" }', "A cannot contain a NUL", "u0000"),
        ('env = { A = "{l_r}" }', "unknown placeholder {l_r}", "Did you mean {lr}?"),
        ("files = 3", "files must be a table", "Remove it"),
        ('[files]\n"b.yaml" = "{run_dir}/b.yaml"', 'the template "b.yaml" does not exist', "relative"),
        ('[files]\n"../b" = "{run_dir}/b"', 'the template "../b" leaves the folder', "below its"),
        ('[files]\n"conf/a.yaml" = "a.yaml"', "a file is written to the run's directory", '"{run_dir}/a.yaml"'),
        ('[files]\n"conf/a.yaml" = "{run_dir}/../b"', "is outside of the run's directory", "another name"),
        ('[files]\n"conf/a.yaml" = "{run_dir}/a1/exit.json"', "is a file of lrtui", "another name"),
        ('[files]\n"conf/a.yaml" = "{run_dir}/{rn}"', "unknown placeholder {rn}", "Did you mean {run}?"),
        ('[files]\n"bad.yaml" = "{run_dir}/b"', "bad.yaml:2: unknown placeholder {l_r}", "Did you mean {lr}?"),
        ('[files]\n"latin.txt" = "{run_dir}/b"', "is not UTF-8", "relative"),
        ('[files]\n"conf" = "{run_dir}/b"', "does not exist", "relative"),
    ],
)  # fmt: skip
def test_mistakes_are_shown_at_their_place(file, more, what, hint) -> None:
    (file.parent / "bad.yaml").write_text("a: 1\nlr: {l_r}\n")
    (file.parent / "latin.txt").write_bytes(b"\xe4\n")
    file.write_text(f"{COMMAND}{OWN}{more}\n")
    with pytest.raises(ExperimentError) as caught:
        load(file)
    (fault,) = caught.value.faults
    assert what in fault.what
    assert hint in fault.hint
    assert fault.line == file.read_text().count("\n")
    assert "^" in str(caught.value)


@pytest.mark.parametrize("value", ["../../b", "/b", ".."])
def test_no_value_leads_out_of_the_runs_directory(file, value) -> None:
    text = file.read_text().replace('/conf/a.yaml"\n', '/{where}"\n')
    file.write_text(f"{text}[values]\nwhere = {json.dumps(value)}\n")
    with pytest.raises(ValueError, match="outside"):
        own_files(load(file), {**ATTEMPT, "where": value})


def test_no_link_leads_out_of_the_runs_directory(tmp_path) -> None:
    run_dir = tmp_path / "r01"
    run_dir.mkdir()
    (run_dir / "conf").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="outside"):
        _write_files(run_dir, [(f"{run_dir}/conf/b", "text")])
    assert not (tmp_path / "b").exists()
    _write_files(run_dir, [(f"{run_dir}/other/b", "text")])
    assert (run_dir / "other/b").read_text() == "text"


def test_the_built_in_trainer_has_neither() -> None:
    with pytest.raises(ExperimentError) as caught:
        parse('dataset = "digits"\nlr = 1e-3\nenv = {}\n[files]\n', "x.toml")
    assert [fault.what.split()[0] for fault in caught.value.faults] == ["env", "files"]


def test_a_resumed_attempt_gets_flag_file_and_variable(file, tmp_path) -> None:
    text = file.read_text().replace('["t"', '["t", "{?checkpoint:--resume={checkpoint}}"')
    file.write_text(text.replace("[files]", 'env = { SEED = "{seed}" }\n[files]'))
    directory, _ = open_experiment(file, {}, under=tmp_path / "runs", new=False)
    layout, experiment = Layout(directory), read_experiment(directory)
    plan = Plan(name="x", source="", metric="m", goal="max", loss="l", unit="epoch", horizon=10)
    queued = RunQueued(run="r01", setting=Setting(lr=1e-3), seed=7, until=10, resume=True)
    launched = RunLaunched(run="r01", attempt=1, token="t", until=10)
    again = RunLaunched(run="r01", attempt=2, token="t", until=10, resumed_from=1)
    lost = RunLost(run="r01", attempt=1, why="gone")
    sweep = fold([SweepOpened(plan=plan), queued, launched])
    first = attempt_files(layout, sweep, experiment)
    assert json.loads(first.argv.read_bytes())["argv"][1:] == [f"{first.root.parent}/conf/a.yaml"]
    first.checkpoint.write_text("weights")
    second = attempt_files(layout, fold([lost, queued, again], sweep), experiment)
    assert json.loads(second.argv.read_bytes())["argv"][1] == f"--resume={second.checkpoint}"
    assert f"save: {second.checkpoint}\n" in (second.root.parent / "conf/a.yaml").read_text()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", [PYTHONPATH, "/theirs"]),
        ('env = { PYTHONPATH = "/own" }\n', [PYTHONPATH, "/own"]),
        ('env = { PYTHONPATH = "" }\n', [PYTHONPATH]),
        ("inject = false\n", []),
        ('inject = false\nenv = { PYTHONPATH = "/own" }\n', ["/own"]),
    ],
)
def test_own_scripts_find_emit_before_what_is_theirs(keys, expected, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    file = tmp_path / "own.toml"
    file.write_text(f'{keys}command = ["t"]\nsteps = 10\nmetric = "min m"\nlr = 1e-3\n')
    directory, _ = open_experiment(file, {}, under=tmp_path / "runs", new=False)
    layout = Layout(directory)
    plan = Plan(name="x", source="", metric="m", goal="min", loss="l", unit="step", horizon=10)
    queued = RunQueued(run="r01", setting=Setting(lr=1e-3), seed=7, until=10)
    sweep = fold(
        [SweepOpened(plan=plan), queued, RunLaunched(run="r01", attempt=1, token="t", until=10)]
    )
    layout.attempt(sweep.runs["r01"].folder, 1).mkdir(parents=True)
    made, _ = job(
        layout, sweep.runs["r01"], read_experiment(directory), sweep, read_origin(layout.root)
    )
    assert made.environment.get("PYTHONPATH", "").split(os.pathsep) == (expected or [""])


def test_a_callback_stands_for_placeholders() -> None:
    text = 'command = ["t", "{lr}"]\nsteps = 9\nmetric = "min m"\nlr = { auto = 3 }\n'
    experiment = parse(f"callback = true\n{text}", "x.toml")
    assert (experiment.checkpoints, experiment.stops_at_until, experiment.can_range_test) == (
        True,
    ) * 3
    with pytest.raises(ExperimentError, match="no range to search"):
        parse(text, "x.toml")


def attempt_files(layout, sweep, experiment) -> AttemptLayout:
    """Prepare the latest attempt of r01 as the supervisor does; return its files."""
    run = sweep.runs["r01"]
    files = AttemptLayout(layout.attempt(run.folder, run.attempts[-1].number))
    files.root.mkdir(parents=True)
    made, _ = job(layout, run, experiment, sweep, read_origin(layout.root))
    assert made.environment["SEED"] == "7"
    return files


def test_every_key_of_a_file_makes_another_experiment() -> None:
    """Those of tables count by their own names, and a name only names the directory."""
    counted = _meaning(parse(command("train.py"), "a.toml")).keys()
    assert KEYS.keys() - counted == {"name", "steps", "tokens", "values", "health"}
