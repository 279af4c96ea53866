"""Generate a detection data set: moving, acting shapes, with their tubes."""

from lgd_tools.cli import run_main
from lgd_tools.synthetic.generate_tubes import main

if __name__ == '__main__':
    run_main(main)
