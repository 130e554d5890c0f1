"""Prints training and evaluation on different lines, as the MNIST example of PyTorch does; the evaluation names no epoch."""

import sys

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for epoch in range(1, epochs + 1):
    for batch in range(4):
        print(f"Train Epoch: {epoch} [{batch}/4] Loss: {(w - 3) ** 2:.4f}")
        w -= lr * 2 * (w - 3)
    print(f"Validation: average loss {(w - 3) ** 2:.4f}, accuracy {1 / (1 + abs(w - 3)):.4f}")
