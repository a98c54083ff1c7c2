"""The paper's three steps as one would write them on a blackboard: start reading here.

    `sft`     step 1, supervised fine-tuning            python -m minirlhf.plain.sft
    `reward`  step 2, the reward model                  python -m minirlhf.plain.reward
    `ppo`     step 3, PPO and PPO-ptx                   python -m minirlhf.plain.ppo

Each file stands for itself, on the equations (`minirlhf.objectives`), on what makes draws
repeatable (`minirlhf.randomness`) and on nothing else of the package. The engine computes the same
numbers, only faster; `tests/test_plain.py` holds it to that. `demo` is what the commands run.
"""
