"""Two profiles for tests that do not choose a number of examples themselves: `short` for people, `long` for nights."""

import os

from hypothesis import settings

settings.register_profile("short", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("DEPLOYD_HYPOTHESIS", "short"))
