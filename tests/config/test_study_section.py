"""[study] in an experiment file: what it means, what is wrong with it, and that a level reaches the command."""

import sys

import pytest

from lrtui.config import argv, describe, environment, parse, planned, same_experiment
from lrtui.errors import ExperimentError
from lrtui.train import options
from lrtui.train.datasets import DATASETS

BUILTIN = 'dataset = "digits"\nmodel = "mlp"\nbatch_size = 32\nepochs = 5\nlr = [1e-3, 1e-2]\n'
OWN = """\
command = ["t", "--lr={lr}", "--bs={batch_size}", "--model={model}", "--opt={optimizer}", "--data={data}"]
steps = 100
metric = "min val_loss"
lr = 1e-3
batch_size = 16
model = "small"
optimizer = "adam"
"""
MOMENTUM = '{"sgd":{"momentum":0.9}}'
ATTEMPT = {
    "lr": 1e-3,
    "seed": 0,
    "run": "r01",
    "run_dir": "/r",
    "optimizer": "adam",
    "schedule": "constant",
    "until": 5.0,
    "checkpoint": "/r/a1/checkpoint",
    "port": 1,
    "prepared": "/d",
    "threads": 1,
}


def studied(study, text=BUILTIN):
    return parse(f"{text}[study]\n{study}\n", "x.toml")


def faults(study, text=BUILTIN):
    with pytest.raises(ExperimentError) as caught:
        studied(study, text)
    return caught.value.faults


def one(study, text=BUILTIN):
    (fault,) = faults(study, text)
    return fault


def test_the_levels_stand_around_what_the_file_itself_names():
    study = studied("batch_size = [8, 32, 128]\ndata = [0.1, 1]").study
    assert study.levels == {"batch_size": (8, 128), "data": (0.1,)}
    assert study.base == {"batch_size": 32, "data": 1.0}


def test_every_level_tries_the_learning_rates_and_differs_in_one_thing():
    experiment = studied(
        'batch_size = [8]\nmodel = [{ mlp = { width = 64 } }]\noptimizer = ["sgd"]'
    )
    seen = [(s.setting.lr, s.setting.optimizer, s.setting.values) for s in planned(experiment)]
    assert seen == [
        (lr, optimizer, values)
        for optimizer, values in (
            ("adam", {}),
            ("adam", {"batch_size": 8}),
            ("adam", {"model": '{"mlp":{"width":64}}'}),
            ("sgd", {}),
        )
        for lr in (1e-3, 1e-2)
    ]


def test_auto_makes_a_range_test_for_every_level():
    experiment = studied("batch_size = [8, 128]", BUILTIN.replace("[1e-3, 1e-2]", '"auto"'))
    assert [start.lr_steps for start in planned(experiment)] == [100, 100, 100]


def test_each_optimizer_of_a_study_may_have_its_own_learning_rates():
    text = BUILTIN.replace("[1e-3, 1e-2]", "{ adam = [1e-3], sgd = [1e-1] }")
    experiment = studied(f"optimizer = [{MOMENTUM.replace(':', '=')}]", text)
    seen = [(start.setting.lr, start.setting.optimizer) for start in planned(experiment)]
    assert seen == [(1e-3, "adam"), (1e-1, MOMENTUM)]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"batch_size": 8}, "--batch-size=8"),
        ({"data": 0.3}, "--data=0.3"),
        ({"model": '{"mlp":{"width":64}}'}, '--model={"mlp":{"width":64}}'),
        ({}, "--batch-size=32"),
    ],
)
def test_a_level_reaches_the_built_in_trainer(values, word):
    experiment = studied("batch_size = [8]\ndata = [0.3]\nmodel = [{ mlp = { width = 64 } }]")
    words = argv(experiment, {**ATTEMPT, **values})
    assert words[0] == sys.executable
    assert word in words
    options.parse(words[3:])


def test_a_level_reaches_an_own_script_and_its_environment():
    experiment = studied(
        'batch_size = [64]\nmodel = ["large"]\ndata = [0.5]\noptimizer = ["sgd"]', OWN
    )
    context = {**ATTEMPT, "batch_size": 64, "model": "large", "data": 0.5, "optimizer": "sgd"}
    expected = ["t", "--lr=1e-03", "--bs=64", "--model=large", "--opt=sgd", "--data=0.5"]
    assert argv(experiment, context) == expected
    given = environment(context, experiment)
    assert (given["LRTUI_BATCH_SIZE"], given["LRTUI_MODEL"], given["LRTUI_DATA"]) == ("64", "large", "0.5")  # fmt: skip
    assert argv(experiment, ATTEMPT)[2:] == ["--bs=16", "--model=small", "--opt=adam", "--data=1"]


def test_a_factor_that_the_command_does_not_take_is_noted():
    text = OWN.replace(', "--data={data}"', "")
    (note,) = studied("data = [0.5]", text).notes
    assert (
        note == "the command has no {data}: your script must read LRTUI_DATA from its environment"
    )


def test_check_says_what_is_varied_and_what_is_held():
    lines = describe(studied("batch_size = [8, 128]\nmodel = [{ mlp = { width = 64 } }]"))
    text = "\n".join(lines)
    assert "batch_size 8, 128 (besides 32), one at a time" in text
    assert "model mlp width=64 (besides mlp), one at a time" in text
    assert "epochs: every level trains 5 of them" in text
    assert "  r03  lr 1e-03  batch_size=8" in lines
    assert "8 runs, 40 epochs" in text


def test_a_study_counts_in_what_two_experiments_differ():
    ours, theirs = studied("batch_size = [8]"), studied("batch_size = [16]")
    assert same_experiment(ours, theirs) == ["study"]
    assert same_experiment(ours, studied("batch_size = [8, 32]")) == []


@pytest.mark.parametrize("hold", ['hold = "epochs"', ""])
def test_what_is_held_is_the_unit_of_the_length(hold):
    assert studied(f"batch_size = [8]\n{hold}").study is not None
    assert studied("batch_size = [64]\nhold = 'steps'", OWN).study is not None


@pytest.mark.parametrize(
    ("length", "hold", "hint"),
    [
        ("epochs = 5", "steps", "steps = 160 instead of epochs = 5"),  # 1,000 images in batches of 32
        ("steps = 160", "epochs", "epochs = 5 instead of steps = 160"),
        ("epochs = 5\ndata = 0.1", "steps", "steps = 20 instead"),
    ],
)  # fmt: skip
def test_another_hold_is_a_fault_that_computes_the_length(length, hold, hint):
    text = BUILTIN.replace("epochs = 5", length)
    fault = one(f"batch_size = [8]\nhold = '{hold}'", text)
    assert fault.what.startswith(f"hold is {hold}, but the length of a run is in ")
    assert hint in fault.hint


@pytest.mark.parametrize("hold", ["[0.1]", "{ a = 1 }", "3", "true"])
def test_a_hold_that_is_no_word_is_a_fault(hold):
    assert one(f"batch_size = [8]\nhold = {hold}").what.startswith('hold must be "steps" or')


def test_for_an_own_script_the_length_cannot_be_computed():
    assert "epochs = .. instead of steps = 100" in one('batch_size = [64]\nhold = "epochs"', OWN).hint  # fmt: skip


@pytest.mark.parametrize(
    ("study", "what", "hint"),
    [
        ("", "[study] names no factor", "batch_size = [32, 128, 512]"),
        ('hold = "epochs"', "[study] names no factor", "batch_size"),
        ("batch_sise = [8]\ndata = [0.1]", "unknown factor batch_sise", "Did you mean batch_size?"),
        ("data = [0.1]\nlr = [1e-3]", "unknown factor lr", "every level tries them"),
        ("data = [0.1]\nschedule = ['cosine']", "unknown factor schedule", "with every LR"),
        ("batch_size = []", "batch_size is an empty list", "[32, 128, 512]"),
        ("batch_size = 8", "must be a list of levels (found 8)", "[32, 128, 512]"),
        ("batch_size = [8, 0]", "batch_size must be a whole number, 1 or more (found 0)", ""),
        ("batch_size = [8.5]", "batch_size must be a whole number", ""),
        ("batch_size = [true]", "batch_size must be a whole number", ""),
        ("batch_size = [32]", "no level besides the experiment's own, 32", "[32, 128, 512]"),
        ("data = [0.1, 1.5]", "data must be a share above 0 and up to 1 (found 1.5)", ""),
        ("data = [nan]", "data must be a share", ""),
        ('model = ["cnn33"]', 'unknown model "cnn33"', "Did you mean cnn3?"),
        ("model = [{ mlp = { widht = 3 } }]", "model mlp has no option widht", "width"),
        ('optimizer = ["adamm"]', 'unknown optimizer "adamm"', "Did you mean adam?"),
        ("optimizer = [3]", "optimizer must be a name or a table (found 3)", ""),
        ('dataset = ["digit"]', 'unknown dataset "digit"', "Did you mean digits?"),
        ("data = [0.1]\nhold = 3", 'hold must be "steps" or "epochs" (found 3)', 'hold = "epochs"'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_study_is_one_fault_with_its_remedy(study, what, hint):
    fault = one(study)
    assert what in fault.what
    assert hint in fault.hint
    assert fault.hint
    assert fault.line >= 6


def test_a_study_that_is_no_table_is_a_fault():
    with pytest.raises(ExperimentError, match="study must be a table"):
        parse(f"{BUILTIN}study = 3", "x.toml")


@pytest.mark.parametrize(
    ("axis", "hint"),
    [
        ('optimizer = ["adam", "sgd"]', "the others go into [study]"),
        ('schedule = ["constant", "cosine"]', "one file for each"),
    ],
)
def test_nothing_varies_beside_a_study(axis, hint):
    fault = one("data = [0.1]", f"{BUILTIN}{axis}\n")
    assert fault.what.endswith("is a list, but a study varies one factor at a time")
    assert hint in fault.hint


def test_no_placeholder_varies_beside_a_study():
    text = OWN.replace('"t"', '"t", "--wd={wd}"')
    fault = one("data = [0.1]\n[values]\nwd = [0.1, 0.2]", text)
    assert fault.what == "wd is a list, but a study varies one factor at a time"


def test_an_own_script_says_around_what_it_is_studied():
    text = OWN.replace('model = "small"\n', "").replace(' "--model={model}",', "")
    fault = one('model = ["large"]', text)
    assert fault.what == "the study varies model, and nothing says around which one"
    assert 'model = "small"' in fault.hint


def test_data_sets_are_the_built_in_trainers():
    assert (
        "only applies to the built-in trainer"
        in one('data = [0.1]\ndataset = ["digits"]', OWN).what
    )


def test_a_level_given_twice_is_kept_once():
    experiment = studied("batch_size = [8, 8, 32]")
    assert experiment.study.levels == {"batch_size": (8,)}
    assert experiment.notes == ("batch_size 8 was given twice; kept once",)


def test_more_runs_than_anyone_wants_are_a_fault():
    text = BUILTIN.replace("[1e-3, 1e-2]", "{ grid = 100, from = 1e-5, to = 1 }")
    levels = ", ".join(map(str, range(1, 12)))
    assert "the study has 1,200 runs (100 LRs x 12 levels x 1 seeds)" in one(f"batch_size = [{levels}]", text).what  # fmt: skip


def test_the_table_knows_how_many_images_train(tmp_path):
    from lrtui.train.datasets import digits, synthetic

    source = digits.digits(tmp_path)
    assert len(source.train_labels) - DATASETS["digits"].validation == DATASETS["digits"].train
    entry = DATASETS["synthetic"]
    assert synthetic.TRAIN - entry.validation == entry.train


# ---------------------------------------------------------------- width, depth and numbers of one's own; prediction


def test_width_and_depth_are_options_of_the_model():
    text = BUILTIN.replace('"mlp"', "{ mlp = { width = 32, depth = 2 } }")
    experiment = studied("width = [8, 64]\ndepth = [1]", text)
    assert experiment.study.base == {"width": 32, "depth": 2}
    models = [
        next(word for word in argv(experiment, {**ATTEMPT, **start.setting.values}) if "--model" in word)
        for start in planned(experiment)[::2]
    ]  # fmt: skip
    assert models == [
        f'--model={{"mlp":{{"depth":{depth},"width":{width}}}}}'
        for width, depth in ((32, 2), (8, 2), (64, 2), (32, 1))
    ]
    assert "model = { mlp = { width = 64 } }" in one("width = [8, 64]").hint
    assert "whole number" in faults("width = [1.5]", text)[0].what


def test_a_number_of_the_users_script_may_be_varied():
    text = OWN.replace('"t"', '"t", "--n={n_embd}"').rstrip() + "\n[values]\nn_embd = 64\n"
    experiment = studied("n_embd = [16, 32]\npredict = { n_embd = 512 }", text)
    assert experiment.study.base == {"n_embd": 64}
    assert experiment.study.predict == {"n_embd": 512}
    words = [
        argv(experiment, {**ATTEMPT, **start.setting.values})[1] for start in planned(experiment)
    ]
    assert words == ["--n=64", "--n=16", "--n=32"]
    assert any("unknown factor n_embd" in each.what for each in faults("n_embd = [16]"))


def test_a_prediction_is_part_of_the_study_and_of_what_is_described():
    experiment = studied("batch_size = [8, 64]\npredict = { batch_size = 512 }")
    assert (experiment.study.predict, experiment.study.check) == ({"batch_size": 512}, False)
    assert experiment.space().checked == {}
    assert any("512, which is not trained" in each for each in describe(experiment))
    checked = studied("batch_size = [8, 64]\npredict = { batch_size = 512 }\ncheck = true")
    assert checked.space().checked == {"batch_size": 512}
    assert any("5 runs, 25 epochs more" in each for each in describe(checked))
    assert same_experiment(experiment, checked) == ["study"]


@pytest.mark.parametrize(
    ("study", "what"),
    [
        ("predict = 3", "predict must be a table of factors"),
        ("predict = { width = 64 }", "predict names width, which this study does not vary"),
        ('predict = { batch_size = "many" }', "must be a number above 0"),
        ("predict = { batch_size = -4 }", "must be a number above 0"),
        ("predict = { batch_size = nan }", "must be a number above 0"),
        ("predict = { batch_size = 64 }", "is a level of the study"),
        ("predict = { batch_size = 512.5 }\ncheck = true", "cannot be trained to check it"),
        ("predict = { batch_size = 512 }\ncheck = 1", "check must be true or false"),
        ("check = true", "check trains the level that is predicted, but nothing is"),
    ],
)
def test_what_is_wrong_with_a_prediction_is_said(study, what):
    assert what in one(f"batch_size = [8, 64]\n{study}").what


def test_a_prediction_takes_three_levels_that_are_numbers():
    assert "takes at least 3 levels, but batch_size has 2" in one("batch_size = [8]\npredict = { batch_size = 64 }").what  # fmt: skip
    assert "are names" in one('model = ["cnn3", "linear"]\npredict = { model = 3 }').what
