"""Any of timm's classifiers (PyTorch Image Models) as an encoder, with weights from a file."""

from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.networks.encoder import STRIDES
from vmsbench.networks.from_file.classifier import ClassifierEncoder, standard


class Timm(ClassifierEncoder):
    """The last maps at each stride within a timm architecture, such as convnext_tiny, or resnet50.a1_in1k.

    weights   as timm has them, by torch.save(timm.create_model(...).state_dict(), FILE), or as .safetensors
    """

    library = "timm"

    @classmethod
    def check_architecture(cls, architecture: str) -> None:
        if find_spec("timm") is None:
            raise ConfigurationError("encoder=timm needs timm, which is not installed: pip install 'vmsbench[timm]'")
        import timm

        if not timm.is_model(architecture):
            meant = did_you_mean(architecture, timm.list_models())
            raise ConfigurationError(f"architecture={architecture}: timm has none of this name{meant}")

    @classmethod
    def untaught(cls, architecture: str) -> nn.Module:
        import timm

        classifier: nn.Module = timm.create_model(architecture, pretrained=False)
        return classifier

    @classmethod
    def maps_within(cls, classifier: Any, pictures: Tensor) -> tuple[Tensor, ...]:
        """timm's own intermediate maps, those that its `features_only` has, of pictures as it was shown them."""
        at = {stage["reduction"]: number for number, stage in enumerate(classifier.feature_info)}
        shown = standard(pictures, *(classifier.pretrained_cfg[name] for name in ("mean", "std")))
        chosen = [at[stride] for stride in STRIDES]
        maps: list[Tensor] = classifier.forward_intermediates(shown, indices=chosen, intermediates_only=True)
        return tuple(maps)
