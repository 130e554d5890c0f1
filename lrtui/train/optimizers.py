"""The optimizers of `torch.optim`, by name. Imports nothing of torch; a test compares the options with torch's.

Where torch has a fused implementation it is used: one kernel for all parameters, 10 ms instead of 30 ms a step for
the 5.2 million parameters of cnn7 on one core. It differs from torch's default in the last bits.
"""

from __future__ import annotations

from lrtui.train.table import NUMBER, Optimizer

_ADAM: dict[str, tuple[type, ...]] = {
    "betas": (list,),
    "eps": NUMBER,
    "weight_decay": NUMBER,
    "amsgrad": (bool,),
}
_SGD: dict[str, tuple[type, ...]] = {
    "momentum": NUMBER,
    "dampening": NUMBER,
    "weight_decay": NUMBER,
    "nesterov": (bool,),
}
_RMSPROP: dict[str, tuple[type, ...]] = {
    "alpha": NUMBER,
    "eps": NUMBER,
    "weight_decay": NUMBER,
    "momentum": NUMBER,
    "centered": (bool,),
}
_ADAGRAD: dict[str, tuple[type, ...]] = {
    "lr_decay": NUMBER,
    "weight_decay": NUMBER,
    "initial_accumulator_value": NUMBER,
    "eps": NUMBER,
}

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(
        where="torch.optim:Adam",
        what="Adam (Kingma and Ba 2015)",
        fields=_ADAM,
        usual_lr=(3e-4, 3e-3),
    ),
    "adamw": Optimizer(
        where="torch.optim:AdamW",
        what="Adam with decoupled weight decay, 0.01 unless set (Loshchilov and Hutter 2019)",
        fields=_ADAM,
        usual_lr=(3e-4, 3e-3),
    ),
    "sgd": Optimizer(
        where="torch.optim:SGD",
        what="stochastic gradient descent; momentum is 0 unless set, as in torch",
        fields=_SGD,
        usual_lr=(1e-2, 1e-1),
    ),
    "rmsprop": Optimizer(
        where="torch.optim:RMSprop",
        what="RMSprop (Tieleman and Hinton 2012)",
        fields=_RMSPROP,
        usual_lr=(1e-4, 1e-3),
    ),
    "adagrad": Optimizer(
        where="torch.optim:Adagrad",
        what="Adagrad (Duchi, Hazan and Singer 2011)",
        fields=_ADAGRAD,
        usual_lr=(3e-3, 3e-2),
    ),
}
