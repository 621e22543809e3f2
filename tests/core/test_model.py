"""Values that are passed on are never changed."""

from types import ModuleType

import msgspec
import pytest

from tui.core import changes, connection_status, events, model, recorded_end, turn_inputs


@pytest.mark.parametrize(
    "module", [model, events, changes, turn_inputs, recorded_end, connection_status], ids=lambda module: module.__name__
)
def test_values_are_immutable(module: ModuleType) -> None:
    structs = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    assert structs
    assert [one.__name__ for one in structs if not one.__struct_config__.frozen and one is not msgspec.Struct] == []
