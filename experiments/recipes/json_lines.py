"""Prints one JSON object per epoch. The training is gradient descent on (w - 3)^2, so that only the printing matters."""

import json
import sys

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for epoch in range(1, epochs + 1):
    w -= lr * 2 * (w - 3)
    print(json.dumps({"epoch": epoch, "val_loss": (w - 3) ** 2}))
