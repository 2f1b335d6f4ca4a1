import pytest

from tracer.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cats[small]/1.jpg [/b] :smile: ×", "cats[small]/1.jpg [/b] :smile: ×"),
        ("two\nlines\tand\r\nmore", "two lines and  more"),
        ("\x1b[31mred\x1b[0m\x07", "\\x1b[31mred\\x1b[0m\\x07"),
        ("half a pair \ud800", "half a pair \\ud800"),
    ],
)
def test_text_becomes_one_line_that_a_terminal_shows_as_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert one_line(ValueError(text)) == shown


def test_the_middle_of_a_long_message_is_left_out() -> None:
    line = one_line(ValueError("file.yaml: " + "x" * 100_000 + "; the mend"))
    assert len(line) < 2100
    assert line.startswith("file.yaml: ")
    assert line.endswith("; the mend")
