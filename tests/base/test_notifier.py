from pairscope.base.notifier import Notifier


def test_listeners_are_told_in_the_order_in_which_they_came_and_nobody_is_told_before() -> None:
    told: list[str] = []
    news: Notifier[[str]] = Notifier()
    news("too early")
    news.listen(lambda word: told.append(f"first {word}"))
    news.listen(lambda word: told.append(f"second {word}"))
    news("now")
    assert told == ["first now", "second now"]


def test_who_comes_to_listen_while_it_is_told_hears_the_next_news() -> None:
    told: list[str] = []
    news: Notifier[[]] = Notifier()

    def join() -> None:
        told.append("one")
        if len(told) == 1:
            news.listen(lambda: told.append("two"))

    news.listen(join)
    news()
    assert told == ["one"]
    news()
    assert told == ["one", "one", "two"]
