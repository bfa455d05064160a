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

  // Paper is light, whatever the screen is: colours of code, tables and pictures follow the theme.
  let theme = null;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (theme) document.documentElement.dataset.theme = theme;
  });

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

  // A link to what is folded unfolds it, also where the browser does not do so by itself.
  const unfold = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* as it is */ }
    const target = name ? document.getElementById(name) : null;
    const fold = target?.closest("details:not([open])");
    if (!fold) return;
    fold.open = true;
    target.scrollIntoView();
  };
  addEventListener("DOMContentLoaded", unfold);
  addEventListener("hashchange", unfold);

  // The search reads pages: their words without their menus, and formulas without their source.
  const NO_WORDS = ".katex-html, annotation, #jb-print-docs-body, .bd-header-article, .prev-next-footer, "
    + ".printed-from, .bd-footer-content, .bd-sidebar-secondary, .code-bar, .live-figure, .still-figure, svg, button, noscript";
  const readable = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const formula of page.querySelectorAll(".katex")) {
      const laid = formula.querySelector("mfrac, msqrt, mroot, munder, mover, munderover, mtable, msup, msubsup");
      if (laid) formula.textContent = "\u2026";
    }
    page.querySelectorAll(NO_WORDS).forEach((one) => one.remove());
    // Two blocks are two words.
    page.querySelectorAll("p, li, h1, h2, h3, dt, dd, td, th, div, span[lang]").forEach((one) => one.append(" "));
    return page.documentElement.outerHTML;
  };
  // At the document, as the search's own listener, and before it: it asks at once.
  document.addEventListener("DOMContentLoaded", () => {
    if (typeof Search === "undefined") return;
    const {htmlToText, query} = Search;
    Search.htmlToText = (html, anchor) => htmlToText(readable(html), anchor);
    // The index holds a Chinese phrase as one word: a part of it finds the pages of all that hold it.
    Search.query = (asked) => {
      for (const part of asked.match(/\p{Script=Han}+/gu) ?? []) {
        for (const words of [Search._index.terms, Search._index.titleterms]) {
          const pages = Object.keys(words).filter((word) => word.includes(part)).flatMap((word) => words[word]);
          if (pages.length) words[part] = [...new Set(pages)];
        }
      }
      return query(asked);
    };
    const results = document.getElementById("search-results");
    if (!results) return;
    // A long name in a title breaks at its joints.
    new MutationObserver((changes) => {
      for (const link of changes.flatMap((change) => [...change.addedNodes]).map((one) => one.querySelector?.("li > a"))) {
        if (link && !link.querySelector("wbr")) link.innerHTML = link.innerHTML.replace(/([._])(?=[a-z0-9])/gi, "$1<wbr>");
      }
    }).observe(results, {childList: true, subtree: true});
  });

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
