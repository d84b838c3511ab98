"""The patch discriminator (Isola et al. 2017): one raw logit for each of 4 x 4 overlapping patches."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vmsbench.networks.layers import depth, normalisation


class PatchDiscriminator(nn.Module):
    """Judges an image and a map, concatenated: B x inputs x S x S to B x 1 x 4 x 4 logits.

    width     channels after the first convolution; they double up to eight times that
    norm      batch, instance, group or none; the first convolution has none, as in pix2pix
    layers    stride-2 convolutions; None: until 4 x 4 are left, log2(size / 4)
    spectral  every convolution divided by its largest singular value (Miyato et al. 2018)
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        width: int = 64,
        norm: str = "batch",
        layers: int | None = None,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.layers = depth(size) if layers is None else layers
        body: list[nn.Module] = []
        channels = inputs
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
        """The side of the square of pixels that one logit sees; 94 with four layers."""
        pixels = 4
        for _ in range(self.layers):
            pixels = 2 * pixels + 2
        return pixels

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
