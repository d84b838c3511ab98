"""Milliseconds to sample a map by diffusion, against the network's bare forward passes."""

from pathlib import Path

import torch

from vmsbench.accelerators import backend_of
from vmsbench.bench.result import Measurement, interleaved, milliseconds, times_faster
from vmsbench.bench.throughput import measured
from vmsbench.config.settings import Config


@torch.no_grad()
def sampling(config: Config, folder: Path, batch: int, rounds: int) -> list[Measurement]:
    """One map for each of `batch` images, by as many steps as the configuration says."""
    experiment = measured(config, folder)
    model, device, size = experiment.model.eval(), experiment.device, config["data"]["size"]
    steps = config["model"]["sampling_steps"]
    image = torch.rand(batch, 3, size, size, device=device) * 2 - 1
    stack = torch.cat([image, torch.randn(batch, experiment.dataset.channels, size, size, device=device)], dim=1)
    time = torch.rand(batch, device=device)

    def sample() -> int:
        model.sample(image)
        return batch

    def forward() -> int:
        for _ in range(steps):
            model.network(stack, time)
        return batch

    seconds = interleaved({"sample": sample, "forward": forward}, rounds)
    most = 10.0 if backend_of(device) else None
    how = "" if most else "vmsbench bench sample --batch 320 device=cuda"
    rows = [
        Measurement(
            f"sampling, {steps} steps / {steps} forward passes",
            times_faster(seconds["sample"], seconds["forward"]),
            "x",
        ),
        Measurement(f"sampling, {steps} steps, batch {batch}", milliseconds(seconds["sample"]), "ms/image", most=most),
    ]
    return (
        rows
        if most
        else [*rows, Measurement("sampling, 50 steps, batch 320, on a GPU", None, "ms/image", most=10, how=how)]
    )
