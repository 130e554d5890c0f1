"""Draws a progress bar like that of tqdm: one line that is overwritten by means of carriage returns."""

import sys

lr, steps = float(sys.argv[1]), int(sys.argv[2])
w = 0.0
for step in range(1, steps + 1):
    w -= lr * 2 * (w - 3)
    bar = ("#" * (10 * step // steps)).ljust(10)
    done = f"{100 * step // steps:3d}%|{bar}| {step}/{steps} [00:01<00:00, 9.1it/s"
    print(f"\r{done}, loss={(w - 3) ** 2:.3f}, val_loss={(w - 3) ** 2:.3f}]", end="")
print()
