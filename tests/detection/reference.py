"""Frame-mAP and video-mAP again, slowly: loops over Python numbers.

Written from the definitions in docs/detection.md, not from the code under
test, and without numpy, so that a mistake in one is not in the other.

A case is a dict:
    classes   number of classes
    videos    list of dicts: frames, width, height, tubes; a tube is
              (label, start, [box, ...]) in pixels
    found     {(video, frame): [(box as fractions, [score of each class])]},
              with an entry for every tested frame
"""


def clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def pixel_detections(case: dict) -> dict:
    """Boxes in pixels, cut at the frame, without those of no area."""
    out = {}
    for (v, frame), rows in case['found'].items():
        w, h = case['videos'][v]['width'], case['videos'][v]['height']
        out[v, frame] = [
            ([x1 * w, y1 * h, x2 * w, y2 * h], scores)
            for (x1, y1, x2, y2), scores in (
                ([clip(x) for x in box], scores) for box, scores in rows
            )
            if x2 > x1 and y2 > y1
        ]
    return out


def iou(a: list, b: list) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return wide * high / (area_a + area_b - wide * high)


def suppress(boxes: list, threshold: float | None) -> list:
    """(box, score) pairs that survive, surest first."""
    ranked = sorted(boxes, key=lambda pair: -pair[1])  # stable
    if threshold is None:
        return ranked
    kept = []
    for box, score in ranked:
        if all(iou(box, other) <= threshold for other, _ in kept):
            kept.append((box, score))
    return kept


def average_precision(hits: list, truths: int, kind: str) -> float:
    points = [(0.0, 1.0)]  # recall, precision
    right = 0
    for number, hit in enumerate(hits, 1):
        right += hit
        points.append((right / truths, right / number))
    total = 0.0
    for i in range(1, len(points)):
        step = points[i][0] - points[i - 1][0]
        if kind == 'area':
            height = (points[i][1] + points[i - 1][1]) / 2
        else:
            height = max(precision for _, precision in points[i:])
        total += step * height
    return total


def frame_ap(
    case: dict,
    label: int,
    threshold: float,
    nms: float | None = None,
    kind: str = 'area',
) -> float | None:
    """None where the class has no annotated box."""
    truth = {}
    for v, video in enumerate(case['videos']):
        for name, start, boxes in video['tubes']:
            for i, box in enumerate(boxes):
                if name == label:
                    truth.setdefault((v, start + i), []).append(box)
    number = sum(len(boxes) for boxes in truth.values())
    if not number:
        return None
    detections = []
    found = pixel_detections(case)
    for key in sorted(found):
        own = [(box, scores[label]) for box, scores in found[key]]
        # order of rows, as ties are ranked by it
        kept = suppress(own, nms)
        detections += [(score, key, box) for box, score in kept]
    detections.sort(key=lambda d: -d[0])
    hits = []
    for _, key, box in detections:
        free = truth.get(key, [])
        best = None
        for i, other in enumerate(free):
            value = iou(box, other)
            if value >= threshold and (best is None or value > best[0]):
                best = (value, i)
        hits.append(best is not None)
        if best is not None:
            truth[key] = free[: best[1]] + free[best[1] + 1 :]
    return average_precision(hits, number, kind)


def link(
    case: dict,
    found: dict,
    v: int,
    label: int,
    nms: float | None = None,
    top_k: int = 10,
    min_iou: float = 0.2,
    weight: float = 1.0,
    max_gap: int = 3,
) -> list:
    """Tubes of one class in one video, in the order of birth.

    A tube is a list of (frame, box, score).
    """
    living, finished, number = [], [], 0
    tested = sorted(frame for video, frame in found if video == v)
    for step, frame in enumerate(tested):
        own = [(box, scores[label]) for box, scores in found[v, frame]]
        free = suppress(own, nms)[:top_k]
        # surest tube first; the list is in the order of birth (stable)
        order = sorted(living, key=lambda t: -(t['sum'] / len(t['links'])))
        for tube in order:
            best = None
            for i, (box, score) in enumerate(free):
                value = iou(tube['links'][-1][1], box)
                worth = score + weight * value
                if value >= min_iou and (best is None or worth > best[0]):
                    best = (worth, i)
            if best is not None:
                box, score = free.pop(best[1])
                tube['links'].append((frame, box, score))
                tube['sum'] += score
                tube['seen'] = step
        finished += [t for t in living if step - t['seen'] > max_gap]
        living = [t for t in living if step - t['seen'] <= max_gap]
        for box, score in free:
            new = {'links': [(frame, box, score)], 'sum': score, 'seen': step}
            new['birth'] = number = number + 1
            living.append(new)
    born = sorted(finished + living, key=lambda tube: tube['birth'])
    return [fill(tube['links']) for tube in born]


def fill(links: list) -> list:
    """Straight lines through the frames between two links."""
    out = []
    for (f, box, score), (g, after, later) in zip(
        links, links[1:], strict=False
    ):
        for i in range(g - f):
            part = i / (g - f)
            out.append(
                (
                    f + i,
                    [
                        a + (b - a) * part
                        for a, b in zip(box, after, strict=True)
                    ],
                    score + (later - score) * part,
                )
            )
    return [*out, links[-1]]


def trim(tube: list, level: float, penalty: float) -> list:
    """Runs of a tube that show the action."""
    top = max(score for _, _, score in tube)
    gains = [score / (top or 1.0) - level for _, _, score in tube]
    best = {True: gains[0], False: -gains[0]}
    back = []
    for gain in gains[1:]:
        new, source = {}, {}
        for label in (True, False):
            stay, change = best[label], best[not label] - penalty
            source[label] = label if stay >= change else not label
            new[label] = max(stay, change) + (gain if label else -gain)
        back.append(source)
        best = new
    label = best[True] >= best[False]
    labels = [label]
    for source in reversed(back):
        label = source[label]
        labels.insert(0, label)
    if not any(labels):
        return [tube]
    runs, run = [], []
    for part, label in zip(tube, labels, strict=True):
        if label:
            run.append(part)
        elif run:
            runs.append(run)
            run = []
    return runs + [run] * bool(run)


def tube_iou(tube: list, start: int, boxes: list) -> float:
    stop = start + len(boxes)
    common = [(f, box) for f, box, _ in tube if start <= f < stop]
    frames = {f for f, _, _ in tube} | set(range(start, stop))
    # both are without gaps: frames between them belong to neither, but the
    # measure is 0 there anyway
    if not common:
        return 0.0
    total = 0.0
    for f, box in common:
        total += iou(box, boxes[f - start])
    return total / len(common) * (len(common) / len(frames))


def video_ap(
    case: dict,
    label: int,
    threshold: float,
    kind: str = 'area',
    trimming: tuple | None = None,
    min_length: int = 1,
    min_score: float = 0.0,
    **linking,
) -> float | None:
    """None where the class has no annotated tube."""
    truth = {}
    for v, video in enumerate(case['videos']):
        for name, start, boxes in video['tubes']:
            if name == label:
                truth.setdefault(v, []).append((start, boxes))
    number = sum(len(tubes) for tubes in truth.values())
    if not number:
        return None
    ranked = []
    found = pixel_detections(case)
    for v in range(len(case['videos'])):
        tubes = link(case, found, v, label, **linking)
        runs = []
        for tube in tubes:
            runs += trim(tube, *trimming) if trimming else [tube]
        for run in sorted(runs, key=lambda run: run[0][0]):
            total = 0.0
            for _, _, score in run:
                total += score
            score = total / len(run)
            if len(run) >= min_length and score >= min_score:
                ranked.append((score, v, run))
    ranked.sort(key=lambda r: -r[0])
    hits = []
    for _, v, run in ranked:
        best = None
        for i, (start, boxes) in enumerate(truth.get(v, [])):
            value = tube_iou(run, start, boxes)
            if value >= threshold and (best is None or value > best[0]):
                best = (value, i)
        hits.append(best is not None)
        if best is not None:
            truth[v] = truth[v][: best[1]] + truth[v][best[1] + 1 :]
    return average_precision(hits, number, kind)
