"""PPO in miniature: how it is started in a terminal, and what lies in its folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

from browser_lab import Lab

OPTIONS = {
    "model": "policy", "reward": "rm", "prompts": "prompts.jsonl", "pretraining": "docs.jsonl",
    "ptx_gamma": 0.3, "ptx_examples_per_episode": 0.5, "ptx_context": 32, "episodes": 1920,
    "rollout_batch": 32, "minibatch": 8, "max_prompt": 24, "max_response": 24,
    "learning_rate": 1e-3, "beta": 0.05, "checkpoint_seconds": 2.0,
}  # fmt: skip
STEPS = 60


def terminal(folder: Path, name: str, lab: Lab, **changed) -> subprocess.Popen:
    """``minirlhf ppo`` as one gives it in a terminal."""
    flags = [
        part
        for option, value in {**OPTIONS, **changed}.items()
        for part in (f"--{option.replace('_', '-')}", str(value))
    ]
    with (folder / f"{name}.terminal").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "minirlhf.cli", "ppo", "--folder", name, *flags],
            cwd=folder, env=lab.env, stdout=log, stderr=log,
        )  # fmt: skip


def numbers(folder: Path) -> list[dict]:
    """The log without its times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if "time" not in k} for row in rows]


def workers(folder: Path) -> int:
    """Processes whose command line names the run's folder."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            count += b"--folder" in command and str(folder.name).encode() in command
    return count
