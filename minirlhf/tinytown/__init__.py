"""Tinytown: a closed world in which every text is made of patterns that both write and read.

A claim can be checked against the town's facts and a request against its constraints, so truth,
hallucination, instruction following and toxicity are measured here, not estimated. In reading
order, each module standing on those before it:

the language
    `lexicon`    the words, by class
    `grammar`    patterns: one line with typed slots that writes a sentence and reads it back
    `knowledge`  the town's facts, what its people wrongly believe, and how either is said
    `phrases`    all other sentences: stories, letters, poems, notices, talk, short tasks
    `reading`    a text as the judge sees it: its sentences, and what each of them says

asking and answering
    `requests`   what is asked for, in Table 1's use cases, and how a prompt is read back
    `source`     what follows from a request alone: its source text, its one right answer
    `writer`     replies, as a careful labeler writes them
    `prompts`    who asks what: the mix, the splits by user and the filters of §3.2

judging
    `forms`      what makes a reply the thing that was asked for, by kind of request
    `facts`      what else there is to see in a reply: one property of a text at a time
    `judge`      what the facts come to: criteria, Table 3's metadata, a grade from 1 to 7
    `labelers`   people with tastes and lapses who see with the judge's eyes
    `mistakes`   answers that nobody looked over: careless, misread, mistaken, with slips

what models are made and measured with
    `corpus`     the web of Tinytown, on which the base models are pretrained
    `tokenizer`  one token a word, bytes for everything else
    `school`     questions about texts, one property at a time: what reward models start from
    `datasets`   prompts, demonstrations and rankings
    `tax`        tasks that the base does well, on which the alignment tax is measured
    `probes`     truthfulness, toxicity
    `bases`      the base models in three sizes, and the command that remakes them
    `card`       a base model's card, measured
    `proof`      what is claimed, and what is made to measure it alone

Nothing is imported here: take what you need from its module.
"""
