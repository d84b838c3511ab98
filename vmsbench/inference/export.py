"""A trained model as one file for other programs, compared with the original before it is kept.

inputs   images, float32, N x 3 x S x S in [0, 1]; a sampling model also takes noise, N x C x S x S, standard normal
output   maps, float32, N x C x S x S in [0, 1]: red and green, or red, green and blue, or grey
"""

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vmsbench.errors import UserError
from vmsbench.files import save_json, storing, unfinished
from vmsbench.inference.predictor import TrainedModel
from vmsbench.models.model import Model

TOLERANCE = 0.5 / 255  # half a grey level
BATCHES = (2, 1, 5)  # the first is what is exported with; the file must work with others too
OPSET = 18

Function = Callable[..., Tensor]


class Exported(nn.Module):
    """From images in [0, 1], and noise where the model is random, to maps in [0, 1]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        signed = 2 * images - 1
        coded = self.model.transform(signed, torch.empty(0) if noise is None else noise)
        return ((self.model.target.label(signed, coded) + 1) / 2).clamp(0, 1)


def export(predictor: TrainedModel, file: Path, format: str) -> float:
    """Write `file`, and NAME.json next to it, which describes inputs and outputs.

    Returns the largest difference to the original's maps, in [0, 1]. Raises UserError where a library is missing,
    where the model cannot be written in this format, and where the file's maps differ by half a grey level; the file
    is removed then.
    """
    if format not in WRITERS:
        raise UserError(f"--format {format} is none of {', '.join(WRITERS)}")
    if predictor.device.type != "cpu":
        raise UserError("models are exported from the CPU: load them with device=cpu")
    if predictor.model.sight.encoder.channels:
        raise UserError(
            "this model reads pictures through an encoder, which an exported file does not hold; use "
            "`vmsbench predict`, or export a model trained with encoder=none"
        )
    original = Exported(predictor.model).eval()
    refuse_hidden_draws(original, predictor)
    if file.is_dir():
        raise UserError(f"{file} is a folder: give a file by --out, such as {file / 'model'}.{format}")
    with storing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(file)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracers warn of every Python number; their result is checked below
            answer = WRITERS[format](original, inputs(predictor, BATCHES[0]), temporary)
            apart = max(difference(original, answer, inputs(predictor, count)) for count in BATCHES)
        if not apart <= TOLERANCE:
            raise UserError(
                f"the {format} file gives different maps, by up to {apart:.2g} in [0, 1]: it is not kept; try another "
                "--format"
            )
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    save_json(file.with_suffix(".json"), description(predictor, format, apart))
    return apart


def inputs(predictor: TrainedModel, count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(count)
    images = torch.rand(count, 3, predictor.size, predictor.size, generator=generator)
    noise = torch.randn(count, predictor.channels, predictor.size, predictor.size, generator=generator)
    return (images, noise) if predictor.model.random else (images,)


def refuse_hidden_draws(original: Exported, predictor: TrainedModel) -> None:
    given = inputs(predictor, 1)
    with torch.no_grad(), torch.random.fork_rng([]):
        torch.manual_seed(0)
        once = original(*given)
        torch.manual_seed(1)
        if not torch.equal(once, original(*given)):
            raise UserError(
                "this model draws random numbers at every step (model.eta above 0), which an exported file cannot "
                "repeat; one trained with model.eta=0 can be exported"
            )


def difference(original: Exported, answer: Function, given: tuple[Tensor, ...]) -> float:
    return float((answer(*given) - original(*given)).abs().max())


def to_torchscript(original: Exported, given: tuple[Tensor, ...], file: Path) -> Function:
    torch.jit.trace(original, given, check_trace=False).save(str(file))
    loaded: Function = torch.jit.load(str(file))
    return loaded


def to_onnx(original: Exported, given: tuple[Tensor, ...], file: Path) -> Function:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx needs {', '.join(missing)}: `pip install 'vmsbench[onnx]'`")
    import onnxruntime

    names = ["images", "noise"][: len(given)]
    dimension = torch.export.Dim("n", min=1)
    torch.onnx.export(
        original,
        given,
        str(file),
        input_names=names,
        output_names=["maps"],
        dynamic_shapes={name: {0: dimension} for name in names},
        opset_version=OPSET,
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def answer(*arrays: Tensor) -> Tensor:
        feed: dict[str, np.ndarray[Any, Any]] = {name: array.numpy() for name, array in zip(names, arrays, strict=True)}
        return torch.from_numpy(session.run(["maps"], feed)[0])

    return answer


WRITERS = {"onnx": to_onnx, "torchscript": to_torchscript}


def description(predictor: TrainedModel, format: str, apart: float) -> dict[str, Any]:
    channels, size = predictor.channels, predictor.size
    described = {"images": f"float32, N x 3 x {size} x {size}, RGB in [0, 1]; pictures are stretched to a square"}
    if predictor.model.random:
        described["noise"] = f"float32, N x {channels} x {size} x {size}, standard normal; each draw is another sample"
    colours = {1: "grey", 2: "red (false schema), green (true schema)", 3: "red, green, blue"}[channels]
    maps = f"float32, N x {channels} x {size} x {size} in [0, 1]: {colours}"
    return {"format": format, "inputs": described, "outputs": {"maps": maps}, "largest_difference": apart}
