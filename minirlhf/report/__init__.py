"""The page of a run, and how its figures are drawn and said.

`summary`       what ``summary.json`` says, and how a number is printed
`examples`      prompts, replies and rankings to show, chosen by rule
`charts`        panels of bars and curves, a colour a model; `run_figures`: those of a run
`steps_figure`  the paper's Fig. 2, filled with what happened
`page`          ``report.html``: templates, script and style lie beside it, and ``design.css``,
                which widgets share
"""
