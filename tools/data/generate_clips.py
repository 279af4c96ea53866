"""Generate a data set of labelled clips: real H.264 videos, any number."""

from lgd_tools.cli import run_main
from lgd_tools.synthetic.generate_clips import main

if __name__ == '__main__':
    run_main(main)
