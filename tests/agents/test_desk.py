"""The service desk's tools do real work on a real database."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.agents import shop
from labkit.agents.desk import Desk
from labkit.errors import ConfigError, CourseError
from labkit.tools import Ledger, as_tools


@pytest.fixture
def desk():
    with_records = Desk()
    yield with_records
    with_records.close()


def test_customers_know_their_orders_and_open_tickets(desk):
    found = desk.lookup_customer("c-104 ")
    assert (found["tier"], found["orders"], found["open_tickets"]) == ("gold", ["1005", "1007"], ["T-1"])
    assert desk.lookup_customer("C-103")["open_tickets"] == [], "T-2 is closed"


def test_orders_agree_with_the_first_lesson(desk):
    for number in shop.orders():
        found = desk.lookup_order_status(number)
        assert found["when"] in shop.find_order(number) and found["thing"] in shop.find_order(number)


def test_tickets_are_kept_and_numbered(desk):
    first, second = desk.create_ticket("The lamp flickers."), desk.create_ticket("It leaks.", "high")
    assert (first["id"], second["id"]) == ("T-3", "T-4")
    assert [t["issue"] for t in desk.tickets()][-2:] == ["The lamp flickers.", "It leaks."]


def test_diagnostics_follow_the_rules(desk):
    assert desk.run_diagnostics("lamp-3") == {
        "device": "lamp-3",
        "findings": ["the battery is nearly empty"],
        "see": ["battery"],
    }
    assert desk.run_diagnostics("kettle-5")["see"] == ["overheating", "firmware"]
    assert desk.run_diagnostics("lamp-7")["findings"] == ["everything is in order"]


def test_the_knowledge_base_finds_the_article(desk):
    assert desk.access_knowledge_base("How do I get a refund?")["title"] == "When the money comes back"
    assert desk.access_knowledge_base('boots" OR size*')["title"] == "Which size of boots fits"


@pytest.mark.parametrize(
    ("tool", "value"),
    [("lookup_customer", "C-999"), ("lookup_order_status", "1' or '1'='1"), ("run_diagnostics", ""), ("create_ticket", "  "),
     ("access_knowledge_base", "xylophone"), ("access_knowledge_base", "***")],
)  # fmt: skip
def test_what_is_not_there_is_said(desk, tool, value):
    with pytest.raises(CourseError):
        getattr(desk, tool)(value)


def test_a_file_keeps_what_was_written(tmp_path):
    desk = Desk(tmp_path / "shop.db")
    desk.create_ticket("Kept.")
    desk.close()
    again = Desk(tmp_path / "shop.db")
    assert again.tickets()[-1]["issue"] == "Kept." and len(again.tickets()) == 3
    again.close()


def test_a_file_that_nobody_finished_is_filled_and_one_of_another_kind_is_refused(tmp_path):
    (tmp_path / "shop.db").touch()  # what is left when the process ends between opening and filling
    desk = Desk(tmp_path / "shop.db")
    assert desk.lookup_order_status("1002")["thing"] == "boots"
    desk.close()
    (tmp_path / "other.db").write_text("no database at all, but a text of some length")
    with pytest.raises(ConfigError, match="is no desk"):
        Desk(tmp_path / "other.db")


def test_two_that_open_a_new_file_at_once_fill_it_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        desks = list(pool.map(lambda _: Desk(tmp_path / "shop.db"), range(4)))
    assert [len(desk.tickets()) for desk in desks] == [2] * 4
    for desk in desks:
        desk.close()


def test_many_threads_write_at_once(desk):
    threads = [threading.Thread(target=desk.create_ticket, args=(f"Issue {i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [ticket["id"] for ticket in desk.tickets()]
    assert len(numbers) == len(set(numbers)) == 22


def test_its_tools_are_typed_and_only_look_ups_may_be_repeated(desk):
    tools = {tool.name: tool for tool in as_tools(desk.tools())}
    assert tools["create_ticket"].properties["priority"]["enum"] == ["low", "medium", "high"]
    assert [name for name, tool in tools.items() if not tool.repeatable] == ["create_ticket"]
    assert Ledger().run(tools["create_ticket"], {"issue": "x", "priority": "urgent"}).error
    assert len(desk.tickets()) == 2
