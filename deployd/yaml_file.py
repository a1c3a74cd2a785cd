"""A YAML file of the operator, with the line of each of its keys.

Surprise: PyYAML takes the last of two keys of one name without a word; here the second one is refused, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployd.errors import DeployError


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file says, and where."""

    values: dict[str, Any]
    file: Path
    root: yaml.Node | None

    def line_of(self, at: Sequence[str | int]) -> int:
        """Line of a key, or of the innermost one around it that is written down; 0: the file is empty."""
        node, line = self.root, 0 if self.root is None else self.root.start_mark.line + 1
        for part in at:
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return line


def read_yaml_file(path: Path, refused: type[DeployError], noun: str, *, missing: str) -> YamlFile:
    """
    Args:
        refused: What is raised when it cannot be used.
        noun: What the file is, in words.
        missing: How to mend that there is none.

    Raises:
        DeployError: It is missing, is no YAML, has a key twice, or is no mapping.
    """
    try:
        root, values = _compose(path.read_bytes())
    except FileNotFoundError:
        raise refused(f"there is no file with {noun}", where=str(path), hint=missing) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise refused(
            f"{noun} cannot be used: {error.problem}",
            where=f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path), hint="correct the file",
        ) from None
    except (KeyError, AttributeError):   # PyYAML's words for `!!bool maybe` and `!!timestamp soon`
        raise refused(f"{noun} cannot be used: a value is not of the type that its tag `!!…` names", where=str(path),
                      hint="remove the tag") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:   # not UTF-8, a month 13, a number of 5,000 digits
        raise refused(f"{noun} cannot be used: {error}", where=str(path), hint="correct the file") from None
    except OSError as error:
        raise refused(f"{noun} cannot be read: {error.strerror}", where=str(path), hint=missing) from None
    if values is None:
        return YamlFile({}, path, None)
    if not isinstance(values, dict):
        raise refused(f"{noun} must be a mapping of keys to values", where=str(path))
    return YamlFile(values, path, root)


def _compose(content: bytes) -> tuple[yaml.Node | None, Any]:
    loader = yaml.SafeLoader(content)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _refuse_oddities(root, set())
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _refuse_oddities(node: yaml.Node, seen: set[int]) -> None:
    """Keys that are there twice, and texts that no program could be given."""
    if id(node) in seen:   # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if re.search("[\0\ud800-\udfff]", node.value):
            odd = "this holds a zero byte, or half a character: nothing can be started with it"
            raise yaml.MarkedYAMLError(problem=odd, problem_mark=node.start_mark)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    twice = f"the key {key.value} is there twice"
                    raise yaml.MarkedYAMLError(problem=twice, problem_mark=key.start_mark)
                keys.add(key.value)
            _refuse_oddities(key, seen)
            _refuse_oddities(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_oddities(item, seen)


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return value, key.start_mark.line + 1
    return None
