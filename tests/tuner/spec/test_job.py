import json
import subprocess
import sys
from pathlib import Path

import pytest

from tracer import Settings, TraceConfig
from tracer.documents import Document
from tuner.errors import SpecError
from tuner.spec.job import DigitsSpec, JobSpec, load_job, make_job

MINIMAL = "architecture: resnet18\ndataset: {kind: digits}\n"
PAPER = Settings(config=TraceConfig.paper())
ELEVEN = tuple(tenth / 10 for tenth in range(11))


@pytest.fixture
def write(tmp_path):
    def make(text: str) -> Path:
        path = tmp_path / "job.yaml"
        path.write_text(text)
        return path

    return make


@pytest.fixture
def mistake(write):
    def read(text: str) -> str:
        path = write(text)
        with pytest.raises(SpecError) as caught:
            load_job(path)
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(str(path))
        return line.removeprefix(str(path))

    return read


def test_a_job_that_tunes_no_weight_starts_from_the_defaults_of_the_tracer(write) -> None:
    assert load_job(write(MINIMAL + "arms: {depth: [16, 32]}\n")).tracer == TraceConfig()
    changed = load_job(write(MINIMAL + "tracer: {depth: 16}\n")).tracer
    assert changed == TraceConfig.paper(depth=16)


def test_defaults_are_those_of_the_design(write) -> None:
    spec = load_job(write(MINIMAL))
    assert spec.name == "job"
    assert spec.checkpoint is None
    assert spec.arms == {"cur": ELEVEN, "suc": ELEVEN, "pre": ELEVEN}
    assert (spec.search, spec.base, spec.settings) == ("each", {"cur": 1.0, "suc": 1.0, "pre": 1.0}, PAPER)
    assert (spec.policy.kind, spec.policy.budget, spec.policy.parameters) == ("ucb1", 3000, {})
    assert (spec.seed, spec.rounds, spec.target, spec.scoring, spec.reward.at) == (0, 1, "predicted", "all", 0.5)
    assert spec.tracer == TraceConfig.paper()
    assert (spec.workers.count, spec.workers.cpus, spec.workers.gpus) == ("auto", 1, 0)
    assert spec.dataset == DigitsSpec(kind="digits", images=1000, skip_bad=False)


def test_relative_paths_start_from_the_job_file(write, tmp_path: Path, monkeypatch) -> None:
    path = write(
        "architecture: nets/mine.py:make\ncheckpoint: nets/a.pth\n"
        "dataset: {kind: voc, root: VOCdevkit, labels: /names.txt}\n"
    )
    monkeypatch.chdir("/")
    spec = load_job(path)
    assert spec.architecture == f"{tmp_path}/nets/mine.py:make"
    assert spec.checkpoint == tmp_path / "nets/a.pth"
    assert spec.dataset.root == tmp_path / "VOCdevkit"
    assert spec.dataset.labels == Path("/names.txt")


def test_canonical_is_json_and_makes_the_same_job(write) -> None:
    spec = load_job(
        write(
            "name: a\narchitecture: resnet18\ncheckpoint: x.pth\ndataset: {kind: coco, root: c}\narms: {pre: [0, 2]}\n"
            "base: {pre: 0.5}\ntracer: {location: center, average_pool: 0.7, convolution: 2}\nworkers: {count: 2}\n"
        )
    )
    stored = json.loads(json.dumps(spec.canonical(), allow_nan=False))
    assert JobSpec.model_validate(stored) == spec
    assert stored["arms"] == {"pre": [0.0, 2.0]}
    assert stored["tracer"]["convolution"] == 2


def test_any_setting_is_tuned_in_the_order_of_the_settings(write) -> None:
    spec = load_job(write(MINIMAL + "arms: {location: [center, peak], pre: [1, 0]}\nbase: {suc: 0.5, spread: 8}\n"))
    assert list(spec.arms.items()) == [("pre", (1.0, 0.0)), ("location", ("center", "peak"))]
    assert (spec.settings.alpha.suc, spec.settings.config.spread) == (0.5, 8)
    pre, location = spec.arm_sets(spec.settings)
    assert [settings.alpha.pre for settings in pre.settings] == [1.0, 0.0]
    assert [settings.config.location for settings in location.settings] == ["center", "peak"]
    assert location.preference == (1, 0)
    assert (location.base["pre"], "location" in location.base) == (1.0, False)
    assert JobSpec.model_validate(json.loads(json.dumps(spec.canonical(), sort_keys=True))).arms == spec.arms


def test_null_is_a_value_of_the_input_size_as_of_the_tracer(write) -> None:
    spec = load_job(write(MINIMAL + "arms: {input: [320, null], pre: [0, 1]}\nbase: {input: null}\n"))
    assert (spec.arms["input"], spec.base["input"]) == ((320, None), None)
    pre, size = spec.arm_sets(spec.settings)
    assert (pre.base["input"], size.preference) == (None, (1, 0))
    assert JobSpec.model_validate(json.loads(json.dumps(spec.canonical()))) == spec


def test_a_number_may_have_an_exponent_wherever_it_stands(write) -> None:
    spec = load_job(
        write(MINIMAL + "arms: {cur: [1e-3, 1], cut: [1e-1]}\nbase: {spread: 1e1}\npolicy: {kind: race, delta: 1e-2}\n")
    )
    assert spec.arms == {"cur": (0.001, 1.0), "cut": (0.1,)}
    assert (spec.base["spread"], spec.policy.parameters) == (10.0, {"delta": 0.01})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("arms: {input: [null, 320, null]}", ":3: arms.input: null stands there twice; write each candidate once"),
        ("base: {input: null}\nexplainer: a:b\narms: {cut: [0.5]}", ":3: base.input: input is a setting of the tracer"),
        ("arms: {spread: [null]}", ":3: arms.spread.0: spread=None: write pixels from 0 to 256"),
        ("base: {pre: '1e-3'}", ":3: base.pre: '1e-3' is not a number; write one"),
        ("check: '0.5'", ":3: check: '0.5' is not a number; write one"),
        ("checkpoint: 1e3", ":3: checkpoint: 1000.0 is no path; write one"),
        ("polcy: 3", ":3: polcy: unknown key (nearest: policy); write one of name, "),
        (
            "search: joint\npolicy: {kind: optuna-tpe, budget: 20}",
            ":4: policy.budget: 20 pulls are too few for the 715 arms of joint; write at least 50",
        ),
        (
            "search: joint\nrounds: 2",
            ":4: rounds: 2, but a joint search holds nothing; leave rounds out",
        ),
        (
            "search: joint\npolicy: {kind: optuna-tpe}\nscoring: asked",
            ":5: scoring: optuna-tpe scores a batch of arms at once; write scoring: all",
        ),
        (
            "search: joint\narms: {cur: [0], pre: [0]}",
            ":4: arms: cur and pre are 0 in every combination, so nothing is ranked",
        ),
        ("policy: {kind: optuna-tpe, batch: 0}", ":3: policy: batch 0 must be a whole number of at least 1"),
        ("policy: {kind: optuna-tpe, trial_images: 1.5}", ":3: policy: trial_images 1.5 must be a whole number"),
        (
            "policy: {kind: optuna-tpe, trials: 9}",
            ":3: policy: optuna-tpe takes no 'trials' (nearest: trial_images); write on",
        ),
        (
            "policy: {kind: optuna-tpe, epsilon: 0.1}",
            ":3: policy: epsilon 0.1: nothing bounds what was not tried; leave",
        ),
        ("policy: {kind: optuna-tpe}", ":3: policy.kind: optuna-tpe tries combinations; write search: joint"),
        ("search: join", ":3: search: 'join' is none of its values; write 'each' or 'joint'"),
        (
            f"search: joint\narms: {{suc: {list(range(30))}, flatten: {list(range(1, 101))}}}",
            ":4: arms: 3,000 combinations are more than the 2,000 of one bandit; leave some candidates out",
        ),
        ("search: joint\npolicy: {budget: 100}", ":4: policy.budget: 100 pulls are too few for the 715 arms of joint;"),
        ("arms: {cru: [1]}", ":3: arms.cru: unknown setting 'cru' (nearest: cut, cur"),
        ("arms: {}", ":3: arms: no setting to tune"),
        ("arms:\n  location: [peak,\n    edge]", ":5: arms.location.1: location='edge': write 'peak' or 'center'"),
        ("arms: {convolution: [0]}", ":3: arms.convolution.0: convolution=0: write a number from 1 to"),
        ("arms: {spread: [wide]}", ":3: arms.spread.0: spread='wide': write pixels from 0 to 256"),
        ("base: {location: edge}", ":3: base.location: location='edge': write 'peak' or 'center'"),
        ("base: {locaton: peak}", ":3: base.locaton: unknown setting 'locaton' (nearest: location"),
        (
            f"arms: {{cur: {list(range(2001))}}}",
            ":3: arms.cur: 2,001 candidates are more than the 2,000 arms of one bandit; leave some out",
        ),
        ("arms: {cur: []}", ":3: arms.cur: no arm to pull; write at least one candidate"),
        ("arms:\n  cur:\n    - 0.5\n    - 0.50", ":4: arms.cur: 0.5 stands there twice; write each candidate once"),
        ("arms:\n  cur: [0.1,\n    -1]", ":5: arms.cur.1: -1.0 is no weight; write a finite number of at least 0"),
        ("arms: {cur: [.inf]}", ":3: arms.cur.0: inf is no weight"),
        ("arms: {cur: [.nan]}", ":3: arms.cur.0: nan is no weight"),
        ("arms: {cur: [true]}", ":3: arms.cur.0: True is not a number"),
        ("arms: {cur: [high]}", ":3: arms.cur.0: 'high' is not a number"),
        ("arms: {cur: 0.5}", ":3: arms.cur: 0.5 is no list"),
        ("arms: 3", ":3: arms: 3 is no mapping"),
        ("policy: {budget: 10}", ":3: policy.budget: 10 pulls are too few for the 11 arms of cur; write at least 11"),
        ("policy: {budget: 0}", ":3: policy.budget: 0 is too small; write at least 1"),
        ("policy: {budget: 10.5}", ":3: policy.budget: 10.5 is not a whole number"),
        ("policy: {kind: ucb-1}", ":3: policy: unknown policy 'ucb-1' (nearest: ucb1"),
        (
            "policy: {exploratoin: 1}",
            ":3: policy: ucb1 takes no 'exploratoin' (nearest: exploration",
        ),
        ("policy: {exploration: -1}", ":3: policy: exploration"),
        ("policy: {exploration: much}", ":3: policy: exploration: 'much' is not a number; write one"),
        ("policy: {delta: 2}", ":3: policy: delta"),
        ("reward: {iou: 0}", ":3: reward.iou: 0.0 is no value to reach; write a number above 0 and up to 1"),
        ("reward: {iou: 50}", ":3: reward.iou: 50.0 is no value"),
        ("reward: {iou: .nan}", ":3: reward.iou: nan is no value"),
        ("seed: -1", ":3: seed: -1 is too small; write at least 0"),
        ("seed: 9223372036854775808", ":3: seed: 9223372036854775808 is too large; write at most 9223372036854775807"),
        ("policy: {budget: 100000000000000000000}", ":3: policy.budget: 100000000000000000000 is too large"),
        (
            "tracer: {convolution: 100000000000000000000}",
            ":3: tracer: convolution=100000000000000000000: write a number",
        ),
        ("arms: {cur: [" + "9" * 400 + "]}", ":3:14: a number of 400 characters; write a shorter one"),
        ("arms: {cur: [1e400]}", ":3: arms.cur.0: inf is no weight"),
        ("checkpoint: ~nosuchuser/a.pth", ":3: checkpoint: '~nosuchuser/a.pth': no user of that name has a home here"),
        ('checkpoint: "a\\0b"', ":3: checkpoint: 'a\\x00b' holds a character that no path here can hold"),
        (
            'checkpoint: "a\\ud800b"',
            ":3: checkpoint: 'a\\ud800b' holds a character that no path here can hold",
        ),
        ("seed: yes", ":3: seed: True is not a whole number"),
        ("rounds: 0", ":3: rounds: 0 is too small"),
        ("target: truth", ":3: target: 'truth' is none of its values; write 'predicted' or 'label'"),
        ("tracer: {location: edge}", ":3: tracer: location='edge': write 'peak' or 'center'"),
        ("tracer: {locaton: peak}", ":3: tracer: unknown key 'locaton' (nearest: location"),
        ("tracer: {cut: a lot}", ":3: tracer: cut='a lot': write a share"),
        ("base: {cur: -1}", ":3: base.cur: -1.0 is no weight; write a finite number of at least 0"),
        ("base: {cur: [1]}", ":3: base.cur: [1] is not a number; write one"),
        ("base: 2", ":3: base: 2 is no mapping"),
        ("workers: {count: 0}", ":3: workers.count: 0 workers score nothing; write a number of at least 1, or auto"),
        ("workers: {count: some}", ":3: workers.count: 'some' "),
        ("workers: {cpus: 0}", ":3: workers.cpus: 0.0 is no share of a machine; write a number above 0"),
        ("workers: {gpus: -1}", ":3: workers.gpus: -1.0 is no share of a machine"),
        ("name: a b", ":3: name: 'a b' is no name"),
        ("checkpoint: 3", ":3: checkpoint: 3 "),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_mend(mistake, line: str, expected: str) -> None:
    assert mistake(MINIMAL + line + "\n").startswith(expected)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (
            "{kind: imagnet}",
            "dataset: unknown kind 'imagnet' (nearest: imagenet, open_images, imagefolder); write",
        ),
        ("{root: x}", "dataset: kind is missing; write kind: and one of imagenet, voc, voc_seg"),
        ("digits", "dataset: 'digits' is no mapping"),
        ("{kind: voc}", "dataset.root: is missing; add it"),
        ("{kind: digits, image: 3}", "dataset.image: unknown key (nearest: images)"),
        ("{kind: digits, images: 0}", "dataset.images: 0 is too small; write at least 1"),
        ("{kind: imagenet, root: x, split: test}", "dataset.split: 'test' is none of its values"),
    ],
)
def test_a_mistake_in_the_data_set_is_named(mistake, dataset: str, expected: str) -> None:
    assert mistake(f"architecture: a\ndataset: {dataset}\n").startswith(f":2: {expected}")


@pytest.mark.parametrize("values", [{"arms": {"cur": [10**400]}}, {"base": {"pre": 10**400}}, {"seed": 10**400}])
def test_a_number_beyond_what_a_float_holds_is_one_line(values: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=r"^it: .*(a number beyond 1\.8e308|is too large)"):
        make_job(Document("it", {"name": "a", "architecture": "a", "dataset": {"kind": "digits"}, **values}))


def test_further_mistakes_are_counted(mistake) -> None:
    assert mistake(MINIMAL + "seed: -1\nrounds: 0\n").endswith("(and 1 more to mend)")


def test_a_missing_key_is_named(mistake) -> None:
    assert mistake("dataset: {kind: digits}\n") == ": architecture: is missing; add it"


def test_explaining_labels_needs_the_class_order_of_the_network(mistake) -> None:
    text = "architecture: a\ntarget: label\ndataset: {kind: voc, root: x}\n"
    assert "add dataset.labels" in mistake(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\nb: 3\n", ":2:2: not YAML: "),
        ("a: 1\n\tb: 2\n", ":2:1: not YAML: "),
        ("architecture: a\nseed: 1\nseed: 2\n", ":3:1: key 'seed' stands there twice; keep one"),
        ("[1, 2]", ": not a job; "),
        ("", ": not a job; "),
        ("&a [*a]", ":1:5: alias *a; write the value out"),
        ("? [1]\n: 2\n", ":1:3: not YAML: "),
        ("a: !!python/object:os.system {}\n", ":1:4: tag "),
        ("a: \x00\n", ": not YAML: "),
    ],
)
def test_text_that_is_no_job_is_refused_with_line_and_column(mistake, text: str, expected: str) -> None:
    assert mistake(text).startswith(expected)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml: no such file; check the path"):
        load_job(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="cannot be read"):
        load_job(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_job(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    "example", sorted((Path(__file__).parents[3] / "examples").glob("*.yaml")), ids=lambda p: p.name
)
def test_the_examples_are_jobs(example: Path) -> None:
    assert load_job(example).name == example.stem


def test_reading_a_job_does_not_import_torch() -> None:
    script = "import sys, tuner.spec.job, tuner.datasets; sys.exit('torch' in sys.modules or 'ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
