"""vlmkit recaption: a VLM says what its data show."""

from typing import Annotated

import typer

from vlmkit.commands.shared import BatchSize, Device, Job, Sources, Target, command


@command(example="vlmkit recaption imgs/ caps/ --model path:checkpoint/ --only txt,json")
def recaption(
    source: Sources,
    target: Target,
    model: Annotated[
        str, typer.Option(show_default=False, help="path:FOLDER or hf:ORG/NAME of an image-text-to-text model.")
    ],
    prompt: Annotated[
        str, typer.Option(metavar="NAME|TEXT", help="brief, detail, elaborate, certain, or a text of your own.")
    ] = "detail",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest caption, in the model's tokens.")] = 256,
    keep: Annotated[
        str, typer.Option(metavar="original+new|new|original", help="What txt becomes. Captions are kept all.")
    ] = "original+new",
    round: Annotated[
        int | None, typer.Option(min=1, help="Which round this is. Default: one more than the sample's last.")
    ] = None,
    device: Device = None,
    batch_size: BatchSize = 16,
    job: Job = Job(),  # noqa: B008
) -> int:
    """Let a VLM caption every picture; what was said before stays in the captions of json.

    With --only txt,json the output is an overlay without pictures: imgs/+caps/ reads both. An empty answer or a
    refusal leaves the text as it is; the column recaption of the tables says which.
    """
    from vlmkit.captions.prompts import Prompt
    from vlmkit.captions.recaption import Recaption
    from vlmkit.models.names import ModelName

    step = Recaption(ModelName.parse(model), Prompt.parse(prompt), max_new_tokens, keep, round, device, batch_size)
    return job.run(step, source, target)
