"""How scripts report if their framework prints: Hugging Face's Trainer, Keras, Lightning, XGBoost, LightGBM, tqdm bars, and lines of JSON."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from lrtui.config.proposal.python_source import (
    Module,
    calls,
    dotted,
    functions,
    imports,
    keyword,
    last,
    value_of,
)
from lrtui.config.proposal.reported import Report, decider

_HUGGING_FACE = frozenset({"transformers", "trl"})
_KERAS = frozenset({"keras", "tensorflow", "tf_keras"})
_LIGHTNING = frozenset({"lightning", "pytorch_lightning", "lightning_fabric"})
LIGHTNING_FILES = "{run_dir}/**/metrics.csv"
_MORE_IS_BETTER = frozenset({"auc", "aucpr", "map", "ndcg", "pre"})


def framework_report(modules: Sequence[Module]) -> Report | None:
    """Return how a script's framework reports; None if it uses none that is known to print."""
    used = imports(modules)
    for libraries, of in FRAMEWORKS:
        if used & libraries and (report := of(modules)):
            return report
    return _records(modules)


def _hugging_face(modules: Sequence[Module]) -> Report | None:
    trainers = {
        name
        for module in modules
        for name in _imported(module, _HUGGING_FACE)
        if name.endswith("Trainer")
    }
    trainers |= {
        node.name
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and trainers & {last(dotted(base)) for base in node.bases}
    }
    trains = any(
        last(name) in trainers
        or (name.partition(".")[0] in _HUGGING_FACE and name.endswith("Trainer"))
        for module in modules
        for name, _ in calls(module.tree)
    )
    return Report("min eval_loss", "loss", ("hf",), "epoch") if trains else None


def _imported(module: Module, libraries: frozenset[str]) -> Iterator[str]:
    """Yield the names that a module takes from libraries."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in libraries:
            yield from (each.asname or each.name for each in node.names)


def _keras(modules: Sequence[Module]) -> Report | None:
    every = [each for module in modules for each in calls(module.tree)]
    fit = next((call for name, call in every if last(name) == "fit"), None)
    if fit is None:
        return None
    validates = any(each.arg and each.arg.startswith("validation_") for each in fit.keywords)
    compiled = next((call for name, call in every if last(name) == "compile"), None)
    metrics = keyword(compiled, "metrics") if compiled else None
    first = metrics.elts[0] if isinstance(metrics, (ast.List, ast.Tuple)) and metrics.elts else None
    name = value_of(first, {})
    accuracy = isinstance(name, str) and name.startswith("acc")
    before = "val_" if validates else ""
    return Report(
        f"max {before}accuracy" if accuracy else f"min {before}loss", "loss", ("keras",), "epoch"
    )


def _lightning(modules: Sequence[Module]) -> Report | None:
    names = {
        name + _forked(call, function.name): value_of(keyword(call, "prog_bar"), {}) is True
        for module in modules
        for function in functions(module.tree)
        if not function.name.startswith(("test", "predict"))
        for called, call in calls(function)
        if called in {"self.log", "self.log_dict"} and call.args
        for name in _texts(call.args[0])
    }
    metric = decider(names)
    if not metric:
        return None
    losses = [name for name in names if "loss" in name and "val" not in name]
    loss = losses[0] if losses else ""
    name = metric.partition(" ")[2]
    if any(
        last(called) == "LightningCLI" for module in modules for called, _ in calls(module.tree)
    ):
        return Report(metric, loss, (), "epoch", read=LIGHTNING_FILES)
    doubt = "" if names[name] else f"the bar shows {name} only if it is logged with prog_bar=True"
    return Report(metric, loss, ("lightning",), "epoch", doubt=doubt)


def _forked(call: ast.Call, function: str) -> str:
    """Return the suffix that Lightning adds to a name that it logs both at steps and at the end of an epoch."""
    trains = function.startswith("training")
    step, epoch = (value_of(keyword(call, name), {}) for name in ("on_step", "on_epoch"))
    both = (trains if step is None else step) and (not trains if epoch is None else epoch)
    return "_epoch" if both else ""


def _texts(node: ast.expr) -> list[str]:
    """Return a text, or those that are the keys of a dict."""
    keys = node.keys if isinstance(node, ast.Dict) else [node]
    return [
        key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]


def _xgboost(modules: Sequence[Module]) -> Report | None:
    for module in modules:
        for name, call in calls(module.tree):
            if last(name) != "train" or not (evals := keyword(call, "evals")):
                continue
            pairs = evals.elts if isinstance(evals, ast.List) else []
            sets = [
                value_of(each.elts[1], {})
                for each in pairs
                if isinstance(each, ast.Tuple) and len(each.elts) > 1
            ]
            metric = next(filter(None, (_setting(each, "eval_metric") for each in modules)), "")
            if not sets or not metric:
                return Report(
                    "min validation-rmse",
                    "",
                    ("xgboost",),
                    "step",
                    doubt="the metric: XGBoost prints SET-METRIC",
                )
            goal = "max" if metric.partition("@")[0] in _MORE_IS_BETTER else "min"
            loss = f"{sets[0]}-{metric}" if goal == "min" else ""
            return Report(f"{goal} {sets[-1]}-{metric}", loss, ("xgboost",), "step")
    return None


def _setting(module: Module, name: str) -> str:
    """Return a text that a dict or an argument gives a name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    return str(value_of(value, {}) or "")
        elif isinstance(node, ast.keyword) and node.arg == name:
            return str(value_of(node.value, {}) or "")
    return ""


def _lightgbm(modules: Sequence[Module]) -> Report | None:
    trains = any(
        last(name) in {"train", "fit"} for module in modules for name, _ in calls(module.tree)
    )
    metric = _setting(modules[0], "metric") or "l2"
    doubt = "the metric: LightGBM prints SET's METRIC, with log_evaluation"
    return (
        Report(f"min valid_0's {metric}", "", ("lightgbm",), "step", doubt=doubt)
        if trains
        else None
    )


def _ultralytics(_: Sequence[Module]) -> Report:
    return Report("max metrics/mAP50-95(B)", "train/cls_loss", ("ultralytics",), "epoch")


def program_report(name: Sequence[str]) -> Report | None:
    """Return how a program that is started by name reports."""
    return _ultralytics(()) if tuple(name) == ("yolo",) else None


def bar_report(modules: Sequence[Module]) -> Report | None:
    """Return how a script that shows numbers beside a tqdm bar reports."""
    names = [
        each.arg
        for module in modules
        for name, call in calls(module.tree)
        if last(name) == "set_postfix"
        for each in call.keywords
        if each.arg
    ]
    metric = decider(names)
    loss = next((name for name in names if "loss" in name), "")
    return Report(metric, loss, ("tqdm",), "step") if metric else None


def _records(modules: Sequence[Module]) -> Report | None:
    """Return how a script that prints dicts or JSON, or calls lrtui's emit, reports."""
    names = [name for module in modules for call in _printed(module) for name in call]
    metric = decider(names)
    if not metric:
        return None
    loss = next((name for name in names if "loss" in name and name != metric.partition(" ")[2]), "")
    return Report(
        metric,
        loss or next((name for name in names if "loss" in name), ""),
        (),
        "step" if "step" in names else "epoch",
    )


def _printed(module: Module) -> Iterator[list[str]]:
    for name, call in calls(module.tree):
        if last(name) == "emit":
            yield [each.arg for each in call.keywords if each.arg]
        elif name == "print" and call.args:
            inner = call.args[0]
            if (
                isinstance(inner, ast.Call)
                and dotted(inner.func) in {"json.dumps", "dumps", "dict"}
                and inner.args
            ):
                inner = inner.args[0]
            if isinstance(inner, ast.Dict):
                yield _texts(inner)


FRAMEWORKS: tuple[tuple[frozenset[str], Callable[[Sequence[Module]], Report | None]], ...] = (
    (_HUGGING_FACE, _hugging_face),
    (_KERAS, _keras),
    (_LIGHTNING, _lightning),
    (frozenset({"xgboost"}), _xgboost),
    (frozenset({"lightgbm"}), _lightgbm),
    (frozenset({"ultralytics"}), _ultralytics),
)
