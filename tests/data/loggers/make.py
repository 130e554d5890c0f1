"""Writes the files beside it with the real loggers: python tests/data/loggers/make.py [lightning|tensorboard|wandb|keras|transformers].

Each is a regression of 4 numbers on 32 points; `expected.json` is what the loggers were given, by hand.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def tensorboard(folder: Path) -> None:
    """Scalars in both encodings, a histogram and hyperparameters between them."""
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tb")) as writer:
        for step in range(4):
            writer.add_scalar("train/loss", 1 / (step + 1), step)
            writer.add_scalar("val/acc", step / 4, step, new_style=True)
            writer.add_scalar("epoch", step // 2, step, double_precision=True, new_style=True)
        writer.add_histogram("weights", np.arange(10), 3)
        writer.add_scalar("train/loss", float("nan"), 4)
    file = next((folder / "tb").glob("events*"))
    shutil.copy(file, HERE / "events.out.tfevents.0")


def wandb(folder: Path) -> None:
    """History with nested names and a nan, more than a block of it."""
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DISABLE_CODE="true")
    import wandb as library

    settings = library.Settings(x_disable_meta=True, x_disable_stats=True, console="off")
    run = library.init(project="p", dir=str(folder), settings=settings)
    for step in range(60):
        run.log({"loss": 1 / (step + 1), "val": {"acc": step / 64}, "pad": "x" * 600})
    run.log({"loss": float("nan")})
    run.finish()
    library.teardown()
    file = next(folder.glob("wandb/offline-run-*/run-*.wandb"))
    shutil.copy(file, HERE / "run-0.wandb")


def lightning(folder: Path) -> None:
    """A training whose CSVLogger writes its file anew when the first validation brings names."""
    import torch
    from lightning import LightningModule, Trainer
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader, TensorDataset

    class Model(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Linear(4, 1)

        def training_step(self, batch, _):
            loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, _):
            self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    torch.manual_seed(0)
    data = torch.randn(32, 4)
    loader = DataLoader(TensorDataset(data, data.sum(1, keepdim=True)), batch_size=8)
    logger = CSVLogger(folder, flush_logs_every_n_steps=1)
    Trainer(
        max_epochs=3,
        logger=logger,
        log_every_n_steps=2,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_checkpointing=False,
    ).fit(Model(), loader, loader)
    shutil.copy(next(folder.rglob("metrics.csv")), HERE / "lightning.csv")


def keras(folder: Path) -> None:
    """CSVLogger, which counts epochs from 0."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as library
    import numpy as np

    library.utils.set_random_seed(0)
    data = np.random.default_rng(0).normal(size=(32, 4))
    model = library.Sequential([library.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    log = library.callbacks.CSVLogger(folder / "training.log")
    model.fit(
        data,
        data.sum(1),
        validation_data=(data, data.sum(1)),
        epochs=3,
        verbose=0,
        callbacks=[log],
    )
    shutil.copy(folder / "training.log", HERE / "keras.log")


def transformers(folder: Path) -> None:
    """A BERT of 3,000 parameters, with a checkpoint after each epoch."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=32,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=8,
    )
    data = [{"input_ids": torch.randint(0, 32, (8,)), "labels": n % 2} for n in range(16)]
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=3,
        per_device_train_batch_size=8,
        logging_steps=1,
        eval_strategy="epoch",
        save_strategy="epoch",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(
        BertForSequenceClassification(config), arguments, train_dataset=data, eval_dataset=data
    )
    trainer.train()
    trainer.save_state()
    for name, file in (
        ("checkpoint-2", folder / "checkpoint-2" / "trainer_state.json"),
        ("end", folder / "trainer_state.json"),
    ):
        (HERE / name).mkdir(exist_ok=True)
        shutil.copy(file, HERE / name / "trainer_state.json")


if __name__ == "__main__":
    makers = {each.__name__: each for each in (lightning, tensorboard, wandb, keras, transformers)}
    for name in sys.argv[1:] or makers:
        with tempfile.TemporaryDirectory() as there:
            makers[name](Path(there))
