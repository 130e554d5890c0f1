"""`lrtui init`: what is proposed for small scripts, one for each way in which scripts take options and report."""

import re
import resource

import pytest

from lrtui.cli.main import main
from lrtui.config.proposal.draft import draft
from lrtui.config.proposal.flag import Flag
from lrtui.config.proposal.help_text import flags_of_help
from lrtui.config.proposal.launch import launch_of
from lrtui.config.proposal.python_source import modules
from lrtui.config.validation import parse
from lrtui.errors import UserError
from lrtui.text import toml

LOOP = 'for epoch in range(args.epochs):\n    print(f"epoch {epoch}: val_loss {loss:.4f}")\n'
LOOP_PATTERN = r"epoch (?P<epoch>\d+): val_loss (?P<val_loss>\S+)"

ARGPARSE = f"""
import argparse
parser = argparse.ArgumentParser()
group = parser.add_argument_group("x")
group.add_argument("--learning-rate", "-l", type=float, default=3 * 1e-4)
parser.add_argument("--min-lr", type=float, default=3e-5)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--seed", type=int)
parser.add_argument("--out-dir", default="out")
parser.add_argument("--resume", action="store_true")
args = parser.parse_args()
{LOOP}"""
CLICK = """
import click
@click.command()
@click.option("--lr", "-l", default=3e-4)
@click.option("--max-steps", default=50)
@click.argument("data")
def main(lr, max_steps, data):
    for step in range(max_steps):
        logger.info("step %d: loss %.4f", step, loss)
main()
"""
TYPER = """
import typer
from typing import Annotated
app = typer.Typer()
@app.command()
def fit(data: str, lr: float = 1e-3, epochs: Annotated[int, typer.Option("--ep")] = 5, fast: bool = False):
    for epoch in range(1, epochs + 1):
        print("Epoch", epoch, "train loss:", a.item(), "valid accuracy:", b)
app()
"""
SUBCOMMAND = """
import argparse
parser = argparse.ArgumentParser()
verbs = parser.add_subparsers()
train = verbs.add_parser("train")
train.add_argument("--lr", default=0.5)
train.add_argument("--iters", default=10)
verbs.add_parser("serve").add_argument("--port", required=True)
print("iter: {:3d} | loss {:6.3f}".format(i, loss))
"""
ABSL = """
from absl import app, flags
flags.DEFINE_float("learning_rate", 0.1, "x")
flags.DEFINE_integer("num_epochs", 3, "x")
flags.DEFINE_string("workdir", None, "x")
def main(_):
    print("Epoch %3d, test_loss: %.3f, test_accuracy: %.2f" % (epoch, a, b))
flags.mark_flags_as_required(["workdir"])
app.run(main)
"""
TYRO = """
import tyro
from dataclasses import dataclass, field
@dataclass
class Optim:
    learning_rate: float = 2e-4
@dataclass
class Args:
    optim: Optim = field(default_factory=Optim)
    total_steps: int = 500
def main(args: Args):
    print({"step": 1, "val_loss": 0.1, "train_loss": 0.2})
main(tyro.cli(Args))
"""
FIRE = """
import fire
def train(lr=0.3, epochs=2):
    for epoch in range(epochs):
        print(f"epoch {epoch + 1} acc {acc}")
fire.Fire(train)
"""
HUGGING_FACE = """
from dataclasses import dataclass
from transformers import HfArgumentParser, Trainer, TrainingArguments
@dataclass
class Data:
    file: str
data, training = HfArgumentParser((Data, TrainingArguments)).parse_args_into_dataclasses()
Trainer(args=training).train()
"""
LIGHTNING = """
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI
class Net(LightningModule):
    def __init__(self, width: int = 8, lr: float = 0.02):
        ...
    def training_step(self, batch):
        self.log("train/loss", loss)
    def validation_step(self, batch):
        self.log("val/acc", acc, on_step=True)
LightningCLI(Net, seed_everything_default=3)
"""
NANOGPT = """
out_dir = 'out'
init_from = 'scratch'
learning_rate = 6e-4
max_iters = 600
lr_decay_iters = 600
min_lr = 6e-5
exec(open('configurator.py').read())
if init_from == 'resume':
    pass
print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
print(f"iter {iter_num}: loss {lossf:.4f}, time {dt*1000:.2f}ms")
"""
CONSTANTS = """
EPOCHS = 3
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def test(epoch):
    print(f"Epoch {epoch} | loss {total / n:.3f} | Accuracy: {good}/{n} ({100 * good / n:.1f}%)")
"""
KERAS = """
import keras
epochs = 4
model.compile(loss="mse", optimizer="adam", metrics=["accuracy"])
model.fit(x, y, epochs=epochs, validation_split=0.1)
"""
XGBOOST = """
import xgboost as xgb
params = {"eta": 0.3, "eval_metric": "auc"}
xgb.train(params, data, num_boost_round=20, evals=[(data, "train"), (other, "valid")])
"""
ARGV = """
import sys
lr = float(sys.argv[1])
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 7
print("epoch", epoch, "val_loss", loss)
"""
VARIABLE = """
import os
lr = float(os.environ.get("LR", "0.02"))
EPOCHS = 4
print("epoch", epoch, "val_loss", loss)
"""
STEPS = """
import fire
def train(lr=0.3, epochs=2):
    for epoch in range(epochs):
        for i, batch in enumerate(loader):
            if i % 10 == 0:
                text = f"Epoch [{epoch + 1}/{epochs}], Step [{i}/{len(loader)}], Loss: {loss.item():.4f}"
                logger.info(text)
        logger.info(f"Val acc: {acc:.2%}")
fire.Fire(train)
"""
MNIST = r"""
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", default=1.0)
parser.add_argument("--epochs", default=14)
print('Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}'.format(e, i, n, p, loss))
print('\nTest set: Average loss: {:.4f}, Accuracy: {}/{} ({:.0f}%)\n'.format(loss, c, n, p))
"""
YACS = """
import argparse
from yacs.config import CfgNode as CN
_C = CN()
_C.TRAIN = CN()
_C.TRAIN.BASE_LR = 5e-4
_C.TRAIN.EPOCHS = 300
_C.SEED = 0
parser = argparse.ArgumentParser()
parser.add_argument("--cfg", required=True)
parser.add_argument("--opts", nargs="+")
args = parser.parse_args()
_C.merge_from_list(args.opts)
def train(epoch):
    logger.info(f"Train: [{epoch}/{_C.TRAIN.EPOCHS}][{idx}/{num}]\\tloss {meter.val:.4f} ({meter.avg:.4f})")
def validate():
    logger.info(f"Test: [{idx}/{num}]\\tAcc@1 {acc1.val:.3f} ({acc1.avg:.3f})\\tAcc@5 {acc5.val:.3f}")
    logger.info(f" * Acc@1 {acc1.avg:.3f} Acc@5 {acc5.avg:.3f}")
    logger.info(f"Max accuracy: {best:.2f}%")
"""
ATTRIBUTES = """
import sys
from utils import CfgNode as CN
class Trainer:
    @staticmethod
    def get_default_config():
        C = CN()
        C.max_iters = None
        C.learning_rate = 3e-4
        return C
def get_config():
    C = CN()
    C.work_dir = "./out"
    C.trainer = Trainer.get_default_config()
    C.trainer.learning_rate = 5e-4
    return C
config = get_config()
config.merge_from_args(sys.argv[1:])
print(f"iter_dt {dt:.2f}ms; iter {trainer.iter_num}: train loss {trainer.loss.item():.5f}")
"""
PRECISION = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", default=0.1)
print('Epoch: [{0}][{1}/{2}]\\tLoss {loss.val:.4f} ({loss.avg:.4f})\\tPrec@1 {top1.val:.3f}'.format(epoch, i, n, loss=a, top1=b))
print(' * Prec@1 {top1.avg:.3f}'.format(top1=top1))
"""
TEST_FIRST = r"""
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", default=0.1)
print('Test set: Epoch: {}, Average loss: {:.4f}, Accuracy: {:.4f}, Time consumed:{:.2f}s'.format(epoch, a / n, b, c))
print('Training Epoch: {epoch} [{x}/{n}]\tLoss: {:0.4f}\tLR: {:0.6f}'.format(a, b, epoch=epoch, x=i, n=n))
"""

CASES = {
    "argparse": (
        ARGPARSE,
        [
            *("--learning-rate={lr}", "--min-lr={lr*0.1}", "--seed={seed}", "--epochs={epochs}"),
            *("--out-dir={checkpoint}", "{?checkpoint:--resume}"),
        ],
        {"parse": LOOP_PATTERN, "first": 0, "epochs": 8, "metric": "min val_loss"},
    ),
    "click": (
        CLICK,
        ["FILL_IN", "--lr={lr}", "--max-steps={steps}"],
        {"parse": r"step (?P<step>\d+): loss (?P<train_loss>\S+)", "steps": 50, "lr": [3e-5, 9e-5, 3e-4, 9e-4, 3e-3]},
    ),
    "typer": (
        TYPER,
        ["FILL_IN", "--lr={lr}", "--ep={epochs}"],
        {
            "parse": r"Epoch (?P<epoch>\d+) train loss: (?P<train_loss>\S+) valid accuracy: (?P<val_acc>\S+)",
            "metric": "max val_acc",
        },
    ),
    "subcommand": (
        SUBCOMMAND,
        ["train", "--lr={lr}", "--iters={steps}"],
        {"parse": r"iter: *(?P<step>\d+) \| loss *(?P<train_loss>\S+)", "steps": 10},
    ),
    "absl": (
        ABSL,
        ["--learning_rate={lr}", "--num_epochs={epochs}", "--workdir={run_dir}/output"],
        {
            "parse": r"Epoch *(?P<epoch>\d+), test_loss: (?P<val_loss>\S+), test_accuracy: (?P<val_acc>\S+)",
            "metric": "max val_acc",
        },
    ),
    "tyro": (
        TYRO,
        ["--optim.learning-rate={lr}", "--total-steps={steps}"],
        {"steps": 500, "metric": "min val_loss"},
    ),
    "fire": (FIRE, ["--lr={lr}", "--epochs={epochs}"], {"metric": "max acc", "epochs": 2}),
    "steps of an epoch": (
        STEPS,
        ["--lr={lr}", "--epochs={epochs}"],
        {
            "parse": [
                r"Epoch \[(?P<epoch>\d+).*?Step \[(?P<batch>\d+)/(?P<batches>\d+)\], Loss: (?P<train_loss>\S+)",
                r"Val acc: (?P<val_acc>\S+)",
            ]
        },
    ),
    "hugging face": (
        HUGGING_FACE,
        [
            *("--learning_rate={lr}", "--seed={seed}", "--num_train_epochs={epochs}", "--output_dir={run_dir}/output"),
            *("--file=FILL_IN", "--do_train", "--do_eval", "--eval_strategy=epoch"),
        ],
        {"parse": "hf", "epochs": 3, "metric": "min eval_loss", "loss": "loss"},
    ),
    "lightning": (
        LIGHTNING,
        [
            *("fit", "--model.lr={lr}", "--seed_everything={seed}", "--trainer.max_epochs={epochs}"),
            *("--trainer.logger=CSVLogger", "--trainer.logger.save_dir={run_dir}"),
        ],
        {"read": "{run_dir}/**/metrics.csv", "metric": "max val/acc_epoch", "loss": "train/loss"},
    ),
    "nanogpt": (
        NANOGPT,
        [
            *("--learning_rate={lr}", "--min_lr={lr*0.1}", "--max_iters={steps}", "--lr_decay_iters={steps}"),
            *("--out_dir={checkpoint}", "{?checkpoint:--init_from=resume}"),
        ],
        {"parse": "nanogpt", "steps": 600, "metric": "min val_loss"},
    ),
    "sys.argv": (ARGV, ["{lr}", "{epochs}"], {"epochs": 7}),
    "environment": (VARIABLE, [], {"env": {"LR": "{lr}"}, "epochs": 4}),
    "mnist": (MNIST, ["--lr={lr}", "--epochs={epochs}"], {"parse": "mnist", "metric": "max val_acc"}),
    "yacs": (
        YACS,
        ["--cfg=FILL_IN", "--opts", "TRAIN.BASE_LR", "{lr}", "SEED", "{seed}", "TRAIN.EPOCHS", "{epochs}"],
        {
            "parse": [
                r"Train: \[(?P<epoch>\d+).*?\]\[(?P<batch>\d+)/(?P<batches>\d+)\]\s+loss (?P<train_loss>\S+)",
                r"Acc@1 (?P<acc_1>\S+) Acc@5 (?P<acc_5>\S+)",
            ],
            "metric": "max acc_1",
        },
    ),
    "attributes": (
        ATTRIBUTES,
        ["--trainer.learning_rate={lr}", "--trainer.max_iters={steps}", "--work_dir='{run_dir}/output'"],
        {"lr": [5e-5, 1.5e-4, 5e-4, 1.5e-3, 5e-3], "metric": "min train_loss"},
    ),
    "imagenet of old": (PRECISION, ["--lr={lr}"], {"parse": "imagenet", "metric": "max Prec@1"}),
    "test before the epoch": (
        TEST_FIRST,
        ["--lr={lr}"],
        {
            "parse": [
                r"Test set: Epoch: (?P<epoch>\d+), Average loss: (?P<val_loss>\S+), Accuracy: (?P<val_acc>\S+)",
                r"Training Epoch: (?P<epoch>\d+) \[(?P<batch>\d+)/(?P<batches>\d+)\]\s+Loss: *(?P<train_loss>\S+)",
            ]
        },
    ),
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def proposed(here, source, words=("train.py",), environment=None):
    """The text of a proposal, which `lrtui check` accepts."""
    (here / "train.py").write_text(source)
    launch = launch_of(words, environment or {})
    text = draft(launch, modules(launch.script))
    parse(text, "train.toml", here, here)
    return text


@pytest.mark.parametrize("name", CASES)
def test_each_family_of_parsers_is_read(name, here):
    source, words, keys = CASES[name]
    file = toml.loads(proposed(here, source))
    assert file["command"] == ["python3", "train.py", *words]
    assert {key: file.get(key) for key in keys} == keys


@pytest.mark.parametrize(
    ("source", "replaced", "keys"),
    [
        (
            CONSTANTS,
            ["('lr=0.1', 'lr={lr}')", "('EPOCHS = 3', 'EPOCHS = {epochs}')"],
            {
                "parse": r"Epoch (?P<epoch>\d+) \| loss (?P<val_loss>\S+) \| Accuracy: .*? \((?P<val_acc>\S+)",
                "metric": "max val_acc",
                "optimizer": "sgd",
            },
        ),
        (
            KERAS,
            ["optimizer=keras.optimizers.Adam({lr})", "('epochs = 4', 'epochs = {epochs}')"],
            {"parse": "keras", "metric": "max val_accuracy", "loss": "loss"},
        ),
        (
            XGBOOST,
            ["""('eta": 0.3', 'eta": {lr}')""", "'num_boost_round={steps}'"],
            {"parse": "xgboost", "steps": 20, "metric": "max valid-auc"},
        ),
    ],
)
def test_numbers_in_the_source_are_replaced(source, replaced, keys, here):
    """Where nothing on the command line says the learning rate, the command runs the source with its text changed."""
    file = toml.loads(proposed(here, source))
    code = file["command"][2]
    assert all(each in code for each in replaced)
    assert {key: file.get(key) for key in keys} == keys


def test_a_trainer_of_ones_own_is_none_of_hugging_face(here):
    source = HUGGING_FACE.replace("HfArgumentParser, Trainer", "HfArgumentParser")
    assert 'parse     = "hf"' not in proposed(here, f"from mine import Trainer\n{source}")


def test_lines_that_cannot_be_told_apart_are_named(here):
    bar = "    progress_bar(i, n, 'Loss: %.3f | Acc: %.3f%% (%d/%d)' % (loss, acc, right, n))\n"
    source = f"{ARGPARSE}\ndef train():\n{bar}\ndef test():\n{bar}".replace("val_loss", "x")
    said = "another line reads like that of val_acc (train_loss, acc)"
    assert said in proposed(here, source)
    assert said not in proposed(here, source.replace("def train", "def test_more"))


def test_a_source_of_another_python_is_named(here):
    text = proposed(here, "import argparse\nx.cuda(async=True)\n")
    assert re.search(r"nothing was read from it, since it is not Python 3\.\d+: line 2: ", text)


def test_the_replaced_source_runs(here):
    (here / "train.py").write_text('LR = 1e-3\nEPOCHS = 3\nprint(f"epoch {EPOCHS} loss {LR}")\n')
    code = toml.loads(draft(launch_of(["train.py"], {}), modules(here / "train.py")))["command"][2]
    seen = []
    exec(code.replace("{lr}", "0.5").replace("{epochs}", "9"), {"print": seen.append})
    assert seen == ["epoch 9 loss 0.5"]


def test_a_parser_in_a_local_module_is_found(here):
    (here / "config.py").write_text(ARGPARSE)
    file = toml.loads(proposed(here, "from config import args\n" + LOOP))
    assert "--learning-rate={lr}" in file["command"]


def test_hydra_overrides_come_from_its_yaml(here):
    (here / "conf/model").mkdir(parents=True)
    (here / "conf/config.yaml").write_text(
        "defaults:\n  - _self_\n  - model: net\n\nseed: 3\ntrainer:\n  max_epochs: 12\n"
    )
    (here / "conf/model/net.yaml").write_text("optimizer:\n  lr: 0.04 # why\n  betas: [0.9, 1]\n")
    source = '@hydra.main(config_path="conf", config_name="config")\ndef main(cfg): ...\n'
    file = toml.loads(proposed(here, source))
    assert file["command"][2:] == [
        *("model.optimizer.lr={lr}", "seed={seed}", "trainer.max_epochs={epochs}", "hydra.run.dir={run_dir}/output"),
    ]  # fmt: skip
    assert (file["epochs"], file["lr"][2]) == (12, 0.04)


def test_a_training_value_is_the_loss_where_the_metric_is_a_loss(here):
    source = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--epochs", type=int, default=3)
args = parser.parse_args()
for epoch in range(args.epochs):
    print(f"epoch={epoch} train_mse={tot / n:.4f} valid_rmse={v:.4f}")
"""
    text = proposed(here, source)
    assert 'metric  = "min val_rmse"' in text
    assert 'loss    = "train_mse"' in text


def test_a_launch_line_keeps_its_other_words(here):
    words = [
        "torchrun",
        "--nproc-per-node",
        "2",
        "train.py",
        "--data",
        "x",
        "--learning-rate",
        "0.2",
        "--epochs=5",
    ]
    file = toml.loads(proposed(here, ARGPARSE, words))
    assert file["command"][:9] == [
        *("torchrun", "--master-port={port}", "--nproc-per-node", "2", "train.py"),
        *("--data", "x", "--learning-rate", "{lr}"),
    ]  # fmt: skip
    assert (file["epochs"], file["lr"][2]) == (5, 0.2)


@pytest.mark.parametrize(
    ("source", "is_launched"),
    [
        ('rank = int(os.environ["LOCAL_RANK"])', True),
        (
            'ddp = os.environ.get("RANK", -1) != -1\nif ddp:\n    rank = os.environ["LOCAL_RANK"]',
            False,
        ),
        ('if args.dist_url == "env://":\n    rank = os.environ["RANK"]', False),
        ('if "RANK" in os.environ:\n    rank = os.environ["RANK"]', False),
    ],
)
def test_a_script_that_needs_its_rank_gets_torchrun(source, is_launched, here):
    command = toml.loads(proposed(here, f"{source}\n{ARGPARSE}"))["command"]
    assert ("torch.distributed.run" in command) == is_launched
    assert ("--master-port={port}" in command) == is_launched


def test_a_configuration_file_in_the_launch_line_counts(here):
    (here / "small.py").write_text(
        "learning_rate = 0.02\nmax_iters = 40\nlr_decay_iters = 40\nmin_lr = 1e-3\n"
    )
    file = toml.loads(proposed(here, NANOGPT, ["python3", "train.py", "small.py", "--n_layer=2"]))
    assert (file["steps"], file["lr"][2]) == (40, 0.02)
    assert file["command"][2:6] == [
        "small.py",
        "--n_layer=2",
        "--learning_rate={lr}",
        "--min_lr={lr*0.05}",
    ]


def test_what_is_not_known_is_said(here):
    text = proposed(here, "print('hello')\n")
    doubts = [line for line in text.splitlines() if line.startswith("# not sure: ")]
    assert [
        word
        for word in ("full run", "metric", "learning rate was found", "range of lr")
        if word in str(doubts)
    ]
    assert len(doubts) == 4


def test_options_are_read_from_a_help_text():
    assert flags_of_help("") == []
    text = """usage: x [--fast]
      --lr LR          the rate (default: 0.1)
      --max-steps=N    [default: 20; x>=1]
      --fast           be quick
    """
    assert flags_of_help(text) == [
        Flag("fast", "--fast", switch=True),
        Flag("lr", "--lr={}", 0.1),
        Flag("max-steps", "--max-steps={}", 20),
    ]


def test_the_interpreter_of_a_project_is_used(here):
    (here / ".venv/bin").mkdir(parents=True)
    (here / ".venv/bin/python").touch()
    assert (
        launch_of(["train.py"], {}).before == (".venv/bin/python",)
        if (here / "train.py").touch()
        else True
    )
    assert launch_of(["train.py"], {}).before == (".venv/bin/python",)
    assert launch_of(["train.py"], {"VIRTUAL_ENV": "/other"}).before == ("python",)
    assert launch_of(["python3.9", "train.py"], {}).before == ("python3.9",)


def test_shell_scripts_and_notebooks(here):
    (here / "train.py").write_text(ARGPARSE)
    (here / "run.sh").write_text("set -e\npython train.py \\\n  --epochs 4\n")
    assert launch_of(["run.sh"], {}).given == ("--epochs", "4")
    (here / "run.sh").write_text('LR=${1:-0.3}\n./train "$LR"\n')
    text = draft(launch_of(["run.sh"], {}), [])
    assert toml.loads(text)["command"] == ["sh", "run.sh", "{lr}"]
    with pytest.raises(UserError, match="is a notebook"):
        launch_of(["a.ipynb"], {})
    (here / "names.txt").write_text("emma")
    with pytest.raises(UserError, match="neither a Python or shell script nor a program"):
        launch_of(["names.txt"], {})


@pytest.mark.parametrize(
    "source",
    ["print(", "\0", "x = " + "-" * 5000 + "1", "'a'" + " + 'a'" * 3000, "é = '\x1b[31m'\nlr = 1"],
)
def test_no_source_ends_init(source, here, capsys):
    (here / "train.py").write_text(source)
    assert main(["init", "train.py"]) in {0, 2}
    assert "\x1b" not in capsys.readouterr().out


def test_init_writes_once_and_names_what_is_next(here, capsys):
    (here / "train.py").write_text(ARGPARSE)
    assert main(["init", "train.py"]) == 0
    assert "  lrtui try train.toml\n  lrtui train.toml\n" in capsys.readouterr().out
    assert main(["check", "train.toml"]) == 0
    written = (here / "train.toml").read_text()
    assert main(["init", "train.py"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (here / "train.toml").read_text() == written
    assert main(["init", "-o", "-", "train.py"]) == 0
    assert capsys.readouterr().out == written


def test_nothing_is_left_of_a_file_without_room(here, capsys):
    (here / "train.py").write_text(ARGPARSE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # as a full disk does
    try:
        assert main(["init", "train.py"]) == 5
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert capsys.readouterr().err == "lrtui: train.toml: cannot be written: File too large\n"
    assert not (here / "train.toml").exists()


def test_only_run_starts_the_script(here, capsys):
    (here / "train.py").write_text('open("ran", "w")\nprint("--lr LR  (default: 0.7)")\n')
    assert main(["init", "-o", "-", "train.py"]) == 0
    assert not (here / "ran").exists()
    assert main(["init", "-o", "-", "--run", "train.py"]) == 0
    assert (here / "ran").exists()
    assert "--lr={lr}" in capsys.readouterr().out
