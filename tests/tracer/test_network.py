"""The exported graph computes what the module computes, and leaves the module alone."""

import gc
import weakref

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tracer.errors import ExportError, InputError, UnsupportedArchitectureError
from tracer.evidence import Alpha
from tracer.models import Model
from tracer.network import Network, Operation
from tracer.preprocessing import Preprocessing
from tracer.trace import Tracer


def normalised() -> nn.Sequential:
    """Convolutions with batch norms whose numbers are not the initial ones."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=2),
        nn.BatchNorm2d(8, affine=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval()


def convolution_of(network: Network) -> Operation:
    """The first convolution of the graph."""
    return next(operation for operation in network.operations if "conv2d" in str(operation.target))


def test_folding_batch_norms_changes_no_score_beyond_rounding() -> None:
    module = normalised()
    batch = torch.randn(4, 3, 9, 7)
    network = Network(module, (9, 7))
    scores, _ = network.run(batch, [])
    assert torch.allclose(scores, module(batch), atol=1e-5)
    left = [operation for operation in network.operations if "batch_norm" in str(operation.target)]
    assert len(left) == 1  # the one that follows an activation is no convolution's


def test_the_module_its_mode_and_its_gradients_are_left_as_found() -> None:
    module = normalised().train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    module[0].weight.grad = torch.ones_like(module[0].weight)
    Network(module, (9, 9)).run(torch.randn(2, 3, 9, 9), [])
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert torch.equal(module[0].weight.grad, torch.ones_like(module[0].weight))
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_activations_are_released() -> None:
    network = Network(normalised(), (9, 9))
    _, kept = network.run(torch.randn(2, 3, 9, 9), [convolution_of(network)])
    held = weakref.ref(next(iter(kept.values())))
    del kept
    gc.collect()
    assert held() is None


def test_in_place_operators_do_not_overwrite_what_is_kept() -> None:
    network = Network(normalised(), (9, 9))
    convolution = convolution_of(network)
    _, kept = network.run(torch.randn(2, 3, 9, 9), [convolution])
    assert (kept[convolution] < 0).any()  # the ReLU after it works in place in the module


class FixedBatch(nn.Module):
    """Takes one image at a time."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] != 1:
            raise ValueError("one image at a time")
        return x.flatten(1)[:, :4]


def test_a_network_that_takes_one_image_is_run_image_by_image() -> None:
    network = Network(FixedBatch(), (2, 2))
    assert not network.batched
    batch = torch.randn(3, 3, 2, 2)
    scores, _ = network.run(batch, [])
    assert torch.equal(scores, batch.flatten(1)[:, :4])


@pytest.mark.parametrize("shape", [(3, 9, 9), (1, 3, 9, 8), (1, 1, 9, 9)])
def test_a_batch_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected"):
        Network(normalised(), (9, 9)).run(torch.zeros(shape), [])


def test_a_network_that_is_no_classifier_is_refused() -> None:
    with pytest.raises(ExportError, match="one score a class"):
        Network(nn.Sequential(nn.Conv2d(3, 2, 1)), (4, 4))


class Several(nn.Module):
    """Returns an embedding beside the class scores, as a user's network may; counts its batches in a buffer."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.conv = nn.Conv2d(3, 16, 3)
        self.fc = nn.Linear(16, 10)
        self.register_buffer("batches", torch.zeros(16))

    def forward(self, x: Tensor) -> object:
        embedding = self.conv(x).mean((2, 3))
        self.batches.add_(1)
        scores = self.fc(embedding)
        return {
            "tuple": (embedding, scores),
            "dict": {"embedding": embedding, "logits": scores},
            "nested": (embedding, {"logits": scores}),
            "one": (scores,),
            "constant": (scores, None),
            "tensor": scores,
        }[self.form]


@pytest.mark.parametrize(
    ("form", "outputs", "choice"),
    [
        ("tuple", "tuple of [0] (batch, 16), [1] (batch, 10)", "[1]"),
        ("dict", "dict of ['embedding'] (batch, 16), ['logits'] (batch, 10)", "['logits']"),
        ("nested", "tuple of [0] (batch, 16), [1]['logits'] (batch, 10)", "[1]['logits']"),
        ("one", "tuple of [0] (batch, 10)", "[0]"),
        ("constant", "tuple of [0] (batch, 10), [1] None", "[0]"),
    ],
)
def test_a_network_with_several_outputs_is_refused_with_their_names(form: str, outputs: str, choice: str) -> None:
    module = Several(form).eval()
    for explain in (lambda: Network(module, (8, 8)), lambda: Model.of(module).predict(Image.new("RGB", (8, 8)))):
        with pytest.raises(ExportError) as raised:
            explain()
        assert f"the model returns {outputs}, " in str(raised.value)
        assert str(raised.value).endswith(f'`class_scores = "{choice}"`')
        assert "\n" not in str(raised.value)


def test_a_network_that_writes_to_a_buffer_is_explained_by_its_scores() -> None:
    module = Several("tensor").eval()
    batch = torch.randn(2, 3, 8, 8)
    scores, _ = Network(module, (8, 8)).run(batch, [])
    torch.testing.assert_close(scores, module(batch))


class Branching(nn.Module):
    """Cannot be exported: its path depends on values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] if x.sum().item() > 0 else x.flatten(1)[:, 2:4]


def test_a_network_that_cannot_be_exported_is_named_with_the_cause() -> None:
    with pytest.raises(ExportError, match=r"torch\.export cannot capture Branching"):
        Network(Branching(), (4, 4))


@pytest.mark.parametrize(
    ("form", "choose"),
    [
        ("tuple", 1),
        ("dict", "logits"),
        ("dict", "['logits']"),
        ("nested", "[1]['logits']"),
        ("one", lambda out: out[0]),
    ],
)
def test_the_output_that_is_chosen_is_explained(form: str, choose: object) -> None:
    module = Several(form).eval()
    module.class_scores = choose
    model = Model.of(module)
    batch = torch.randn(2, 3, 8, 8)
    expected = module.fc(module.conv(batch).mean((2, 3)))
    network = Network(module, (8, 8), choose=model.class_scores)
    torch.testing.assert_close(network.run(batch, [])[0], expected)
    torch.testing.assert_close(model.scores(batch), expected)
    assert convolution_of(network).layer == "conv"  # named as in the user's model
    assert Tracer(module).traces(batch, [Alpha()])[0][0].target == expected[0].argmax()


def test_a_choice_that_is_not_there_is_named() -> None:
    with pytest.raises(ExportError, match=r"dict of \['embedding'\] \(batch, 16\), \['logits'\] \(batch, 10\)"):
        Network(Several("dict").eval(), (8, 8), choose="scores")


class Steps(nn.Module):
    """Reads an image as a sequence, as networks for text do."""

    def __init__(self, recurrent: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.lstm = nn.LSTM(4, 4, batch_first=True) if recurrent else None
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        steps = self.conv(x).amax(2).transpose(1, 2) if self.lstm is None else self.conv(x).mean(2).transpose(1, 2)
        return self.fc(steps if self.lstm is None else self.lstm(steps)[0])


def test_a_sequence_of_scores_is_refused_with_the_mend() -> None:
    with pytest.raises(
        ExportError, match=r"returns \('batch', 6, 5\), .* `class_scores = lambda scores: scores\[:, 0\]`"
    ):
        Network(Steps(recurrent=False).eval(), (8, 8))


@pytest.mark.filterwarnings("ignore:The tensor attributes")
def test_a_recurrent_layer_and_attention_are_refused_for_what_they_do() -> None:
    module = Steps(recurrent=True).eval()
    module.class_scores = lambda scores: scores[:, 0]
    with pytest.raises(
        UnsupportedArchitectureError, match=r"lstm\S* in layer 'lstm' carries evidence from step to step"
    ):
        Tracer(module).plan((8, 8))

    class Attentive(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            flat = x.flatten(2)
            return (flat @ flat.transpose(1, 2)).mean(2)

    with pytest.raises(UnsupportedArchitectureError, match=r"matmul\S* mixes places by weights that the image itself"):
        Tracer(Attentive()).plan((8, 8))


def test_weights_that_are_computed_from_parameters_are_parameters() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            weight = (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) / 2
            return nn.functional.conv2d(x, weight, self.bias)

    module = nn.Sequential(Standardised(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    batch = torch.randn(2, 3, 8, 8)
    network = Network(module, (8, 8))
    torch.testing.assert_close(network.run(batch, [])[0], module(batch))
    assert isinstance(convolution_of(network).args[1], Tensor)
    assert Tracer(module).traces(batch, [Alpha()])[0][0].shares.sum() == pytest.approx(1, abs=1e-5)


def test_a_greyscale_network_is_explained() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    module.preprocessing = Preprocessing(12, 10, mean=(0.5,), std=(0.25,))
    image = Image.new("RGB", (30, 20), (255, 0, 0))
    model = Model.of(module)
    given = model.preprocess(image)
    assert given.shape == (1, 12, 10)
    assert given[0, 0, 0] == pytest.approx((76 / 255 - 0.5) / 0.25)  # the luma of red
    explanation = Tracer(module).explain(image)
    assert explanation.overlay().size == (30, 20)
    assert explanation.target == model.predict(image)[0][0]
