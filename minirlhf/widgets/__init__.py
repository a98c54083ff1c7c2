"""What one looks at and moves: usable on anyone's run and models.

    run = start("ppo", "runs/ppo", model="runs/initial", reward="runs/rm", prompts="prompts.jsonl")
    TrainingDesk(run)                    watch and steer it; a folder's name does as well
    TokenLens(models=…, prompt="…")      one response, token by token
    LabelingDesk(tasks, "mine.jsonl")    rank samples, with ties
    Playground({"sft": …, "ppo": …})     one prompt, every model
    RankingExplorer()                    Eq. 1 as sliders
    Frontier(["runs/a", "runs/b"])       reward and judge against KL
    Prediction("…?", "chapter05.ties")   guess first
    ThreeSteps()                         the paper's Fig. 2, to be filled in

They are made of ipywidgets' own parts (7.7 and 8) and matplotlib; labels are English or Chinese, as
`minirlhf.languages` says.
"""

from minirlhf.widgets.child import Job, start
from minirlhf.widgets.desk import TrainingDesk
from minirlhf.widgets.frontier import Frontier, Point
from minirlhf.widgets.labeling import LabelingDesk
from minirlhf.widgets.lens import TokenLens
from minirlhf.widgets.pipeline import ThreeSteps
from minirlhf.widgets.playground import Playground
from minirlhf.widgets.prediction import Prediction
from minirlhf.widgets.ranking import RankingExplorer
from minirlhf.widgets.trace import Trace, trace

__all__ = [
    "Frontier",
    "Job",
    "LabelingDesk",
    "Playground",
    "Point",
    "Prediction",
    "RankingExplorer",
    "ThreeSteps",
    "TokenLens",
    "Trace",
    "TrainingDesk",
    "start",
    "trace",
]
