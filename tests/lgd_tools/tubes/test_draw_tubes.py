"""Drawn tubes: where boxes are, what the legend says, which are chosen."""

import av
import cv2
import numpy as np
import pytest

from lgd_mmaction.detection.annotations import (
    Tube,
    TubeAnnotations,
    TubeVideo,
    load_tubes,
    save_tubes,
)
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.detection.detection_set import check_detections
from lgd_mmaction.errors import LGDError
from lgd_tools.pictures import (
    GAP,
    LINE,
    contact_sheet,
    find_pictures,
    read_pictures,
    text_width,
)
from lgd_tools.tubes.draw_tubes import main, predicted_tubes
from lgd_tools.tubes.drawing import (
    COLOURS,
    WHITE,
    DrawnTube,
    colours_of,
    draw_boxes,
    draw_legend,
)
from lgd_tools.video import write_video

NAME, SIZE, FRAMES = 'wave/clip_1', (120, 160), 24
BOX = np.float32([0.25, 0.25, 0.5, 0.75])


def tube(score=None, start=2, length=6, box=BOX, name='wave'):
    scores = None if score is None else np.full(length, score)
    return DrawnTube(name, start, np.tile(box, (length, 1)), scores)


def is_colour(picture, colour):
    return (np.abs(picture.astype(int) - colour) < 40).all(-1)


# --------------------------------------------------------------------- drawing
@pytest.mark.parametrize(
    ('size', 'zoom'),
    [((240, 320), 2), ((256, 340), 2), ((120, 160), 4), ((720, 1280), 1)],
)
def test_small_pictures_are_enlarged(size, zoom):
    drawn = draw_boxes(np.zeros((*size, 3), np.uint8), 0, [])
    assert drawn.shape == (size[0] * zoom, size[1] * zoom, 3)


def test_boxes_are_drawn_where_they_are():
    picture = np.full((240, 320, 3), 90, np.uint8)
    drawn = draw_boxes(picture, 3, [tube(0.9)])
    ys, xs = np.nonzero(is_colour(drawn, COLOURS[0]))
    # 0.25 and 0.5 of 640, 0.75 of 480; the label stands above the box
    assert abs(xs.min() - 160) <= 2 and abs(xs.max() - 320) <= 2
    assert abs(ys.max() - 360) <= 2
    assert ys.min() == pytest.approx(120 - 20, abs=2)
    inside = drawn[130:350, 170:310]
    assert (inside == 90).all()
    # not there in other frames
    for frame in (1, 8):
        other = draw_boxes(picture, frame, [tube(0.9)])
        assert not is_colour(other, COLOURS[0]).any()


def test_truth_is_white_and_thinner():
    picture = np.full((480, 640, 3), 90, np.uint8)
    lines = []
    for score, colour in ((None, WHITE), (0.7, COLOURS[0])):
        drawn = draw_boxes(picture, 3, [tube(score)])
        # the lower edge, which no label covers
        edge = is_colour(drawn[355:366, 165:315], colour)
        assert edge.any(0).all()
        lines.append(edge.sum(0).max())
    assert lines[0] < lines[1]


def test_every_predicted_tube_has_its_own_colour():
    tubes = [tube(None), *(tube(0.1 * i) for i in range(1, 8))]
    colours = colours_of(tubes)
    assert colours[0] == WHITE
    assert len(set(colours)) == 8
    distances = [
        np.abs(np.subtract(a, b)).sum()
        for i, a in enumerate(colours)
        for b in colours[:i]
    ]
    assert min(distances) > 80


def test_labels_do_not_hide_one_another():
    tubes = [tube(0.9), tube(0.8), tube(0.7)]
    drawn = draw_boxes(np.full((240, 320, 3), 90, np.uint8), 3, tubes)
    # a label is a filled bar, far wider than the lines of a box
    for colour in COLOURS[:3]:
        rows = is_colour(drawn, colour).sum(1)
        assert (rows > 40).sum() >= 10


def test_label_of_a_box_at_the_upper_left_corner_is_in_the_picture():
    box = np.float32([0, 0, 0.2, 0.3])
    drawn = draw_boxes(
        np.full((240, 320, 3), 90, np.uint8), 3, [tube(0.9, box=box)]
    )
    assert is_colour(drawn[:40, :100], COLOURS[0]).sum() > 600


def test_legend_has_a_bar_from_first_to_last_frame():
    tubes = [tube(None, 0, 12), tube(0.9, 3, 6)]
    legend = draw_legend(600, tubes, 12, 5)
    assert legend.shape == (48, 600, 3)
    # where the longest text ends
    left = 44 + text_width('truth wave frames 0-11') + 12
    span = 590 - left
    bars = [
        np.flatnonzero(is_colour(legend[y, left:], colour))
        for y, colour in ((14, WHITE), (34, COLOURS[0]))
    ]
    for bar, first, stop in zip(bars, (0, 3), (12, 9), strict=True):
        assert bar[0] / span == pytest.approx(first / 12, abs=0.02)
        assert bar[-1] / span == pytest.approx(stop / 12, abs=0.02)
    # the mark at frame 5
    marks = np.flatnonzero(is_colour(legend[5], (255, 60, 60)))
    assert (marks.mean() - left) / span == pytest.approx(5.5 / 12, abs=0.02)
    assert (draw_legend(600, [], 12) > 200).any()


def test_frames_have_even_sizes_and_sheets_their_cells():
    for size in ((240, 320), (241, 321), (721, 1281)):
        drawn = draw_boxes(np.zeros((*size, 3), np.uint8), 0, [tube(None)])
        assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    cells = [np.full((10, 20, 3), i, np.uint8) for i in range(1, 6)]
    rows = [
        ('title', cells[:3]),
        ('', cells[3:]),
        ('', [np.full_like(cells[0], 200)]),
    ]
    sheet = contact_sheet(rows)
    high, wide = LINE + 10 + GAP, 20 + GAP
    assert sheet.shape == (3 * high, GAP + 3 * wide, 3)
    assert (sheet[LINE : LINE + 10, GAP + wide : GAP + wide + 20] == 2).all()
    assert (sheet[high + LINE : high + LINE + 10, GAP : GAP + 20] == 4).all()
    assert (sheet[-GAP - 10 : -GAP, GAP : GAP + 20] == 200).all()


# ------------------------------------------------------------------- selection
@pytest.fixture
def folder(tmp_path):
    """A video of a moving square, its annotation, its detections."""
    pictures = np.full((FRAMES, *SIZE, 3), 60, np.uint8)
    boxes = np.zeros((FRAMES, 4), np.float32)
    for t in range(FRAMES):
        boxes[t] = 10 + 3 * t, 30, 50 + 3 * t, 90
        pictures[t, 30:90, 10 + 3 * t : 50 + 3 * t] = 200
    write_video(tmp_path / 'videos' / f'{NAME}.avi', pictures)
    frames = tmp_path / 'frames' / NAME
    frames.mkdir(parents=True)
    for t, picture in enumerate(pictures):
        cv2.imwrite(str(frames / f'{t + 1:05d}.png'), picture)
    video = TubeVideo(
        NAME, FRAMES, SIZE[1], SIZE[0], (Tube(1, 6, boxes[6:18]),)
    )
    save_tubes(
        TubeAnnotations(
            'jhmdb', ('run', 'wave'),
            {'1': {'train': [], 'test': [NAME]}}, {NAME: video},
        ),
        tmp_path / 'tubes.json',
    )  # fmt: skip
    # a wave in the square, surely in frames 6 to 17, and a doubtful box
    scores = np.full((FRAMES, 2), 0.02, np.float32)
    scores[6:18, 1] = 0.8
    other = np.tile(np.float32([120, 90, 150, 115]), (3, 1))
    everything = np.concatenate([boxes, other]) / [160, 120, 160, 120]
    BoxTable(
        videos=np.array([NAME]),
        video=np.zeros(FRAMES + 3, np.int32),
        frame=np.r_[np.arange(FRAMES), 8:11].astype(np.int32),
        boxes=everything.astype(np.float32),
        scores=np.concatenate([scores, np.float32([[0.3, 0.05]] * 3)]),
    ).save(tmp_path / 'found.npz')
    return tmp_path


def predicted(folder, **options):
    """The tubes that would be drawn of NAME."""
    table = BoxTable.load(folder / 'found.npz', 'detections')
    annotations = load_tubes(folder / 'tubes.json')
    detections = check_detections(table, annotations, 1)
    assert predicted_tubes(detections, 'wave/other') == []
    return predicted_tubes(detections, NAME, **options)


def test_tubes_are_linked_ranked_and_cut(folder):
    wave, run = predicted(folder, score_thr=0.25)
    assert (wave.name, run.name) == ('wave', 'run')
    assert (wave.start, len(wave.boxes)) == (0, 24)
    assert wave.scores.mean() == pytest.approx((12 * 0.8 + 12 * 0.02) / 24)
    pixels = wave.boxes[3] * [160, 120, 160, 120]
    assert pixels == pytest.approx([19, 30, 59, 90], abs=1e-3)
    assert (run.start, len(run.boxes)) == (8, 3)
    assert run.scores == pytest.approx(0.3)
    (best,) = predicted(folder, top=1)
    assert best.name == 'wave'
    (trimmed,) = predicted(folder, top=1, trim=True)
    assert (trimmed.start, len(trimmed.boxes)) == (6, 12)
    assert trimmed.scores == pytest.approx(0.8)
    assert predicted(folder, score_thr=0.9) == []


def test_frames_without_a_box_end_a_tube(folder):
    path = folder / 'found.npz'
    table = BoxTable.load(path, 'detections')
    there = (table.frame < 8) | (table.frame >= 18)
    table.video, table.frame = table.video[there], table.frame[there]
    table.boxes, table.scores = table.boxes[there], table.scores[there]
    # all frames were tested, ten of them found to be empty
    table.frames_video = np.zeros(FRAMES, np.int32)
    table.frames_frame = np.arange(FRAMES, dtype=np.int32)
    table.save(path)
    drawn = [d for d in predicted(folder, score_thr=0) if d.name == 'wave']
    assert {(d.start, len(d.boxes)) for d in drawn} == {(0, 8), (18, 6)}


# ---------------------------------------------------------------- command line
@pytest.mark.parametrize('pictures', ['videos', 'frames'])
def test_draws_video_and_sheet(folder, capsys, pictures):
    out = folder / 'out'
    code = main(
        ['--ann', str(folder / 'tubes.json'), '--out', str(out)]
        + ['--detections', str(folder / 'found.npz')]
        + ['--videos', str(folder / pictures), '--frames', '6']
        + ['--trim']
    )
    assert code == 0
    said = capsys.readouterr().out
    assert 'truth wave frames 6-17' in said
    assert '0.800 wave frames 6-17' in said
    assert '0.300 run frames 8-10' in said
    with av.open(str(out / f'{NAME}.mp4')) as container:
        assert container.streams.video[0].average_rate == 25
        shown = [f.to_ndarray(format='rgb24') for f in container.decode()]
    assert len(shown) == FRAMES
    # 4 times as large, and a legend of 3 rows
    assert shown[0].shape == (480 + 68, 640, 3)
    assert not is_colour(shown[0][:480], COLOURS[0]).any()
    assert is_colour(shown[9][:480], COLOURS[0]).sum() > 1000
    sheet = cv2.imread(str(out / f'{NAME}.png'))
    # rows of 4 and 2 pictures, and the legend
    high = 2 * (480 + LINE + GAP) + 68 + LINE + GAP
    assert sheet.shape == (high, GAP + 4 * (640 + GAP), 3)
    assert (out / 'tubes.txt').read_text() in said


def test_draws_the_annotation_alone(folder, capsys):
    main(
        ['--ann', str(folder / 'tubes.json')]
        + ['--videos', str(folder / 'videos'), '--out', str(folder / 'out')]
    )
    assert 'truth wave frames 6-17' in capsys.readouterr().out
    assert (folder / 'out' / f'{NAME}.png').is_file()


def test_wrong_length_is_a_warning(folder, capsys):
    (folder / 'frames' / NAME / '00024.png').unlink()
    main(
        ['--ann', str(folder / 'tubes.json')]
        + ['--videos', str(folder / 'frames'), '--out', str(folder / 'out')]
    )
    assert 'has 23 frames, its annotation 24' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--ann', '{}/tubes.json', '--video', 'a/b'], 'no video'),
        (['--ann', '{}/none.json'], 'does not exist'),
        (
            ['--ann', '{}/tubes.json', '--detections', '{}/tubes.json'],
            'cannot be read',
        ),
        (['--ann', '{}/tubes.json', '--videos', '{}/none'], 'does not exist'),
    ],
)
def test_wrong_input_is_one_sentence(folder, options, message):
    given = [word.format(folder) for word in options]
    with pytest.raises(LGDError, match=message):
        main(
            ['--videos', str(folder / 'videos'), '--out', str(folder / 'o')]
            + given
        )


def test_broken_video_is_named(folder):
    (folder / 'videos' / f'{NAME}.avi').write_bytes(b'nothing')
    with pytest.raises(LGDError, match='clip_1.avi: not a video'):
        main(
            ['--ann', str(folder / 'tubes.json'), '--out', str(folder / 'o')]
            + ['--videos', str(folder / 'videos')]
        )


def test_broken_pictures(tmp_path):
    with pytest.raises(LGDError, match='no video and no folder'):
        find_pictures(tmp_path, 'a/b')
    (tmp_path / 'a').mkdir()
    with pytest.raises(LGDError, match='holds no frames'):
        list(read_pictures(tmp_path / 'a'))
    (tmp_path / 'a' / '00001.png').write_bytes(b'nothing')
    with pytest.raises(LGDError, match='broken'):
        list(read_pictures(tmp_path / 'a'))
    (tmp_path / 'b.avi').write_bytes(b'nothing')
    with pytest.raises(LGDError, match='not a video'):
        list(read_pictures(tmp_path / 'b.avi'))


@pytest.mark.slow
def test_real_clip(shared_data, tmp_path):
    """A real video, one box by hand, which needs no annotation."""
    name = 'demo_spatiotemporal_det'
    BoxTable(
        videos=np.array([name]),
        video=np.zeros(20, np.int32),
        frame=np.arange(10, 30, dtype=np.int32),
        boxes=np.tile(np.float32([0.1, 0.1, 0.4, 0.9]), (20, 1)),
        scores=np.full((20, 1), 0.6, np.float32),
    ).save(tmp_path / 'found.npz')
    video = TubeVideo(name, 57, 340, 256, ())
    split = {'1': {'train': [], 'test': [name]}}
    save_tubes(
        TubeAnnotations('own', ('wave',), split, {name: video}),
        tmp_path / 'tubes.json',
    )
    main(
        ['--detections', str(tmp_path / 'found.npz')]
        + ['--ann', str(tmp_path / 'tubes.json')]
        + ['--videos', str(shared_data / 'smoke'), '--out', str(tmp_path)]
    )
    with av.open(str(tmp_path / f'{name}.mp4')) as container:
        shown = [f.to_ndarray(format='rgb24') for f in container.decode()]
    assert len(shown) == 57
    assert shown[0].shape == (512 + 28, 680, 3)
    edge = [is_colour(p[100:400, 66:71], COLOURS[0]).any(1).mean()
            for p in shown]  # fmt: skip
    assert min(edge[10:30]) > 0.9 and max(edge[:10] + edge[30:]) < 0.2


def test_the_surest_of_equal_boxes_lies_on_top():
    drawn = draw_boxes(
        np.full((480, 640, 3), 90, np.uint8), 3, [tube(0.9), tube(0.2)]
    )
    # the lower edge, which no label covers
    assert is_colour(drawn[358:362, 160:321], COLOURS[0]).any(0).mean() > 0.97
    assert not is_colour(drawn[358:362, 160:321], COLOURS[1]).any()
