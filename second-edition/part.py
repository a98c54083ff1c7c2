import sys, time, torch
torch.set_num_threads(1)
from pathlib import Path
from minirlhf.data.files import write_json
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.measurements import make_models
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.proof import left_out_groups
from minirlhf.tinytown.proof import kwise
from minirlhf.tinytown.town import Tinytown
from course.pack.make import Pack
if __name__ == "__main__":
    seed, what = int(sys.argv[1]), sys.argv[2]
    config = Pack(ExperimentConfig(folder=Path("runs/pack/run"))).config if seed == 0 else ExperimentConfig(folder=Path(f"runs/proof/seed-{seed}"), seed=seed)
    a = Artifacts(Tinytown(), config); t=time.time()
    (a.folder/"parts").mkdir(exist_ok=True)
    if what == "groups": write_json(a.folder/"parts"/"groups.json", left_out_groups(a))
    elif what == "kwise": write_json(a.folder/"parts"/"k-wise.json", kwise.measure(a))
    else: make_models(a, (what,))
    print(seed, what, round(time.time()-t), flush=True)
