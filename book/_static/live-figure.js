// Draws the live figures of a page when they come near. Until then, in print, and where this script
// does not run, the still SVG stands. A classic script: modules and fetch fail on file://.
(function () {
  "use strict";

  var loading = {};

  function loaded(file) {
    if (!loading[file]) {
      loading[file] = new Promise(function (resolve, reject) {
        var script = document.createElement("script");
        script.src = (document.documentElement.dataset.content_root || "./") + "_live/" + file;
        script.onload = resolve;
        script.onerror = reject;
        document.head.appendChild(script);
      });
    }
    return loading[file];
  }

  function ink() {
    return getComputedStyle(document.body).color;
  }

  // Follow a signal of the drawing, if it has one of that name: now and at every change.
  function follow(view, name, tell) {
    var value;
    try { value = view.signal(name); } catch (missing) { return false; }
    tell(value);
    view.addSignalListener(name, function (_, changed) { tell(changed); });
    return true;
  }

  // What a control says to those who see and to those who hear it: its name, and its value in the
  // words of the figure; a control without effect is off.
  function mendControls(figure, view) {
    figure.querySelectorAll(".vega-bind").forEach(function (row, number) {
      var name = row.querySelector(".vega-bind-name");
      var input = row.querySelector("input, select");
      if (!name || !input) return;
      name.id = figure.dataset.figure + "-control-" + number;
      input.setAttribute("aria-labelledby", name.id);
      if (input.type !== "range") return;
      var bare = input.nextElementSibling;
      var words = document.createElement("span");
      words.className = "live-figure-value";
      words.setAttribute("aria-hidden", "true");
      var told = follow(view, input.name + "_said", function (text) {
        input.setAttribute("aria-valuetext", text);
        words.textContent = text;
      });
      if (told && bare) {
        bare.hidden = true;
        bare.after(words);
      }
      follow(view, input.name + "_enabled", function (on) { input.disabled = !on; });
    });
  }

  // Panels one beneath the other take the column's width; what stands beside them has its room.
  function room(spec, figure) {
    return Math.min(figure.clientWidth, 760) - spec.usermeta.beside;
  }

  function fit(spec, figure) {
    if (spec.vconcat) spec.vconcat.forEach(function (panel) { panel.width = room(spec, figure); });
    return spec;
  }

  // A phone is turned, a window is dragged: the drawing follows, and its controls stay as they are.
  function followWidth(spec, figure, view) {
    if (!spec.vconcat) return;
    new ResizeObserver(function () {
      var width = room(spec, figure);
      if (width > 0 && width !== view.width()) view.width(width).runAsync();
    }).observe(figure);
  }

  function awake(figure) {
    var mount = figure.querySelector(".live-figure-mount");
    var still = figure.querySelector(".live-figure-static");
    var spec = JSON.parse(figure.querySelector(".live-figure-spec").textContent);
    var options = { actions: false, renderer: "svg", mode: "vega-lite", tooltip: false };
    return window.vegaEmbed(mount, fit(spec, figure), options).then(function (result) {
      var view = result.view;
      function paint() { view.signal("ink", ink()).runAsync(); }
      paint();
      // The theme switches by an attribute of the root element; colours follow a frame later.
      new MutationObserver(function () { requestAnimationFrame(paint); })
        .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
      mendControls(figure, view);
      followWidth(spec, figure, view);
      still.hidden = true;
      still.setAttribute("data-replaced", "");
      figure.classList.add("is-live");
    });
  }

  // A drawing that stands in the page already; a script of its kind moves its marks.
  function moved(figure) {
    var kind = figure.dataset.kind;
    window.courseMechanisms = window.courseMechanisms || {};
    return loaded("d3/d3-selection.min.js").then(function () { return loaded(kind + ".js"); })
      .then(function () {
        var all = [].slice.call(document.querySelectorAll(".mechanism"));
        var data = JSON.parse(figure.querySelector("script").textContent);
        window.courseMechanisms[kind](figure, data, window.d3, "mechanism-" + all.indexOf(figure));
        figure.classList.add("is-live");
      });
  }

  function wake(figure) {
    if (figure.dataset.waking) return;
    figure.dataset.waking = "true";
    var woken = figure.classList.contains("mechanism") ? moved(figure)
      : loaded("vega.js").then(function () { return awake(figure); });
    woken.catch(function () {
      // The still picture stays; the page says why nothing can be moved.
      figure.classList.add("is-still");
    });
  }

  function watch() {
    var figures = document.querySelectorAll(".live-figure, .mechanism");
    if (!("IntersectionObserver" in window)) {
      figures.forEach(wake);
      return;
    }
    var near = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) { near.unobserve(entry.target); wake(entry.target); }
      });
    }, { rootMargin: "200px" });
    figures.forEach(function (figure) { near.observe(figure); });
  }

  // The script stands in the head, before the figures.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
