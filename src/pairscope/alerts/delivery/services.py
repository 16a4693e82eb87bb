"""The services that messages are sent to by name, as apprise writes them.

Each lies at a host of its own, so that nobody can have one ask an address inside; for any other host there is the
webhook, whose address is checked.
"""

from __future__ import annotations

SERVICES = (
    *("brevo", "bulksms", "clicksend", "dingtalk", "discord", "feishu", "gchat", "ifttt", "lark", "line", "msgbird"),
    *("opsgenie", "pagerduty", "pbul", "pover", "prowl", "resend", "sendgrid", "seven", "signl4", "slack", "splunk"),
    *("tgram", "threema", "twilio", "victorops", "vonage", "wecombot", "wxteams"),
)


def scheme_of(url: str) -> str:
    """The word before ``://``, in small letters; empty when there is none.

    >>> scheme_of("TGRAM://123:abc/-45"), scheme_of("tgram")
    ('tgram', '')
    """
    scheme, mark, _ = url.strip().partition("://")
    return scheme.lower() if mark else ""
