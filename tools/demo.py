"""A web page on this machine: upload a video, see what is done in it."""

from lgd_tools.cli import run_main
from lgd_tools.prediction.demo import main

if __name__ == '__main__':
    run_main(main)
