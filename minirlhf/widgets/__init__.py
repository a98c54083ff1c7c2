"""What one looks at and moves: usable on anyone's run and models.

    run = start("ppo", "runs/ppo", model="runs/initial", reward="runs/rm", prompts="prompts.jsonl")
    TrainingDesk(run)                    watch and steer it; a folder's name does as well
    TokenLens(models=…, prompt="…")      one response, token by token
    LabelingDesk(tasks, "mine.jsonl")    rank samples, with ties
    Playground({"sft": …, "ppo": …})     one prompt, every model
    RankingExplorer()                    Eq. 1 under your hands
    Frontier(["runs/a", "runs/b"])       reward and judge against KL
    Prediction("…?", "chapter05.ties")   guess first
    PredictionScore("chapter05")         how well one guessed
    ThreeSteps()                         the paper's Fig. 2, to be filled in

State and numbers are Python's, the page draws (anywidget on ipywidgets 7.7 and 8); words are
English or Chinese, as `minirlhf.lesson.languages` says. `live_widget` says how one is made.
"""

from minirlhf.widgets.frontier import Frontier, Point
from minirlhf.widgets.labeling_desk import LabelingDesk
from minirlhf.widgets.launch import Job, start
from minirlhf.widgets.outcome import PredictionScore
from minirlhf.widgets.playground import Playground
from minirlhf.widgets.prediction import Prediction
from minirlhf.widgets.ranking_explorer import RankingExplorer
from minirlhf.widgets.three_steps import ThreeSteps
from minirlhf.widgets.token_lens import TokenLens
from minirlhf.widgets.trace import Trace, trace
from minirlhf.widgets.training_desk import TrainingDesk

__all__ = [
    "Frontier",
    "Job",
    "LabelingDesk",
    "Playground",
    "Point",
    "Prediction",
    "PredictionScore",
    "RankingExplorer",
    "ThreeSteps",
    "TokenLens",
    "Trace",
    "TrainingDesk",
    "start",
    "trace",
]
