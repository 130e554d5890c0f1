"""What an experiment file means: defaults, forms, notes, what `lrtui check` prints."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.config import Objective, describe, parse, planned, same_experiment
from lrtui.errors import ExperimentError
from lrtui.search import Auto, Grid, Listed, Random
from lrtui.supervisor.planning import resolve
from lrtui.sweep.choice import choice_of

BUILTIN = 'dataset = "digits"\nlr = 1e-3\n'
OWN = 'command = ["python", "t.py", "--lr={lr}"]\nepochs = 10\nmetric = "max val_acc"\nlr = 1e-3\n'
DESIGN_BUILTIN = """\
# experiments/cifar100.toml: the article's experiment
dataset    = "cifar100"
model      = "cnn7"
optimizer  = "adam"
batch_size = 128
epochs     = 20
metric     = "max val_acc"
lr         = [1e-1, 625e-5, 1e-3, 3e-4]     # 625e-5 is 6.25e-03
"""
DESIGN_OWN = r"""
command = ["torchrun", "--nproc_per_node={gpus}", "--master_port={port}", "train.py", "--lr={lr}", "--embed_lr={lr*0.1}", "--wd={wd}",
           "--max_steps={horizon}", "--stop_at={until}", "--seed={seed}", "--out_dir={checkpoint}"]
steps   = 20000           # or epochs, or tokens: the horizon
metric  = "min val_loss"
loss    = "train_loss"    # what the health rules read
parse   = 'step (?P<step>\d+): train loss (?P<train_loss>\S+), val loss (?P<val_loss>\S+)'
lr      = { auto = 7, from = 1e-4, to = 1e-2 }
seeds   = 2               # for the finalists
keep    = "1/3"           # of each rung; "all" turns early stopping off
grace   = 1000            # no rule stops a run before (default: the warm-up, else 5 % of the horizon)
within  = 0.01            # what you regard as equal, in the metric's unit
budget  = "36h"           # or "120 epochs"
gpus    = 2               # per run
devices = [0, 1, 2, 3]
parallel = "auto"
[values]
wd      = 0.1             # your own placeholders; a list is an axis
"""


def own(more="", **changes):
    text = OWN
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key} ")]
        text = "\n".join([*lines, f"{key} = {value}", ""])
    return parse(text + more, "own.toml")


def test_two_lines_are_an_experiment():
    experiment = parse(BUILTIN, "experiments/first.toml")
    assert experiment.name == "first"
    assert experiment.command is None
    assert experiment.builtin
    assert (experiment.model, experiment.optimizers, experiment.schedules) == (
        "cnn7",
        ("adam",),
        ("constant",),
    )
    assert (experiment.unit, experiment.horizon) == ("epoch", 20)
    assert experiment.objective == Objective("val_acc", "max")
    assert (experiment.loss, experiment.value, experiment.keep) == ("train_loss", "auto", "all")
    assert (experiment.seeds, experiment.seed, experiment.parallel) == (1, 0, "auto")
    assert experiment.checkpoints
    assert experiment.stops_at_until


def test_the_designs_built_in_example_says_what_it_says():
    experiment = parse(DESIGN_BUILTIN, "experiments/cifar100.toml")
    assert experiment.strategy == Listed((0.1, 0.00625, 0.001, 0.0003))
    assert (experiment.dataset, experiment.batch_size, experiment.horizon) == ("cifar100", 128, 20)


def test_the_designs_own_script_means_what_it_says():
    experiment = parse(DESIGN_OWN, "own.toml")
    assert (experiment.unit, experiment.horizon, experiment.grace) == ("step", 20000, 1000)
    assert (experiment.metric, experiment.goal, experiment.within) == ("val_loss", "min", 0.01)
    assert (experiment.gpus, experiment.devices, experiment.values) == (
        2,
        (0, 1, 2, 3),
        {"wd": (0.1,)},
    )
    assert experiment.strategy == Auto(7, 1e-4, 1e-2)
    assert (experiment.keep, experiment.budget) == ("1/3", "36h")
    assert experiment.space().rungs_of(experiment.space().cells()[0]) == (2223, 6667, 20000)
    assert experiment.space().pilots == {"": (2223, 6667)}
    assert experiment.checkpoints
    assert experiment.stops_at_until
    assert (experiment.dataset, experiment.optimizers, experiment.batch_size) == ("", (), 0)


def test_auto_needs_a_range_test_or_bounds_or_a_known_optimizer():
    with pytest.raises(ExperimentError) as caught:
        own(lr='"auto"')
    assert "no range to search" in caught.value.faults[0].what
    assert own(lr="{ auto = 5, from = 1e-4, to = 1 }").keep == "1/3"
    assert own(lr='"auto"', optimizer='"sgd"').space().usual["sgd"] == (1e-2, 1e-1)


def test_a_search_says_what_it_will_cost():
    text = 'dataset = "digits"\nepochs = 27\nlr = "auto"\n'
    lines = describe(parse(text, "x.toml"))
    assert "compared    at 3, 9, 27 epochs; the best and the next lower LR continue" in lines
    assert any("a range test of 100 steps, then about 75 epochs, 40% of" in line for line in lines)


def test_auto_is_described_as_it_begins():
    """Around a range test where the script has one, with the pilots that begin where the schedule has some."""
    words = (
        "auto: 3 of 7 around the valley of a range test, then the best and the next lower continue"
    )
    text = 'dataset = "digits"\nepochs = 27\nlr = "auto"\n'
    experiment = parse(text, "x.toml")
    assert f"lr          {words}" in describe(experiment)
    assert resolve(experiment, "x.toml", on_cpu=True).strategy == words
    own = 'command = ["python", "t.py", "{lr}"]\nsteps = 9\nmetric = "max a"\noptimizer = "sgd"\nlr = "auto"\n'
    usual = "auto: 7 around the usual LR, then the best continue"
    assert f"lr          {usual}" in describe(parse(own, "x.toml"))
    lines = describe(parse(f'{text}schedule = "cosine"\n', "x.toml"))
    pilots = "auto: pilots at 3 of 7 around the valley of a range test, then one trains to the end"
    assert f"lr          {pilots}" in lines


def test_a_budget_that_ends_before_the_first_comparison_is_refused():
    with pytest.raises(ExperimentError) as caught:
        parse('dataset = "digits"\nepochs = 27\nlr = "auto"\nbudget = "20 epochs"\n', "x.toml")
    assert "too small: the first comparison takes 21 epochs" in caught.value.faults[0].what


def test_a_script_without_the_placeholders_cannot_resume_or_stop_by_itself():
    experiment = own()
    assert not experiment.checkpoints
    assert not experiment.stops_at_until


def test_a_string_command_is_split_as_a_shell_would():
    experiment = own(command="'python \"my script.py\" --lr {lr}'")
    assert experiment.command == ("python", "my script.py", "--lr", "{lr}")


@pytest.mark.parametrize(
    ("spelled", "strategy"),
    [
        ("1e-3", Listed((1e-3,))),
        ("1", Listed((1.0,))),
        ("[1e-1, 1e-3, 3e-4]", Listed((0.1, 1e-3, 3e-4))),
        ("{ grid = 8, from = 1e-5, to = 1 }", Grid(8, 1e-5, 1.0)),
        ("{ random = 8.0, from = 1e-5, to = 1e-1 }", Random(8, 1e-5, 0.1)),
    ],
)
def test_the_lr_has_many_forms(spelled, strategy):
    assert parse(f'dataset = "digits"\nlr = {spelled}', "x.toml").strategy == strategy


def test_each_optimizer_may_have_its_own_lrs():
    text = 'dataset = "digits"\noptimizer = ["adam", { sgd = { momentum = 0.9 } }]\n'
    experiment = parse(
        text + "lr = { sgd = { grid = 2, from = 1e-2, to = 1 }, adam = 1e-3 }", "x.toml"
    )
    runs = [(start.setting.optimizer, start.setting.lr) for start in planned(experiment)]
    assert runs == [
        ("adam", 1e-3),
        ('{"sgd":{"momentum":0.9}}', 0.01),
        ('{"sgd":{"momentum":0.9}}', 1.0),
    ]


def test_lists_are_axes_and_seeds_are_paired():
    experiment = own('[values]\nwd = [0.1, 0.0]\nname_ = "x"\n', lr="[1e-3, 1e-2]", seeds=2, seed=7)
    runs = [
        (start.seed, start.setting.values["wd"], start.setting.lr) for start in planned(experiment)
    ]
    expected = [(wd, lr) for wd in (0.1, 0.0) for lr in (1e-3, 1e-2)]
    assert runs == [(seed, *each) for seed in (7, 8) for each in expected]
    assert {start.setting.values["name_"] for start in planned(experiment)} == {"x"}
    assert {start.until for start in planned(experiment)} == {10}


def test_different_spellings_of_an_optimizer_are_one():
    spellings = ["{ step = 0.5, warmup = 0.1 }", "{ step = { warmup = 0.1, gamma = 0.5 } }"]
    texts = {parse(f"{BUILTIN}schedule = {each}", "x.toml").schedules for each in spellings}
    assert texts == {('{"step":{"gamma":0.5,"warmup":0.1}}',)}
    assert choice_of("adam").text == "adam"


def test_the_trainer_understands_every_option_text():
    options = pytest.importorskip("lrtui.train.options")
    from lrtui.train.schedules import SCHEDULES

    experiment = parse(f"{BUILTIN}schedule = [{{ cosine = 0.1, warmup = 0.05 }}]", "x.toml")
    choice = options.choose("schedule", experiment.schedules[0], SCHEDULES)
    assert (choice.name, choice.options) == ("cosine", {"end": 0.1, "warmup": 0.05})


def test_an_own_script_may_have_any_names_and_tables():
    experiment = own(optimizer='[{ lion = { beta = 0.9 } }, "adam"]', model='"mine"', batch_size=64)
    assert experiment.optimizers == ('{"lion":{"beta":0.9}}', "adam")
    assert (experiment.model, experiment.batch_size) == ("mine", 64)


def test_what_is_no_fault_but_strange_is_noted():
    text = 'dataset = "digits"\nlr = [1e-3, 0.001, 1e-3, 1e-2]\nmetric = "max test_acc"\noptimizer = ["adam", "adam"]'
    experiment = parse(text, "x.toml")
    assert experiment.strategy == Listed((1e-3, 1e-2))
    assert experiment.notes == (
        "selected on test: test_acc decides, so it says nothing about new data",
        "optimizer adam was given twice; kept once",
        "lr: 0.001 was given twice; kept once",
        "lr: 1e-3 was given twice; kept once",
    )


def test_what_the_command_does_not_use_is_noted():
    assert own("[values]\nwd = [0.1, 0.2]\n", command='"./train"').notes == (
        "the command has no {lr}: your script must read LRTUI_LR from its environment",
        "the command has no {wd}: your script must read LRTUI_WD from its environment",
    )


def test_a_goal_that_looks_wrong_is_noted_for_own_scripts():
    assert own(metric='"max val_loss"').notes == ('metric = "max val_loss": is min meant?',)
    assert own(metric='"max reward"').notes == ()


def test_a_horizon_may_be_written_with_an_exponent():
    experiment = parse(OWN.replace("epochs = 10", "tokens = 1e9"), "x.toml")
    assert (experiment.unit, experiment.horizon) == ("tokens", 1_000_000_000)


def test_the_file_may_come_from_windows():
    assert parse(BUILTIN.replace("\n", "\r\n"), "x.toml").dataset == "digits"


# The same experiment?


def test_comments_order_and_spelling_do_not_count():
    a = parse('lr = [1e-3, 1e-2] # two\ndataset = "digits"\nhealth = { nan = false }', "a.toml")
    b = parse('dataset="digits"\nlr=[0.001,0.01]\nkeep="all"\n[health]\nnan=false', "frozen.toml")
    assert same_experiment(a, b) == []


def test_differences_are_named_by_their_keys():
    a = own("[values]\nwd = 0.1\n")
    b = own("[values]\nwd = [0.1, 0.2]\n", epochs=20, lr="[1e-3, 1e-2]", seeds=2)
    c = parse(OWN.replace("epochs", "steps"), "x.toml")
    assert same_experiment(a, b) == ["epochs", "lr", "values.wd", "seeds"]
    assert same_experiment(own(), c) == ["epochs", "steps"]


def test_one_and_true_are_different_values():
    assert same_experiment(own("[values]\nwd = 1"), own("[values]\nwd = true")) == ["values.wd"]


# lrtui check


def test_check_says_what_would_run(monkeypatch):
    monkeypatch.setenv("PATH", "")
    text = """\
command = ["python", "my train.py", "--lr={lr}", "--wd={wd}", "--seed={seed}", "--dir={checkpoint}"]
steps = 2000
metric = "min val_loss"
lr = [1e-2, 625e-5]
seeds = 2
value = "mean 3"
[values]
wd = [0.1, 0]
"""
    assert describe(parse(text, "lm.toml")) == [
        "experiment  lm",
        "trains      your own script",
        "lr          2 given LRs: 1e-02, 6.25e-03",
        "wd          0.1, 0 (in all combinations)",
        "seeds       0 to 1",
        "length      2,000 steps each",
        "metric      min val_loss (the mean of the last 3)",
        "parallel    as many as fit on the machine",
        "total       8 runs, 16,000 steps",
        "",
        "  r01  lr 1e-02     wd=0.1  seed 0",
        "  r02  lr 6.25e-03  wd=0.1  seed 0",
        "  r03  lr 1e-02     wd=0    seed 0",
        "  r04  lr 6.25e-03  wd=0    seed 0",
        "  r05  lr 1e-02     wd=0.1  seed 1",
        "  r06  lr 6.25e-03  wd=0.1  seed 1",
        "  r07  lr 1e-02     wd=0    seed 1",
        "  r08  lr 6.25e-03  wd=0    seed 1",
        "",
        "command of the first run:",
        "  python 'my train.py' --lr=1e-02 --wd=0.1 --seed=0 --dir=runs/lm/r01-lr1e-02/a1/checkpoint",
    ]


def test_the_first_run_of_a_search_by_pilots_has_their_length(monkeypatch):
    monkeypatch.setenv("PATH", "")
    text = """
command = "python train.py --lr={lr} --epochs={epochs}"
epochs = 18
metric = "min val_loss"
lr = { auto = 5, from = 1e-4, to = 1e-1 }
"""
    lines = describe(parse(text, "x.toml"))
    assert lines[-1] == "  python train.py --lr=1e-04 --epochs=2"
    assert any(line.startswith("pilots ") for line in lines)


def test_check_shows_the_head_of_a_long_list_and_the_notes():
    lines = describe(parse(f"{BUILTIN}seeds = 100\nmetric = 'max test_acc'", "x.toml"))
    assert "total       100 runs, 2,000 epochs" in lines
    assert "  and 60 more" in lines
    assert lines[-1].startswith("note: selected on test")


def test_big_numbers_are_exact():
    lines = describe(parse(OWN.replace("epochs = 10", "tokens = 1234567890"), "x.toml"))
    assert "length      1,234,567,890 tokens each" in lines


def test_checking_a_file_imports_nothing_heavy():
    code = (
        "import sys, json, lrtui.config as e; "
        "e.parse('dataset = \"digits\"\\nlr = 1e-3', 'x.toml'); print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "textual", "plotext", "torchvision", "sklearn", "rich"}
    assert heavy.isdisjoint(json.loads(done.stdout))


def test_an_experiment_is_frozen():
    experiment = parse(BUILTIN, "x.toml")
    assert replace(experiment, path="x.toml") == experiment


KEYS = st.sampled_from(
    [
        *(
            "lr",
            "dataset",
            "command",
            "epochs",
            "steps",
            "metric",
            "optimizer",
            "schedule",
            "model",
        ),
        *("seeds", "keep", "health", "values", "launcher", "devices", "gpus", "parse", "name"),
        *("value", "grace", "within", "data", "study", "nonsense", "budget"),
    ]
)
SCALARS = st.sampled_from(
    [
        *("1", "0", "-1", "1e-3", "nan", "inf", "true", "1e400", "1979-05-27", "9" * 400),
        *('""', '"adam"', '"digits"', '"all"', '"{lr}"', '"max val_acc"', '"auto"', '"1/3"', '"("'),
        *('"\\u0000"', '"\\u202E"', '"\\u001b[31m"', "''"),
    ]
)


def lists(inner):
    return st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")


def tables(inner):
    keys = st.sampled_from(["grid", "from", "to", "sgd", "adam", "a-b", "nan"])
    pairs = st.dictionaries(keys, inner, max_size=3)
    return pairs.map(lambda each: "{" + ", ".join(f"{k} = {v}" for k, v in each.items()) + "}")


VALUES = st.recursive(SCALARS, lambda inner: lists(inner) | tables(inner), max_leaves=6)


def parsed(text):
    try:
        return parse(text, "x.toml")
    except ExperimentError as error:
        return error


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_toml_is_an_experiment_or_has_faults_with_three_parts(values):
    text = "\n".join(f"{key} = {value}" for key, value in values.items())
    result = parsed(text)
    if isinstance(result, ExperimentError):
        assert result.faults
        assert all(fault.what and fault.hint for fault in result.faults)
        assert all(0 <= fault.line <= len(values) for fault in result.faults)
        assert str(result).replace("\n", "").isprintable()
    else:
        assert "".join(describe(result)).isprintable()
        assert same_experiment(result, result) == []


@pytest.mark.parametrize("name", ["{lr}", "{", "{ a", "[]"])
def test_an_own_scripts_schedule_may_be_any_word(name):
    text = f'command = ["t", "{{lr}}", "{{schedule}}"]\nepochs = 1\nmetric = "max a"\nlr = 1e-3\nschedule = "{name}"\n'
    assert parse(text, "x.toml").space().cells()


@pytest.mark.parametrize("value", ["''", "1", "[]", "['a', 2]", "'/'"])
def test_read_is_a_pattern_or_a_list(value):
    text = f'command = ["t", "{{lr}}"]\nsteps = 5\nmetric = "min loss"\nlr = [1]\nread = {value}\n'
    with pytest.raises(ExperimentError, match="read must be a pattern"):
        parse(text, "x.toml")


def test_read_names_files_of_a_run():
    """Its placeholders are checked; a pattern without one is noted."""
    text = 'command = ["t", "{lr}"]\nsteps = 5\nmetric = "min loss"\nlr = [1]\n'
    with pytest.raises(ExperimentError, match=r"unknown placeholder \{run_dri\}"):
        parse(text + 'read = "{run_dri}/*.csv"', "x.toml")
    found = parse(text + 'read = ["{run_dir}/*.csv", "logs/*.csv"]', "x.toml")
    assert found.read == ("{run_dir}/*.csv", "logs/*.csv")
    assert [note for note in found.notes if note.startswith("read =")] == [
        'read = "logs/*.csv" names the same files for every run: runs that train at the same time read each other\'s. {run_dir} is a folder of the run'
    ]
