"""Tables and figures of docs/study.md from the JSON, without training."""

from lgd_tools.cli import run_main
from lgd_tools.study.report import main

if __name__ == '__main__':
    run_main(main)
