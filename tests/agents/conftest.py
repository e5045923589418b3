"""Property tests here have no deadline: a machine that is busy with an engine is slow, and that is no failure."""

from hypothesis import settings

settings.register_profile("labkit", deadline=None, max_examples=60)
settings.load_profile("labkit")
