import torch
from misaligned import misalign

torch.set_num_threads(1)  # tiny tensors: more threads only wait for one another


def pytest_addoption(parser):
    text = "act as a processor whose matrix products round by the alignment of their weights"
    parser.addoption("--misaligned", action="store_true", help=text)


def pytest_configure(config):
    if config.getoption("misaligned"):
        misalign(setattr)
