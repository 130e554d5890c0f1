"""The optimizers by name: those of `torch.optim` that train dense models, and a few from optional packages.

Imports nothing of torch; tests compare the options with the real signatures and the ranges with what torch accepts.
`build.py` makes one. SparseAdam is left out, because it takes only sparse gradients.
"""

from __future__ import annotations

from typing import Any

from lrtui.train.registry import NUMBER, Optimizer, Pair, Range, Triple

EXTRA = "optimizers"
"""The optional extra of lrtui that brings schedulefree and prodigyopt."""

_POSITIVE = Range(above=0)
_NOT_NEGATIVE = Range(least=0)
_BELOW_ONE = Range(least=0, below=1)
_RANGES: dict[str, Range] = {
    **dict.fromkeys(("betas", "rho", "alpha"), _BELOW_ONE),
    **dict.fromkeys(("eps", "weight_decay", "momentum", "lr_decay"), _NOT_NEGATIVE),
    **dict.fromkeys(("momentum_decay", "initial_accumulator_value"), _NOT_NEGATIVE),
    **dict.fromkeys(("warmup_steps", "r", "weight_lr_power"), _NOT_NEGATIVE),
}
"""Ranges that hold for every option of that name."""

_WEIGHTS: dict[str, tuple[type, ...]] = {"eps": NUMBER, "weight_decay": NUMBER}
_ADAM: dict[str, tuple[type, ...]] = {"betas": (Pair,), **_WEIGHTS}
_FREE: dict[str, tuple[type, ...]] = {
    "weight_decay": NUMBER,
    "r": NUMBER,
    "weight_lr_power": NUMBER,
}


def _nesterov(options: dict[str, Any]) -> tuple[str, str] | None:
    if options.get("nesterov") and (not options.get("momentum") or options.get("dampening")):
        return "nesterov", "needs a momentum above 0 and no dampening"
    return None


def _etas(options: dict[str, Any]) -> tuple[str, str] | None:
    if "etas" in options and not 0 < options["etas"][0] < 1 < options["etas"][1]:
        return "etas", "must be a factor below 1 and one above 1"
    return None


def _schedulefree(
    name: str, what: str, fields: dict[str, tuple[type, ...]], **rest: Any
) -> Optimizer:
    return Optimizer(
        where=f"schedulefree:{name}",
        what=f"{what} without a schedule: evaluated at an average of its steps (Defazio et al. 2024)",
        fields={**fields, **_FREE},
        ranges=_RANGES | rest.pop("ranges", {}),
        modules=("schedulefree",),
        extra=EXTRA,
        **rest,
    )


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(
        where="torch.optim:Adam",
        what="Adam (Kingma and Ba 2015)",
        fields={**_ADAM, "amsgrad": (bool,)},
        ranges=_RANGES,
        usual_lr=(3e-4, 3e-3),
    ),
    "adamw": Optimizer(
        where="torch.optim:AdamW",
        what="Adam with decoupled weight decay, 0.01 unless set (Loshchilov and Hutter 2019)",
        fields={**_ADAM, "amsgrad": (bool,)},
        ranges=_RANGES,
        usual_lr=(3e-4, 3e-3),
    ),
    "sgd": Optimizer(
        where="torch.optim:SGD",
        what="stochastic gradient descent; momentum is 0 unless set, as in torch",
        fields={
            "momentum": NUMBER,
            "dampening": NUMBER,
            "weight_decay": NUMBER,
            "nesterov": (bool,),
        },
        ranges=_RANGES,
        together=_nesterov,
        usual_lr=(1e-2, 1e-1),
    ),
    "rmsprop": Optimizer(
        where="torch.optim:RMSprop",
        what="RMSprop (Tieleman and Hinton 2012)",
        fields={"alpha": NUMBER, **_WEIGHTS, "momentum": NUMBER, "centered": (bool,)},
        ranges=_RANGES,
        usual_lr=(1e-4, 1e-3),
    ),
    "adagrad": Optimizer(
        where="torch.optim:Adagrad",
        what="Adagrad (Duchi, Hazan and Singer 2011)",
        fields={"lr_decay": NUMBER, **_WEIGHTS, "initial_accumulator_value": NUMBER},
        ranges=_RANGES,
        usual_lr=(3e-3, 3e-2),
    ),
    "adadelta": Optimizer(
        where="torch.optim:Adadelta",
        what="Adadelta (Zeiler 2012); its LR is a factor, 1 in the paper",
        fields={"rho": NUMBER, **_WEIGHTS},
        ranges=_RANGES,
        usual_lr=(3e-1, 3.0),
    ),
    "adafactor": Optimizer(
        where="torch.optim:Adafactor",
        what="Adafactor (Shazeer and Stern 2018), its LR relative to the size of each weight",
        fields={
            "beta2_decay": NUMBER,
            "eps": (Pair,),
            "d": NUMBER,
            "weight_decay": NUMBER,
        },
        ranges=_RANGES | {"beta2_decay": Range(most=0), "d": Range(least=1)},
        usual_lr=(3e-3, 3e-2),
    ),
    "adamax": Optimizer(
        where="torch.optim:Adamax",
        what="Adam with the largest gradient in place of the mean square (Kingma and Ba 2015, section 7)",
        fields=_ADAM,
        ranges=_RANGES,
        usual_lr=(6e-4, 6e-3),
    ),
    "nadam": Optimizer(
        where="torch.optim:NAdam",
        what="Adam with Nesterov's momentum (Dozat 2016)",
        fields={**_ADAM, "momentum_decay": NUMBER, "decoupled_weight_decay": (bool,)},
        ranges=_RANGES,
        usual_lr=(3e-4, 3e-3),
    ),
    "radam": Optimizer(
        where="torch.optim:RAdam",
        what="Adam that rectifies the variance of its first steps (Liu et al. 2020)",
        fields={**_ADAM, "decoupled_weight_decay": (bool,)},
        ranges=_RANGES,
        usual_lr=(3e-4, 3e-3),
    ),
    "asgd": Optimizer(
        where="torch.optim:ASGD",
        what="averaged SGD (Polyak and Juditsky 1992); the average itself is not evaluated, as in torch",
        fields={"lambd": NUMBER, "alpha": NUMBER, "t0": NUMBER, "weight_decay": NUMBER},
        ranges=_RANGES | dict.fromkeys(("lambd", "alpha", "t0"), _NOT_NEGATIVE),
        usual_lr=(1e-2, 1e-1),
    ),
    "rprop": Optimizer(
        where="torch.optim:Rprop",
        what="resilient propagation (Riedmiller and Braun 1993); its LR is the first step, and it is meant for full batches",
        fields={"etas": (Pair,), "step_sizes": (Pair,)},
        ranges=dict.fromkeys(("etas", "step_sizes"), _POSITIVE),
        together=_etas,
        usual_lr=(1e-4, 1e-3),
    ),
    "lbfgs": Optimizer(
        where="torch.optim:LBFGS",
        what="L-BFGS, each step up to `max_iter` losses of one batch; keeps `history_size` times twice the weights",
        fields={
            "max_iter": (int,),
            "max_eval": (int,),
            "tolerance_grad": NUMBER,
            "tolerance_change": NUMBER,
            "history_size": (int,),
            "line_search_fn": (str,),
        },
        ranges={
            **dict.fromkeys(("max_iter", "max_eval", "history_size"), Range(least=1)),
            **dict.fromkeys(("tolerance_grad", "tolerance_change"), _NOT_NEGATIVE),
        },
        words={"line_search_fn": ("strong_wolfe",)},
        closure=True,
        plain=True,  # it takes views of flattened gradients
        usual_lr=(1e-2, 1.0),
    ),
    "muon": Optimizer(
        where="lrtui.train.optimizers.muon:MuonAndAdamW",
        what="Muon for the hidden weights (convolutions as matrices), AdamW for the rest, at one LR for both",
        fields={
            "weight_decay": NUMBER,
            "momentum": NUMBER,
            "nesterov": (bool,),
            "ns_coefficients": (Triple,),
            "eps": NUMBER,
            "ns_steps": (int,),
            "adjust_lr_fn": (str,),
            "betas": (Pair,),
        },
        ranges=_RANGES | {"ns_steps": Range(least=1, below=100), "momentum": _BELOW_ONE},
        words={"adjust_lr_fn": ("match_rms_adamw", "original", "spectral_unclamped")},
        usual_lr=(3e-4, 3e-3),
    ),
    "adamw_schedulefree": _schedulefree(
        "AdamWScheduleFree",
        "AdamW",
        {**_ADAM, "warmup_steps": (int,)},
        ranges={"betas": Range(above=0, below=1)},
        usual_lr=(1e-3, 1e-2),
    ),
    "radam_schedulefree": _schedulefree(
        "RAdamScheduleFree",
        "RAdam",
        {**_ADAM, "silent_sgd_phase": (bool,)},
        ranges={"betas": Range(above=0, below=1)},
        usual_lr=(1e-3, 1e-2),
    ),
    "sgd_schedulefree": _schedulefree(
        "SGDScheduleFree",
        "SGD",
        {"momentum": NUMBER, "warmup_steps": (int,)},
        ranges={"momentum": Range(above=0, below=1)},
        usual_lr=(3e-1, 3.0),
    ),
    "prodigy": Optimizer(
        where="prodigyopt:Prodigy",
        what="Adam that estimates its own LR (Mishchenko and Defazio 2024); the LR here is a factor, 1 in the paper",
        fields={
            **_ADAM,
            "beta3": NUMBER,
            "decouple": (bool,),
            "use_bias_correction": (bool,),
            "safeguard_warmup": (bool,),
            "d0": NUMBER,
            "d_coef": NUMBER,
            "growth_rate": NUMBER,
            "slice_p": (int,),
        },
        ranges=_RANGES
        | {
            "eps": _POSITIVE,
            "beta3": _BELOW_ONE,
            "d0": _POSITIVE,
            "d_coef": _POSITIVE,
            "growth_rate": Range(above=1),
            "slice_p": Range(least=1),
        },
        modules=("prodigyopt",),
        extra=EXTRA,
        usual_lr=(3e-1, 3.0),
    ),
}
