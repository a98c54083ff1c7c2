"""Data as people have them: formats, columns, conversations; special tokens stand once."""

import copy
import csv
import json
import warnings
from collections import Counter

import datasets
import pytest
from datasets import Dataset, DatasetDict
from test_bad_input import FAST
from tiny import BOS, DEMONSTRATIONS, EOS, RANKINGS, same_weights, write_world
from tiny import policy as random_policy
from tiny import tokenizer as byte_tokenizer
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

import minirlhf
from minirlhf.cli.__main__ import main
from minirlhf.data import tokenization
from minirlhf.data.conversations import PLAIN_TEMPLATE, as_text, prompt_text
from minirlhf.data.records import write_jsonl
from minirlhf.data.tokenization import encode_completions, encode_documents, encode_prompts
from minirlhf.errors import MinirlhfError
from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.sampling import complete

CHATML = (
    "{% for message in messages %}<|document|>{{ message['role'] }}: {{ message['content'] }}"
    "<|endoftext|>\n{% endfor %}{{ '<|document|>assistant: ' if add_generation_prompt }}"
)
"""Of the kind that instruction models have: it begins with BOS and ends with EOS and a newline."""


def chatty(template: str = PLAIN_TEMPLATE):
    tokenizer = copy.deepcopy(byte_tokenizer())
    tokenizer.chat_template = template
    return tokenizer


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


# ------------------------------------------------------------------------------------------ formats


def write_csv(path, rows, separator=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(
            {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows
        )


ODD = [
    {"prompt": "NA", "completion": "null"},  # what a reader of tables would take for nothing
    {"prompt": "007", "completion": "1.50"},  # or for numbers
    {"prompt": 'two\nlines, "quoted"\n', "completion": "[1, 2]"},
    {"prompt": "é 東 \u2028", "completion": '[{"a": 1}]'},
]


@pytest.mark.parametrize(
    "form", ["jsonl", "array", "pretty", "inner", "inline", "objects", "csv", "semicolons", "tabs",
             "parquet", "saved", "split", "rows", "dataset"],
)  # fmt: skip
def test_every_format_gives_the_same_rows(form, tmp_path):
    rows, path = [*DEMONSTRATIONS[:3], *ODD], tmp_path / "data"  # no suffix helps
    match form:
        case "jsonl":
            write_jsonl(path, rows)
        case "array":
            path.write_text(json.dumps(rows))
        case "pretty":
            path.write_text(json.dumps(rows, indent=2))
        case "inner":
            path.write_text(json.dumps({"data": rows}, indent=2))
        case "inline":
            path.write_text(json.dumps({"rows": rows}))
        case "objects":
            path.write_text("\n".join(json.dumps(row, indent=2) for row in rows))
        case "csv":
            write_csv(path, rows)
        case "semicolons":
            write_csv(path, rows, ";")
        case "tabs":
            write_csv(path, rows, "\t")
        case "parquet":
            Dataset.from_list(rows).to_parquet(str(path))
        case "saved":
            Dataset.from_list(rows).save_to_disk(str(path))
        case "split":
            parts = {"train": Dataset.from_list(rows[:1]), "test": Dataset.from_list(rows)}
            DatasetDict(parts).save_to_disk(str(path))
            assert minirlhf.load_records(path, "demonstrations") == rows[:1]
            path = f"{path}:test"
        case "rows":
            path = rows
        case "dataset":
            path = Dataset.from_list(rows)
    assert minirlhf.load_records(path, "demonstrations") == rows


def test_lists_in_tables(tmp_path):
    write_csv(tmp_path / "a.csv", RANKINGS[:2])
    assert minirlhf.load_records(tmp_path / "a.csv", "rankings") == RANKINGS[:2]
    theirs = [{"question": r["prompt"], "best": r["completions"], "order": r["ranks"]}
              for r in RANKINGS[:2]]  # fmt: skip
    write_csv(tmp_path / "b.csv", theirs)
    columns = {"prompt": "question", "completions": "best", "ranks": "order"}
    found = minirlhf.load_records(tmp_path / "b.csv", "rankings", columns=columns)
    assert found == RANKINGS[:2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PAR1 and no more", ("is a parquet file, but can't be read", "make it again")),
        (b"PK\x03\x04....", ("zip archive or a spreadsheet", "save it as JSONL")),
        (b"version https://git-lfs.github.com/spec/v1\n", ("a pointer of git-lfs",)),
        (b"\x1f\x8b\x08....", ("compressed by gzip", "unpack it")),
        (b'[\n {"prompt": "a"},\n {"prompt": }\n]', ("line 3, column 13: not JSON",)),
        (b'[{"prompt": "a"}, 7]', ("item 2: expected a JSON object", "found 7")),
        (b'[{"prompt": "a"}, {"promt": "b"}]', ("item 2: column 'prompt' is missing",)),
        (b'{\n "prompt": "a"\n}\n{\n "promt": "b"\n}', ("line 4: column 'prompt' is missing",)),
        (b"prompt,answer\na,b\n\nc\n", ("line 4: 1 cells", "names 2 columns")),
        (b'prompt,answer\n"a\nb",c\nd\n', ("line 4: 1 cells",)),
        (b"prompt,answer\na,caf\xe9\n", ("line 2: not UTF-8", "save the file as UTF-8")),
        (b"[" * 100_000, ("nested too deeply",)),
        (b"question,answer\na,b\n", ("column 'prompt' is missing", "question, answer")),
        (b"[]", ("holds no records",)),
        (b"prompt\n", ("holds no records",)),
        (b'{"prompt": "a"', ("line 1, column 15: not JSON", "one object a line")),
    ],
    ids="parquet zip pointer gzip array item column object cells quoted latin nested csv empty "
    "header torn".split(),
)  # fmt: skip
def test_the_format_is_known_before_it_is_criticised(content, words, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(MinirlhfError) as caught:
        minirlhf.load_records(path, "prompts")
    assert all(word in str(caught.value) for word in (str(path), *words)), caught.value


def test_folders_that_hold_no_data_set(tmp_path):
    with pytest.raises(MinirlhfError, match=r"is a folder: name the .jsonl"):
        minirlhf.load_records(tmp_path)
    DatasetDict({"test": Dataset.from_list(ODD)}).save_to_disk(str(tmp_path / "d"))
    with pytest.raises(MinirlhfError, match=r"no split 'train'.*d:test say \(splits found: test\)"):
        minirlhf.load_records(tmp_path / "d")
    (tmp_path / "d" / "test" / "state.json").write_text("{")
    with pytest.raises(MinirlhfError, match="save the data set again"):
        minirlhf.load_records(f"{tmp_path}/d:test")
    with pytest.raises(MinirlhfError, match="several splits: pass one"):
        minirlhf.load_records(DatasetDict({"a": Dataset.from_list(ODD)}))


def test_names_on_the_hub(monkeypatch):
    asked = []

    def load(*names, split):
        asked.append((*names, split))
        return Dataset.from_list([{"question": "a"}])

    monkeypatch.setattr("minirlhf.data.hub.obstacle", lambda limit: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    for name in ("some/set", "some/set:test", "some/set:main:test"):
        found = minirlhf.load_records(name, "prompts", columns={"prompt": "question"})
        assert found == [{"prompt": "a"}]
    assert asked == [("some/set", "train"), ("some/set", "test"), ("some/set", "main", "test")]
    with pytest.raises(MinirlhfError, match="some/set, row 1: column 'prompt' is missing"):
        minirlhf.load_records("some/set", "prompts")


def test_the_hub_out_of_reach(monkeypatch):
    before = datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr("minirlhf.data.hub.obstacle", lambda limit: "no network")
    with pytest.raises(MinirlhfError, match=r"neither a file .* in the local cache.*no network"):
        minirlhf.load_records("nobody/nothing:test")
    assert before == datasets.config.HF_HUB_OFFLINE
    with pytest.raises(MinirlhfError, match=r"data/mine.csv doesn't exist"):
        minirlhf.load_records("data/mine.csv")


def test_columns_by_other_names(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"question": "a", "prompt": "an id", "answer": "b"}])
    load = lambda **columns: minirlhf.load_records(tmp_path / "a.jsonl", "demonstrations",  # noqa: E731
                                                   columns=columns)  # fmt: skip
    assert load(prompt="question", completion="answer") == [{"prompt": "a", "completion": "b"}]
    with pytest.raises(MinirlhfError, match=r"No column 'asked' .* \(columns found: question"):
        load(prompt="asked", completion="answer")
    with pytest.raises(MinirlhfError, match="No stage has a column 'promt'"):
        load(promt="question")


# ------------------------------------------------------------------------------------ conversations

HH = "\n\nHuman: hi\n\nAssistant: yes?\n\nHuman: say red\n\nAssistant:"


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"messages": [user("say red"), assistant("red")]}, "demonstrations"),
        ({"prompt": "x", "messages": [user("say red"), assistant("red")]}, "demonstrations"),
        ({"prompt": [user("say red")], "completion": [assistant("red")]}, "demonstrations"),
        ({"prompt": [user("say red")], "completion": "red"}, "demonstrations"),
        ({"prompt": "say red", "completion": [assistant("red")]}, "demonstrations"),
        ({"messages": [{"from": "human", "value": "say red"}, {"from": "gpt", "value": "red"}]},
         "demonstrations"),
        ({"prompt": [user("say red")], "chosen": [assistant("red")],
          "rejected": [assistant("b")]}, "comparisons"),
        ({"prompt": "say red", "chosen": [user("say red"), assistant("red")],
          "rejected": [user("say red"), assistant("b")]}, "rankings"),
        ({"chosen": [user("say red"), assistant("red")],
          "rejected": [user("say red"), assistant("b")]}, "comparisons"),
        ({"prompt": [user("say red")], "completions": ["red", [assistant("b")]], "ranks": [1, 2]},
         "rankings"),
        ({"prompt": [user("say red")]}, "prompts"),
        ({"messages": [user("say red")]}, "prompts"),
        ({"messages": [user("say red"), assistant("red")]}, "prompts"),
        ({"prompt": "x", "messages": [user("say red"), assistant("red")]}, "prompts"),
        ({"prompt": "say red", "completion": [assistant("red")]}, "prompts"),
        ({"chosen": [user("say red"), assistant("red")],
          "rejected": [user("say red"), assistant("b")]}, "prompts"),
    ],
)  # fmt: skip
def test_conversations_in_every_column(record, kind):
    [text] = as_text(chatty(), minirlhf.load_records([record], kind), kind)
    assert text["prompt"] == "\n\nHuman: say red\n\nAssistant:"
    if kind == "demonstrations":
        assert text["completion"] == " red"
    elif kind == "comparisons":
        assert (text["chosen"], text["rejected"]) == (" red", " b")
    elif kind == "rankings":
        assert (text["completions"], text["ranks"]) == ([" red", " b"], [1, 2])
    assert as_text(None, [text], kind) == [text]  # what is text stays as it is


def test_pairs_of_whole_texts():
    """As in the helpful and harmless data: no prompt, two transcripts that part at some turn."""
    record = {"chosen": f"{HH} red", "rejected": f"{HH} blue\n\nHuman: no\n\nAssistant: red"}
    [ranking] = as_text(chatty(), [record], "rankings")
    assert (ranking["prompt"], ranking["ranks"]) == (HH, [1, 2])
    assert ranking["completions"] == [" red", " blue\n\nHuman: no\n\nAssistant: red"]
    assert as_text(chatty(), [record], "prompts")[0]["prompt"] == HH
    with pytest.raises(MinirlhfError, match="row 0: column 'prompt' is missing"):
        as_text(chatty(), [{"chosen": "red", "rejected": "blue"}], "rankings")


def test_scores_for_ranks():
    rows = [{"prompt": "a", "completions": ["b", "c", "d"], "scores": [0.5, 7, 0.5]}]
    assert minirlhf.load_records(rows, "rankings")[0]["ranks"] == [2, 1, 2]
    for wrong in ("7", ["7"], [float("nan")], [True]):
        with pytest.raises(MinirlhfError, match="'scores' must be a list of numbers"):
            minirlhf.load_records([rows[0] | {"scores": wrong}], "rankings")


def test_documents_that_are_conversations():
    rows = [{"messages": [user("say red"), assistant("red")]}]
    [document] = as_text(chatty(), rows, "documents")
    assert document["text"] == "\n\nHuman: say red\n\nAssistant: red"


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        ({"messages": [user("a")]}, "demonstrations", "has to be the assistant's"),
        ({"messages": [assistant("a")]}, "demonstrations", "has no prompt"),
        ({"messages": [assistant("a")]}, "prompts", "no prompt before its answer"),
        ({"prompt": [user("a"), assistant("b")]}, "prompts", "ends with the assistant's own"),
        ({"messages": [{"role": "user"}]}, "prompts", "message 1 needs a role and a content"),
        ({"messages": [user("a"), assistant(None)]}, "demonstrations", "message 2 needs a role"),
        ({"chosen": [user("a"), assistant("b")], "rejected": [user("c"), assistant("d")]},
         "comparisons", "has no prompt: messages that all answers share"),
        ({"messages": "a"}, "demonstrations", "'completion' is missing"),
    ],
)  # fmt: skip
def test_conversations_that_are_none(record, kind, said, tmp_path):
    write_jsonl(tmp_path / "mine.jsonl", [record])
    with pytest.raises(MinirlhfError) as caught:
        minirlhf.load_records(tmp_path / "mine.jsonl", kind)
    assert said in str(caught.value) or "'prompt' is missing" in str(caught.value)
    assert "mine.jsonl, line 1: " in str(caught.value)


def test_templates_that_do_not_fit():
    rows = [{"messages": [user("a"), assistant("b")]}]
    with pytest.raises(MinirlhfError, match=r"demonstrations, row 0: .* has no chat template"):
        as_text(byte_tokenizer(), rows, "demonstrations")
    refusing = chatty("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(MinirlhfError, match=r"refuses this conversation .roles must alternate"):
        as_text(refusing, rows, "demonstrations")
    other = chatty("{{ messages[-1]['content'] }}{{ 'think' if add_generation_prompt }}")
    with pytest.raises(MinirlhfError, match="no completion can be told from its prompt"):
        as_text(other, rows, "demonstrations")


def test_a_template_for_a_tokenizer_without(tmp_path):
    byte_tokenizer().save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tmp_path, chat_template="plain")
    assert prompt_text(tokenizer, [user("a")]) == "\n\nHuman: a\n\nAssistant:"
    other = load_tokenizer(tmp_path, chat_template="{{ messages[0]['content'] }}!")
    assert prompt_text(other, [user("a")]) == "a!"
    system = [{"role": "system", "content": "Be kind."}, user("a")]
    assert prompt_text(tokenizer, system) == "Be kind.\n\nHuman: a\n\nAssistant:"


# ----------------------------------------------------------------------------------- special tokens


def ending_in_eos() -> PreTrainedTokenizerFast:
    """A tokenizer that puts BOS in front of a text and EOS behind it."""
    tokenizer = copy.deepcopy(byte_tokenizer())
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|document|> $A <|endoftext|>",
        special_tokens=[("<|document|>", BOS), ("<|endoftext|>", EOS)],
    )
    return tokenizer


def test_special_tokens_are_never_doubled():
    tokenizer = copy.deepcopy(byte_tokenizer())
    [plain] = encode_prompts(tokenizer, ["ab"])
    with pytest.warns(UserWarning, match=r"Prompts begin with <\|document\|>.* stands there once"):
        assert encode_prompts(tokenizer, ["<|document|>ab"]) == [plain]
    [plain] = encode_completions(tokenizer, ["ab"])
    with pytest.warns(UserWarning, match=r"Texts end with <\|endoftext\|>"):
        assert encode_completions(tokenizer, ["ab<|endoftext|>", "ab"]) == [plain, plain]
    [plain] = encode_documents(tokenizer, ["ab"], 64)
    with pytest.warns(UserWarning, match="Documents begin with"):
        [document] = encode_documents(tokenizer, ["<|document|>ab<|endoftext|>"], 64)
    assert document == plain
    with warnings.catch_warnings():  # it is said once
        warnings.simplefilter("error")
        encode_prompts(tokenizer, ["<|document|>ab"])
        encode_completions(tokenizer, ["ab<|endoftext|>"])


def test_a_prompt_does_not_end_with_eos():
    tokenizer = ending_in_eos()
    with pytest.warns(UserWarning, match="ends every text with"):
        assert encode_prompts(tokenizer, ["ab"]) == encode_prompts(byte_tokenizer(), ["ab"])


@pytest.mark.filterwarnings("ignore:.*stands there once")
def test_a_template_with_special_tokens_of_its_own():
    tokenizer = chatty(CHATML)
    rows = [{"messages": [user("a"), assistant("b"), user("c"), assistant("d")]}]
    [record] = as_text(tokenizer, rows, "demonstrations")
    [prompt] = encode_prompts(tokenizer, [record["prompt"]])
    [completion] = encode_completions(tokenizer, [record["completion"]])
    letters = lambda text: byte_tokenizer()(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    assert completion == [*letters("d"), EOS]
    turns = [[BOS, *letters(turn), EOS, *letters("\n")] for turn in ("user: a", "assistant: b")]
    last = [BOS, *letters("user: c"), EOS, *letters("\n"), BOS, *letters("assistant: ")]
    assert prompt == [*turns[0], *turns[1], *last]


def test_complete_takes_messages_and_ids():
    tokenizer, model = chatty(), random_policy()
    text = prompt_text(tokenizer, [user("a")])
    options = {"max_new_tokens": 8, "seed": 1}
    said = complete(model, tokenizer, [text], **options)
    assert said == complete(model, tokenizer, [[user("a")]], **options)
    assert said == complete(model, tokenizer, encode_prompts(tokenizer, [text]), **options)


# ----------------------------------------------------------------------------------- whole commands


@pytest.fixture
def world(tmp_path):
    return write_world(tmp_path)


def command(world, stage: str, folder: str, **options: object) -> list[str]:
    given = {
        "sft": {"model": "base", "demonstrations": "demos.jsonl"},
        "rm": {"model": "base", "rankings": "rankings.jsonl", "demonstrations": "demos.jsonl"},
        "ppo": {"model": "base", "reward": "rm", "prompts": "demos.jsonl"},
        "pretrain": {"documents": "texts.jsonl", "tokenizer": "base"},
    }[stage] | options
    places = {n: world / v if (world / str(v)).exists() else v for n, v in given.items()}
    flags = [str(w) for n, v in places.items() for w in (f"--{n.replace('_', '-')}", v)]
    return [stage, *FAST[stage], *flags, "--folder", str(world / folder)]


def test_the_same_steps_from_conversations(world, capsys):
    """All three steps, and what looks at them, on what has the template's text already."""
    template = chatty()
    rows = [{"messages": [user(r["prompt"].strip()), assistant(r["completion"])]}
            for r in DEMONSTRATIONS]  # fmt: skip
    pairs = [{"chosen": row["messages"], "rejected": [row["messages"][0], assistant("zz")]}
             for row in rows]  # fmt: skip
    Dataset.from_list(rows).to_parquet(str(world / "m.parquet"))
    (world / "p.json").write_text(json.dumps(pairs, indent=1))
    write_jsonl(world / "m.jsonl", as_text(template, rows, "demonstrations"))
    write_jsonl(world / "p.jsonl", as_text(template, pairs, "comparisons"))
    plain, wide = {"chat_template": "plain"}, {"max_length": 96}
    for end, demos, ranked in (("1", "m.parquet", "p.json"), ("2", "m.jsonl", "p.jsonl")):
        line = command(world, "sft", f"sft{end}", demonstrations=demos, **plain, **wide)
        assert main(line) == 0
        line = command(world, "rm", f"rm{end}", demonstrations=demos, rankings=ranked,
                       model=f"sft{end}", **wide)  # fmt: skip
        assert main(line) == 0
        line = command(world, "ppo", f"ppo{end}", prompts=demos, model=f"sft{end}",
                       reward=f"rm{end}", max_prompt=64)  # fmt: skip
        assert main(line) == 0
    one, two = (load_policy(world / f"ppo{end}" / "model") for end in "12")
    assert same_weights(one, two)
    capsys.readouterr()
    judged = []
    for demos in ("m.parquet", "m.jsonl"):
        output = world / f"{demos}.json"
        assert main(["evaluate", "--models", str(world / "ppo1"), "--prompts", str(world / demos),
                     "--output", str(output), "--max-response", "8",
                     "--reward", str(world / "rm1")]) == 0  # fmt: skip
        judged.append(json.loads(output.read_text()))
    assert judged[0]["models"] == judged[1]["models"]
    assert judged[0]["samples"][0]["prompt"] == rows[0]["messages"][0]["content"]


def test_chat_writes_prompts_with_the_template(world):
    from minirlhf.cli.chat import Chat, Conversation

    byte_tokenizer().save_pretrained(world / "base")
    assert Conversation(Chat(model=str(world / "base"))).written("a") == "a\n"
    chatty().save_pretrained(world / "base")
    talk = Conversation(Chat(model=str(world / "base")))
    assert talk.written("a") == "\n\nHuman: a\n\nAssistant:" and talk.answer("a")
    bare = Conversation(Chat(model=str(world / "base"), template=False))
    assert bare.written("a") == "a\n"


@pytest.mark.parametrize("stage", ["sft", "rm", "ppo", "pretrain"])
def test_every_stage_says_that_a_template_is_missing(stage, world, capsys):
    rows = [{"messages": [user("a"), assistant("b")]}]
    write_jsonl(world / "m.jsonl", rows)
    data = {"sft": "demonstrations", "rm": "demonstrations", "ppo": "prompts",
            "pretrain": "documents"}[stage]  # fmt: skip
    assert main(command(world, stage, "run", **{data: "m.jsonl"})) == 2
    said = capsys.readouterr().err
    assert "m.jsonl, line 1: a conversation, but" in said and "no chat template" in said
    assert "Traceback" not in said and not (world / "run").exists()


def test_one_mapping_serves_all_files_of_a_command(world, capsys):
    theirs = [{"q": r["prompt"], "a": r["completion"]} for r in DEMONSTRATIONS]
    write_csv(world / "theirs.csv", theirs)
    line = command(world, "rm", "rm1", demonstrations="theirs.csv")
    assert main([*line, "--columns", "prompt=q", "completion=a"]) == 0  # rankings have their own
    assert main([*command(world, "rm", "rm2", demonstrations="demos.jsonl")]) == 0
    one, two = (minirlhf.ScalarModel.load(world / name / "model") for name in ("rm1", "rm2"))
    assert same_weights(one.classifier, two.classifier)
    line = command(world, "rm", "rm3")
    assert main([*line, "--columns", "prompt=q"]) == 2
    assert "No column 'q' is there to be 'prompt'" in capsys.readouterr().err
    assert main([*line, "--columns", "prompt"]) == 2
    assert "OURS=THEIRS" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["sft", "rm", "ppo", "evaluate"])
def test_nothing_is_tokenised_twice(stage, world, monkeypatch):
    seen: Counter[str] = Counter()
    real = PreTrainedTokenizerFast.__call__

    def counted(self, text, *args, **options):
        seen.update([text] if isinstance(text, str) else text)
        return real(self, text, *args, **options)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", counted)
    if stage == "evaluate":
        line = ["evaluate", "--models", str(world / "base"), "--prompts",
                str(world / "demos.jsonl"), "--output", str(world / "e.json"),
                "--max-response", "4"]  # fmt: skip
    else:
        line = command(world, stage, "run")
    assert main(line) == 0
    ours = [record["prompt"] for record in DEMONSTRATIONS]
    times = 2 if stage == "rm" else 1  # rankings and demonstrations have the same prompts
    assert [seen[text] for text in ours] == [times] * len(ours)


def test_long_tokenisation_shows_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(tokenization, "CHUNK", 2)
    monkeypatch.setattr(tokenization, "WAIT", 0.0)
    texts = ["a b c"] * 7
    assert (
        encode_prompts(byte_tokenizer(), texts) == encode_prompts(byte_tokenizer(), texts[:1]) * 7
    )
    said = capsys.readouterr().err
    assert "tokenising" in said and "7" in said
    encode_prompts(byte_tokenizer(), texts[:2])
    monkeypatch.setenv("RANK", "1")
    encode_prompts(byte_tokenizer(), texts)
    assert capsys.readouterr().err == ""
