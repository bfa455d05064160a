/* Small mends, without which the pages can be read too. */
(() => {
  if (location.protocol === "file:") {
    // From a folder a page may not read another one, so the search shows titles without an extract,
    if (typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
    // and a link to a notebook would show its source. A script may be read: it brings the same text.
    window.courseNotebook = (name, text) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], {type: "application/x-ipynb+json"}));
      link.download = name;
      link.click();
    };
    addEventListener("click", (event) => {
      const link = event.target.closest("a[download][href$='.ipynb']");
      if (!link || link.href.startsWith("blob:")) return;
      event.preventDefault();
      const script = document.createElement("script");
      script.src = link.href + ".js";
      document.head.append(script);
    });
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

  // Where nothing hovers, the first tap on a term shows what it means and the second one follows.
  if (matchMedia("(hover: none)").matches) {
    addEventListener("click", (event) => {
      const term = event.target.closest?.("a.term");
      const shown = document.querySelector("a.term.is-shown");
      if (term && term !== shown) event.preventDefault();
      shown?.classList.remove("is-shown");
      if (term !== shown) term?.classList.add("is-shown");
    });
  }

  // One switch a page opens the code that is folded, and it is remembered; a store may be forbidden.
  const store = {
    get: () => { try { return localStorage.getItem("course-code") === "open"; } catch { return false; } },
    set: (open) => { try { localStorage.setItem("course-code", open ? "open" : "folded"); } catch { /* none */ } },
  };
  addEventListener("DOMContentLoaded", () => {
    const bars = [...document.querySelectorAll("details.code-bar")];
    const button = document.querySelector(".code-switch");
    if (!button || !bars.length) return;
    const show = (open) => {
      bars.forEach((bar) => { bar.open = open; });
      button.setAttribute("aria-pressed", open);
      reach();
    };
    button.hidden = false;
    if (store.get()) show(true);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      store.set(open);
      show(open);
    });
  });
})();
