"""What every stage needs to train, and none of its mathematics.

`run`          where a run lives: its loop, log, checkpoints, resume and remote control
`run_folder`   the folder on disk: one writer, only whole files
`starts_from`  which models and data a run began with, so that it never goes on with others
`log`          where numbers go; `progress`: what a person sees of them
`watch`        says so where a run diverges; `last_steps`: the figures a run ends with
`compute`      where forward passes run: device, precision, several processes
`devices`      what this machine has
`optimizer`    AdamW, learning rate, gradient clipping, moving average
`activation_checkpointing`, `fsdp`   for models that don't fit
`second_process`   two parts of a job at once
"""
