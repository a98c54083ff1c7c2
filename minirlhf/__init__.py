"""minirlhf: the InstructGPT paper, stage by stage, as a small importable package."""

__version__ = "0.1.0"
