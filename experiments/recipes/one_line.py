"""Prints one line of text per step, with the step and all values in it."""

import sys

lr, steps = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for step in range(1, steps + 1):
    w -= lr * 2 * (w - 3)
    print(f"step {step:4d} | train loss {(w - 3) ** 2:.4f} | val loss {(w - 3) ** 2 + 0.1:.4f}")
