"""The school from which a reward model starts: the base learns to read, not what to like.

The paper's reward models start from a GPT-3 that was tuned on public NLP tasks (C.2): is this
sentence grammatical, does the text say so, whom does the pronoun mean. This is Tinytown's school: a
base answers questions about a request and a reply, *one property at a time*. No question is a
grade, a pass or a count of failures, no text was chosen by a judge, and the models that write some
of the texts have seen no demonstration. Which of the properties people like, in which direction and
how much, is left to their rankings.

    `texts`        requests with much in them, and replies that go right and wrong
    `breaks`       where a sentence that says nothing stops making sense
    `spelled`      a reply's words, one a token, and its sentences
    `by_word`      questions about one word: was it asked for, does it fit there
    `by_sentence`  questions about one sentence: can it be read, what does it say
    `questions`    questions about a whole text, or as much of it as there is so far
    `lessons`      texts with the answers to every question, as arrays, page by page
    `pupil`        a backbone that answers each question at a layer of its own
    `learn`        a term of lessons, page by page; the command
    `exam`         how right the answers are, and what a few rankings make of them
"""
