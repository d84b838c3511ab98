"""What a denoiser predicts: the noise, the map, or the velocity between them; any one gives the others.

With noisy = signal * clean + spread * noise and signal^2 + spread^2 = 1:

    velocity = signal * noise - spread * clean                                   (Salimans and Ho 2022, appendix D)
    clean    = signal * noisy - spread * velocity = (noisy - spread * noise) / signal
"""

from abc import ABC, abstractmethod

from torch import Tensor


class Prediction(ABC):
    """One of the three, as the network's target; all tensors broadcast together."""

    name: str

    @abstractmethod
    def target(self, clean: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """The network's training target."""

    @abstractmethod
    def clean(self, prediction: Tensor, noisy: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """The clean map that a prediction amounts to."""


class VelocityPrediction(Prediction):
    """v-prediction: well defined at every noise level."""

    name = "velocity"

    def target(self, clean: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return signal * noise - spread * clean

    def clean(self, prediction: Tensor, noisy: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return signal * noisy - spread * prediction


class NoisePrediction(Prediction):
    """epsilon-prediction (Ho et al. 2020): does not determine the map where no signal is left."""

    name = "noise"

    def target(self, clean: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return noise

    def clean(self, prediction: Tensor, noisy: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return (noisy - spread * prediction) / signal


class MapPrediction(Prediction):
    """x0-prediction: the clean map itself."""

    name = "map"

    def target(self, clean: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return clean

    def clean(self, prediction: Tensor, noisy: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return prediction
