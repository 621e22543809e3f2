import pytest

from tui.widgets.text.blocks import MEASURE, Code, Table
from tui.widgets.text.markdown import read


def lines(source: str, width: int = 40, *, growing: bool = False) -> list[str]:
    """The drawn lines, without trailing blanks of code."""
    return [
        line.plain.rstrip()
        for block in read(source, growing=growing)
        for piece in block.pieces
        for line in piece.lines(width)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", ["plain"]),
        ("# Head", ["Head"]),
        ("some **bold** and `code`", ["some bold and code"]),
        ("one\ntwo", ["one two"]),
        ("one  \ntwo", ["one", "two"]),
        ("- a\n- b\n  - c", ["• a", "• b", "  • c"]),
        ("3. a\n4. b", ["3. a", "4. b"]),
        ("0. a\n1. b", ["0. a", "1. b"]),
        ("> quoted", ["▌ quoted"]),
        ("[docs](https://x.y/z)", ["docs (https://x.y/z)"]),
        ("<https://x.y/z>", ["https://x.y/z"]),
        ("![a cat](cat.png)", ["[picture: a cat]"]),
        ("~~gone~~", ["gone"]),
        ("a\n\n---\n\nb", ["a", "─" * 40, "b"]),
        ("    indented code", [" indented code"]),
        ("```\nx = 1\n```", [" x = 1"]),
        ("- item\n\n  ```\n  x\n  ```", ["• item", "   x"]),
    ],
)
def test_markdown_is_drawn_as_text(source: str, expected: list[str]) -> None:
    assert lines(source) == expected


def test_a_wrapped_list_item_is_indented() -> None:
    assert lines("- " + "word " * 12, 24) == [
        "• word word word word",
        "  word word word word",
        "  word word word word",
    ]


def test_a_table_keeps_its_columns_and_wraps_its_cells() -> None:
    shown = lines("| a | b |\n|---|---|\n| one | two words and more of them |", 24)
    assert shown[0].split() == ["a", "b"]
    assert shown[2].startswith("one")
    assert len(shown) > 3
    assert all(len(line) <= 24 for line in shown)


@pytest.mark.parametrize("source", ["[/] [bold]x[/bold] [link='x']", "<b>x</b> &amp; [@click=app.quit]y[/]"])
def test_markup_and_html_are_not_interpreted(source: str) -> None:
    assert lines(source, 80) == [source.replace("&amp;", "&")]


def test_code_is_highlighted_once_its_fence_is_closed() -> None:
    opened = "```python\ndef f(): pass\n"
    [growing] = read(opened, growing=True)
    assert isinstance(growing.pieces[0], Code)
    assert not growing.pieces[0].code[0].spans
    assert growing.opening == "```python\n"
    for whole in (read(opened + "```", growing=True), read(opened)):
        [block] = whole
        assert isinstance(block.pieces[0], Code)
        assert block.pieces[0].code[0].spans
        assert not block.opening


def test_an_unknown_language_is_plain() -> None:
    assert lines("```nosuchlanguage\nx [/] y\n```") == [" x [/] y"]


def test_long_code_lines_are_wrapped_and_never_truncated() -> None:
    shown = lines("```\n" + "x" * 100 + "\n```", 30)
    assert sum(line.count("x") for line in shown) == 100
    assert all(len(line) <= 30 for line in shown)


def test_blocks_have_their_source_offset() -> None:
    source = "one\n\n- a\n- b\n\n```\nx\n```\nlast"
    assert [source[block.start :].split("\n")[0] for block in read(source)] == ["one", "- a", "```", "last"]


@pytest.mark.parametrize("source", ["", "\n\n", "[a]: http://x"])
def test_empty_sources_have_no_lines(source: str) -> None:
    assert lines(source) == []


def test_text_has_a_maximum_width_and_code_uses_all_of_it() -> None:
    words, code = (block.pieces[0].lines(190) for block in read("word " * 60 + "\n\n```\n" + "x" * 180 + "\n```"))
    assert max(line.cell_length for line in words) <= MEASURE
    assert len(words) == 3
    assert len(code) == 1


@pytest.mark.parametrize(
    ("columns", "rows", "is_table"), [(550, 790, False), (550, 10, True), (9, 2_000, False), (9, 500, True)]
)
def test_a_table_of_thousands_of_empty_cells_is_text(columns: int, rows: int, is_table: bool) -> None:
    source = f"{'|' * (columns + 1)}\n{'|-' * columns}|\n" + "|a\n" * rows
    pieces = [piece for block in read(source) for piece in block.pieces]
    assert any(isinstance(piece, Table) for piece in pieces) is is_table
    assert "a" in "".join(line.plain for piece in pieces for line in piece.lines(80))
