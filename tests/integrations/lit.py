"""A Lightning training as a user writes it. python lit.py LR FOLDER [key=value, arguments of the Trainer]."""

import json
import logging
import sys

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from lrtui.integrations.lightning import LrtuiCallback, checkpoint


class Model(lightning.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        self.net = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 1)
        )

    def training_step(self, batch, _):
        loss = (self.net(batch[0]) - 1).square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", (self.net(batch[0]) - 1).square().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.lr)
        whole = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, total_iters=int(whole))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def main(lr, folder, **settings):
    lightning.seed_everything(0, verbose=False)
    model = Model(float(lr))
    data = TensorDataset(torch.randn(16, 4))
    given = {"max_epochs": 3, "log_every_n_steps": 1, **settings}
    trainer = lightning.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[LrtuiCallback()],
        **given,
    )
    loader = DataLoader(data, 4, shuffle=True)
    trainer.fit(model, loader, DataLoader(data, 8), ckpt_path=checkpoint())
    return {name: value.double().sum().item() for name, value in model.state_dict().items()}


if __name__ == "__main__":
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    settings = dict(each.split("=") for each in sys.argv[3:])
    main(*sys.argv[1:3], **{name: json.loads(value) for name, value in settings.items()})
