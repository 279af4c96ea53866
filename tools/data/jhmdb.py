"""J-HMDB: splits and boxes -> the annotation file of tubes."""

from lgd_tools.cli import run_main
from lgd_tools.tubes.jhmdb import main

if __name__ == '__main__':
    run_main(main)
