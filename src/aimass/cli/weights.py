"""``aimass models import-weights``: bring pretrained weights into the model library."""

from __future__ import annotations

from pathlib import Path

import click

from aimass.cli.connect import Connection, connection_options
from aimass.cli.progress import progress
from aimass.cli.show import show


@click.command(
    help="Import pretrained weights from a folder of this machine as a version of a model, which is reviewed like any other. "
    "Of the form of BERT: config.json, tokenizer.json and model.safetensors; of ResNet, as torchvision or Hugging Face name its "
    "parts: model.safetensors, preprocessor_config.json and config.json."
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", required=True, help="Slug of the model that gets a version; it is made when it is missing.")
@click.option("--description", default="", help="What is new in this version, and where it comes from.")
def _import(folder: Path, connection: Connection, model: str, description: str) -> None:
    with connection.open() as client, progress(f"import {folder.name}", quiet=connection.as_json) as told:
        done = client.import_weights(folder, model, description=description, progress=told)
    show(done, as_json=connection.as_json)


import_weights = connection_options(_import)
