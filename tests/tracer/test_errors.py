"""What an error says helps on."""

import pytest

from tracer.errors import nearest


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mobilenet", " (nearest: mobilenet_v2, mobilenet_v3_small, googlenet)"),
        ("V3", ""),
        ("_v3", " (nearest: mobilenet_v3_small)"),
        ("resnet17", " (nearest: resnet18, mnasnet)"),
        ("xyz", ""),
    ],
)
def test_names_that_have_the_word_come_before_those_that_look_alike(written: str, said: str) -> None:
    known = ["googlenet", "mnasnet", "mobilenet_v3_small", "resnet18", "mobilenet_v2"]
    assert nearest(written, known) == said
