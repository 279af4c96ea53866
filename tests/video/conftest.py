"""Fixtures of the tests of reading video."""

from tests.datasets.conftest import clips, corpus_module, real_clips

__all__ = ['clips', 'corpus_module', 'real_clips']
