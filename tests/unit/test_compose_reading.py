"""Variables in a Compose file, filled in as the specification says; a relocated service says the local address."""

import pytest

from case2code.errors import ConfigurationError
from case2code_cluster.compose import Service, interpolate, read, relocated
from case2code_cluster.keys import required
from case2code_embedded.stack import PROJECT

FILE = PROJECT / "docker-compose.yaml"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain { } text", "plain { } text"),
        ("$$HOME $${X}", "$HOME ${X}"),
        ("a${X}b", "a1b"),
        ("${MISSING}", ""),
        ("${X:-other} ${MISSING:-other}", "1 other"),
        ("${MISSING:-a://:${X}@b}", "a://:1@b"),
        ("${X:-${NOT_NEEDED:?missing}}", "1"),
        ('{"password": "${X:?say so}"}', '{"password": "1"}'),
    ],
)
def test_variables_are_filled_in(text: str, filled: str):
    assert interpolate(text, {"X": "1"}) == filled


@pytest.mark.parametrize("text", ["${Y:?run make keys}", "${Z:-${Y:?run make keys}}"])
def test_a_required_variable_that_is_missing_is_named(text: str):
    with pytest.raises(ConfigurationError, match="Y is not set: run make keys"):
        interpolate(text, {"Z": ""})


def test_addresses_are_replaced_in_commands_and_settings_the_longest_first():
    service = Service("a", ("x", "--at=s3:8333"), {"URL": "http://s3:8333/b", "P": "/opt/x/logs"}, (), ())
    moved = relocated(service, {"s3:8333": "127.0.0.1:1", "/opt/x": "/here", "/opt/x/logs": "/there"})
    assert moved.command == ("x", "--at=127.0.0.1:1")
    assert moved.environment == {"URL": "http://127.0.0.1:1/b", "P": "/there"}


def test_the_projects_own_file_is_read_whole():
    topology = read(FILE, {name: f"the-{name}" for name in required(FILE.read_text(encoding="utf-8"))})
    assert "${" not in str(topology)
    assert "worker-sandbox" in topology.services
    assert topology.services["llm"].profiles == ("llm",)
    with pytest.raises(ConfigurationError, match="is not set: run make keys"):
        read(FILE, {})
