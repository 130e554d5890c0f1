"""Gradient-boosted trees; xgboost prints its evaluations itself."""

import sys

import numpy as np
import xgboost

lr, rounds = float(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(0)
x = random.normal(size=(400, 5))
y = x[:, 0] ** 2 + x[:, 1] + random.normal(scale=0.3, size=400)
train, val = xgboost.DMatrix(x[:300], y[:300]), xgboost.DMatrix(x[300:], y[300:])
xgboost.train({"eta": lr}, train, rounds, evals=[(train, "train"), (val, "val")])
