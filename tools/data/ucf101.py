"""UCF101: the official split lists -> lists and label map."""

from lgd_tools.cli import run_main
from lgd_tools.lists.ucf101 import main

if __name__ == '__main__':
    run_main(main)
