"""The commands of ``minirlhf``, each a function of its arguments.

Nothing heavy is imported before a command is at work, so that ``--help`` answers at once.
"""
