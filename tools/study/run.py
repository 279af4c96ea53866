"""Train the runs of the study of docs/study.md, one JSON each."""

from lgd_tools.cli import run_main
from lgd_tools.study.run import main

if __name__ == '__main__':
    run_main(main)
