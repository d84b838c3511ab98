"""What `mlflow.pyfunc.load_model(uri).predict(images)` runs: an experiment's folder, kept as the model's data."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import numpy as np

from vmsbench.inference.images import map_of
from vmsbench.inference.predictor import TrainedModel, load
from vmsbench.store.experiment_folder import CHECKPOINT, CONFIG, RESULTS
from vmsbench.versions import PUBLIC

NEEDED = (CONFIG, RESULTS, CHECKPOINT)


@final
class MapModel:
    """Maps in the dataset's colours for images of any size."""

    def __init__(self, predictor: TrainedModel) -> None:
        self.predictor = predictor

    def predict(self, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """uint8, N x H x W x 3 (or one H x W x 3), to maps of the same shape.

        params   {"samples": K}: the median of K samples, where the model samples; 1 by default
        """
        images = np.asarray(model_input, dtype=np.uint8)
        samples = int((params or {}).get("samples", 1)) if self.predictor.random else 1
        maps = [map_of(self.predictor, image, samples) for image in images.reshape(-1, *images.shape[-3:])]
        return np.stack(maps).reshape(images.shape)


def _load_pyfunc(path: str) -> MapModel:
    """The loader function that MLflow calls with the path of the model's data."""
    return MapModel(load(Path(path)))


@contextmanager
def packed(folder: Path, run: str, model: str) -> Iterator[Path]:
    """A temporary folder with the experiment in `folder` as an MLflow model, for that run and model id."""
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    image = TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))
    samples = ParamSchema([ParamSpec("samples", "integer", 1)])
    with tempfile.TemporaryDirectory(prefix="vmsbench-model-") as held, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns without an input example, but would run a prediction on it here
        data, target = Path(held) / "trained", Path(held) / "model"
        data.mkdir()
        for name in NEEDED:
            shutil.copyfile(folder / name, data / name)
        save_model(
            target,
            loader_module=PUBLIC["MLflow model"],
            data_path=str(data),
            mlflow_model=Model(run_id=run, model_id=model),
            signature=ModelSignature(Schema([image]), Schema([image]), samples),
            pip_requirements=["vmsbench"],
        )
        yield target
