"""An image that changes under its name makes a run that can't be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.manifest import Manifest, Path, Rule, opened, shown

# Fields that hold the name of an image wherever they stand, and a DataVolume's source, which has a scheme before it.
_IMAGE = "image"
_REGISTRY_URL: Path = ("spec", "source", "registry", "url")


def _problems(manifest: Manifest) -> Iterator[str]:
    for path, image in _images(manifest.body):
        if problem := _problem(image):
            yield f"{shown(path)} is {image}, {problem}: name a version or a digest."


def _images(tree: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    tree = opened(tree)
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            here, value = (*path, str(key)), opened(value)
            named = key == _IMAGE or here[-len(_REGISTRY_URL) + 1 :] == _REGISTRY_URL[1:]
            if named and isinstance(value, str):
                yield here, value
            else:
                yield from _images(value, here)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _images(value, (*path, f"[{index}]"))


def _problem(image: str) -> str:
    name = image.rpartition("://")[2]
    if "@" in name:
        return ""
    # A registry's port has a colon too, but before the last slash.
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if not colon:
        return "which has no tag and means latest"
    return "which is another image tomorrow" if tag == "latest" else ""


IMAGES = Rule("no-latest-image", "Every image is named by a version or a digest.", _problems)
