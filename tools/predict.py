"""Say what is to be seen in videos: files, folders, patterns, a camera."""

from lgd_tools.cli import run_main
from lgd_tools.prediction.command import main

if __name__ == '__main__':
    run_main(main)
