"""Custom models: `module:function` in a file beside the experiment file. Only a worker imports it.

The function is called as `build(channels, size, classes, **options)`, like the models here, and returns a `torch.nn.Module` that
maps (N, channels, size, size) float32 to (N, classes) logits. Before the training begins the model is tried on two images, forwards
and backwards, and left as it was: faults are reported with the line of the user's file, not with a traceback in the middle of a
run.
"""

from __future__ import annotations

import copy
import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtui.train.models import ARGUMENTS, module_file
from lrtui.train.options import Choice, UsageError

if TYPE_CHECKING:
    from types import ModuleType

IMAGES = 2
"""The number of images for the trial: batch normalisation needs more than one."""


def build(choice: Choice, folder: Path, shape: tuple[int, int, int]) -> nn.Module:
    """Return the model that a function in `folder` makes for (channels, size, classes).

    Raises:
        UsageError: no such file or function, an error in the user's code (with its line), or no model.

    """
    name = choice.name
    module_name, _, attribute = name.partition(":")
    file = module_file(folder, module_name)
    if file is None:
        raise UsageError(
            f"model {name}: there is no {module_name.replace('.', '/')}.py in {folder}"
        )
    module = _import(name, module_name, file, folder)
    function = getattr(module, attribute, None)
    if not callable(function):
        what = "is no function" if hasattr(module, attribute) else "is not there"
        raise UsageError(f"model {name}: {attribute} {what} in {file}")
    try:
        model = function(*shape, **choice.options)
    except (Exception, SystemExit) as error:
        raise UsageError(_blame(name, error, folder)) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"model {name}: {attribute}({', '.join(ARGUMENTS)}) must return a torch.nn.Module (found {type(model).__name__})"
        )
    return model


def try_out(
    choice: Choice, folder: Path, model: nn.Module, batch: tuple[Tensor, Tensor], classes: int
) -> None:
    """Run `model` forwards and backwards on a few (inputs, labels), and leave it and the generators as they were.

    Raises:
        UsageError: it fails, its output has another shape, or there is nothing to train.

    """
    name, (images, labels) = choice.name, batch
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(f"model {name}: it has no parameters that could be trained")
    before = copy.deepcopy(model.state_dict())
    devices = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            model.eval()
            with torch.inference_mode():
                _check_shape(name, model(images), images, classes)
            model.train()
            outputs = model(images)
            _check_shape(name, outputs, images, classes)
            functional.cross_entropy(outputs.float(), labels).backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(_blame(name, error, folder, images)) from error
        finally:
            model.zero_grad(set_to_none=True)
    model.load_state_dict(before)


def _check_shape(name: str, outputs: object, images: Tensor, classes: int) -> None:
    wanted = (len(images), classes)
    if not isinstance(outputs, Tensor):
        raise UsageError(
            f"model {name}: its output must be one tensor {wanted} (found {type(outputs).__name__})"
        )
    if tuple(outputs.shape) != wanted or not outputs.is_floating_point():
        kind = "" if outputs.is_floating_point() else f" of {outputs.dtype}"
        raise UsageError(
            f"model {name}: from images {tuple(images.shape)} it must make logits {wanted}, one for each of the "
            f"{classes} classes (found {tuple(outputs.shape)}{kind})"
        )


def _import(name: str, module_name: str, file: Path, folder: Path) -> ModuleType:
    """Return the module in `file`; the folder stays importable, for modules beside it."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise UsageError(_blame(name, error, folder)) from error
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != file.resolve():
        raise UsageError(
            f"model {name}: another module is called {module_name} ({found}); rename {file.name}"
        )
    return module


def _blame(name: str, error: BaseException, folder: Path, images: Tensor | None = None) -> str:
    """Return the fault in one line: the user's line, and the message of Python or torch."""
    said = " ".join(str(error).split())[:300]
    said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    place = _place(error, folder)
    given = f" (on images {tuple(images.shape)})" if images is not None else ""
    return f"model {name}: {place}{said}{given}"


def _place(error: BaseException, folder: Path) -> str:
    """Return "file:line in function: " of the innermost line in the user's code; "" if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}: "
    root = folder.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (
            Path(frame.filename).resolve().is_relative_to(root)
            and "site-packages" not in frame.filename
        ):
            where = f" in {frame.name}" if frame.name != "<module>" else ""
            return f"{frame.filename}:{frame.lineno}{where}: "
    return ""
