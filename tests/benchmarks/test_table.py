import pytest

from benchmarks.table import Row, at_most, at_most_times, table


@pytest.mark.parametrize(("value", "met"), [(0.5, True), (0.504, True), (0.51, False)])
def test_a_target_is_compared_with_the_printed_value(value: float, met: bool) -> None:
    row = at_most("idle", value, 0.5, "%")
    assert (row.met, row.target) == (met, "≤ 0.5 %")


@pytest.mark.parametrize(("value", "ratio", "met"), [(3.0, "1.50 ×", True), (3.2, "1.60 ×", False)])
def test_a_value_can_be_compared_with_another(value: float, ratio: str, met: bool) -> None:
    row = at_most_times("first paint", value, 2.0, 1.5, "s", beside="empty app")
    assert (row.ratio, row.beside, row.met) == (ratio, "empty app 2.00 s", met)


def test_the_table_is_markdown_with_aligned_columns() -> None:
    text = table([Row("short", "1"), Row("a long name", "2", met=False)])
    head, rule, *rows = text.splitlines()
    assert head.startswith("| what        | measured |")
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in (head, rule, *rows)} == {len(head)}
    assert rows[1].endswith("| **no** |")
