"""Takes a configuration file instead of arguments."""

import json
import sys
from pathlib import Path

config = json.loads(Path(sys.argv[1]).read_text())
w = 0.0
for epoch in range(1, config["epochs"] + 1):
    w -= config["optimizer"]["lr"] * 2 * (w - 3)
    print(json.dumps({"epoch": epoch, "val_loss": (w - 3) ** 2}))
