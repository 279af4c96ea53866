"""save_pretrained and from_pretrained, by huggingface_hub where it is."""

from typing import Any

from lgd_mmaction.errors import CheckpointError, ConfigError

# what save_pretrained writes into README.md
MODEL_CARD = """
---
{{ card_data }}
---

# LGD network for video recognition

Local and Global Diffusion (Qiu et al., CVPR 2019) as implemented by
lgd_mmaction. `config.json` holds the arguments of the network,
`model.safetensors` its weights. Data, training and measured accuracy:
{{ results | default("not told by whoever saved it", true) }}

```python
from lgd_mmaction import LGDModel

model = LGDModel.from_pretrained('path or name of this folder')
scores = model(clip).softmax(1)  # clip: (N, C, T, H, W), uint8
```

- Paper: {{ paper_url }}
"""

try:
    import safetensors  # noqa: F401  (the mixin imports it when it saves)
    from huggingface_hub import PyTorchModelHubMixin
except ImportError:

    def _missing(*args: Any, **kwargs: Any) -> Any:
        raise ConfigError(
            'save_pretrained, from_pretrained and push_to_hub need '
            'huggingface_hub and safetensors; install them with: pip install '
            'huggingface_hub safetensors'
        )

    class PyTorchModelHubMixin:  # type: ignore[no-redef]
        """Says what is missing when somebody wants it."""

        def __init_subclass__(cls, **card: Any) -> None:
            super().__init_subclass__()

        save_pretrained = push_to_hub = from_pretrained = _missing


class HubMixin(
    PyTorchModelHubMixin,
    library_name='lgd_mmaction',
    license='apache-2.0',
    paper_url='https://arxiv.org/abs/1906.05571',
    pipeline_tag='video-classification',
    tags=['action-recognition', 'lgd'],
    model_card_template=MODEL_CARD,
):
    """The mixin of huggingface_hub with our model card.

    Weights that do not fit the network, or fit a part of it only, are an
    error, where the mixin would load what fits.
    """

    @classmethod
    def _load_as_safetensor(
        cls, model: Any, model_file: str, map_location: str, strict: bool
    ) -> Any:
        try:
            return super()._load_as_safetensor(  # type: ignore[misc]
                model, model_file, map_location, True
            )
        except Exception as error:  # safetensors has no common base class
            reason = ' '.join(str(error).split())[:300]
            raise CheckpointError(
                f'{model_file} cannot be loaded: {reason}; save it again '
                'with save_pretrained, or leave out the arguments that '
                'differ from its config.json'
            ) from error
