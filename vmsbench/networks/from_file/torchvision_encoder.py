"""Any of torchvision's classifiers as an encoder, with weights from a file."""

from torch import Tensor, nn

from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.networks.encoder import STRIDES
from vmsbench.networks.from_file.classifier import ClassifierEncoder, standard

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, as torchvision has them


class Torchvision(ClassifierEncoder):
    """The last maps at each stride within a torchvision architecture, such as resnet50.

    weights   as torchvision.models.resnet50(...).state_dict() saved by torch.save
    """

    library = "torchvision"

    @classmethod
    def check_architecture(cls, architecture: str) -> None:
        from torchvision import models

        valid = models.list_models(module=models)
        if architecture not in valid:
            meant = did_you_mean(architecture, valid)
            raise ConfigurationError(f"architecture={architecture}: torchvision has none of this name{meant}")

    @classmethod
    def untaught(cls, architecture: str) -> nn.Module:
        from torchvision import models

        classifier: nn.Module = models.get_model(architecture, weights=None)
        return classifier

    @classmethod
    def maps_within(cls, classifier: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
        """What its modules gave last at each of the strides."""
        size, found = pictures.shape[-1], {}

        def keep(module: nn.Module, given: object, made: object) -> None:
            if isinstance(made, Tensor) and made.ndim == 4 and made.shape[-1] == made.shape[-2]:
                found[made.shape[-1]] = made

        hooks = [module.register_forward_hook(keep) for module in classifier.modules()]
        try:
            classifier(standard(pictures, MEAN, DEVIATION))
        finally:
            for hook in hooks:
                hook.remove()
        return tuple(found[size // stride] for stride in STRIDES)
