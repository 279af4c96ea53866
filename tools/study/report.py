"""Print the tables of the study and draw its figures, without training."""

from lgd_tools.cli import run_main
from lgd_tools.study.report import main

if __name__ == '__main__':
    run_main(main)
