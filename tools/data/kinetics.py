"""Kinetics-400 / Kinetics-600: official csv files -> lists and label map."""

from lgd_tools.cli import run_main
from lgd_tools.lists.kinetics import main

if __name__ == '__main__':
    run_main(main)
