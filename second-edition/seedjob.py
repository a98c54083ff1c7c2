import sys, time, torch
torch.set_num_threads(1)
from dataclasses import replace
from pathlib import Path
from minirlhf.data.files import write_json, read_json
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.main_job import run
from minirlhf.experiment.measurements import describe, make_models
from minirlhf.experiment.models_and_data import Artifacts
from minirlhf.experiment.proof import left_out_groups
from minirlhf.tinytown.town import Tinytown
from course.pack.make import Pack
NAMES = ("ppo-judge", "ppo-beta-0", "ppo-long", "ppo-ptx-long")
def main():
    seed = int(sys.argv[1]); names = NAMES[:int(sys.argv[2])]
    if seed == 0:
        config = Pack(ExperimentConfig(folder=Path("runs/pack/run"))).config
    else:
        config = ExperimentConfig(folder=Path(f"runs/proof/seed-{seed}"), seed=seed)
    t=time.time()
    artifacts = Artifacts(Tinytown(), config)
    path = artifacts.folder / "summary.json"
    summary = read_json(path) if path.exists() else run(Tinytown(), config)
    print("main", round(time.time()-t), flush=True)
    path = artifacts.folder / "parts" / "groups.json"; path.parent.mkdir(exist_ok=True)
    for name in names:
        make_models(artifacts, (name,)); print(name, round(time.time()-t), flush=True)
        summary["models"][name] = describe(artifacts, name)
        if name.endswith("-long"):
            summary["models"][name]["since"] = describe(artifacts, name, opponent=name.removesuffix("-long"))["gain"]
    if not path.exists(): write_json(path, left_out_groups(artifacts))
    summary["groups"] = read_json(path)
    write_json(artifacts.folder / "proof.json", summary)
    print("done", round(time.time()-t), flush=True)
if __name__ == "__main__": main()
