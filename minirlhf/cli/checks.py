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
from minirlhf.tinytown.sizes import FOLDER, SIZES
from minirlhf.training import machine
from minirlhf.training.machine import available_memory

PACKAGE = Path(__file__).parents[1]
REINSTALL = "install the tested set: pip install -r requirements-tested.txt"
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


# ── software ─────────────────────────────────────────────────────────────────────────────────


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python 3.11 to 3.13."""
    found = ".".join(map(str, version))
    if (3, 11) <= version[:2] <= (3, 13):
        return Finding("python", "ok", found)
    return Finding("python", "problem", found, "use Python 3.11, 3.12 or 3.13")


def check_packages() -> Iterator[Finding]:
    """Each dependency against what is required and against the set that was tested."""
    try:
        required = metadata.requires("minirlhf") or []
    except metadata.PackageNotFoundError:
        advice = "in the repository's folder: pip install -e ."
        yield Finding("packages", "note", "minirlhf is imported but not installed", advice)
        return
    tested, quiet = tested_versions(), 0
    for requirement in map(Requirement, required):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            finding = check_package(requirement, tested.get(requirement.name))
            if finding.status == "ok" and finding.topic not in ("torch", "transformers"):
                quiet += 1
            else:
                yield finding
    yield Finding("other packages", "ok", f"{quiet} as tested")


def check_package(requirement: Requirement, tested: str | None) -> Finding:
    """One dependency: present, importable, recent enough, and the version that was tested."""
    name = requirement.name
    try:
        version = Version(metadata.version(name))
        importlib.import_module(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "problem", "not installed", REINSTALL)
    except Exception as error:  # a broken package may raise anything at all on import
        found = f"{version} cannot be imported: {type(error).__name__}: {error}"
        return Finding(name, "problem", found, REINSTALL)
    if not requirement.specifier.contains(version, prereleases=True):
        found = f"{version}, where {requirement.specifier} is needed"
        return Finding(name, "problem", found, REINSTALL)
    if tested is not None and version.public != tested:
        return Finding(name, "note", f"{version}; the tests ran with {tested}")
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
    if "google.colab" in sys.modules:
        yield Finding("notebooks", "ok", "Colab")
    elif lab is None or versions["ipykernel"] is None:
        advice = 'for notebooks on this machine: pip install "minirlhf[lab]"'
        yield Finding("notebooks", "note", "JupyterLab is not installed", advice)
    elif widgets is None or (lab.major >= 4) != (widgets.major >= 3):
        found = f"JupyterLab {lab} with jupyterlab_widgets {widgets}: sliders will not show"
        yield Finding("notebooks", "problem", found, "pip install --upgrade ipywidgets jupyterlab")
    else:
        yield Finding("notebooks", "ok", f"JupyterLab {lab}")


def _version(name: str) -> Version | None:
    try:
        return Version(metadata.version(name))
    except metadata.PackageNotFoundError:
        return None


# ── hardware ─────────────────────────────────────────────────────────────────────────────────


def check_cores() -> Finding:
    """Cores this process may use, and the threads that torch takes."""
    cores = machine.cores()
    try:
        import torch
    except Exception:  # reported among the packages
        return Finding("cores", "ok", str(cores))
    threads = torch.get_num_threads()
    found = f"{cores}, torch uses {threads} thread{'s' * (threads > 1)}"
    if threads > cores:
        return Finding(
            "cores", "note", found, f"set OMP_NUM_THREADS={cores}: more threads are slower"
        )
    if cores < 2:
        return Finding("cores", "note", found, "the times in this course are for two cores")
    return Finding("cores", "ok", found)


def check_memory(available: int | None = None) -> Finding:
    """Memory (bytes) that a run can still have; the main job takes 2.5 GB at its peak."""
    available = available_memory() if available is None else available
    found = f"{available / GIB:.1f} GiB available"
    if available < 1 * GIB:
        return Finding("memory", "problem", found, "close other programs: a run needs 2.5 GB")
    if available < 2.5e9:
        return Finding("memory", "note", found, "a run of the main job takes up to 2.5 GB")
    return Finding("memory", "ok", found)


def check_gpu() -> Finding:
    """The first GPU, and the precision of a forward pass on this machine."""
    try:
        import torch
    except Exception:  # reported among the packages
        return Finding("gpu", "note", "unknown without torch")
    if not torch.cuda.is_available():
        apple = torch.backends.mps.is_available()
        which = "Apple's, which isn't used" if apple else "none"
        return Finding("gpu", "ok", f"{which}; fp32 on the CPU, enough for all of Tinytown")
    from minirlhf.training.devices import auto_precision, first_device

    precision, capability = auto_precision(first_device()), torch.cuda.get_device_capability()
    free, total = torch.cuda.mem_get_info()
    found = (
        f"{torch.cuda.get_device_name()}, compute capability {capability[0]}.{capability[1]}, "
        f"{free / GIB:.1f} of {total / GIB:.1f} GiB free; forward passes in {precision}"
    )
    if free < 0.25 * total:
        return Finding("gpu", "note", found, "another program holds most of its memory")
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
        return Finding("fits", "ok", "Tinytown's models; GPT-2 (124M) needs 3 GB for sft and rm")
    found = ", ".join(f"{stage}: {''.join(names) or 'none'}" for stage, names in largest.items())
    advice = (
        "where activations don't fit, lower --micro-batch or add --gradient-checkpointing; where "
        "models don't, several processes with --fsdp"
    )
    return Finding("fits", "ok", f"of GPT-2's sizes, {found}", advice)


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
    advice = "choose another place for the run with --folder"
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        return Finding("disk", "problem", f"{place}: {error.strerror or error}", advice)
    free = shutil.disk_usage(place).free
    found = f"{free / GIB:.1f} GiB free in {place}"
    if free < 0.5 * GIB:
        return Finding("disk", "problem", found, f"a run takes up to 0.5 GiB; {advice}")
    return Finding("disk", "ok", found)


def check_hub(limit: float = 1.0) -> Finding:
    """Whether models can be fetched; only the chapter on real models needs that."""
    reason = hub.obstacle(limit)
    if reason is None:
        return Finding("model hub", "ok", "can be reached")
    return Finding("model hub", "note", reason, "only real models need it; Tinytown does not")


def check_bases(folder: str | Path = FOLDER) -> Finding:
    """The base models that come with the package: there, and whole."""
    found = {path.parent.name: path.parent for path in Path(folder).rglob("config.json")}
    missing = [size for size in SIZES if size not in found]
    if missing:
        advice = "fetch the repository again, or remake them: make bases"
        return Finding("base models", "problem", f"missing: {', '.join(missing)}", advice)
    try:
        from minirlhf.pretrained import load_policy

        counts = [load_policy(found[size]).num_parameters() / 1e6 for size in SIZES]
    except MinirlhfError as error:
        return Finding("base models", "problem", str(error), "restore the folder, or: make bases")
    except ImportError:  # reported among the packages
        return Finding("base models", "note", "there, but not loaded for want of a package")
    sizes = zip(SIZES, counts, strict=True)
    return Finding("base models", "ok", ", ".join(f"{s} ({n:.1f}M)" for s, n in sizes))
