"""Networks, checkpoints and images: what fits is loaded, what does not is named."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

from tracer import errors
from tracer.checkpoints import fit_checkpoint, other_classes
from tracer.models import Model, architectures, load_model
from tracer.preprocessing import Preprocessing

OWN = """
import torch
from torch import nn

from tracer import Preprocessing


class Small(nn.Module):
    preprocessing = Preprocessing(8, 12, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    categories = ("cat", "dog")

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))


def plain():
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def wrong():
    return 7


def failing():
    raise RuntimeError("no\\nparameters")
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


@pytest.fixture
def small(own: Path) -> dict[str, torch.Tensor]:
    """Parameters that fit ``own.py:Small``."""
    return load_model(f"{own}:Small").module.state_dict()


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_own_network_brings_its_preprocessing_and_classes(own: Path) -> None:
    model = load_model(f"{own}:Small")
    assert model.preprocessing == Preprocessing(8, 12, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert model.categories == ("cat", "dog")
    assert model.checkpoint_sha256 is None
    assert not model.module.training
    assert model.preprocess(Image.new("RGB", (50, 40), "white")).shape == (3, 8, 12)


def test_own_network_without_them_takes_those_of_imagenet(own: Path) -> None:
    model = load_model(f"{own}:plain")
    assert model.preprocessing == Preprocessing()
    assert model.categories is None
    assert model.class_name(1) == "class 1"


def test_own_network_is_found_in_a_module(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(own.parent)
    assert isinstance(load_model("own:plain").module, nn.Sequential)


def test_a_bare_module_is_left_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1)).train()
    model = Model.of(module)
    assert model.module is module
    assert module.training
    assert model.architecture == "Sequential"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet19", "'resnet19' is not a torchvision classifier (nearest: resnet1"),
        ("", "'' is not a torchvision classifier"),
        ("no.such.module:net", "could not be made: ModuleNotFoundError"),
        ("missing.py:net", "could not be made: FileNotFoundError: no file missing.py"),
        ("OWN:Smal", "has no 'Smal' (nearest: Small)"),
        ("OWN:wrong", "wrong() makes int instead of a torch.nn.Module"),
        ("OWN:failing", "could not be made: RuntimeError: no parameters"),
    ],
)
def test_an_unknown_architecture_is_one_line(own: Path, name: str, said: str) -> None:
    with pytest.raises(errors.UnknownArchitectureError) as raised:
        load_model(name.replace("OWN", str(own)))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "swin_v2_b", "maxvit_t"])
def test_transformers_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(errors.UnsupportedArchitectureError, match="is a vision transformer: its attention"):
        load_model(name)
    assert name not in architectures()


def test_all_families_of_cnns_are_listed() -> None:
    names = architectures()
    families = (
        *("alexnet", "vgg", "squeezenet", "resnet", "resnext", "wide_resnet", "densenet", "googlenet", "inception"),
        *("mobilenet_v2", "mobilenet_v3", "mnasnet", "shufflenet", "efficientnet_b", "efficientnet_v2"),
        *("regnet_x", "regnet_y", "convnext"),
    )
    for family in families:
        assert any(name.startswith(family) for name in names), family
    assert len(names) >= 68


def test_half_precision_and_wrappers_load_into_float32(tmp_path: Path, own: Path, small) -> None:
    halves = {key: value.half() if value.is_floating_point() else value for key, value in small.items()}
    spread = {f"module.{key}": value for key, value in halves.items()}
    for number, content in enumerate((halves, {"state_dict": halves, "epoch": 3}, spread, {"model": spread})):
        model = load_model(f"{own}:Small", saved(tmp_path / f"{number}.pth", content))
        loaded = model.module.state_dict()
        assert all(torch.equal(loaded[key], halves[key].to(loaded[key].dtype)) for key in halves)
        assert loaded["conv.weight"].dtype == torch.float32
        assert model.checkpoint_sha256 is not None
        assert len(model.checkpoint_sha256) == 64


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "module._orig_mod.", "net.encoder."])
def test_what_stands_before_every_key_is_taken_off(tmp_path: Path, own: Path, small, prefix: str) -> None:
    inside = {f"{prefix}{key}": value for key, value in small.items()}
    content = {"epoch": 3, "optimizer": {"state": {0: 1}}, "model": {"state_dict": inside}}
    loaded = load_model(f"{own}:Small", saved(tmp_path / "nested.pth", content)).module.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in small.items())


def test_what_does_not_fit_below_a_prefix_is_named_without_it(tmp_path: Path, own: Path, small) -> None:
    content = {f"model.{key}": value for key, value in small.items() if key != "fc.bias"} | {
        "loss.weight": torch.ones(2)
    }
    with pytest.raises(
        errors.CheckpointError, match=r"under the prefix 'model\.': missing fc\.bias; left over loss\.w"
    ):
        load_model(f"{own}:Small", saved(tmp_path / "nested.pth", content))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_network_whose_only_child_is_called_module_loads_its_own_file(prefix: str) -> None:
    def net() -> nn.Module:
        return nn.Sequential(OrderedDict(module=nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))))

    saved, loaded = net(), net()
    fit_checkpoint(loaded, {f"{prefix}{key}": value for key, value in saved.state_dict().items()}, "it")
    assert torch.equal(loaded.module[0].weight, saved.module[0].weight)


def test_old_files_without_batch_counters_load(tmp_path: Path, own: Path, small) -> None:
    del small["norm.num_batches_tracked"]
    load_model(f"{own}:Small", saved(tmp_path / "old.pth", small))


def test_what_does_not_fit_is_named(tmp_path: Path, own: Path, small) -> None:
    small["surplus.weight"] = small.pop("fc.weight")
    small["conv.bias"] = torch.zeros(5)
    with pytest.raises(errors.CheckpointError) as raised:
        load_model(f"{own}:Small", saved(tmp_path / "misfit.pth", small))
    assert str(raised.value).endswith(
        "misfit.pth does not fit the network: missing fc.weight; left over surplus.weight; "
        "of another shape conv.bias (5,) for (4,)"
    )


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "googlenet"])
def test_a_checkpoint_of_other_classes_makes_a_network_of_so_many(tmp_path: Path, name: str) -> None:
    training = {"init_weights": False} if name == "googlenet" else {}  # with the heads that only training uses
    tuned = models.get_model(name, weights=None, num_classes=7, **training)
    content = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in tuned.state_dict().items()}}
    model = load_model(name, saved(tmp_path / "tuned.pth", content))
    assert model.scores(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    assert model.class_name(3) == "class 3"
    assert model.class_index("6") == 6
    with pytest.raises(errors.TargetError, match="have no names; give an index"):
        model.class_index("tench")


def test_other_classes_are_told_from_another_misfit(own: Path, small) -> None:
    module = load_model(f"{own}:Small").module
    tuned = {**small, "fc.weight": small["fc.weight"][:1], "fc.bias": small["fc.bias"][:1]}
    assert other_classes(module, tuned) == 1
    assert other_classes(module, small) is None
    assert other_classes(module, {**tuned, "surplus": torch.zeros(1)}) is None
    assert other_classes(module, {**tuned, "conv.bias": torch.zeros(5)}) is None
    assert other_classes(module, {**small, "fc.weight": torch.zeros(2, 9)}) is None


def test_a_function_of_ones_own_decides_how_many_classes_there_are(tmp_path: Path, own: Path, small) -> None:
    tuned = {**small, "fc.weight": small["fc.weight"][:1], "fc.bias": small["fc.bias"][:1]}
    with pytest.raises(errors.CheckpointError, match=r"the checkpoint is for 1 classes, and .*; let the function make"):
        load_model(f"{own}:Small", saved(tmp_path / "tuned.pth", tuned))


def test_only_a_few_misfits_are_listed(tmp_path: Path, own: Path) -> None:
    path = saved(tmp_path / "foreign.pth", {"a": torch.zeros(1)})
    with pytest.raises(errors.CheckpointError, match=r"missing conv\.weight, conv\.bias, norm\.weight and 5 more"):
        load_model(f"{own}:Small", path)


def test_a_misfit_leaves_the_network_as_it_was(tmp_path: Path, own: Path, small) -> None:
    module = load_model(f"{own}:Small").module
    before = module.state_dict()["fc.weight"].clone()
    with pytest.raises(errors.CheckpointError):
        fit_checkpoint(module, {**small, "fc.bias": torch.zeros(9)}, "it")
    assert torch.equal(module.state_dict()["fc.weight"], before)


def test_values_that_are_not_finite_are_named(tmp_path: Path, own: Path, small) -> None:
    small["fc.bias"] = torch.tensor([0.0, float("nan")])
    with pytest.raises(errors.CheckpointError, match=r"not finite in fc\.bias"):
        load_model(f"{own}:Small", saved(tmp_path / "nan.pth", small))


class Harmful:
    """Would write a file when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (self.path, "w"))


def test_corrupt_missing_and_harmful_files_are_one_line(tmp_path: Path, own: Path, small) -> None:
    (tmp_path / "text.pth").write_text("not a checkpoint")
    (tmp_path / "empty.pth").touch()
    cut = saved(tmp_path / "cut.pth", small)
    cut.write_bytes(cut.read_bytes()[:-400])
    saved(tmp_path / "harmful.pth", Harmful(str(tmp_path / "harm")))
    saved(tmp_path / "number.pth", 5)
    saved(tmp_path / "list.pth", {"a": [1, 2]})
    for name in ("text", "empty", "cut", "harmful", "number", "list", "missing"):
        with pytest.raises(errors.CheckpointError, match=rf"{name}\.pth: ") as raised:
            load_model(f"{own}:Small", tmp_path / f"{name}.pth")
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "harm").exists()


def test_torchvision_network_takes_its_own_size_and_categories(tmp_path: Path) -> None:
    from torchvision import models

    path = saved(tmp_path / "squeezenet.pth", models.squeezenet1_1(weights=None).state_dict())
    model = load_model("squeezenet1_1", path)
    assert (model.preprocessing.height, model.preprocessing.width) == (224, 224)
    assert model.categories is not None
    assert model.categories[281:283] == ("tabby", "tiger cat")
    assert model.class_index("Tiger Cat") == model.class_index("282") == model.class_index(282) == 282
    with pytest.raises(errors.TargetError, match=r"no such class \(nearest: .*tabby"):
        model.class_index("taby")
    with pytest.raises(errors.TargetError, match="classes 0 to 999"):
        model.class_index("1000")
    with pytest.raises(errors.TargetError, match="target of 5000 digits: no network has so many classes"):
        model.class_index("9" * 5000)


def test_loading_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    from torchvision import models

    path = saved(tmp_path / "squeezenet.pth", models.squeezenet1_1(weights=None).state_dict())
    before = torch.get_rng_state()
    load_model("squeezenet1_1", path)
    assert torch.equal(torch.get_rng_state(), before)


def test_auxiliary_heads_of_googlenet_are_left_out(tmp_path: Path) -> None:
    from torchvision import models

    trained = models.googlenet(weights=None, init_weights=False, aux_logits=True)
    model = load_model("googlenet", saved(tmp_path / "googlenet.pth", trained.state_dict()))
    trained.eval()
    trained.transform_input = True  # as torchvision builds it for its own file
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8))
    with torch.inference_mode():
        expected = trained(Preprocessing()(image)[None])
        given = model.module(model.preprocess(image)[None])
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-4)


def test_dotted_keys_of_old_densenet_files_load(tmp_path: Path) -> None:
    from torchvision import models

    current = models.densenet121(weights=None).state_dict()
    old = {
        key.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): value
        for key, value in current.items()
        if not key.endswith("num_batches_tracked")
    }
    assert any(".norm.1." in key for key in old)
    loaded = load_model("densenet121", saved(tmp_path / "densenet.pth", old)).module.state_dict()
    assert all(torch.equal(loaded[key], current[key]) for key in current)


def test_default_weights_that_cannot_be_downloaded_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(errors.CheckpointError, match="weights of squeezenet1_1 could not be downloaded") as raised:
        load_model("squeezenet1_1")
    assert str(raised.value).endswith("give a checkpoint file")
    assert "\n" not in str(raised.value)


def test_an_absent_device_is_named(own: Path) -> None:
    for device in ("warp", "cuda:99"):
        with pytest.raises(errors.DeviceError, match=f"device '{device}' is not at hand"):
            load_model(f"{own}:plain", device=device)


def test_predict_ranks_classes_by_probability(own: Path) -> None:
    ranked = load_model(f"{own}:Small").predict(Image.new("RGB", (20, 20), "red"), 5)
    assert sorted(index for index, _ in ranked) == [0, 1]
    assert ranked[0][1] >= ranked[1][1]
    assert sum(probability for _, probability in ranked) == pytest.approx(1)


def test_preprocessing_resizes_the_whole_image_and_normalises() -> None:
    pixels = np.zeros((40, 20, 3), dtype=np.uint8)
    pixels[:, 10:] = 255
    half = Preprocessing(4, 4, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(Image.fromarray(pixels))
    assert half.dtype == torch.float32
    assert half[:, :, 0].tolist() == [[-1.0] * 4] * 3
    assert half[:, :, 3].tolist() == [[1.0] * 4] * 3


def test_preprocessing_makes_one_channel_of_one_mean_and_resizes_as_it_is_told() -> None:
    pixels = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    nearest = Preprocessing(2, 2, (0.0,), (1.0,), "nearest")(pixels)
    assert nearest.shape == (1, 2, 2)
    assert set((nearest * 255).flatten().round().int().tolist()) <= set(range(0, 256, 4))
    assert not torch.equal(nearest, Preprocessing(2, 2, (0.0,), (1.0,), "bicubic")(pixels))
    for wrong in ({"mean": (0.5,)}, {"mean": (0.5, 0.5), "std": (1.0, 1.0)}, {"interpolation": "round"}):
        with pytest.raises(ValueError, match="write"):
            Preprocessing(**wrong)


def test_preprocessing_refuses_an_empty_input() -> None:
    with pytest.raises(ValueError, match="0 x 5"):
        Preprocessing(0, 5)
    with pytest.raises(ValueError, match="std"):
        Preprocessing(std=(1.0, 0.0, 1.0))


def test_hash_of_the_parameters_is_that_of_the_tensors_wherever_they_came_from(tmp_path: Path) -> None:
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    second.load_state_dict(first.state_dict())
    digest = Model.of(first).parameters_sha256
    assert len(digest) == 64
    assert Model.of(second).parameters_sha256 == digest
    with torch.no_grad():
        second.weight[0, 0] += 1
    assert Model.of(second).parameters_sha256 != digest


@pytest.mark.parametrize(
    "other",
    [
        nn.Linear(2, 1, bias=False),
        nn.Linear(1, 2, bias=False).double(),
        nn.Linear(1, 2, bias=False).bfloat16(),
        nn.Sequential(nn.Linear(1, 2, bias=False)),
        nn.Sequential(nn.Linear(1, 2, bias=False), nn.BatchNorm1d(2)),
    ],
    ids=["shape", "type", "half", "name", "buffers"],
)
def test_hash_of_the_parameters_covers_names_shapes_types_and_buffers(other: nn.Module) -> None:
    for module in (one := nn.Linear(1, 2, bias=False), other):
        for value in module.state_dict().values():
            value.zero_()
    assert Model.of(other).parameters_sha256 != Model.of(one).parameters_sha256


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "squeezenet1_0", "mobilenet_v2"])
def test_real_checkpoints_recognise_a_sheepdog(data: Path, name: str) -> None:
    from tracer.images import read_image

    model = load_model(name, data / "checkpoints" / f"{name}.pth")
    image = read_image(data / "imagenet/ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000003.JPEG")
    (index, _), *_ = model.predict(image)
    assert model.class_name(index) in {"Shetland sheepdog", "collie"}
