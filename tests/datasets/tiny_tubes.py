"""A hand-made data set of tubes: a bright block on a grey background.

The background of frame i has the grey value 8 i + 20, so that a clip tells
which frames it holds; the block is red in class 0, blue in class 1.
"""

from pathlib import Path

import cv2
import numpy as np

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    save_tubes,
)
from lgd_mmaction.detection.box_table import BoxTable

WIDTH, HEIGHT, FRAMES = 80, 60, 24
COLOURS = ((0, 0, 255), (255, 0, 0))  # BGR


def grey(frame: int) -> int:
    return 8 * frame + 20


def tube(label: int, start: int = 0, stop: int = FRAMES) -> Tube:
    """A 24x30 block that moves a pixel a frame."""
    x = 8.0 + np.arange(start, stop)
    boxes = np.stack([x, x * 0 + 10, x + 24, x * 0 + 40], axis=1)
    return Tube(label, start, boxes.astype(np.float32))


def annotations() -> TubeAnnotations:
    """Six videos; `b/2` acts in the middle only, `b/3` not at all."""
    videos = [
        TubeVideo(name, FRAMES, WIDTH, HEIGHT, tubes)
        for name, tubes in (
            ('a/0', (tube(0),)),
            ('b/0', (tube(1),)),
            ('a/1', (tube(0),)),
            ('b/1', (tube(1),)),
            ('b/2', (tube(1, 6, 16),)),
            ('b/3', ()),
        )
    ]
    names = [video.name for video in videos]
    split = {'train': names[:2] + names[4:], 'test': names[2:4]}
    second = {'train': names[2:4], 'test': names[:2]}
    return TubeAnnotations(
        'tiny',
        ('a', 'b'),
        {'1': split, '2': second, '3': split},
        {video.name: video for video in videos},
    )


def picture(video: TubeVideo, frame: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8, BGR."""
    image = np.full((HEIGHT, WIDTH, 3), grey(frame), np.uint8)
    for tube in video.tubes:
        if tube.start <= frame < tube.stop:
            box = tube.boxes[frame - tube.start].astype(int)
            image[box[1] : box[3], box[0] : box[2]] = COLOURS[tube.label]
    return image


def make(root: Path) -> TubeAnnotations:
    """Write annotations, images, videos, flow and proposals."""
    data = annotations()
    save_tubes(data, root / 'tubes.json')
    for video in data.videos.values():
        images = root / 'rawframes' / video.name
        flow = root / 'flow' / video.name
        for folder in (images, flow):
            folder.mkdir(parents=True)
        path = root / 'videos' / f'{video.name}.avi'
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (WIDTH, HEIGHT)
        )
        for frame in range(FRAMES):
            image = picture(video, frame)
            writer.write(image)
            cv2.imwrite(str(images / f'{frame + 1:05}.png'), image)
            if frame < FRAMES - 1:
                for axis, value in (('x', 228), ('y', grey(frame))):
                    cv2.imwrite(
                        str(flow / f'flow_{axis}_{frame + 1:05}.jpg'),
                        np.full((HEIGHT, WIDTH), value, np.uint8),
                    )
        writer.release()
    proposals(data).save(root / 'proposals.npz')
    return data


def proposals(data: TubeAnnotations, skip: int | None = 3) -> BoxTable:
    """Two boxes a frame: the block (0.9) and the lower right corner (0.4).

    The block is where it would be without a tube, too. Frame ``skip`` of
    every video has none.
    """
    names = list(data.videos)
    video, frame, boxes, score = [], [], [], []
    size = np.array([WIDTH, HEIGHT] * 2, np.float32)
    block = tube(0).boxes / size
    for index in range(len(names)):
        for t in range(FRAMES):
            if t == skip:
                continue
            video += [index, index]
            frame += [t, t]
            boxes += [[0.8, 0.8, 1, 1], block[t].tolist()]
            score += [0.4, 0.9]
    table = BoxTable(
        np.array(names),
        np.array(video, np.int32),
        np.array(frame, np.int32),
        np.array(boxes, np.float32),
        score=np.array(score, np.float32),
    )
    count = len(names) * FRAMES
    table.frames_video = np.repeat(np.arange(len(names)), FRAMES)
    table.frames_frame = np.arange(count) % FRAMES
    return table
