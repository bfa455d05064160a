"""A live figure begins when it comes into sight: bring it there."""

from playwright.sync_api import Page


def wake(page: Page, figure: str) -> Page:
    """Bring a figure into sight until it lives: pictures that come late may push it away.

    Args:
        page: the page, which has been opened.
        figure: the figure's selector; the first that fits.

    Returns:
        The page.
    """
    page.wait_for_function(
        """(figure) => {
          const one = document.querySelector(figure);
          one.scrollIntoView({block: "center", behavior: "instant"});
          return one.classList.contains("is-live");
        }""",
        arg=figure,
        polling=100,
    )
    return page
