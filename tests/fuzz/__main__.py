"""Fuzz every parser and converter: no input ends in a traceback.

Runs the property tests of this folder in the long profile. A failure shows
the shortest input that hypothesis found; it is kept in .hypothesis/ and tried
first the next time.
"""

import argparse
import os
import sys
from pathlib import Path

import pytest

from lgd_tools.cli import positive_int


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='python -m tests.fuzz', description=__doc__
    )
    parser.add_argument(
        '--inputs',
        type=positive_int,
        default=100_000,
        metavar='N',
        help='number of inputs in all (default: %(default)s)',
    )
    parser.add_argument(
        '-k', default='', metavar='WORDS', help='only these, as of pytest'
    )
    parser.add_argument(
        '--seed', default='0', help='of the inputs (default: %(default)s)'
    )
    args = parser.parse_args()
    os.environ['LGD_FUZZ_INPUTS'] = str(args.inputs)
    words = ['--hypothesis-profile=long', f'--hypothesis-seed={args.seed}']
    words += ['-m', '', '-q', '-p', 'no:cacheprovider', '-k', args.k]
    return pytest.main([str(Path(__file__).parent), *words, '--durations=5'])


if __name__ == '__main__':
    sys.exit(main())
