"""Tests share two cores with whatever else runs: one thread each."""

import torch

torch.set_num_threads(1)
