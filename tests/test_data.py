import random

import pytest
import torch
from datasets import Dataset
from tiny import (
    ARCHITECTURES,
    BOS,
    DEMONSTRATIONS,
    DOCUMENTS,
    EOS,
    PAD,
    RANKINGS,
    policy,
    tokenizer,
)

from minirlhf.data.batching import (
    PIECE_COST,
    PIECE_TOKENS,
    by_length,
    collate,
    cut,
    micro_batches,
    pad_left,
    pad_right,
    position_ids,
)
from minirlhf.data.conversations import as_text
from minirlhf.data.fingerprints import fingerprint
from minirlhf.data.packing import block_diagonal_mask, collate_packed, pack
from minirlhf.data.records import read_jsonl, write_jsonl
from minirlhf.data.tokenization import (
    check_tokenizer,
    decode,
    encode_completions,
    encode_documents,
    encode_prompts,
)
from minirlhf.errors import MinirlhfError
from minirlhf.models import packed_logprobs

# ------------------------------------------------------------------------------------------ records


def test_jsonl_round_trip(tmp_path):
    write_jsonl(
        tmp_path / "a.jsonl", [*DEMONSTRATIONS, {"prompt": "é\u2028", "completion": "", "id": 3}]
    )
    assert read_jsonl(tmp_path / "a.jsonl", "demonstrations")[-1]["id"] == 3


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ('{"prompt": "a"}\n\n{"prompt": \n', "prompts", "line 3, column 11: not JSON"),
        ('{"prompt": "a"}\n["b"]\n', "prompts", "line 2: expected a JSON object"),
        (
            '{"prompt": "a"}\n{"promt": "b"}\n',
            "prompts",
            "line 2: column 'prompt' is missing (columns found: promt)",
        ),
        ('{"prompt": 3}\n', "prompts", "line 1: column 'prompt' must be a string, found int"),
        ("\n\n", "prompts", "holds no records"),
        (
            '{"prompt": "a", "completions": ["b", "c"], "ranks": [1]}',
            "rankings",
            "line 1: 2 completions but 1 ranks",
        ),
        (
            '{"prompt": "a", "completions": ["b"], "ranks": [1]}',
            "rankings",
            "at least 2 completions",
        ),
        (
            '{"prompt": "a", "completions": ["b", "c"], "ranks": [1, true]}',
            "rankings",
            "must be a list of integers",
        ),
    ],
)
def test_jsonl_errors_name_the_line(tmp_path, text, kind, message):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(MinirlhfError) as caught:
        read_jsonl(tmp_path / "bad.jsonl", kind)
    assert message in str(caught.value) and "bad.jsonl" in str(caught.value)


def test_jsonl_missing_folder_and_encoding(tmp_path):
    with pytest.raises(MinirlhfError, match="doesn't exist"):
        read_jsonl(tmp_path / "none.jsonl")
    with pytest.raises(MinirlhfError, match="is a folder"):
        read_jsonl(tmp_path)
    (tmp_path / "latin.jsonl").write_bytes('{"prompt": "é"}'.encode("latin-1"))
    with pytest.raises(MinirlhfError, match=r"latin.jsonl, line 1: not UTF-8"):
        read_jsonl(tmp_path / "latin.jsonl")


def test_datasets_and_lists_are_alike():
    records = as_text(tokenizer(), Dataset.from_list(DEMONSTRATIONS), "demonstrations")
    assert fingerprint(records, "demonstrations") == fingerprint(DEMONSTRATIONS, "demonstrations")
    assert fingerprint(records[1:], "demonstrations") != fingerprint(records, "demonstrations")
    with pytest.raises(
        MinirlhfError, match="demonstrations, row 1: column 'completion' is missing"
    ):
        as_text(tokenizer(), [DEMONSTRATIONS[0], {"prompt": "a"}], "demonstrations")
    with pytest.raises(MinirlhfError, match="empty"):
        as_text(tokenizer(), [], "prompts")


def test_comparisons_are_rankings_of_two():
    [ranking] = as_text(
        tokenizer(), [{"prompt": "a", "chosen": "b", "rejected": "c", "who": 1}], "rankings"
    )
    assert (ranking["completions"], ranking["ranks"], ranking["who"]) == (["b", "c"], [1, 2], 1)
    assert as_text(tokenizer(), RANKINGS, "rankings") == RANKINGS


# ----------------------------------------------------------------------------------------- encoding


def test_completions_end_with_eos_and_prompts_begin_with_bos():
    assert encode_prompts(tokenizer(), ["ab"])[0][0] == BOS
    [ids] = encode_completions(tokenizer(), ["ab"])
    assert ids[-1] == EOS and BOS not in ids and len(ids) == 3
    assert decode(tokenizer(), [ids]) == ["ab"]
    assert encode_completions(tokenizer(), []) == [] == encode_prompts(tokenizer(), [])


def test_documents_are_cut_at_the_context():
    [ids] = encode_documents(tokenizer(), ["abc"], context=8)
    assert list(ids) == [BOS, *tokenizer()("abc", add_special_tokens=False)["input_ids"], EOS]
    pieces = encode_documents(tokenizer(), ["abcdefghij"], context=4)
    assert [len(piece) for piece in pieces] == [4, 4, 4]
    assert [len(piece) for piece in encode_documents(tokenizer(), ["abcdefghijk"], 4)] == [4, 4, 4]


def test_tokenizers_without_their_own_pad_are_refused(monkeypatch):
    class Fake:
        eos_token, eos_token_id, pad_token_id = "<e>", 2, 2

    with pytest.raises(MinirlhfError, match="pad token is its EOS token"):
        check_tokenizer(Fake())
    monkeypatch.setattr(Fake, "pad_token_id", None)
    with pytest.raises(MinirlhfError, match="has no pad token: add one with"):
        check_tokenizer(Fake())
    monkeypatch.setattr(Fake, "eos_token_id", None)
    with pytest.raises(MinirlhfError, match="no EOS token"):
        check_tokenizer(Fake())


def test_an_empty_prompt_is_refused():
    class NoBos:
        def __call__(self, texts, **_):
            return {"input_ids": [[ord(c) for c in text] for text in texts]}

    with pytest.raises(MinirlhfError, match="row 1: the prompt has no tokens"):
        encode_prompts(NoBos(), ["a", ""])


# ----------------------------------------------------------------------------------------- batching


def test_positions_count_from_the_first_token_that_is_no_padding():
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]]).bool()
    assert position_ids(mask).tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 3, 4], [0, 0, 0, 0, 0]]
    assert position_ids(mask[0]).tolist() == [0, 0, 0, 1, 2]  # a row by itself


def test_collate_and_trim():
    batch = collate([[5], [6, 7, 8], [9, 9]], [[1, 2], [3], [4, 4, 4]], PAD)
    assert batch.tokens.tolist() == [[5, 1, 2, 0, 0], [6, 7, 8, 3, 0], [9, 9, 4, 4, 4]]
    assert batch.lengths.tolist() == [3, 4, 5]
    assert batch.response_mask.int().tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert batch.response_tokens.tolist() == [1, 2, 3, 4, 4, 4]
    assert batch.tokens[:, :-1].flatten()[batch.before].tolist() == [5, 1, 8, 9, 4, 4]
    assert batch.spread(torch.arange(1, 7)).tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    with pytest.raises(ValueError, match="shorter"):
        collate([[5], [6]], [[1]], PAD)
    trimmed = batch.trimmed([0])
    assert trimmed.tokens.tolist() == [[5, 1, 2]] and trimmed.response_mask.all()
    assert all(
        map(torch.equal, batch.trimmed([2, 1]), collate([[9, 9], [6, 7, 8]], [[4] * 3, [3]], PAD))
    )
    assert pad_left([[1], [2, 3]], 0)[0].tolist() == [[0, 1], [2, 3]]
    assert pad_left([[1], [2, 3]], 0)[1].tolist() == [[False, True], [True, True]]
    assert pad_right([[1], [2, 3]], 0)[1].tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("size", [None, 1, 7])
def test_pieces_hold_every_row_once_and_pad_little(size):
    source = random.Random(0)
    lengths = [round(source.lognormvariate(3.5, 0.7)) + 2 for _ in range(500)]
    pieces = cut(range(500), lengths, size)
    assert sorted(row for piece in pieces for row in piece) == list(range(500))
    areas = [len(piece) * max(lengths[row] for row in piece) for piece in pieces]
    most = sum(lengths) + PIECE_COST["cpu"] * len(pieces)
    assert sum(areas) <= most and max(areas) <= PIECE_TOKENS
    assert all(len(piece) <= (size or 500) for piece in pieces)
    assert len(cut(range(64), lengths, size, "meta")) <= len(cut(range(64), lengths, size))
    assert cut([], []) == [] and cut([3], [0, 0, 0, 9000]) == [[3]]


def test_a_piece_is_as_large_as_it_may_be():
    assert cut(range(8), [5] * 8) == [[7, 6, 5, 4, 3, 2, 1, 0]]
    assert [len(piece) for piece in cut(range(8), [5] * 8, 3)] == [3, 3, 2]
    assert [len(piece) for piece in cut(range(4), [4096] * 4)] == [2, 2]  # 8192 tokens
    assert cut([0, 1], [8, 200]) == [[1, 0]]  # padding of 192 costs as much as a piece
    assert cut([0, 1], [7, 200]) == [[1], [0]]


def test_by_length_and_micro_batches():
    rows = by_length([0, 1, 2, 3], [5, 1, 5, 3])
    assert rows == [1, 3, 0, 2]
    assert list(micro_batches(rows, 3)) == [[1, 3, 0], [2]]
    assert list(micro_batches(rows, None)) == [rows]
    assert list(micro_batches([], None)) == []


def test_batches_go_to_a_device_whole():
    batch = collate([[5], [6, 7]], [[1, 2], [3]], PAD).to(torch.device("meta"))
    packed = collate_packed([[[1, 5, 2], [1, 2]]], PAD).to(torch.device("meta"))
    tensors = (*batch, *packed, block_diagonal_mask(packed.documents))
    assert {tensor.device.type for tensor in tensors} == {"meta"}


# ------------------------------------------------------------------------------------------ packing


def test_packing_keeps_every_document_and_fills_rows():
    source = random.Random(0)
    lengths = [source.randint(2, 60) for _ in range(2000)]
    rows = pack(lengths, context=128)
    assert sorted(document for row in rows for document in row) == list(range(2000))
    totals = [sum(lengths[document] for document in row) for row in rows]
    assert max(totals) <= 128 and sum(totals) / (128 * len(rows)) > 0.97
    assert pack([128, 128, 2], 128) == [[0], [1], [2]]
    assert pack([4, 2], 6) == [[0, 1]]


def test_packed_rows():
    packed = collate_packed([[[1, 5, 2], [1, 6, 2]], [[1, 7, 8, 2]]], PAD)
    assert packed.tokens.tolist() == [[1, 5, 2, 1, 6, 2], [1, 7, 8, 2, 0, 0]]
    assert packed.positions.tolist() == [[0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 0, 1]]
    assert packed.documents.tolist() == [[1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 0, 0]]
    assert packed.targets.int().tolist() == [[0, 1, 1, 0, 1, 1], [0, 1, 1, 1, 0, 0]]
    mask = block_diagonal_mask(packed.documents)
    assert mask.shape == (2, 1, 6, 6) and mask.any(-1).all()
    assert not mask[0, 0, 3:, :3].any() and not mask[0, 0].triu(1).any()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_documents_in_a_row_do_not_see_one_another(architecture, attention):
    model = policy(architecture)
    model.set_attn_implementation(attention)
    documents = encode_documents(tokenizer(), [record["text"] for record in DOCUMENTS[:3]], 64)
    with torch.no_grad():
        together = packed_logprobs(model, collate_packed([documents], PAD))[0]
        start = 0
        for document in documents:
            alone = packed_logprobs(model, collate_packed([[document]], PAD))[0]
            part = together[start : start + len(document) - 1]
            assert torch.allclose(part, alone, atol=1e-5)
            plain = model(torch.tensor([list(document)])).logits.log_softmax(-1)[0]
            expected = plain[:-1].gather(-1, torch.tensor(list(document[1:]))[:, None])[:, 0]
            assert torch.allclose(part, expected, atol=1e-5)
            start += len(document)
