"""A Hugging Face training as a user writes it. python hf.py LR OUTPUT_DIR [key=value, arguments of the Trainer]."""

import json
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

from lrtui.integrations.transformers import LrtuiCallback, checkpoint


def main(lr, folder, **settings):
    set_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=16, n_positions=8, n_embd=16, n_layer=2, n_head=2, use_cache=False)
    )
    text = torch.randint(0, 16, (32, 8))
    data = [{"input_ids": each, "labels": each} for each in text]
    given = {
        "logging_steps": 1,
        "eval_strategy": "epoch",
        "save_strategy": "no",
        "max_steps": 8,
        "per_device_train_batch_size": 8,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        **settings,
    }
    trainer = Trainer(
        model,
        TrainingArguments(folder, learning_rate=float(lr), **given),
        train_dataset=data,
        eval_dataset=data[:8],
        callbacks=[LrtuiCallback()],
    )
    trainer.train(resume_from_checkpoint=checkpoint())
    return {name: value.double().sum().item() for name, value in model.state_dict().items()}


if __name__ == "__main__":
    settings = dict(each.split("=") for each in sys.argv[3:])
    main(*sys.argv[1:3], **{name: json.loads(value) for name, value in settings.items()})
