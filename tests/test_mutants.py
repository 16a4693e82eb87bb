from __future__ import annotations

import ast
import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
KERNEL = b'''
@kernel
def total(values: FloatArray, most: int) -> float:
    """\xce\xa3 of the first values."""
    result = 0.0
    for k in range(most):
        if values[k] > 1.0 and most < 9:
            result += values[k] * 2
    return result


def untouched(a):
    return a + 1
'''


def mutants() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


def test_every_kind_of_fault_is_planted_in_compiled_functions_alone() -> None:
    found = mutants().mutants_of(KERNEL)
    assert {mutant.function for mutant in found} == {"total"}
    changes = {mutant.change(KERNEL).partition(": ")[2].partition(" → ")[2] for mutant in found}
    assert changes >= {
        "for k in range(most - 1):",
        "for k in range(1, most):",
        "if values[k] >= 1.0 and most < 9:",
        "if values[k] <= 1.0 and most < 9:",
        "if values[k] > 2.0 and most < 9:",
        "if values[k] > 1.0 or most < 9:",
        "result -= values[k] * 2",
        "result += values[k] / 2",
        "result += values[k] * 3",
        "pass",
        "result = 1.0",
        "return (result) + 1",
    }


def test_every_mutant_of_the_kernels_is_a_program() -> None:
    of = mutants().mutants_of
    for path in sorted((ROOT / "src" / "pairscope" / "analytics").rglob("*.py")):
        source = path.read_bytes()
        for mutant in of(source)[::20]:
            changed = mutant.applied(source)
            assert changed != source
            ast.parse(changed)


def test_the_equivalent_mutants_are_mutants_of_today() -> None:
    of = mutants().mutants_of
    listed = tomllib.loads((ROOT / "tools" / "equivalent_mutants.toml").read_text(encoding="utf-8"))
    for file, reasons in listed.items():
        source = (ROOT / "src" / "pairscope" / file).read_bytes()
        assert set(reasons) <= {mutant.change(source) for mutant in of(source)}, file
