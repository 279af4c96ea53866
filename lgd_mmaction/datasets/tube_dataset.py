"""Key frames with boxes, from an annotation file of tubes."""

import os
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from lgd_mmaction.datasets.robust_video_dataset import SurvivesBadVideos
from lgd_mmaction.detection.annotations import TubeVideo, load_tubes
from lgd_mmaction.detection.boxes import box_iou
from lgd_mmaction.detection.proposals import FrameBoxes, read_proposals
from lgd_mmaction.errors import ConfigError, DataError
from lgd_mmaction.video.errors import BrokenVideoError
from lgd_mmaction.video.transforms import UnpackFlow

# proposals that overlap less are background, the best ones of a frame
BACKGROUND_IOU, MAX_BACKGROUND = 0.3, 3
TEMPLATES = {'RGB': '{:05}.jpg', 'Flow': 'flow_{}_{:05}.jpg'}


@DATASETS.register_module()
class ActionTubeDataset(SurvivesBadVideos, BaseActionDataset):
    r"""Spatio-temporal detection: one sample is a key frame and its boxes.

    Training has the frames with annotated boxes, testing every frame. The
    key frames of a video are cut into runs of ``frame_stride`` frames, or
    into ``frames_per_video`` runs of equal length, and each run is one
    sample. Training draws a frame of the run anew whenever it is read,
    testing takes the middle one.

    A sample serves the stock AVA transforms and AVARoIHead. Its keys::

        video_id, timestamp   name of the video, key frame (from 0)
        filename | frame_dir, filename_tmpl   what to read
        fps, timestamp_start, start_index     centre SampleAVAFrames there
        num_frames, total_frames              annotated; to be read
        gt_bboxes (n, 4), gt_labels (n, K)    one-hot; boxes as fractions of
        proposals (p, 4)                      width and height
        proposal_scores (p,)  entity_ids (n,) index of the tube

    Args:
        ann_file: Annotation file of :mod:`lgd_mmaction.detection.annotations`.
        pipeline: Transforms; ``SampleKeyFrames`` samples the clip.
        split, subset: Which videos, e.g. ``1`` and ``'train'``.
        data_prefix: ``dict(video=folder)`` of ``<class>/<video><suffix>``,
            or with ``use_frames`` ``dict(img=folder)`` of
            ``<class>/<video>/<filename_tmpl>``.
        use_frames: Read images instead of videos, as is always done with
            ``modality='Flow'``.
        suffix: Of the videos.
        filename_tmpl: Of the images; RGB ``'{:05}.jpg'``, flow
            ``'flow_{}_{:05}.jpg'`` by default.
        start_index: Number of the first image; videos count from 0.
        proposal_file: Boxes of a person detector (docs/detection.md); None
            takes the ground truth. In training the ground truth is added.
        frame_stride, frames_per_video: Thinning, see above; one of them.
        background: Training shows, as class K, proposals that overlap no
            ground truth of their frame by 0.3, the best three of a frame, in
            frames without action too. Needs ``proposal_file`` and a head
            with K + 1 classes.
        kwargs: Those of SurvivesBadVideos (what becomes of broken videos)
            and of mmengine's BaseDataset.

    Raises:
        ConfigError: Arguments that do not fit one another.
        DataError: The annotations, proposals or videos cannot be used.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        split: int | str = 1,
        subset: str = 'train',
        data_prefix: dict = dict(video=''),  # noqa: B006
        use_frames: bool = False,
        suffix: str = '.avi',
        filename_tmpl: str | None = None,
        start_index: int = 1,
        modality: str = 'RGB',
        proposal_file: str | None = None,
        frame_stride: int = 1,
        frames_per_video: int | None = None,
        background: bool = False,
        test_mode: bool = False,
        **kwargs,
    ) -> None:
        self.use_frames = use_frames or modality == 'Flow'
        self.prefix_key = 'img' if self.use_frames else 'video'
        self.path_key = 'frame_dir' if self.use_frames else 'filename'
        if modality not in TEMPLATES:
            raise ConfigError(
                f"modality={modality!r} is unknown: use 'RGB' or 'Flow'"
            )
        if set(data_prefix) != {self.prefix_key}:
            raise ConfigError(
                f'data_prefix must be dict({self.prefix_key}=folder), not '
                f'{dict(data_prefix)}; use_frames=True reads images'
            )
        stride = frame_stride if frames_per_video is None else frames_per_video
        if stride < 1 or frames_per_video is not None and frame_stride != 1:
            raise ConfigError(
                f'frame_stride={frame_stride} and frames_per_video='
                f'{frames_per_video} must be 1 or more, and one of them left '
                'out'
            )
        if background and not test_mode and proposal_file is None:
            raise ConfigError(
                'background=True learns from detector boxes that overlap no '
                'ground truth: set proposal_file'
            )
        self.split, self.subset = split, subset
        self.suffix = suffix
        self.filename_tmpl = filename_tmpl or TEMPLATES[modality]
        self.proposal_file = proposal_file
        self.frame_stride = frame_stride
        self.frames_per_video = frames_per_video
        self.background = background
        self._broken: BrokenVideoError | None = None
        super().__init__(
            ann_file,
            pipeline=pipeline,
            data_prefix=data_prefix,
            test_mode=test_mode,
            start_index=start_index if self.use_frames else 0,
            modality=modality,
            **kwargs,
        )
        if any(isinstance(t, UnpackFlow) for t in self.pipeline.transforms):
            raise ConfigError(
                'ActionTubeDataset reads flow from images, since the stock '
                'decoder would scale boxes to the packed frame; leave '
                'UnpackFlow out and extract flow with --store jpg'
            )

    def __getitem__(self, idx: int):
        # Frames of a video follow one another, and to find that it is broken
        # may take a decode of all of it: not for each of them.
        if self._broken is not None:
            if self.get_data_info(idx)[self.path_key] == self._broken.path:
                return self._stand_in(idx, self._broken)
            self._broken = None
        return super().__getitem__(idx)

    def _stand_in(self, idx: int, broken: BrokenVideoError):
        data = super()._stand_in(idx, broken)
        self._broken = broken
        return data

    def load_data_list(self) -> list[dict]:
        """One small dict for each run of key frames."""
        annotations = load_tubes(self.ann_file)
        videos = annotations.subset(self.split, self.subset)
        what = f'{annotations.dataset} {self.split}/{self.subset}'
        if not videos:
            raise DataError(f'{self.ann_file}: {what} has no video')
        self._metainfo['classes'] = annotations.classes
        self.num_classes = len(annotations.classes) + self.background
        self.names = [video.name for video in videos]
        self.num_frames = np.array([v.num_frames for v in videos], np.int64)
        # frames are numbered through: video v begins at first_frame[v]
        self.first_frame = np.cumsum(self.num_frames) - self.num_frames
        self._check_files()
        self.truth = _truth(videos, self.first_frame)
        self.proposals = None
        if self.proposal_file is not None:
            self.proposals = read_proposals(
                os.path.join(self.data_root or '', self.proposal_file),
                videos,
                set(annotations.videos),
            )
        self.key_frames = self._key_frames()  # numbered through, too
        runs = self._runs()
        boxed = len(np.unique(self.truth.frame))
        print_log(
            f'{what}: {len(videos)} videos, {int(self.num_frames.sum())} '
            f'frames ({boxed} with {len(self.truth)} boxes), '
            f'{len(self.key_frames)} key frames, {len(runs)} samples',
            logger='current',
        )
        if not runs:
            raise DataError(f'{self.ann_file}: {what} has no annotated frame')
        return runs

    @property
    def num_videos(self) -> int:
        return len(self.names)

    def _key_frames(self) -> np.ndarray:
        if self.test_mode:
            return np.arange(int(self.num_frames.sum()))
        frames = self.truth.frame
        if self.background:
            frames = np.concatenate([frames, self.proposals.frame])
        return np.unique(frames)

    def _runs(self) -> list[dict]:
        ends = self.first_frame + self.num_frames
        bounds = np.searchsorted(self.key_frames, [self.first_frame, ends])
        runs = []
        for video, (start, stop) in enumerate(bounds.T.tolist()):
            if self.frames_per_video is None:
                edges = [*range(start, stop, self.frame_stride), stop]
            else:
                edges = np.linspace(start, stop, self.frames_per_video + 1)
                edges = np.unique(edges.astype(np.int64)).tolist()
            runs += [dict(video=video, run=run) for run in pairwise(edges)]
        return runs

    def _path(self, name: str) -> str:
        """The video, or the folder of its images."""
        name = name if self.use_frames else name + self.suffix
        return os.path.join(self.data_prefix[self.prefix_key], name)

    def _check_files(self) -> None:
        paths = [self._path(name) for name in self.names]
        local = (path for path in paths if '://' not in path)
        missing = [path for path in local if not os.path.exists(path)]
        if missing:
            raise DataError(
                f'{len(missing)} of {len(paths)} videos of {self.split}/'
                f'{self.subset} are missing, first {missing[0]}; check '
                'data_prefix and suffix, or extract them again'
            )

    def get_data_info(self, idx: int) -> dict:
        """One sample; see the class for its keys."""
        info = super().get_data_info(idx)
        video, (start, stop) = info.pop('video'), info.pop('run')
        middle = (start + stop) // 2
        place = middle if self.test_mode else np.random.randint(start, stop)
        frame = int(self.key_frames[place])
        count = int(self.num_frames[video])
        info.update(
            video_id=self.names[video],
            timestamp=frame - int(self.first_frame[video]),
            # stock SampleAVAFrames adds start_index twice, once in
            # choosing the centre: this takes one of them back
            timestamp_start=self.start_index,
            fps=1,
            num_frames=count,
            total_frames=count - (self.modality == 'Flow'),
        )
        info[self.path_key] = self._path(self.names[video])
        if self.use_frames:
            info['filename_tmpl'] = self.filename_tmpl
        return info | self._boxes(frame)

    def _boxes(self, frame: int) -> dict:
        """Boxes of a frame: truth (background included) and proposals."""
        rows = self.truth.rows(frame)
        boxes = self.truth.boxes[rows]
        label, tube = (self.truth.extra[k][rows] for k in ('label', 'tube'))
        proposals, scores = boxes, np.ones(len(boxes), np.float32)
        if self.proposals is not None:
            rows = self.proposals.rows(frame)
            found = self.proposals.boxes[rows]
            found_scores = self.proposals.extra['score'][rows]
            if self.test_mode:
                proposals, scores = found, found_scores
            else:
                proposals = np.concatenate([boxes, found])
                scores = np.concatenate([scores, found_scores])
                if self.background:
                    # best first in each frame, so the best are kept
                    iou = box_iou(found[:, None], boxes[None])
                    iou = iou.max(1, initial=0)
                    apart = found[iou < BACKGROUND_IOU][:MAX_BACKGROUND]
                    boxes = np.concatenate([boxes, apart])
                    more = np.full(len(apart), self.num_classes - 1)
                    label = np.concatenate([label, more])
                    tube = np.concatenate([tube, np.full(len(apart), -1)])
        return dict(
            gt_bboxes=boxes.copy(),
            gt_labels=np.eye(self.num_classes, dtype=np.float32)[label],
            entity_ids=tube.astype(np.int64),
            proposals=proposals.copy(),
            proposal_scores=scores.copy(),
        )


def _truth(videos: list[TubeVideo], first_frame: np.ndarray) -> FrameBoxes:
    """Every annotated box, as fractions, with its label and tube."""
    frames, boxes = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.float32)]
    labels, numbers = [], []
    for video, first in zip(videos, first_frame.tolist(), strict=True):
        size = np.array([video.width, video.height] * 2, np.float32)
        for number, tube in enumerate(video.tubes):
            frames.append(first + np.arange(tube.start, tube.stop))
            boxes.append(tube.boxes / size)
            labels += [tube.label] * len(tube.boxes)
            numbers += [number] * len(tube.boxes)
    truth = FrameBoxes(
        np.concatenate(frames),
        np.concatenate(boxes),
        dict(
            label=np.array(labels, np.int16),
            tube=np.array(numbers, np.int16),
        ),
    )
    return truth.take(np.argsort(truth.frame, kind='stable'))
