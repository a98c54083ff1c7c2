"""What the doctor looks at: every check is a function that returns findings and changes nothing."""

from __future__ import annotations

import importlib
import importlib.metadata as metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version

from minirlhf.data import hub
from minirlhf.errors import MinirlhfError
from minirlhf.lesson.languages import Texts
from minirlhf.tinytown.sizes import FOLDER, SIZES
from minirlhf.training import machine
from minirlhf.training.machine import available_memory

PACKAGE = Path(__file__).parents[1]
_say = Texts(Path(__file__).parent / "checks.toml")
GIB = 2**30
BYTES = {"sft": 18, "rm": 18, "ppo": 46}
"""A training's bytes for each parameter of its models, whatever the batch: float32 weights, their
gradients and Adam's two moments, 16; a half-precision copy within a forward pass, 2. PPO's policy
also has its moving average and the gradients of ptx, its value model waits with 12, reference and
reward model take 4 each.
"""
GPT2_SIZES = {"gpt2": 124e6, "gpt2-medium": 355e6, "gpt2-large": 774e6, "gpt2-xl": 1558e6}
"""Parameters of the models that people come with."""


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    ``note``: works, but worth knowing. ``problem``: the main job fails or can't be trusted.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    found: str
    advice: str = ""

    @property
    def verdict(self) -> str:
        """The status in the reader's language."""
        return _say(f"status.{self.status}")


# ── software ─────────────────────────────────────────────────────────────────────────────────


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python 3.11 to 3.13."""
    found = ".".join(map(str, version))
    if (3, 11) <= version[:2] <= (3, 13):
        return Finding("python", "ok", found)
    return Finding("python", "problem", found, _say("python.use"))


def check_packages() -> Iterator[Finding]:
    """Each dependency against what is required and against the set that was tested."""
    try:
        required = metadata.requires("minirlhf") or []
    except metadata.PackageNotFoundError:
        found, advice = _say("packages.imported"), _say("packages.install")
        yield Finding(_say("topic.packages"), "note", found, advice)
        return
    tested, quiet = tested_versions(), 0
    for requirement in map(Requirement, required):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            finding = check_package(requirement, tested.get(requirement.name))
            if finding.status == "ok" and finding.topic not in ("torch", "transformers"):
                quiet += 1
            else:
                yield finding
    yield Finding(_say("topic.others"), "ok", _say("packages.as_tested", count=quiet))


def check_package(requirement: Requirement, tested: str | None) -> Finding:
    """One dependency: present, importable, recent enough, and the version that was tested."""
    name = requirement.name
    try:
        version = Version(metadata.version(name))
        importlib.import_module(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "problem", _say("package.missing"), _say("package.reinstall"))
    except Exception as error:  # a broken package may raise anything at all on import
        said = f"{type(error).__name__}: {error}"
        found = _say("package.broken", version=version, error=said)
        return Finding(name, "problem", found, _say("package.reinstall"))
    if not requirement.specifier.contains(version, prereleases=True):
        found = _say("package.old", version=version, needed=requirement.specifier)
        return Finding(name, "problem", found, _say("package.reinstall"))
    if tested is not None and version.public != tested:
        return Finding(name, "note", _say("package.other", version=version, tested=tested))
    return Finding(name, "ok", str(version))


def tested_versions() -> dict[str, str]:
    """The tested set by name; empty where the package was installed without it."""
    for folder in (PACKAGE.parent, PACKAGE):
        path = folder / "requirements-tested.txt"
        if path.is_file():
            pins = (line.partition("==") for line in path.read_text("utf-8").splitlines())
            return {name: version for name, equals, version in pins if equals}
    return {}


def check_notebooks() -> Iterator[Finding]:
    """Jupyter and its widgets, where the two must fit together."""
    versions = {name: _version(name) for name in ("jupyterlab", "ipykernel", "jupyterlab_widgets")}
    lab, widgets = versions["jupyterlab"], versions["jupyterlab_widgets"]
    topic = _say("topic.notebooks")
    if "google.colab" in sys.modules:
        yield Finding(topic, "ok", "Colab")
    elif lab is None or versions["ipykernel"] is None:
        yield Finding(topic, "note", _say("notebooks.none"), _say("notebooks.install"))
    elif widgets is None or (lab.major >= 4) != (widgets.major >= 3):
        found = _say("notebooks.unlike", lab=lab, widgets=widgets)
        yield Finding(topic, "problem", found, "pip install --upgrade ipywidgets jupyterlab")
    else:
        yield Finding(topic, "ok", f"JupyterLab {lab}")


def _version(name: str) -> Version | None:
    try:
        return Version(metadata.version(name))
    except metadata.PackageNotFoundError:
        return None


# ── hardware ─────────────────────────────────────────────────────────────────────────────────


def check_cores() -> Finding:
    """Cores this process may use, and the threads that torch takes."""
    topic, cores = _say("topic.cores"), machine.cores()
    try:
        import torch
    except Exception:  # reported among the packages
        return Finding(topic, "ok", str(cores))
    threads = torch.get_num_threads()
    key = "cores.threads" if threads > 1 else "cores.thread"
    found = _say(key, cores=cores, threads=threads)
    if threads > cores:
        return Finding(topic, "note", found, _say("cores.fewer", cores=cores))
    if cores < 2:
        return Finding(topic, "note", found, _say("cores.two"))
    return Finding(topic, "ok", found)


def check_memory(available: int | None = None) -> Finding:
    """Memory (bytes) that a run can still have; the main job takes 2.5 GB at its peak."""
    available = available_memory() if available is None else available
    topic, found = _say("topic.memory"), _say("memory.found", free=f"{available / GIB:.1f}")
    if available < 1 * GIB:
        return Finding(topic, "problem", found, _say("memory.close"))
    if available < 2.5e9:
        return Finding(topic, "note", found, _say("memory.takes"))
    return Finding(topic, "ok", found)


def check_gpu() -> Finding:
    """The first GPU, and the precision of a forward pass on this machine."""
    try:
        import torch
    except Exception:  # reported among the packages
        return Finding("gpu", "note", _say("gpu.unknown"))
    if not torch.cuda.is_available():
        apple = torch.backends.mps.is_available()
        return Finding("gpu", "ok", _say("gpu.apple" if apple else "gpu.none"))
    from minirlhf.training.devices import auto_precision, first_device

    precision, capability = auto_precision(first_device()), torch.cuda.get_device_capability()
    free, total = torch.cuda.mem_get_info()
    found = _say(
        "gpu.found",
        name=torch.cuda.get_device_name(),
        capability="{}.{}".format(*capability),
        free=f"{free / GIB:.1f}",
        total=f"{total / GIB:.1f}",
        precision=precision,
    )
    if free < 0.25 * total:
        return Finding("gpu", "note", found, _say("gpu.held"))
    return Finding("gpu", "ok", found)


def check_fit(available: int | None = None) -> Finding:
    """The largest GPT-2 that each stage can train in so many bytes: the GPU's, or this machine's.

    A quarter is left for activations, which are as large as the batch; they alone can be made
    smaller.
    """
    if available is None:
        available = _training_memory()
    largest = {
        stage: [name for name, size in GPT2_SIZES.items() if size * each <= 0.75 * available][-1:]
        for stage, each in BYTES.items()
    }
    if not largest["sft"]:
        return Finding(_say("topic.fits"), "ok", _say("fits.tiny"))
    none = _say("fits.none")
    found = ", ".join(f"{stage}: {''.join(names) or none}" for stage, names in largest.items())
    return Finding(_say("topic.fits"), "ok", _say("fits.found", sizes=found), _say("fits.advice"))


def _training_memory() -> int:
    """Bytes that training can have: the GPU's, where there is one."""
    try:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.mem_get_info()[0]
    except Exception:  # reported among the packages
        pass
    return available_memory()


# ── places ───────────────────────────────────────────────────────────────────────────────────


def check_disk(folder: str | Path = "runs") -> Finding:
    """Space, and leave to write, where ``folder`` is or would be made."""
    place = Path(folder).absolute()
    while not os.path.exists(place):  # unlike Path.exists, False where looking is forbidden
        place = place.parent
    topic, advice = _say("topic.disk"), _say("disk.elsewhere")
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        return Finding(topic, "problem", f"{place}: {error.strerror or error}", advice)
    free = shutil.disk_usage(place).free
    found = _say("disk.found", free=f"{free / GIB:.1f}", place=place)
    if free < 0.5 * GIB:
        return Finding(topic, "problem", found, _say("disk.takes", advice=advice))
    return Finding(topic, "ok", found)


def check_hub(limit: float = 1.0) -> Finding:
    """Whether models can be fetched; only the chapter on real models needs that."""
    reason = hub.obstacle(limit)
    if reason is None:
        return Finding(_say("topic.hub"), "ok", _say("hub.reached"))
    return Finding(_say("topic.hub"), "note", reason, _say("hub.needless"))


def check_bases(folder: str | Path = FOLDER) -> Finding:
    """The base models that come with the package: there, and whole."""
    found = {path.parent.name: path.parent for path in Path(folder).rglob("config.json")}
    missing = [size for size in SIZES if size not in found]
    topic = _say("topic.bases")
    if missing:
        names = _say("bases.missing", names=", ".join(missing))
        return Finding(topic, "problem", names, _say("bases.remake"))
    try:
        from minirlhf.pretrained import load_policy

        counts = [load_policy(found[size]).num_parameters() / 1e6 for size in SIZES]
    except MinirlhfError as error:
        return Finding(topic, "problem", str(error), _say("bases.restore"))
    except ImportError:  # reported among the packages
        return Finding(topic, "note", _say("bases.unloaded"))
    sizes = zip(SIZES, counts, strict=True)
    return Finding(topic, "ok", ", ".join(f"{s} ({n:.1f}M)" for s, n in sizes))
