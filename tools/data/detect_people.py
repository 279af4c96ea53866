"""Detect people in the videos of an annotation file: proposals for testing."""

from lgd_tools.cli import run_main
from lgd_tools.tubes.detect_people import main

if __name__ == '__main__':
    run_main(main)
