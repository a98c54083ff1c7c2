"""The page of a run, and how its figures are drawn and said.

`summary`       what ``summary.json`` says, and how a number is printed
`examples`      prompts, replies and rankings to show, chosen by rule
`charts`        a colour a model, and panels of curves; `bars`: panels of bars
`run_figures`   the figures of a run
`differences`   what alignment costs, task by task, in one chart
`leads`         a section's first sentence, where it tells of a figure
`steps_figure`  the paper's Fig. 2, filled with what happened
`page`          ``report.html``: templates, script and style lie beside it, and ``design.css``,
                which widgets share
"""
