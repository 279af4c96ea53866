"""Runs one row of the paper's tables end to end."""

from lgd_tools.cli import run_main
from lgd_tools.experiment.command import main

if __name__ == '__main__':
    run_main(main)
