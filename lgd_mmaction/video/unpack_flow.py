"""Read optical flow that tools/data/extract_flow.py packed into videos."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from lgd_mmaction.errors import DataError


@TRANSFORMS.register_module()
class UnpackFlow(BaseTransform):
    """Turn frames of a packed flow video into two-channel flow pictures.

    The upper half of a frame is flow-x, the lower half flow-y, both 8 bit
    with 20 pixels of motion at 0 and 255; all three colours are equal::

        DecordInit -> SampleFrames -> DecordDecode -> UnpackFlow -> Resize ...
                                      (2H, W, 3)      (H, W, 2)

    From here on everything is as with RawFrameDecode and
    ``modality='Flow'``.

    Required keys: ``imgs``. Modified: ``imgs`` (list of (H, W, 2) uint8, x
    then y), ``img_shape``, ``original_shape``, ``modality``.

    Raises:
        DataError: The frames are those of an ordinary video.
    """

    def transform(self, results: dict) -> dict:
        frames = results['imgs']
        name = results.get('filename', 'the video')
        first = frames[0]  # (2H, W, 3)
        odd = first.shape[0] % 2
        if odd or not np.array_equal(first[..., 0], first[..., 2]):
            raise DataError(
                f'{name} is not a packed flow video: make it with '
                'tools/data/extract_flow.py --store video, or leave '
                'UnpackFlow out of the pipeline'
            )
        half = first.shape[0] // 2
        results['imgs'] = [
            np.stack([f[:half, :, 0], f[half:, :, 0]], axis=-1) for f in frames
        ]
        results['img_shape'] = results['imgs'][0].shape[:2]
        results['original_shape'] = results['img_shape']
        results['modality'] = 'Flow'
        return results
