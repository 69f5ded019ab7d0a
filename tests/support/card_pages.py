"""A card's page as a parser sees it, and text that would break out of one."""

from html.parser import HTMLParser

EVIL = "\"><script>alert(1)</script><img src=http://x/y onerror='z'>&=cmd|'/C calc'!A0\x1b[2J"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of style."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data
