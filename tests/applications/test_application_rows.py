"""The five applications: each row works on its database, and a row that cannot is refused in words."""

import pytest

from labkit.applications import application, applications
from labkit.applications.application import MOST_TOOLS, Application
from labkit.errors import ConfigError
from labkit.tools.schema import check

NAMES = ["customer_service", "business_process", "personal_assistant", "finance", "healthcare"]


def test_the_module_s_five_are_there():
    assert list(applications()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_right_call_fits_its_tool_and_finds_something(name):
    app = application(name)
    wanted = [item for item in app.items if item.call]
    assert len(wanted) >= 11 and len(app.items) >= 12 and len(app.tools()) <= MOST_TOOLS
    for item in wanted:
        tool = next(one for one in app.tools() if one.name == item.call)
        arguments = {key: next(one for one in ok) for key, ok in item.args.items()}
        given = {key: value for key, value in arguments.items() if value is not None}
        assert check(given, tool.parameters) == []
        assert tool.function(**given).strip(), item.text
    assert {item.call for item in wanted} == {tool.name for tool in app.tools()}, "a tool that nothing asks for"


@pytest.mark.parametrize("name", NAMES)
def test_nobody_has_rights_to_a_tool_that_is_not_there(name):
    app = application(name)
    assert app.policy.rights(app.role).tools == {tool.name for tool in app.tools()}
    assert app.policy.rights("nobody").tools == frozenset()


def test_every_set_of_tools_has_records_of_its_own():
    app = application("personal_assistant")
    here, there = ({tool.name: tool.function for tool in app.tools()} for _ in range(2))
    here["finish_task"](number=2)
    assert "plants" not in here["list_tasks"]() and "plants" in there["list_tasks"]()


def test_what_a_caller_writes_never_becomes_sql():
    tools = {tool.name: tool.function for tool in application("personal_assistant").tools()}
    tools["add_task"](task="x'); drop table task; --")
    assert "drop table" in tools["list_tasks"]()


def broken(**changes):
    return {**application("finance").row, **changes}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (broken(rule="analyst"), "did you mean role"),
        ({key: value for key, value in broken().items() if key != "promise"}, "it lacks promise"),
        (broken(tools={f"{name}_{i}": row for i in (1, 2) for name, row in broken()["tools"].items()}), "10 tools are more"),
        (broken(role="trader"), "no role trader"),
        (broken(tools={**broken()["tools"], "get_price": {"does": "x", "sequel": "select 1"}}), "did you mean sql"),
        (broken(tools={**broken()["tools"], "get_price": {"does": "x", "says": "y"}}), "tools.get_price lacks sql"),
        (broken(tools=["get_price"]), "tools: ['get_price'] is not of type 'object'"),
        (broken(records={"price": []}), "records.price: [] "),
        (broken(attacks=[{"place": "inputs", "text": "x"}]), "attacks.0.place: 'inputs' is not one of"),
        (broken(items=[["Buy NLT."]]), "items.0: ['Buy NLT.'] is too short"),
        (5, "it: 5 is not of type 'object'"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_work_says_what_is_wrong(row, words):
    with pytest.raises(ConfigError) as caught:
        Application("mine", row)
    assert words in str(caught.value)


def test_sql_and_items_are_looked_at_before_anybody_asks():
    wrong = {**application("finance").row["tools"]["get_price"], "sql": "select symbol from prices"}
    app = Application("mine", broken(tools={**broken()["tools"], "get_price": wrong}))
    with pytest.raises(ConfigError, match="cannot work") as caught:
        app.tools()
    assert "no such table: prices" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        _ = Application("mine", broken(items=[["Buy NLT.", "buy", {}]])).items
    assert "Buy NLT." in str(caught.value)


def test_only_the_desk_s_own_tools_can_be_taken_from_it():
    tools, roles = {"close": {"desk": True, "says": "x"}}, {"owner": {"tools": ["close"]}, "boss": {}}
    app = Application("mine", broken(tools=tools, roles=roles, role="owner", approver="boss"))
    with pytest.raises(ConfigError, match="no tool close; there are lookup_customer"):
        app.tools()


def test_records_go_by_the_names_of_their_columns():
    shares = [{"symbol": "NLT", "name": "Northlight"}, {"name": "Pinewood", "symbol": "PNW"}, {"symbol": "OAK"}]
    tool = {"does": "Find a share.", "parameters": {"symbol": {"type": "string"}}, "says": "{name}",
            "sql": "select name from share where symbol = :symbol"}  # fmt: skip
    row = broken(
        records={"share": shares}, tools={"find": tool}, roles={"owner": {"tools": ["find"]}, "boss": {}}, items=[]
    )
    (find,) = Application("mine", {**row, "role": "owner", "approver": "boss"}).tools()
    assert [find.function(symbol=one["symbol"]) for one in shares] == ["Northlight", "Pinewood", "None"]


def test_an_unknown_name_and_a_broken_file_say_so(tmp_path):
    with pytest.raises(ConfigError, match="There is no application") as caught:
        application("finances")
    assert "did you mean finance" in str(caught.value)
    (tmp_path / "mine.toml").write_text("[mine\n")
    with pytest.raises(ConfigError, match=r"mine\.toml holds no applications"):
        applications(tmp_path / "mine.toml")
