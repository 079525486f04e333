"""vlmkit train: from shards to a vision-language model that every tool loads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.commands.shared import Device, command, local_path

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        show_default=False,
        help="Folders, tars, '{00000..00099}.tar', globs, A::B, overlays A/+B/, each with @WEIGHT if you like; "
        "or one recipe.yaml.",
    ),
]
Out = Annotated[
    Path, typer.Argument(metavar="OUTPUT", parser=local_path, show_default=False, help="A folder for the checkpoint.")
]


@dataclass(frozen=True)
class Training:
    """What decides the result."""

    model: Annotated[
        str | None,
        typer.Option(
            help="What is trained on: builtin:nano-vlm (from random weights), path:CHECKPOINT, hf:ORG/NAME. "
            "Default: builtin:nano-vlm."
        ),
    ] = None
    vision: Annotated[str | None, typer.Option(help="In place of --model: a vision tower, hf: or path:.")] = None
    llm: Annotated[str | None, typer.Option(help="With --vision: a language model, builtin:smollm2, hf: or path:.")] = (
        None
    )
    freeze: Annotated[
        str, typer.Option(metavar="PARTS", help="What is not trained, such as vision or vision,language.")
    ] = ""
    epochs: Annotated[float, typer.Option(help="How often the data are gone through.")] = 1.0
    samples: Annotated[int | None, typer.Option(min=1, help="How many samples are gone through instead.")] = None
    batch_size: Annotated[int, typer.Option(min=1, help="Samples of one step, over all processes.")] = 32
    device_batch: Annotated[
        int | None, typer.Option(min=1, help="Samples that a device computes at once. Default: its share of a step.")
    ] = None
    lr: Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate. Default: 6e-4 for random weights, else 2e-5; 1e-3 for a projector alone."
        ),
    ] = None
    warmup: Annotated[float, typer.Option(help="Share of the steps in which the learning rate rises.")] = 0.05
    weight_decay: Annotated[float, typer.Option(help="AdamW's weight decay.")] = 0.01
    clip_norm: Annotated[float, typer.Option(help="Largest norm of the gradients.")] = 1.0
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longer samples are left out. Default: the model's context.")
    ] = None
    caption_prompt: Annotated[
        str, typer.Option(help="What is asked about a picture whose sample has a txt and no messages.")
    ] = ""
    seed: Annotated[int | None, typer.Option(help="Of weights and order. Default: the recipe's, else 0.")] = None
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints; the last two are kept.")] = 200


@dataclass(frozen=True)
class Running:
    """How it is come by, and what is said of it."""

    processes: Annotated[int, typer.Option(min=1, help="Processes on this machine that train together.")] = 1
    device: Device = None
    max_bad: Annotated[float, typer.Option(help="Share of unreadable samples above which the status is 3.")] = 0.05
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over in a folder that vlmkit made.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no closing table.")] = False
    json: Annotated[bool, typer.Option("--json", help="The final summary as one JSON line on stderr.")] = False


@command(example="vlmkit train shards/ model/ --epochs 2")
def train(data: Data, out: Out, training: Training = Training(), running: Running = Running()) -> int:
    """Train a vision-language model on samples with messages, or with a txt as the caption of their picture.

    OUTPUT is a checkpoint of transformers: AutoModelForImageTextToText and AutoProcessor load it. Stopped at any time,
    the same command goes on from the last checkpoint, and every loss is what it would have been. Under accelerate
    launch or torchrun it trains with the other processes.
    """
    from vlmkit.jobs.options import JobOptions
    from vlmkit.training.options import TrainOptions
    from vlmkit.training.run import run_train

    options = TrainOptions(**{**asdict(training), "freeze": tuple(filter(None, training.freeze.split(",")))})
    job = JobOptions(max_bad=running.max_bad, overwrite=running.overwrite, quiet=running.quiet, json=running.json)
    return run_train(data, out, options, job, running.processes, running.device)
