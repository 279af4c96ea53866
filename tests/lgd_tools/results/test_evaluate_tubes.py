"""evaluate_tubes.py: the metric's numbers from a file, and clear errors."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lgd_mmaction.detection import TubeProtocol, evaluate_tubes
from lgd_mmaction.detection.annotations import save_tubes
from lgd_mmaction.detection.box_table import BoxTable
from lgd_mmaction.errors import LGDError
from lgd_tools.results.evaluate_tubes import main


@pytest.fixture(scope='module')
def cases() -> ModuleType:
    """tests/detection/cases.py."""
    from tests.detection import cases

    return cases


@pytest.fixture
def files(cases: ModuleType, tmp_path: Path) -> tuple[Path, Path, dict]:
    """Detections and annotations of a random case, and the case."""
    case = cases.random_case(np.random.default_rng(11))
    found, ann = tmp_path / 'found.npz', tmp_path / 'tubes.json'
    cases.as_table(case).save(found)
    save_tubes(cases.as_annotations(case), ann)
    return found, ann, case


def test_numbers_are_those_of_the_metric(
    files: tuple,
    cases: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    found, ann, case = files
    out = tmp_path / 'numbers.json'
    argv = [str(found), '--ann', str(ann), '--out', str(out)]
    argv += ['--trim', 'penalty=1', '--link', 'iou=0.1']
    argv += ['--frame-iou', '0.3', '0.5', '--nms-iou', '0.6', '--ap', 'voc']
    # the case has frames that were not tested: reported, exit code 1
    assert main(argv) == 1
    text, numbers = capsys.readouterr().out, json.loads(out.read_text())
    report = evaluate_tubes(
        cases.as_table(case),
        cases.as_annotations(case),
        1,
        protocol=TubeProtocol.from_dicts(
            dict(iou=0.1),
            dict(penalty=1),
            frame_thresholds=(0.3, 0.5),
            nms_iou=0.6,
            ap='voc',
        ),
    )
    assert numbers['means'] == report.means
    assert 0 < numbers['means']['frame_mAP@0.3'] < 1
    assert numbers['counts']['missing_frames'] > 0
    assert numbers['settings']['trimming'] == {'level': 0.5, 'penalty': 1.0}
    assert numbers['settings']['linking']['nms_iou'] == 0.6
    for k, name in enumerate(report.classes):
        value = report.per_class['video_mAP@0.5'][k]
        kept = numbers['per_class'][name]['video_mAP@0.5']
        assert (kept is None) if np.isnan(value) else kept == value
    assert report.table() in text
    assert 'were not tested' in text


def test_errors_name_the_remedy(files: tuple, tmp_path: Path) -> None:
    found, ann, _ = files
    common = ['--ann', str(ann)]
    with pytest.raises(LGDError, match='no split 2/test'):
        main([str(found), *common, '--split', '2'])
    with pytest.raises(LGDError, match='does not exist'):
        main([str(tmp_path / 'gone.npz'), *common])
    with pytest.raises(LGDError, match='is not KEY=NUMBER'):
        main([str(found), *common, '--trim', 'level'])
    with pytest.raises(LGDError, match='levels'):
        main([str(found), *common, '--trim', 'levels=0.4'])
    with pytest.raises(LGDError, match='max_gap=-1'):
        main([str(found), *common, '--link', 'max_gap=-1'])
    bad = BoxTable.load(found, 'detections')
    bad.boxes[0, 2] = np.nan
    bad.save(tmp_path / 'bad.npz')
    with pytest.raises(LGDError, match='NaN'):
        main([str(tmp_path / 'bad.npz'), *common])
