/* Two small mends, without which the pages can be read too. */
(() => {
  // From a folder a page may not read another one, so the search shows titles without an extract.
  if (location.protocol === "file:" && window.DOCUMENTATION_OPTIONS) {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  // What scrolls sideways must be reachable by the keyboard; what does not, should not stop it.
  const selector = "div.math > .katex-display, .bd-article pre, .pst-scrollable-table-container, .cell_output .output";
  const reach = () => {
    for (const element of document.querySelectorAll(selector)) {
      if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  };
  addEventListener("load", reach);
  addEventListener("resize", reach);
  document.fonts?.ready.then(reach);
})();
