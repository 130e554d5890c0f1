"""Every fault of an experiment file: its position, the cause, and the hint."""

import pytest

from lrtui.config import parse
from lrtui.errors import ExperimentError

BUILTIN = 'dataset = "digits"\n'
OWN = 'command = ["python", "t.py", "--lr={lr}"]\nepochs = 10\nmetric = "max val_acc"\nlr = 1e-3\n'


def faults(text, path="x.toml"):
    with pytest.raises(ExperimentError) as caught:
        parse(text, path)
    assert caught.value.exit_code == 2
    return caught.value.faults


def one(text):
    (fault,) = faults(text)
    return fault


def message(text, path="experiments/first.toml"):
    with pytest.raises(ExperimentError) as caught:
        parse(text, path)
    return str(caught.value)


def test_all_faults_of_a_file_are_shown_at_once_in_its_order():
    text = """\
# my first experiment
dataset   = "cifar10O"
optimiser = "adam"
epochs    = true
lr        = [1e-2, "1e-3"]
"""
    assert (
        message(text)
        == """\
experiments/first.toml:2:13: unknown dataset "cifar10O"
     2 | dataset   = "cifar10O"
                     ^^^^^^^^^^
  Did you mean cifar10? Known datasets: digits, mnist, fashion_mnist, cifar10, cifar100, synthetic, folder, npz.

experiments/first.toml:3:1: unknown key optimiser
     3 | optimiser = "adam"
         ^^^^^^^^^
  Did you mean optimizer? (a name, a table or a list of them)

experiments/first.toml:4:13: epochs must be a number above 0 (found true, a boolean)
     4 | epochs    = true
                     ^^^^
  Try: epochs = 20

experiments/first.toml:5:20: a learning rate must be a finite number above 0 (found "1e-3", a string)
     5 | lr        = [1e-2, "1e-3"]
                            ^^^^^^
  Drop the quotes: 1e-3"""
    )


def test_an_empty_file_is_told_what_it_needs():
    assert (
        message("")
        == """\
experiments/first.toml: the file has neither a dataset nor a command
  Add one of them: dataset = "digits", or command = ["python", "train.py", "--lr={lr}"]

experiments/first.toml: the file has no lr
  Add the LRs to try: lr = [1e-4, 1e-3, 1e-2, 1e-1]"""
    )


def test_an_own_script_is_told_what_it_needs():
    whats = [fault.what for fault in faults('command = ["./train"]')]
    assert whats == [
        "the file has no epochs, steps or tokens",
        "the file has no metric",
        "the file has no lr",
    ]


def test_a_key_that_stands_twice_is_shown_with_both_places():
    assert (
        message(BUILTIN + "lr = 1e-3\nepochs = 3\nlr = [\n  1e-2]\n").splitlines()[0]
        == "experiments/first.toml:5:8: this is not TOML: Cannot overwrite a value"
    )
    assert (
        message(BUILTIN + "lr = 1e-3\nepochs = 3\nlr = 1e-2")
        == """\
experiments/first.toml:4:1: this is not TOML: lr is defined twice, first on line 2
     4 | lr = 1e-2
         ^^
  Keep one of them; a list tries several values."""
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("lr = adam", 1, 6, "Strings need quotes"),
        ("a = 1\nlr = [1e-3\n", 2, 11, "lacks its closing bracket"),
        ("lr 1e-3", 1, 4, "A line is KEY = VALUE"),
        ('name = "x', 1, 10, "closing quote"),
        ("lr = 1e-3 epochs = 3", 1, 11, "One KEY = VALUE per line"),
        ('parse = "\\d"', 1, 12, "Single quotes"),
        ("[values]\n[values]", 2, 8, "twice"),
    ],
)
def test_a_file_that_is_no_toml_is_shown_where_it_breaks(text, line, column, hint):
    fault = one(text)
    assert (fault.line, fault.column) == (line, column)
    assert fault.what.startswith("this is not TOML")
    assert hint in fault.hint


@pytest.mark.parametrize(
    "text", ["lr = " + "[" * 5000, "lr = " + "{a=" * 5000, "lr = " + "9" * 5000]
)
def test_absurd_files_are_refused_in_words(text):
    assert one(text).line == 0


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ('"1e-3"', "Drop the quotes: 1e-3"),
        ("'  5 '", "Drop the quotes: 5"),
        ("true", "LRs look like"),
        ("nan", "LRs look like"),
        ("inf", "LRs look like"),
        ("-1e-3", "LRs look like"),
        ("0", "at 0 the model does not learn"),
        ("1e-400", "at 0 the model does not learn"),
        ("1" + "0" * 400, "LRs look like"),
        ("1979-05-27", "LRs look like"),
    ],
)
def test_an_lr_is_a_finite_number_above_0(value, hint):
    alone, listed = one(f"{BUILTIN}lr = {value}"), one(f"{BUILTIN}lr = [1e-3, {value}]")
    for fault, column in ((alone, 6), (listed, 13)):
        assert fault.what.startswith("a learning rate must be a finite number above 0 (found ")
        assert hint in fault.hint
        assert (fault.line, fault.column) == (2, column)


@pytest.mark.parametrize(
    ("lr", "what", "hint"),
    [
        ("[]", "lr is an empty list", "Try: lr = [1e-4"),
        ("[[1e-3]]", "a learning rate must be", "cannot contain lists"),
        ('"1e-3, 1e-2"', "lr must be a list of numbers", "Write it as a list: lr = [1e-3, 1e-2]"),
        ('"aut"', 'lr must be LRs or a search (found "aut", a string)', "Did you mean auto?"),
        ("{ auto = 2 }", "auto must be a whole number from 3 to 1000", "auto = 8"),
        ("{ auto = 7, from = 1e-4 }", "lr lacks to", "to = 1e-1"),
        ("{ auto = 7, from = 1e-2, to = 1e-4 }", "from must be below to", "from = 1e-4, to = 1e-2"),
        ("{ auto = 7, from = 1e-3, to = 1e-3 }", "from must be below to", "For one LR: lr = 1e-3"),
        ('"grid"', 'lr = "grid" lacks its range', "from = 1e-5"),
        ("{ grid = 8 }", "lr lacks from and to", "Try: lr = { grid = 8, from = 1e-5, to = 1e-1 }"),
        ("{ from = 1e-5, to = 1 }", "lr lacks the number of LRs", "grid = 8"),
        ("{ grid = 8, from = 1e-1, to = 1e-3 }", "from must be below to (found 1e-1 and 1e-3)", "from = 1e-3, to = 1e-1"),
        ("{ grid = 8, from = 1e-1, to = 0.1 }", "from must be below to", "For one LR: lr = 0.1"),
        ("{ grid = 1, from = 1e-3, to = 0.1 }", "grid must be a whole number from 2 to 1000", "grid = 8"),
        ("{ random = 2.5, from = 1e-3, to = 0.1 }", "random must be a whole number from 1 to 1000", "random = 8"),
        ("{ grid = true, from = 1e-3, to = 0.1 }", "grid must be a whole number", "grid = 8"),
        ("{ grid = 8, from = 0, to = 0.1 }", "a learning rate must be", "at 0 the model does not learn"),
        ("{ grid = 8, from = 1e-3, to = 0.1, too = 1 }", "unknown key too in lr", "Did you mean to?"),
        ("{ gird = 8, from = 1e-3, to = 0.1 }", "unknown key gird in lr", "Did you mean grid?"),
        ("{ sgd = [1e-3] , adam = 1 }", "lr has an entry for sgd", 'optimizer = ["adam", "sgd"]'),
        ("{ adam = [-1] }", "a learning rate must be", "LRs look like"),
    ],
)  # fmt: skip
def test_the_forms_of_lr_are_checked(lr, what, hint):
    fault = one(f"{BUILTIN}lr = {lr}")
    assert what in fault.what
    assert hint in fault.hint
    assert fault.line == 2


def test_each_optimizer_needs_its_lrs():
    fault = one(f'{BUILTIN}optimizer = ["adam", "sgd"]\nlr = {{ adam = 1e-3 }}')
    assert fault.what == "lr has no entry for sgd"


def test_an_unknown_optimizer_is_not_told_twice():
    assert "unknown optimizer" in one(f'{BUILTIN}optimizer = ["adma"]\nlr = {{ adam = 1e-3 }}').what


def test_a_faulty_optimizer_is_not_reported_as_unknown_in_lr():
    text = f'{BUILTIN}optimizer = ["adam", {{ sgd = {{ momentun = 0.9 }} }}]\nlr = {{ adam = 1e-3, sgd = 0.1 }}'
    assert one(text).what == "optimizer sgd has no option momentun"


def test_more_than_1000_runs_are_refused_with_the_count():
    many = ", ".join(f"{i}e-9" for i in range(1, 10_001))
    assert (
        one(f"{BUILTIN}lr = [{many}]").what
        == "the experiment has 10,000 runs (10,000 LRs); at most 1,000 are allowed"
    )
    axes = f'{BUILTIN}optimizer = ["adam", "sgd"]\nseeds = 60\nlr = {{ grid = 10, from = 1e-3, to = 1 }}'
    fault = one(axes)
    assert (
        fault.what
        == "the experiment has 1,200 runs (10 LRs x 2 optimizers x 60 seeds); at most 1,000 are allowed"
    )
    assert (fault.line, fault.column) == (4, 1)


def test_an_axis_of_thousands_is_refused():
    axis = ", ".join(map(str, range(5000)))
    assert (
        one(f"{OWN}[values]\nwd = [{axis}]").what
        == "wd has 5,000 values; at most 1,000 are allowed"
    )
    assert one(f"{OWN}optimizer = [{axis}]").what.startswith("optimizer has 5,000 values")


def test_a_list_of_wrong_lrs_does_not_flood_the_screen():
    found = faults(f"{BUILTIN}lr = [{', '.join(['-1'] * 5000)}]")
    assert len(found) == 5
    assert len(str(found[0].text("x.toml"))) < 500


def test_many_faults_are_counted():
    lines = "\n".join(f"strange{i} = 1" for i in range(100))
    found = faults(f"{BUILTIN}lr = 1\n{lines}")
    assert len(found) == 21
    assert found[-1].what == "and 80 more faults"


def test_thousands_of_faults_are_counted_and_hide_no_bug():
    lines = "\n".join(f"strange{i} = 1" for i in range(2000))
    wrong = "lr = { grid = 8 }\noptimizer = { sgd = { nesterov = 1 } }"
    found = faults(f"{BUILTIN}{lines}\n{wrong}")
    assert found[-1].what == "and 1,982 more faults"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epoch", "epochs"),
        ("learning_rate", "lr"),
        ("LR", "lr"),
        ("batch-size", "batch_size"),
        ("scheduler", "schedule"),
        ("max_steps", "steps"),
        ("metrics", "metric"),
        ("train", "command"),
        ("seads", "seeds"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(key, meant):
    fault = one(f"{BUILTIN}lr = 1e-3\n{key} = 1")
    assert fault.what == f"unknown key {key}"
    assert fault.hint.startswith(f"Did you mean {meant}?")
    assert (fault.line, fault.column, fault.length) == (3, 1, len(key))


def test_an_unknown_key_without_a_neighbour_lists_all():
    assert one(f"{BUILTIN}lr = 1e-3\nxyzzy = 1").hint.startswith("Known keys: command, dataset")


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ('model = "resnet50"', 'unknown model "resnet50"', "Known models: cnn7"),
        ('model = ["cnn7", "mlp"]', "model must be one model", "Name one"),
        ('optimizer = "adamW2"', 'unknown optimizer "adamW2"', "Did you mean adamw?"),
        ("optimizer = []", "optimizer is an empty list", 'optimizer = "adam"'),
        ("optimizer = 3", "optimizer must be a name or a table (found 3)", 'optimizer = "adam"'),
        ("optimizer = { sgd = { momentm = 0.9 } }", "optimizer sgd has no option momentm", "Did you mean momentum?"),
        ('optimizer = { sgd = { momentum = "0.9" } }', "momentum of sgd must be a number", "Options of sgd"),
        ("optimizer = { sgd = { nesterov = 1 } }", "nesterov of sgd must be true or false (found 1)", "Options"),
        ("optimizer = { sgd = 0.9 }", "sgd takes a table of options (found 0.9)", "{ sgd = { momentum = .. } }"),
        ("optimizer = { sgd = {}, adam = {} }", "a table names one optimizer", '["sgd", "adam"]'),
        ("optimizer = { lion = {} }", "unknown optimizer lion", "Known optimizers"),
        ('schedule = "cosin"', 'unknown schedule "cosin"', "Did you mean cosine?"),
        ("schedule = { cosine = 0.1, warmup = 500 }", "warmup is a share of the horizon", "0.05"),
        ('metric = "val_acc"', 'metric must be "max NAME" or "min NAME"', '"max val_acc" (more is better)'),
        ('metric = "min val_lss"', "runs of the built-in trainer cannot be ranked by", "Did you mean val_loss?"),
        ('metric = "min val_acc"', '"min val_acc" would pick the worst run', '"max val_acc"'),
        ('metric = "best val_loss"', 'metric must be "max NAME"', ""),
        ('metric = "max"', 'metric must be "max NAME"', ""),
        ('loss = "loss"', "the built-in trainer emits no loss", "train_loss"),
        ("tokens = 100", "tokens only applies to your own script", "Remove tokens"),
        ("parse = 'x'", "parse only applies to your own script", "Remove parse"),
        ("[values]\nwd = 1", "values only applies to your own script", "Remove values"),
        ("epochs = 0", "epochs must be a number above 0 (found 0)", "epochs = 20"),
        ('epochs = "20"', "epochs must be a number above 0", "Drop the quotes: 20"),
        ("epochs = nan", "epochs must be a number above 0 (found nan)", "epochs = 20"),
        ("steps = 1.5", "steps must be a whole number, 1 or more (found 1.5)", "steps = 20000"),
        ("epochs = 3\nsteps = 100", "epochs and steps are both given", "Keep one of them"),
        ("batch_size = 0", "batch_size must be a whole number", "batch_size = 128"),
        ("seeds = false", "seeds must be a whole number from 1 to 1000 (found false, a boolean)", "seeds = 3"),
        ("seed = -1", "seed must be a whole number", "seed = 0"),
        ("data = 1.5", "data must be a share above 0 and up to 1", "data = 0.1"),
        ("augment = 1", "augment must be true or false (found 1)", "default"),
        ('precision = "bf17"', 'precision must be "fp32" or "bf16" or "auto"', "Did you mean bf16?"),
        ('keep = "0"', "keep must leave at least one run of each rung", "1/3 is the usual choice"),
        ("keep = 1", "keep must leave at least one run of each rung", 'keep = "1/3"'),
        ('keep = "3/2"', "keep must leave at least one run of each rung", 'keep = "1/3"'),
        ('budget = "0 epochs"', "budget must be a time or a length", '"36h"'),
        ('budget = "100 steps"', "budget is in steps, but the length of a run is in epochs", '"120 epochs"'),
        ('budget = "much"', "budget must be a time or a length", '"36h"'),
        ('value = "mean"', 'value must be "auto", "last", "best" or "mean N"', "mean 3"),
        ("within = 0", "within must be a number above 0", "within = 0.005"),
        ("grace = 20", "grace must be a number from 0 to below the horizon of 20 (found 20)", "grace = 1"),
        ("parallel = 0", 'parallel must be "auto" or a whole number', "parallel = 2"),
        ("gpus = 0", "gpus must be a whole number from 1", "gpus = 1"),
        ("devices = []", "devices must be a list of GPU numbers", "devices = [0, 1]"),
        ('devices = ["0"]', "a device is the number of a GPU", "devices = [0, 1]"),
        ("gpus = 2\ndevices = [0]", "a run needs 2 GPUs, and devices names 1", "at least 2"),
        ("health = { nann = false }", "unknown rule nann", "Did you mean nan?"),
        ("health = { nan = 0 }", "nan must be true or false", "health = { nan = false }"),
        ('[launcher]\nkind = "pbs"', 'unknown launcher "pbs"', "Known launchers: local, slurm"),
        ('[launcher]\ntime = "4h"', "unknown key time in [launcher]", 'add kind = "slurm"'),
        ('[launcher]\nkind = "slurm"\npartitoin = "x"', "unknown key partitoin", "Did you mean partition?"),
        ('[launcher]\nkind = "slurm"\ntime = "soon"', "time must be a time above 0", 'time = "4h"'),
        ('[launcher]\nkind = "slurm"\npack = 0', "pack must be a whole number from 1 to 64", "pack = 4"),
        ('[launcher]\nkind = "slurm"\nextra = ["--array=0-9"]', "in extra is set by lrtui", "Remove it"),
        ('[launcher]\nkind = "slurm"\nextra = ["--out=x"]', "in extra is set by lrtui", "Remove it"),
        ('[launcher]\nkind = "slurm"\nextra = ["-d afterok:1"]', "in extra is set by lrtui", "Remove it"),
        ('[launcher]\nkind = "slurm"\nextra = ["gpu"]', "in extra is no option", "--name=value"),
        ('[launcher]\nkind = "slurm"\nsupervisor = "node"', 'supervisor must be "login" or "job"', 'supervisor = "job"'),
        ("[launcher]\nkind = 3", "unknown launcher 3", "local"),
        ("[launcher]\nqueue = 3", "unknown key queue in [launcher]", "kind"),
        ("[study]\ndata = 0.1", "data must be a list of levels (found 0.1)", "data = [0.1, 0.3, 1.0]"),
        ('durability = "hard"', 'durability must be "normal" or "strict"', ""),
        ('data_dir = ""', "data_dir must be a string that is not empty", '"/data"'),
        ('workdir = "a\\u0000b"', "workdir must be a string", ""),
        ('name = "../runs"', "name must consist of letters, digits and", 'name = "runs"'),
        ('name = ""', "name must consist of letters", 'name = "experiment"'),
        (f'name = "{"a" * 65}"', "name must consist of letters", f'name = "{"a" * 64}"'),
        ('name = "x\\n"', "name must consist of letters", 'name = "x-"'),
        ("health = 3", "health must be a table (found 3)", ""),
    ],
)  # fmt: skip
def test_a_wrong_key_is_one_fault_that_says_what_was_expected(line, what, hint):
    fault = one(f"{BUILTIN}lr = 1e-3\n{line}")
    assert what in fault.what
    assert hint in fault.hint
    assert fault.hint
    assert fault.line >= 3
    assert fault.source in f"{line}\n"


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ('dataset = "digits"', "dataset only applies to the built-in trainer", "Keep one of the two"),
        ("augment = true", "augment only applies to the built-in trainer", "under [values]"),
        ("steps = 10", "epochs and steps are both given", "Keep one of them"),
        ("parse = '('", "parse is not a Python regular expression", "Single quotes"),
        ("parse = '(?P<epoch>x) (?P<val_acc>x)'\nloss = 'lm_loss'", "parse has no group lm_loss", "(?P<lm_loss>"),
        ("parse = '(?P<epoch>x)'", "parse has no group val_acc, so no run could be ranked", "(?P<val_acc>"),
        ("parse = '(?P<step>x) (?P<val_acc>x)'", "it has no group epoch", "step, val_acc"),
        ("parse = 3", "parse must be a regular expression, a preset or a list of them (found 3)", "Try: parse"),
        ("[values]\nlr = 3", "{lr} is reserved for lrtui", "move the line above [values]"),
        ("[values]\ntoken = 3", "{token} is reserved for lrtui", "another name"),
        ("[values]\nseeds = 3", "seeds is under [values], but it is a key of the experiment", "move seeds above it"),
        ("[values]\n'w d' = 3", "a placeholder's name consists of letters, digits and _", "Try: w_d"),
        ("[values]\nwd = 1\nWD = 2", "wd and WD would both become the variable LRTUI_WD", "Rename"),
        ("[values]\nwd = []", "wd is an empty list", "wd = 0.1"),
        ("[values]\nwd = [0.1, nan]", "wd must be a number, a string, true or false (found nan)", "wd = 0.1"),
        ("[values]\nwd = { a = 1 }", "wd must be a number, a string, true or false", "wd = 0.1"),
        ("values = 3", "values must be a table (found 3)", ""),
    ],
)  # fmt: skip
def test_a_wrong_key_beside_a_command_is_one_fault(line, what, hint):
    fault = one(f"{OWN}{line}")
    assert what in fault.what
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("command", "what", "hint"),
    [
        ('""', "command names no program", 'command = ["python"'),
        ('"   "', "command names no program", 'command = ["python"'),
        ("[]", "command names no program", 'command = ["python"'),
        ('[""]', "command names no program", 'command = ["python"'),
        ("3", "command must be a list of strings (found 3)", 'command = ["python"'),
        ('["python", 3]', "every part of command must be a string (found 3)", '"3"'),
        ('["python", ["a"]]', "every part of command must be a string", "flat"),
        ('["python", "a\\u0000"]', "an argument cannot contain a NUL", "u0000"),
        ('"python \'t.py"', "command cannot be split: No closing quotation", "list"),
        ('"a.sh && b.sh"', "command is run without a shell, but && needs one", '["bash", "-c", "a.sh && b.sh"]'),
        ('"X=1 python t.py"', "command is run without a shell, but begins with a variable", 'env = { X = "1" }'),
        ('["t", "{?until:--to={until}}"]', "unknown condition {?until:", "{?checkpoint:--resume={checkpoint}}"),
        ('"t {?checkpoint:--resume {checkpoint}}"', "{? is not closed in this word", "without spaces"),
        ('["t", "--lr={l_r}"]', "unknown placeholder {l_r}", "Did you mean {lr}?"),
        ('["t", "{steps}"]', "{steps} has no value", "write {epochs} or {horizon}"),
        ('["t", "{batch_size}"]', "{batch_size} has no value", "batch_size = 128"),
        ('["t", "{optimizer}"]', "{optimizer} has no value", "optimizer = "),
        ('["t", "{run*2}"]', "{run*2} scales a value that is not a number", "Write {run}."),
        ('["t", "{lr/10}"]', "{lr/10} is not a placeholder", "{lr*0.1}"),
        ('["t", "{lr:.2e}"]', "{lr:.2e} is not a placeholder", "{lr*0.1}"),
        ('["t", "{lr!r}"]', "{lr!r} is not a placeholder", "{lr*0.1}"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_one_fault(command, what, hint):
    fault = one(OWN.replace('["python", "t.py", "--lr={lr}"]', command))
    assert what in fault.what
    assert hint in fault.hint
    assert fault.line == 1


def test_a_wrong_placeholder_is_underlined_itself():
    fault = one(OWN.replace("--lr={lr}", "--lr={lr} --x={foo}"))
    assert fault.text("x.toml").splitlines()[1:3] == [
        '     1 | command = ["python", "t.py", "--lr={lr} --x={foo}"]',
        " " * 53 + "^^^^^",
    ]


def test_a_file_whose_name_cannot_name_a_directory_asks_for_a_name():
    (fault,) = faults(f"{BUILTIN}lr = 1e-3", "/tmp/my run ü.toml")
    assert fault.hint == 'Add a line: name = "my-run-"'


def test_what_the_file_holds_cannot_reach_the_terminal_as_control_sequences():
    text = f'{BUILTIN}lr = 1e-3\nmodel = "\u202eevil"\n"\\u001b]52;c;x\\u0007" = 1\n\tbad\x1b[31m'
    shown = message(text) + message(text.rpartition("\n")[0])
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_very_long_line_is_clipped():
    fault = one(f'{BUILTIN}lr = 1e-3\nmodel = "{"x" * 100_000}"')
    assert len(fault.text("x.toml")) < 600
