"""The smallest things the engine runs on: a tokenizer, three architectures, and some data."""

from functools import lru_cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from minirlhf.data.records import write_jsonl
from minirlhf.episodes import Models
from minirlhf.models import ScalarModel
from minirlhf.pretrained import save_model

WORDS = "red blue green tall small cat dog house river tree".split()
PAD, BOS, EOS = 0, 1, 2


@lru_cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and nothing else: every text round-trips, ``<|document|>`` begins every prompt."""
    names = [
        "<|pad|>",
        "<|document|>",
        "<|endoftext|>",
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
    ]
    core = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.TemplateProcessing(
        single="<|document|> $A", special_tokens=[("<|document|>", BOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<|pad|>",
        bos_token="<|document|>",
        eos_token="<|endoftext|>",
        padding_side="left",
    )


SHARED = {"vocab_size": 259, "pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
CONFIGS = {
    "neox": lambda: GPTNeoXConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        hidden_act="gelu_pytorch_tanh",
        use_parallel_residual=False,
        tie_word_embeddings=True,
        **SHARED,
    ),
    "gpt2": lambda: GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=128, **SHARED),
    "llama": lambda: LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        **SHARED,
    ),
}
ARCHITECTURES = tuple(CONFIGS)


def policy(architecture: str = "neox", seed: int = 0, scale: float = 4.0):
    """A random causal LM. ``scale`` widens its weights, so that its logits aren't all alike."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(CONFIGS[architecture]())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return model.eval()


def lower_logits(model, by: float = 100.0):
    """Move all logits of a GPT-2 down, to where the real one's are: no probability changes."""
    shift = 0.3 * torch.randn(model.config.n_embd, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.transformer.wte.weight.add_(shift)
        model.transformer.ln_f.bias.sub_(by * shift / shift.dot(shift))
    return model


DEMONSTRATIONS = [
    {"prompt": f"say {a} {b}\n", "completion": f"{b} {a}"} for a in WORDS[:5] for b in WORDS[5:]
]
DOCUMENTS = [
    {"text": f"the {a} {b} saw a {c}."} for a in WORDS[:4] for b in WORDS[5:] for c in WORDS[7:]
]
RANKINGS = [
    {
        "prompt": record["prompt"],
        "completions": [record["completion"], record["completion"][:4], "zz", "q z"],
        "ranks": [1, 2, 3, 3],
    }
    for record in DEMONSTRATIONS
]


def write_world(here: Path) -> Path:
    """Good input of every kind for every command, in the folder ``here``."""
    write_jsonl(here / "demos.jsonl", DEMONSTRATIONS)
    write_jsonl(here / "rankings.jsonl", RANKINGS)
    write_jsonl(here / "texts.jsonl", DOCUMENTS)
    model = policy(scale=1.0)
    save_model(model, tokenizer(), here / "base")
    ScalarModel.from_policy(model, tokenizer()).save(here / "rm", tokenizer())
    return here


def same_weights(one, other) -> bool:
    """Whether two models agree bit for bit."""
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def moved_models() -> Models:
    """GPT-2-shaped random models over bytes; the policy has moved away from the reference."""
    moved, reference = policy("gpt2"), policy("gpt2")
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=draws))
    reward = ScalarModel.from_policy(reference, tokenizer())
    return Models(moved, reference, reward, reward.value_model(), tokenizer())
