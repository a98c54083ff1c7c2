"""The pupil: a backbone that answers each question at a layer of its own, and what is at stake.

Whether a text does what was asked takes several steps: which word was asked for, is this that word,
has there been such a word. A network takes one step a layer. So each step has its questions at its
own layer, and the next finds its answers there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from minirlhf.data.files import written_whole
from minirlhf.tinytown.school import by_sentence, by_word, questions
from minirlhf.tinytown.school.lessons import Batch, Row, batch

STEEPEST = 6.0
"""How much more a rare answer may count than a common one."""


class Subject(NamedTuple):
    """Questions of one kind, and where they are asked and answered."""

    name: str
    questions: Sequence[str]
    places: str
    """The field of `Batch` that says where they are asked, and"""
    truth: str
    """the one that holds the right answers."""
    depths: tuple[float, ...]
    """The layers at which they are answered, as parts of all layers."""
    weight: float
    column: int = 0
    """Its first column in what holds the answers."""

    def truth_in(self, lesson: Batch) -> Tensor:
        """The right answers: float32 ``[N, questions]``."""
        return getattr(lesson, self.truth)[:, self.column : self.column + len(self.questions)]


_ECHO, _FAULTS = len(by_word.ECHO), len(by_word.ECHO) + len(by_word.FAULTS)
_SO_FAR = _FAULTS + len(by_word.SO_FAR)
SUBJECTS = (
    Subject("words of the request", by_word.ROLES, "request", "in_request", (0.25, 0.5), 1.0),
    Subject("request", questions.ASKED, "last", "asked", (0.5, 0.75), 0.3),
    Subject("words of the reply", by_word.ECHO, "reply", "in_reply", (0.5,), 1.0),
    Subject("faults", by_word.FAULTS, "reply", "in_reply", (0.5, 0.75), 1.0, _ECHO),
    Subject("so far", by_word.SO_FAR, "reply", "in_reply", (0.75,), 1.0, _FAULTS),
    Subject("still to come", by_word.STILL, "reply", "in_reply", (0.75,), 1.0, _SO_FAR),
    Subject("request, at the end", questions.ASKED, "ends", "asked_at_ends", (0.75,), 0.5),
    Subject("sentences", by_sentence.SENTENCE, "ends", "sentence", (0.5, 0.75), 0.3),
    Subject("texts", questions.QUESTIONS, "ends", "answers", (1.0,), 1.0),
)  # fmt: skip
_TEXTS = SUBJECTS[-1]
RELATIONAL, SURFACE = 3.0, 0.3
"""What counts a question about a reply and its request (and whether a reply can be understood), and
one about the reply alone, which is easily learned."""
UNDERSTOOD = tuple(name for name in questions.SURFACE if "understood" in name)
SHARES = 2.0
"""What the answers about a text count a second time, as shares that a linear head can add up: a
logit of 12 in place of 6 says little more, but weighs twice in a sum."""
RECALLED_AT, RECALL = 0.5, 1.0
"""Where it is asked what will be said next if it is true, as a part of all layers; its weight."""
BETWEEN = 0.5
"""What the end of a sentence counts, beside the end of a reply."""


FACTS, TEXTS = "facts", "texts, as shares"
"""What `Pupil.forward` calls the two that aren't among `SUBJECTS`."""


class Pupil(nn.Module):
    """A backbone, and a linear answer to every question on the states of some of its layers."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.width, self.layers = backbone.config.hidden_size, backbone.config.num_hidden_layers
        self.heads = nn.ModuleDict({
            f"{subject.name} {layer}": nn.Linear(self.width, len(subject.questions))
            for subject in SUBJECTS for layer in self.layers_of(subject)
        })  # fmt: skip
        self.recall_layer = round(RECALLED_AT * self.layers)
        self.recall = nn.Linear(self.width, len(by_word.VALUES))
        self.shares = nn.Linear(self.width, len(questions.QUESTIONS))

    def save(self, path: Path) -> None:
        """Backbone and answers' weights in one file, in half precision."""
        half = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        with written_whole(path) as partial:
            save_file(half, partial)

    def load(self, path: Path) -> None:
        """What `save` wrote."""
        self.load_state_dict({name: value.float() for name, value in load_file(path).items()})

    def answering(self) -> Iterator[nn.Parameter]:
        """The answers' own weights."""
        yield from self.heads.parameters()
        yield from self.recall.parameters()
        yield from self.shares.parameters()

    def layers_of(self, subject: Subject) -> list[int]:
        return sorted({round(depth * self.layers) for depth in subject.depths})

    def states(self, lesson: Batch) -> list[Tensor]:
        """Of every layer, the embedding first: float32 ``[B * L, d]`` each."""
        out = self.backbone(
            input_ids=lesson.tokens, attention_mask=lesson.mask, position_ids=lesson.positions,
            use_cache=False, output_hidden_states=True,
        ).hidden_states  # fmt: skip
        return [state.flatten(0, 1) for state in out]

    def forward(self, lesson: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """For each subject and layer, what is answered (logits) and what is right."""
        states, found = self.states(lesson), {}

        def at(places: Tensor, layer: int) -> Tensor:
            state = states[layer].index_select(0, places)  # the last layer has its norm
            return F.layer_norm(state, (self.width,)) if layer < self.layers else state

        for subject in SUBJECTS:
            places, truth = getattr(lesson, subject.places), subject.truth_in(lesson)
            for layer in self.layers_of(subject):
                name = f"{subject.name} {layer}"
                found[name] = (self.heads[name](at(places, layer)), truth)
        recalled = self.recall(at(lesson.before_facts, self.recall_layer))
        shares = self.shares(at(lesson.ends, self.layers))
        return found | {FACTS: (recalled, lesson.true_values), TEXTS: (shares, lesson.answers)}


class Stakes:
    """What each right and wrong answer counts, from how often either is right in some rows."""

    def __init__(self, rows: Sequence[Row], pad: int):
        lesson = batch(rows, pad)
        self.of: dict[str, tuple[Tensor, Tensor]] = {}
        for subject in SUBJECTS:
            truth = subject.truth_in(lesson)
            valid = (truth != by_word.UNASKED).float()
            share = ((truth == 1).float().sum(0) + 1) / (valid.sum(0) + 2)
            rise = ((1 - share) / share).sqrt().clamp(1 / STEEPEST, STEEPEST)
            yes, no = rise.clamp(min=1.0), (1 / rise).clamp(min=1.0)
            per = 1.0 / (valid.sum(0) / len(truth)).clamp(min=0.01)
            if subject.name == "texts":
                heavier = torch.full((len(questions.QUESTIONS),), RELATIONAL)
                heavier[: len(questions.SURFACE)] = SURFACE
                for name in UNDERSTOOD:
                    heavier[questions.QUESTIONS.index(name)] = RELATIONAL
                per = per * heavier
            self.of[subject.name] = yes * per, no * per

    def loss(self, subject: Subject, logits: Tensor, truth: Tensor, lesson: Batch) -> Tensor:
        """The mean over places of the summed cross-entropy of a subject's answers."""
        weight = self._weight(subject, truth, lesson)
        each = F.binary_cross_entropy_with_logits(
            logits, truth.clamp(min=0), weight, reduction="sum"
        )
        return each / len(truth)

    def miss(self, shares: Tensor, truth: Tensor, lesson: Batch) -> Tensor:
        """The same of squared errors, for answers about texts that are shares."""
        weight = self._weight(_TEXTS, truth, lesson)
        return (weight * (shares - truth) ** 2).sum() / len(truth)

    def _weight(self, subject: Subject, truth: Tensor, lesson: Batch) -> Tensor:
        yes, no = self.of[subject.name]
        weight = torch.where(truth == 1, yes, no) * (truth != by_word.UNASKED)
        if subject.places == "ends":
            weight = weight * torch.where(lesson.final, 1.0, BETWEEN)[:, None]
        return weight


def lesson_loss(pupil: Pupil, stakes: Stakes, lesson: Batch) -> tuple[Tensor, dict[str, float]]:
    """The loss over all subjects, and each one's own."""
    total, parts, found = torch.zeros(()), {}, pupil(lesson)
    for subject in SUBJECTS:
        for layer in pupil.layers_of(subject):
            loss = stakes.loss(subject, *found[f"{subject.name} {layer}"], lesson)
            parts[f"{subject.name} {layer}"] = float(loss.detach())
            total = total + subject.weight * loss / len(pupil.layers_of(subject))
    facts = F.cross_entropy(*found[FACTS], reduction="sum") / max(len(found[FACTS][1]), 1)
    texts = stakes.miss(*found[TEXTS], lesson)
    parts |= {FACTS: float(facts.detach()), TEXTS: float(texts.detach())}
    return total + RECALL * facts + SHARES * texts, parts
