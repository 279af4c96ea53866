"""How many inputs the properties get: few by default, or the long profile.

``pytest tests/fuzz --hypothesis-profile=long`` shares 100,000 inputs
($LGD_FUZZ_INPUTS) out to the properties that were chosen.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz import harness

_COMMON = dict(deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile('fuzz_quick', derandomize=True, **_COMMON)
settings.register_profile('long', print_blob=True, **_COMMON)
QUICK_INPUTS, LONG_INPUTS = 800, 100_000


def pytest_collection_finish(session: pytest.Session) -> None:
    """Give every property its share of the inputs."""
    properties = {
        item.obj
        for item in session.items
        if hasattr(getattr(item, 'obj', None), 'fuzz_weight')
    }
    profile, total = 'fuzz_quick', QUICK_INPUTS
    if session.config.getoption('--hypothesis-profile') == 'long':
        profile = 'long'
        total = int(os.environ.get('LGD_FUZZ_INPUTS', LONG_INPUTS))
    whole = sum(test.fuzz_weight for test in properties)
    for test in properties:
        share = max(1, -(-total * test.fuzz_weight // whole))
        settings(settings.get_profile(profile), max_examples=int(share))(test)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    """Say how many inputs there were."""
    total = sum(harness.COUNTS.values())
    if total:
        terminalreporter.write_line(
            f'fuzzed: {total} inputs of {len(harness.COUNTS)} properties'
        )
