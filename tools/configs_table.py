"""Write the tables of docs/configs.md and configs/metafile.yml."""

from lgd_tools.cli import run_main
from lgd_tools.configs_table import main

if __name__ == '__main__':
    run_main(main)
