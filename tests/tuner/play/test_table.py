from hypothesis import given
from hypothesis import strategies as st

from tuner.play.table import ScoreTable


def test_images_count_only_without_a_gap_before_them() -> None:
    table = ScoreTable(images=3, arms=2)
    table.scored[1] = True
    table.advance()
    assert table.usable == []
    table.scored[0] = True
    table.advance()
    assert table.usable == [0, 1]
    assert not table.complete


def test_a_quarantined_image_is_skipped_and_closes_its_gap() -> None:
    table = ScoreTable(images=3, arms=2)
    table.scored[[1, 2]] = True
    table.quarantined[0] = True
    table.advance()
    assert table.usable == [1, 2]
    assert table.complete


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_what_counts_in_the_end_does_not_depend_on_the_order_of_answers(order: list[int], broken: set[int]) -> None:
    table = ScoreTable(images=8, arms=2)
    seen: list[int] = []
    for position in order:
        (table.quarantined if position in broken else table.scored)[position] = True
        table.advance()
        assert table.usable[: len(seen)] == seen, "what counted keeps counting, in its place"
        seen = list(table.usable)
    assert seen == [position for position in range(8) if position not in broken]
