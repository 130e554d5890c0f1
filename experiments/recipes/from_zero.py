"""Counts its epochs from 0: of three epochs the last one is epoch 2."""

import sys

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for epoch in range(epochs):
    w -= lr * 2 * (w - 3)
    print(f"epoch {epoch} val_loss {(w - 3) ** 2:.4f}")
