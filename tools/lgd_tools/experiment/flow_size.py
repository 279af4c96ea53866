"""Was flow extracted at the size at which the network sees it?

Flow is a displacement in pixels of the size that it was extracted at. The
stock Resize makes its images larger or smaller and leaves the values as they
are, so at another size every motion is too long or too short for them.
"""

import os
from collections.abc import Mapping
from typing import Any

from lgd_tools.cli import ToolError


def resized_short_side(dataset: Mapping[str, Any]) -> int | None:
    """Short side in pixels after the first Resize of a data set's pipeline.

    Returns:
        None where it does not depend on the pipeline alone: no Resize, a
        crop before it, or a factor instead of a size.
    """
    for step in dataset.get('pipeline') or ():
        kind = str(step.get('type'))
        if 'Crop' in kind or 'Rescale' in kind:
            return None
        if not kind.endswith('Resize'):
            continue
        scale = step.get('scale')
        if not isinstance(scale, (list, tuple)) or len(scale) != 2:
            return None
        # -1: whatever keeps the shape
        side = max(scale) if min(scale) == -1 else min(scale)
        return int(side)
    return None


def size_note(
    dataset: Mapping[str, Any], folder: str, image: str
) -> str | None:
    """A warning where flow was extracted at another size than it is used.

    Args:
        dataset: As in a config, of folders of flow images.
        folder: Where the flow is.
        image: One of its images, relative to the folder.

    Raises:
        ToolError: The image cannot be read.
    """
    wanted = resized_short_side(dataset)
    if wanted is None:
        return None
    from PIL import Image

    path = os.path.join(folder, image)
    try:
        with Image.open(path) as opened:
            found = min(opened.size)
    except OSError as error:
        raise ToolError(
            f'{path} is not a readable image: {error}; extract its flow '
            'again with tools/data/extract_flow.py'
        ) from error
    if found == wanted:
        return None
    return (
        f'the flow in {folder} has a short side of {found} pixels, but the '
        f'pipeline resizes it to {wanted}; flow is in pixels of the size '
        f'that it was extracted at and is not rescaled, so its values are '
        f'{found / wanted:.2g} times what they are at {wanted}; extract it '
        f'with tools/data/extract_flow.py --short-side {wanted}'
    )
