"""Data sets that survive videos which cannot be read."""

import os
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.logging import print_log

from lgd_mmaction.datasets.annotation_lines import check_lines
from lgd_mmaction.datasets.repeated_sampling import RepeatsSampling
from lgd_mmaction.errors import ConfigError
from lgd_mmaction.video.bad_videos import BadVideoList
from lgd_mmaction.video.errors import BrokenVideoError, TooManyBadVideosError
from lgd_mmaction.video.reading_notes import ReadingNotes

# so many different videos in a row: not the videos are broken
MAX_IN_A_ROW = 16
# meta keys of the data samples
BAD_KEY = 'bad_video'
REPLACES_KEY = 'replaces_video'


class SurvivesBadVideos:
    """A data set of mmaction2 that goes on when a video is broken.

    A mixin, before the stock class. A video is broken when the pipeline
    raises :class:`BrokenVideoError`, as ``VideoOpen``, ``VideoDecode`` and
    ``CheckedFrameDecode`` do; any other error stops the run.

    Training: the video is replaced by another of the same data set. Which
    one follows from the index alone, and nothing remembers that a video was
    bad, so a run that is resumed reads the same. The data sample names the
    video that it replaces in ``replaces_video``. When more than
    ``max_bad_fraction`` of the data set is broken (of data sets that are
    joined: more than all of them allow together), or 16 videos in a row,
    training stops.

    Validation and test: nothing is replaced, the first broken video is an
    error. ``RobustAccMetric`` with ``BadVideoHook`` gets a black clip, whose
    data sample says in ``bad_video`` why it is not real.

    Args:
        max_bad_fraction: Part of the data set, 0 to 1; 0 stops at the first.

    Raises:
        DataError: A line of the annotation file is wrong.
        TooManyBadVideosError: See above.
    """

    prefix_key = 'video'
    path_key = 'filename'

    def __init__(
        self, *args, max_bad_fraction: float = 0.05, **kwargs
    ) -> None:
        if not 0 <= max_bad_fraction <= 1:
            raise ConfigError(
                f'max_bad_fraction={max_bad_fraction} is not a part of the '
                'data set; use a number from 0 to 1'
            )
        self.max_bad_fraction = max_bad_fraction
        self.attach(BadVideoList(), 'train', marks=False)
        super().__init__(*args, **kwargs)

    def attach(
        self,
        bad_videos: BadVideoList,
        subset: str,
        marks: bool,
        limit: tuple[float, int] | None = None,
        notes: ReadingNotes | None = None,
    ) -> None:
        """Share a run's list; BadVideoHook does it before workers start.

        Args:
            bad_videos: The list.
            subset: 'train', 'val' or 'test', as the list is to call it.
            marks: In testing, whether black clips may stand in for broken
                videos: the evaluator looks at their marks.
            limit: ``allowance`` of all that share the list; None: of this one.
            notes: Where to note which video is being read.
        """
        self.bad_videos = bad_videos
        self.listed_as = subset
        self.marks_bad_videos = marks
        self.limit = limit
        self.notes = notes

    def load_data_list(self) -> list[dict]:
        """The stock list, after a look at every line of the file."""
        check_lines(self)
        return super().load_data_list()

    def __getitem__(self, idx: int):
        try:
            return self._read(idx)
        except BrokenVideoError as error:
            broken = error
        if self.test_mode:
            return self._stand_in(idx, broken)
        return self._replacement(idx, broken)

    @property
    def num_videos(self) -> int:
        """How many videos the samples are of."""
        return len(self)

    def name_of(self, idx: int) -> str:
        """The path of a video as it stands in the annotation file."""
        path = self.get_data_info(idx)[self.path_key]
        prefix = self.data_prefix.get(self.prefix_key)
        return os.path.relpath(path, prefix) if prefix else path

    def _read(self, idx: int):
        name = self.name_of(idx)
        reason = self.bad_videos.condemned(name, self.listed_as)
        if reason is not None:
            path = self.get_data_info(idx)[self.path_key]
            raise BrokenVideoError(path, reason)
        # whose fault it is if this never ends
        with self.notes.reading(name) if self.notes else nullcontext():
            return super().__getitem__(idx)

    def _replacement(self, idx: int, broken: BrokenVideoError):
        name = self.name_of(idx)
        found = idx
        for attempt in range(MAX_IN_A_ROW):
            self._record(found, broken)
            found = _another(idx, attempt, len(self))
            try:
                data = self._read(found)
            except BrokenVideoError as error:
                broken = error
            else:
                _mark(data, REPLACES_KEY, name)
                return data
        raise TooManyBadVideosError(
            f'{MAX_IN_A_ROW} videos of {self.ann_file} in a row cannot be '
            f'read, the last one is {broken}; is '
            f'data_prefix.{self.prefix_key} the right folder?'
        )

    def _record(self, idx: int, broken: BrokenVideoError) -> None:
        """Log, list and count a broken video; stop if they are too many."""
        name = self.name_of(idx)
        if not self.bad_videos.add(name, broken.reason, self.listed_as):
            return
        text = f'broken video, replaced by another: {broken}'
        print_log(text, logger='current', level=30)
        count = len(self.bad_videos.found(self.listed_as))
        allowed, total = self.limit or allowance([self])
        if count > allowed:
            whose, limit = self.ann_file, f'={self.max_bad_fraction}'
            if total != self.num_videos:
                whose, limit = 'the joined data sets', ' of each'
            where = self.bad_videos.path or 'the log'
            raise TooManyBadVideosError(
                f'{count} of {total} videos of {whose} cannot be read, more '
                f'than max_bad_fraction{limit} allows; the last one is '
                f'{broken}; {where} lists them: repair them, or leave them '
                'out with --exclude of tools/data'
            )

    def _stand_in(self, idx: int, broken: BrokenVideoError):
        """A black clip that says that it is not real."""
        if not self.marks_bad_videos:
            raise broken
        name = self.name_of(idx)
        if self.bad_videos.add(name, broken.reason, self.listed_as):
            print_log(f'broken video: {broken}', logger='current', level=30)
        data = self.pipeline({**self.get_data_info(idx), 'placeholder': True})
        _mark(data, BAD_KEY, str(broken))
        return data


def allowance(datasets: Sequence[SurvivesBadVideos]) -> tuple[float, int]:
    """How many videos of some data sets may be broken, and of how many."""
    sizes = [(d.max_bad_fraction, d.num_videos) for d in datasets]
    return sum(part * n for part, n in sizes), sum(n for _, n in sizes)


def _another(idx: int, attempt: int, length: int) -> int:
    """An index that follows from these numbers alone."""
    entropy = np.random.SeedSequence((idx % length, attempt))
    # 1 .. length - 1 further on, so never itself
    step = int(entropy.generate_state(1)[0]) % max(1, length - 1)
    return (idx + 1 + step) % length


def _mark(data: object, key: str, value: str) -> None:
    # RepeatsSampling gives a list
    for part in data if isinstance(data, list) else [data]:
        sample = part.get('data_samples') if isinstance(part, dict) else None
        if hasattr(sample, 'set_metainfo'):
            sample.set_metainfo({key: value})


@DATASETS.register_module()
class RobustVideoDataset(SurvivesBadVideos, RepeatsSampling, VideoDataset):
    """The stock ``VideoDataset`` that survives broken videos.

    Arguments are those of ``VideoDataset``, of :class:`SurvivesBadVideos`
    and of :class:`RepeatsSampling` (several clips of a video at once). What
    the reader finds out by reading a whole file (containers other than MP4)
    is kept in the folder ``video_index`` beside the annotation file.
    """

    def get_data_info(self, idx: int) -> dict:
        lists = os.path.dirname(self.ann_file)
        cache = os.path.join(lists, 'video_index')
        return {**super().get_data_info(idx), 'index_cache': cache}


@DATASETS.register_module()
class RobustRawframeDataset(SurvivesBadVideos, RawframeDataset):
    """The stock ``RawframeDataset`` that survives missing or broken images.

    Arguments are those of ``RawframeDataset`` and of
    :class:`SurvivesBadVideos`.
    """

    prefix_key = 'img'
    path_key = 'frame_dir'
