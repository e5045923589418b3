"""Random floors for the property tests of worlds on a grid."""

from hypothesis import strategies as st

SQUARES = [(x, y) for x in range(6) for y in range(5)]


@st.composite
def floors(draw):
    """A floor with furniture anywhere; it may fall into pieces. Returns (floor, start)."""
    floor = draw(st.sets(st.sampled_from(SQUARES), min_size=1))
    return frozenset(floor), draw(st.sampled_from(sorted(floor)))
