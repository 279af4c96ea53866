"""HMDB51: the official split files -> lists and label map."""

from lgd_tools.cli import run_main
from lgd_tools.lists.hmdb51 import main

if __name__ == '__main__':
    run_main(main)
