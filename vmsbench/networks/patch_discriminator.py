"""The patch discriminator (Isola et al. 2017): one raw logit for each of a grid of overlapping patches."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vmsbench.errors import ConfigurationError
from vmsbench.networks.conditions import MAPS, Maps
from vmsbench.networks.layers import depth, normalisation


class PatchDiscriminator(nn.Module):
    """Judges an image and a map, concatenated: B x inputs x S x S to B x 1 x P x P logits, P = S / 2^layers.

    features  channels of an encoder's maps at each stride; they are judged with
    width     channels after the first convolution; they double up to eight times that
    norm      batch, instance, group or none; the first convolution has none, as in pix2pix
    layers    stride-2 convolutions; None: log2(S / 4), so that P = 4
    spectral  every convolution divided by its largest singular value (Miyato et al. 2018)
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        features: Sequence[int] = (),
        width: int = 64,
        norm: str = "batch",
        layers: int | None = None,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.layers = depth(size) if layers is None else layers
        if width < 1:
            raise ConfigurationError(f"width={width}: a discriminator needs at least 1 channel; 64 works")
        if not 1 <= self.layers <= depth(size, smallest=1):
            raise ConfigurationError(f"layers={layers}: 1 to {depth(size, smallest=1)} at {size} px")
        body: list[nn.Module] = []
        self.maps = Maps(features, MAPS)
        channels = inputs + self.maps.channels
        for layer in range(self.layers):
            after = width * min(2**layer, 8)
            body.append(nn.Conv2d(channels, after, 4, stride=2, padding=1))
            if layer > 0:
                body.append(normalisation(norm, after, size // 2 ** (layer + 1)))
            body.append(nn.LeakyReLU(0.2))
            channels = after
        self.body = nn.Sequential(*body, nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(channels, 1, 4))
        if spectral:
            for module in self.body:
                if isinstance(module, nn.Conv2d):
                    spectral_norm(module)

    @property
    def receptive_field(self) -> int:
        """The receptive field of one logit, in pixels; 94 with four layers."""
        pixels = 4
        for _ in range(self.layers):
            pixels = 2 * pixels + 2
        return pixels

    def forward(self, x: Tensor, features: Sequence[Tensor] = ()) -> Tensor:
        return self.body(self.maps.joined(x, features))
