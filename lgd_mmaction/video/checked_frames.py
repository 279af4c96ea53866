"""Read folders of images that may be incomplete or broken."""

import os
import stat

import cv2
import numpy as np
from mmaction.datasets.transforms import RawFrameDecode
from mmaction.registry import TRANSFORMS
from mmengine.fileio import FileClient

from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.transforms import BlackVideo

_BLACK_SIZE = BlackVideo.size[::-1]  # height, width
# a cut JPEG decodes to a picture that is grey from somewhere on
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_NO_MOTION = 128


@TRANSFORMS.register_module()
class CheckedFrameDecode(RawFrameDecode):
    """``RawFrameDecode`` for images that may be missing or broken.

    Missing, empty, cut or undecodable images, images of different sizes, and
    what is no regular file, are each a :class:`BrokenVideoError` that names
    the image. Good ones come out as from the stock transform.

    Keys and arguments are those of ``RawFrameDecode``; with a key
    ``placeholder`` it gives black frames, or flow without motion, of 240 x
    320 pixels.
    """

    def transform(self, results: dict) -> dict:
        if results.get('placeholder'):
            return self._placeholder(results)
        if self.file_client is None:
            client = FileClient(self.io_backend, **self.kwargs)
            self.file_client = _CheckedFiles(client, self.io_backend)
        folder = results['frame_dir']
        try:
            results = super().transform(results)
        except BrokenVideoError:
            raise
        except (cv2.error, ValueError) as error:
            text = ' '.join(str(error).split())[:200]
            raise BrokenVideoError(
                folder, f'{self.file_client.last}: no picture ({text})'
            ) from error
        images = results['imgs']
        if images[0].ndim != 3 or images[0].dtype != np.uint8:
            raise BrokenVideoError(
                folder, f'{self.file_client.last}: no picture'
            )
        if len({(image.shape, image.dtype) for image in images}) > 1:
            sizes = sorted({image.shape[:2] for image in images})
            raise BrokenVideoError(folder, f'images of sizes {sizes}')
        return results

    def _placeholder(self, results: dict) -> dict:
        results['frame_inds'] = results['frame_inds'].reshape(-1)
        flow = results['modality'] == 'Flow'
        channels, value = (2, _NO_MOTION) if flow else (3, 0)
        shape = (len(results['frame_inds']), *_BLACK_SIZE, channels)
        results['imgs'] = list(np.full(shape, value, np.uint8))
        results['original_shape'] = results['img_shape'] = _BLACK_SIZE
        return results


class _CheckedFiles:
    """A file client that refuses files which can be no image."""

    def __init__(self, client: FileClient, backend: str) -> None:
        self.client = client
        self.backend = backend  # files on a 'disk' are looked at first
        self.last = ''  # name of the image that was read last

    def get(self, path: str) -> bytes:
        folder, self.last = os.path.split(path)
        local, fault = self.backend == 'disk', ''
        try:
            # a pipe or a device would never end
            if local and not stat.S_ISREG(os.stat(path).st_mode):
                fault = ' is no regular file'
            else:
                data = self.client.get(path)
                if not len(data):
                    fault = ' is empty (zero bytes)'
                # some writers pad the end
                elif data[:2] == _JPEG_START and _JPEG_END not in data[-64:]:
                    fault = ' is cut short'
        except OSError as error:
            fault = f': {error.strerror or error}'
        if fault:
            raise BrokenVideoError(folder, f'{self.last}{fault}')
        return data
