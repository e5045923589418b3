"""A message says the same in Markdown and in plain text, and a learner's value stays a value in both."""

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from labkit.exercises.message import Message, code, show

NASTY = st.text(
    st.sampled_from("<>&/`*_[]()!$\\|~#-+=:.@1 \n\tabchttps://www\x1b\u202e") | st.characters(), max_size=40
)


class Page(HTMLParser):
    """What a reader sees of a rendered page: the kinds of elements, and the text."""

    def __init__(self, markdown: str):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(markdown2html_mistune(markdown))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add((tag, *attrs))

    def handle_data(self, data):
        self.text += data


def one_space(text: str) -> str:
    return " ".join(text.split())


@given(NASTY)
@example(
    "<script>alert(1)</script> $x$ \\(y\\) [l](javascript:1) https://a.b www.a.b a@b.c # h\n\n# head\n- item\n    code"
)
@example("&lt; &amp; ~~x~~ | a | b | \\`a`")
def test_a_sentence_is_shown_as_it_is_and_nothing_else(text):
    message = Message("Wrong", text, (("Expected", text),))
    page = Page(message.markdown())
    assert page.tags <= {("p",), ("strong",), ("code",), ("span",)}
    assert one_space(page.text).replace("`", "") == one_space(message.plain()).replace("`", "")


@given(NASTY.filter(str.strip))
def test_a_shown_value_is_one_piece_of_code(value):
    page = Page(Message("Wrong", f"you gave {show(value, limit=10_000)}.").markdown())
    assert one_space(page.text) == one_space(f"Wrong you gave {value!r}.")
    assert page.tags == {("p",), ("strong",), ("code",)}


@given(NASTY)
def test_plain_text_cannot_drive_a_terminal(text):
    assert all(c.isprintable() or c == "\n" for c in Message("Wrong", f"{text} {code(text)}", (("a", text),)).plain())


def test_addresses_and_formulas_are_left_to_no_other_renderer():
    # JupyterLab makes links of these, and MathJax reads the finished page; the renderer above does neither
    markdown = Message("Wrong", r"www.a.b a@b.c https://a.b $x$ \(x\)").markdown()
    assert markdown == (
        "**Wrong** www&#46;a.b a&#64;b.c https&#58;//a.b "
        r"<span>&#36;</span>x<span>&#36;</span> <span>&#92;</span>(x<span>&#92;</span>)"
    )


@pytest.mark.parametrize("text", ["`x`", "``", "` `", "`", "x`"])
def test_any_text_can_be_code(text):
    page = Page(Message("Wrong", f"you gave {code(text)}.").markdown())
    assert page.text.strip() == f"Wrong you gave {text}."


def test_backticks_are_the_only_markup():
    message = Message("Hint 1 of 2.", "compare `a` with **b**.")
    assert ("code",) in Page(message.markdown()).tags
    assert message.plain() == "Hint 1 of 2. compare `a` with **b**."


def test_code_is_fenced_longer_than_anything_in_it():
    message = Message("One solution.", code='text = "```"\nprint(text)\n')
    assert message.markdown() == '**One solution.**\n\n````python\ntext = "```"\nprint(text)\n````'
    assert message.plain() == 'One solution.\n    text = "```"\n    print(text)'


def test_empty_details_are_left_out():
    assert (
        Message("Wrong", ", because no.", (("Expected", ""), ("Look at", "it"))).plain()
        == "Wrong, because no.\n  Look at: it"
    )


@pytest.mark.parametrize(
    "value", ["x" * 10_000, [["deep"] * 50] * 50, 10**4000, {str(i): "y" * 999 for i in range(99)}]
)
def test_a_shown_value_is_short(value):
    assert len(show(value)) <= 82


def test_jupyter_and_print_use_the_same_message():
    message = Message("Right.", "why")
    assert (message._repr_markdown_(), repr(message), str(message)) == ("**Right.** why", "Right. why", "Right. why")
