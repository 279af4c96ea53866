"""Measures a file of detections: frame-mAP and video-mAP, class by class."""

from lgd_tools.cli import run_main
from lgd_tools.results.evaluate_tubes import main

if __name__ == '__main__':
    run_main(main)
