"""Vectors from the benchmark's endpoint, which counts the texts that it is asked for."""

import base64
import json
import urllib.request
from array import array


def embed(base_url: str, stage: str, texts: list[str]) -> list[list[float]]:
    """Ask for vectors; ``stage`` goes where a model's name would, to tell the calls apart."""
    request = urllib.request.Request(
        f"{base_url}/embeddings",
        data=json.dumps({"model": stage, "input": texts}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        entries = json.load(answer)["data"]
    return [array("f", base64.b64decode(entry["embedding"])).tolist() for entry in entries]
