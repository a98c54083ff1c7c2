"""The page of a run, and how its figures are drawn and said.

`summary`       what ``summary.json`` says, and how a number is printed
`examples`      prompts, replies and rankings to show, chosen by rule
`charts`        figures in one style, a colour a model; `run_figures`: those of a run
`page`          ``report.html``
"""
