"""A Hydra application that logs its values; Hydra puts time, module and level before them."""

import logging
from dataclasses import dataclass

import hydra
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    """What can be set on the command line, as `lr=0.1`."""

    lr: float = 0.1
    epochs: int = 5


ConfigStore.instance().store(name="config", node=Config)
log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_name="config")
def main(config: Config) -> None:
    """Train, and log one line per epoch."""
    w = 0.0
    for epoch in range(1, config.epochs + 1):
        w -= config.lr * 2 * (w - 3)
        log.info("epoch %d: val_loss %.4f", epoch, (w - 3) ** 2)


main()
