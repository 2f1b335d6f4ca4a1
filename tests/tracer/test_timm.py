"""timm's networks: loaded as their configuration says; every family of CNNs traced, or refused for a reason."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.tracer.oracle import Oracle
from tracer import errors
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import load_model
from tracer.settings import Settings
from tracer.trace import Tracer

timm = pytest.importorskip("timm")
safetensors = pytest.importorskip("safetensors.torch")

TRACED = {
    "test_byobnet": 64,
    "convmixer_768_32": 64,
    "test_convnext": 64,
    "test_convnext2": 64,
    "cs3darknet_focus_s": 64,
    "cspnext_tiny": 64,
    "densenet121": 64,
    "dla46x_c": 64,
    "dpn48b": 64,
    "test_efficientnet": 64,
    "test_efficientnet_evos": 64,
    "fasternet_t0": 64,
    "fastvit_t8": 64,
    "gcresnext26ts": 64,
    "gernet_s": 64,
    "ghostnet_050": 64,
    "ghostnetv3_050": 64,
    "hardcorenas_b": 64,
    "hgnetv2_b0": 64,
    "hrnet_w18_small": 64,
    "inception_next_atto": 64,
    "inception_resnet_v2": 96,
    "inception_v3": 96,
    "inception_v4": 96,
    "lcnet_035": 64,
    "lcnetv2_small": 64,
    "legacy_seresnet18": 64,
    "legacy_xception": 96,
    "test_mambaout": 64,
    "mixnet_s": 64,
    "mobilenetv3_small_050": 64,
    "mobileone_s1": 64,
    "convformer_s18": 64,
    "poolformer_s12": 64,
    "nasnetalarge": 64,
    "nf_regnet_b0": 64,
    "test_nfnet": 64,
    "pnasnet5large": 64,
    "rdnet_tiny": 64,
    "regnetx_002": 64,
    "regnety_002": 64,
    "regnetz_005": 64,
    "repghostnet_050": 64,
    "repvgg_a0": 64,
    "repvit_m1": 64,
    "res2next50": 64,
    "resnest14d": 64,
    "test_resnet": 64,
    "resnetv2_18": 64,
    "resnetv2_50d_frn": 64,
    "rexnet_100": 64,
    "selecsls42": 64,
    "skresnet18": 64,
    "starnet_s050": 64,
    "swiftformer_xs": 64,
    "tinynet_e": 64,
    "tresnet_m": 64,
    "vgg11": 64,
    "ese_vovnet19b_slim_dw": 64,
    "xception41p": 64,
}
"""The smallest member of each family of timm's CNNs, and height and width of the input it is tried with."""

ATTENTION, RECURRENT, STACKED = "attention", "recurrent", "images of a batch"
TRANSPOSED = "conv_transpose2d"
REFUSED = {
    "botnet26t_256": ATTENTION,
    "halonet_h1": ATTENTION,
    "test_coatnet": ATTENTION,
    "test_maxvit": ATTENTION,
    "edgenext_xx_small": ATTENTION,
    "efficientformer_l1": ATTENTION,
    "efficientvit_b0": ATTENTION,
    "efficientvit_m0": ATTENTION,
    "mobilevit_xxs": ATTENTION,
    "caformer_s18": ATTENTION,
    "nextvit_small": ATTENTION,
    "shvit_s1": ATTENTION,
    "visformer_tiny": ATTENTION,
    "cpubone_nano": ATTENTION,
    "csatv2": ATTENTION,
    "iformer_t": ATTENTION,
    "lowformer_b0": TRANSPOSED,
    "efficientvim_m1": STACKED,
    "sequencer2d_s": RECURRENT,
}
"""Families beside the CNNs in which convolutions lead to something else, and what that is."""

ALPHAS = [Alpha(1, 1, 1), Alpha(0.5, 2, 1)]
FAST = {"test_resnet"}


def network(name: str) -> nn.Module:
    """A network with random weights whose batch norms shift and scale."""
    torch.manual_seed(0)
    module = timm.create_model(name).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None:
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    return module


def marked(names: dict[str, object]) -> list[object]:
    return [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in names]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", marked(TRACED))
def test_the_smallest_of_each_family_agrees_with_the_oracle(name: str) -> None:
    module, size = network(name).double(), TRACED[name]
    image = torch.randn(3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tracer = Tracer(module)
    config = TraceConfig.paper(linear=20, flatten=1, convolution=1)
    arms = [Settings(alpha, config) for alpha in ALPHAS]
    *paper, excitation = tracer.traces(image[None], [*arms, Settings(config=TraceConfig.excitation_backprop())])[0]
    assert excitation.shares.sum() == pytest.approx(1, abs=1e-6)
    plan = tracer.plan((size, size))
    oracle = Oracle(plan.network, image, config)
    for alpha, trace in zip(ALPHAS, paper, strict=True):
        (expected,) = oracle.run(alpha, trace.target, plan.network.image)
        found = dict(zip(map(tuple, trace.points.tolist()), trace.shares, strict=True))
        assert found.keys() == expected.keys()
        assert np.allclose([found[point] for point in expected], list(expected.values()), rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_for_what_it_does(name: str) -> None:
    module = network(name)
    size = module.pretrained_cfg["input_size"][1]
    with pytest.raises(errors.ArchitectureError, match=REFUSED[name]):
        Tracer(module).plan((size, size))


def test_the_documents_list_is_this_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    traced, refused = (re.findall(r"`(\w+)`", text.split(f"<!-- {name} -->")[1]) for name in ("traced", "refused"))
    assert traced == list(TRACED)
    assert refused == list(REFUSED)


def test_the_configuration_says_how_an_image_enters_and_what_the_classes_are(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.save_file(timm.create_model("test_resnet").state_dict(), path)
    model = load_model("timm:test_resnet", path)
    config = timm.create_model("test_resnet").pretrained_cfg
    assert (model.preprocessing.height, model.preprocessing.width) == tuple(config["input_size"][1:])
    assert model.preprocessing.mean == tuple(config["mean"])
    assert model.preprocessing.interpolation == config["interpolation"]
    assert model.categories is not None
    assert model.categories[0] == "tench"
    assert model.class_index("Tiger Cat") == 282
    assert model.checkpoint_sha256 is not None
    model.predict(Image.new("RGB", (50, 40)))


def hub_folder(folder: Path, **changes: object) -> Path:
    """A folder as a repository of the hub is: a configuration and parameters."""
    config = {
        "architecture": "test_resnet",
        "num_classes": 3,
        "label_names": ["cat", "dog", "fox"],
        "model_args": {"in_chans": 1},
        "pretrained_cfg": {
            "input_size": [1, 32, 48],
            "mean": [0.4, 0.5, 0.6],
            "std": [0.2, 0.2, 0.2],
            "interpolation": "bilinear",
            "num_classes": 3,
            "first_conv": "conv1.0",
            "classifier": "fc",
        },
        **changes,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    module = timm.create_model("test_resnet", num_classes=3, in_chans=1)
    safetensors.save_file(module.state_dict(), folder / "model.safetensors")
    return folder


def test_a_folder_of_the_hubs_form_is_loaded_with_its_own_parameters(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "mine")
    model = load_model(f"local-dir:{folder}")
    assert (model.preprocessing.height, model.preprocessing.width, model.preprocessing.channels) == (32, 48, 1)
    assert model.preprocessing.mean == (pytest.approx(0.5),)
    assert model.categories == ("cat", "dog", "fox")
    saved = safetensors.load_file(folder / "model.safetensors")
    assert all(torch.equal(value, saved[key]) for key, value in model.module.state_dict().items())
    assert Tracer(model).explain(Image.new("RGB", (50, 40), "red")).name in model.categories


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm:resnet_18", r"architecture 'timm:resnet_18': timm has no such network \(nearest: resnet"),
        ("local-dir:nowhere", r"no parameters of 'local-dir:nowhere'; give a checkpoint file \("),
    ],
)
def test_a_name_that_stands_for_nothing_is_one_line(name: str, said: str) -> None:
    with pytest.raises(errors.TracerError, match=said) as raised:
        load_model(name)
    assert "\n" not in str(raised.value)


def test_a_checkpoint_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.save_file(timm.create_model("test_resnet", in_chans=1).state_dict(), path)
    with pytest.raises(errors.CheckpointError, match=r"of another shape conv1\.0\.weight \(\d+, 1, 3, 3\) for"):
        load_model("timm:test_resnet", path)
    path.write_bytes(b"no tensors")
    with pytest.raises(errors.CheckpointError, match="not a checkpoint that can be read safely"):
        load_model("timm:test_resnet", path)


def test_a_checkpoint_of_other_classes_makes_a_network_of_so_many(tmp_path: Path) -> None:
    path = tmp_path / "tuned.safetensors"
    tuned = timm.create_model("test_resnet", num_classes=3)
    safetensors.save_file(tuned.state_dict(), path)
    model = load_model("timm:test_resnet", path)
    assert torch.equal(model.module.fc.weight, tuned.fc.weight)
    assert model.categories is None
