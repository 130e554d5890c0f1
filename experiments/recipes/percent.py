"""Prints an accuracy in percent."""

import sys

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for epoch in range(1, epochs + 1):
    w -= lr * 2 * (w - 3)
    print(f"epoch {epoch}: train loss {(w - 3) ** 2:.4f}, accuracy {100 / (1 + abs(w - 3)):.1f}%")
