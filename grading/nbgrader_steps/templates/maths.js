// Typeset $…$ and $$…$$ in the text of the page as MathML, which needs neither fonts nor styles.
document.addEventListener("DOMContentLoaded", () => {
  const formula = /\$\$([^$]+)\$\$|\$([^$\n]+)\$/g;
  const skip = "pre, code, script, style, textarea, math";
  const typeset = (text) => {
    const piece = document.createDocumentFragment();
    let last = 0;
    for (const match of text.data.matchAll(formula)) {
      piece.append(text.data.slice(last, match.index));
      const span = document.createElement("span");
      const displayMode = match[1] !== undefined;
      katex.render(match[1] ?? match[2], span, { output: "mathml", throwOnError: false, displayMode });
      piece.append(span);
      last = match.index + match[0].length;
    }
    piece.append(text.data.slice(last));
    text.replaceWith(piece);
  };
  for (const block of document.querySelectorAll(".rendered_html")) {
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) if (!text.parentElement.closest(skip) && text.data.includes("$")) typeset(text);
  }
});
