"""The work: models, batches, lengths. Everyone loads the same folder that `build` writes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

SPECIAL = ("<pad>", "<bos>", "<eos>")
PAD, BOS, EOS = range(3)
NEVER = -100.0
"""A logit at which nothing is ever drawn."""


@dataclass(frozen=True)
class Shape:
    """One piece of work. Weights are random: what they are doesn't change the time."""

    name: str
    architecture: str = "gpt2"
    width: int = 128
    layers: int = 4
    heads: int = 4
    vocabulary: int = 1000
    batch: int = 64
    prompt: int = 24
    response: int = 48
    epochs: int = 4
    """Inner epochs of PPO, one minibatch each."""
    ragged: bool = False
    """Prompts of half to all of ``prompt`` tokens, responses of ``response`` / 3 on average."""
    device: str = "cpu"

    @property
    def hazard(self) -> float:
        """The chance of EOS at each token: for responses that fill a third of the room, or none."""
        if not self.ragged:
            return 0.0
        low, high = 0.0, 1.0
        for _ in range(60):
            p = (low + high) / 2
            mean = (1 - (1 - p) ** self.response) / p
            low, high = (p, high) if mean > self.response / 3 else (low, p)
        return p

    @property
    def precision(self) -> str:
        return "bf16" if self.device == "cuda" else "fp32"


def config(shape: Shape):
    """A GPT-2, or a GPT-NeoX with Tinytown's settings, of this size."""
    from transformers import GPT2Config, GPTNeoXConfig

    common = {
        "vocab_size": shape.vocabulary, "pad_token_id": PAD, "bos_token_id": BOS,
        "eos_token_id": EOS, "tie_word_embeddings": True,
    }  # fmt: skip
    if shape.architecture == "gpt2":
        return GPT2Config(
            n_embd=shape.width, n_layer=shape.layers, n_head=shape.heads, n_positions=1024,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **common,
        )  # fmt: skip
    return GPTNeoXConfig(
        hidden_size=shape.width, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width, max_position_embeddings=1024, rotary_pct=0.5,
        hidden_act="gelu_pytorch_tanh", use_parallel_residual=False, **common,
    )  # fmt: skip


def build(shape: Shape, folder: Path) -> None:
    """Write ``policy/``, ``reward/`` and ``data.json``."""
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    torch.manual_seed(0)
    settings = config(shape)
    policy = AutoModelForCausalLM.from_config(settings)
    end_responses(policy, shape.hazard)
    tokenizer = words(shape.vocabulary)
    settings.num_labels = 1
    reward = AutoModelForSequenceClassification.from_config(settings)
    reward.base_model.load_state_dict(policy.base_model.state_dict())
    for name, model in {"policy": policy, "reward": reward}.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    (folder / "data.json").write_text(json.dumps(texts(shape)))
    (folder / "shape.json").write_text(json.dumps(asdict(shape)))


@torch.no_grad()
def end_responses(policy, hazard: float) -> None:
    """Let EOS be drawn with probability ``hazard`` at every token, and pad and BOS never.

    One coordinate of the last hidden state is made constant, and only special tokens look at it.
    """
    head = policy.get_output_embeddings().weight
    last = [module for module in policy.modules() if isinstance(module, torch.nn.LayerNorm)][-1]
    last.weight[0], last.bias[0] = 0.0, 1.0
    head[:, 0] = 0.0
    deviation = 0.02 * math.sqrt(head.shape[1])  # of the other logits
    others = math.log(head.shape[0] - len(SPECIAL)) + deviation**2 / 2
    head[: len(SPECIAL)] = 0.0
    head[: len(SPECIAL), 0] = NEVER
    if hazard:
        head[EOS, 0] = math.log(hazard / (1 - hazard)) + others


def words(vocabulary: int):
    """A tokenizer with a word for every id: ``w3 w4 …``."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [*SPECIAL, *(f"w{i}" for i in range(len(SPECIAL), vocabulary))]
    core = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="w3"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=SPECIAL[PAD], bos_token=SPECIAL[BOS],
        eos_token=SPECIAL[EOS], padding_side="left",
    )  # fmt: skip


def texts(shape: Shape, examples: int = 1024) -> dict[str, list[str]]:
    """Prompts, and two completions of each; lengths as `Shape.ragged` says."""
    draw = torch.Generator().manual_seed(1)

    def text(length: int) -> str:
        ids = torch.randint(len(SPECIAL), shape.vocabulary, (length,), generator=draw)
        return " ".join(f"w{i}" for i in ids.tolist())

    def prompt() -> str:
        shortest = shape.prompt // 2 if shape.ragged else shape.prompt
        return text(int(torch.randint(shortest, shape.prompt + 1, (), generator=draw)))

    def completion() -> str:
        length = shape.response - 1  # EOS comes on top
        if shape.ragged:
            u = float(torch.rand((), generator=draw))
            length = min(length, int(math.log(1 - u) / math.log(1 - shape.hazard)) + 1)
        return " " + text(length)  # TRL puts prompt and completion together and then tokenises

    names = {"prompt": prompt, "chosen": completion, "rejected": completion}
    return {name: [make() for _ in range(examples)] for name, make in names.items()}


def load(folder: str | Path) -> tuple[Shape, dict[str, list[str]]]:
    """The shape and the texts in a folder."""
    folder = Path(folder)
    shape = Shape(**json.loads((folder / "shape.json").read_text()))
    return shape, json.loads((folder / "data.json").read_text())
