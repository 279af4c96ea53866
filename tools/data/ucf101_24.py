"""UCF101-24: the corrected annotations -> the annotation file of tubes."""

from lgd_tools.cli import run_main
from lgd_tools.tubes.ucf101_24 import main

if __name__ == '__main__':
    run_main(main)
