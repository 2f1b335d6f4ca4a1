"""Detectors and segmenters are explained through a function of what they compute: a box's class, or a place's."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from tracer.config import TraceConfig
from tracer.settings import Settings
from tracer.trace import Tracer

CLASSES = 5
ARMS = [Settings(config=make(depth="image")) for make in (TraceConfig.paper, TraceConfig.excitation_backprop)]


class BoxScores(nn.Module):
    """The class scores of one of a detector's boxes, before boxes are sorted out.

    Args:
        detector: A one-stage detector of torchvision.
        box: Number of the box: first those of the finest map, row by row.
    """

    def __init__(self, detector: nn.Module, box: int) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head
        self.box = box

    def forward(self, images: Tensor) -> Tensor:
        return self.head(list(self.backbone(images).values()))["cls_logits"][:, self.box]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "boxes_a_place"), [(FCOS, 1), (RetinaNet, 9)])
@pytest.mark.filterwarnings("ignore:`unbatched_grid_generator`")
def test_a_boxs_class_is_traced_to_its_place(make: Callable[..., nn.Module], boxes_a_place: int) -> None:
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    # The finest map has stride 4: 16 x 16 places.
    detector = make(backbone, num_classes=CLASSES).eval()
    row, column = 2, 13
    module = BoxScores(detector, (row * 16 + column) * boxes_a_place)
    images = torch.randn(1, 3, 64, 64)
    ((paper, excitation),) = Tracer(module).traces(images, ARMS, [3])
    for trace in (paper, excitation):
        assert trace.shares.sum() == pytest.approx(1, abs=1e-4)
    y, x = (excitation.points * excitation.shares[:, None]).sum(axis=0)
    assert abs(y - 4 * row) < 20
    assert abs(x - 4 * column) < 20


@pytest.mark.slow
def test_the_class_of_a_place_is_traced_through_a_segmenter() -> None:
    torch.manual_seed(0)
    module = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES).eval()
    module.class_scores = lambda out: out["out"][:, :, 5, 60]
    images = torch.randn(1, 3, 64, 64)
    for trace in Tracer(module).traces(images, ARMS, [2])[0]:
        assert trace.shares.sum() == pytest.approx(1, abs=1e-4)
        assert trace.shape == (64, 64)
