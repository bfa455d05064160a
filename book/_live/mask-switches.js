// Moves the drawing of course_lib/plotting/mask_switches.py: cells of a mask are switched, by a click,
// a tap or the controls, and whose input arrives after L layers follows, in both widths alike.
(function () {
  "use strict";

  // The fewest layers from each input to each output, by steps back through who reads whom.
  function layersNeeded(reads) {
    return reads.map(function (_, t) {
      var needed = reads.map(function () { return -1; }), front = [t], steps = 0;
      needed[t] = 0;
      while (front.length) {
        steps += 1;
        front = front.reduce(function (next, at) {
          reads[at].forEach(function (read, s) {
            if (read && needed[s] < 0) { needed[s] = steps; next.push(s); }
          });
          return next;
        }, []);
      }
      return needed;
    });
  }

  function places(flags) {
    var found = flags.map(function (flag, n) { return flag ? n + 1 : 0; }).filter(Boolean);
    return found.length ? found.join(", ") : "nobody";
  }

  function count(grid) {
    return grid.reduce(function (sum, row) { return sum + row.filter(Boolean).length; }, 0);
  }

  function draw(figure, d3, state) {
    var needed = layersNeeded(state.reads);
    var arrives = needed.map(function (row) {
      return row.map(function (steps) { return steps >= 0 && steps <= state.layers; });
    });
    var layers = state.layers + (state.layers === 1 ? " layer" : " layers");
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this), size = Number(svg.select("g").node().dataset.cell);
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.t), Number(this.dataset.s));
        });
      }
      function fill(on) { return "var(--" + (on ? "output" : "none") + ")"; }
      each("cell", function (cell, t, s) { cell.style("fill", fill(state.reads[t][s])); });
      each("arrives", function (cell, t, s) { cell.style("fill", fill(arrives[t][s])); });
      each("needed", function (text, t, s) {
        text.text(needed[t][s] < 0 ? "" : needed[t][s])
          .style("fill", "var(--" + (arrives[t][s] ? "on-part" : "muted") + ")");
      });
      each("arrives-title", function (text) { text.text("what arrives after " + layers); });
      each("row", function (line) {
        line.attr("y", Number(line.node().dataset.top) + state.query * size - 1);
      });
    });
    var said = "Query " + (state.query + 1) + " reads " + places(state.reads[state.query]) +
      ". After " + layers + " it depends on the inputs " + places(arrives[state.query]) +
      ". All queries: " + count(state.reads) + " pairs may read, " + count(arrives) +
      " inputs arrive.";
    d3.select(figure).selectAll("svg").attr("aria-label", said);
    var controls = d3.select(figure).select(".mechanism-controls");
    controls.select(".mechanism-said").text(said);
    controls.select("[data-name='query']").property("value", state.query);
    controls.select("[data-name='key']").property("value", state.key);
    controls.select("[data-name='may']")
      .property("checked", Boolean(state.reads[state.query][state.key]));
    controls.selectAll("input[type=radio]").property("checked", function () {
      return this.value === state.name;
    });
  }

  window.courseMechanisms["mask-switches"] = function (figure, data, d3, id) {
    var names = data.names, state = { layers: data.layers, query: data.query, key: 0 };

    function begin(name) {
      state.name = name;
      state.reads = data.masks[name].map(function (row) { return row.slice(); });
    }

    function choose(t, s, read) {
      state.query = t;
      state.key = s;
      if (read === undefined) return;
      state.reads[t][s] = read ? 1 : 0;
      state.name = "";
    }

    function redraw() { draw(figure, d3, state); }

    begin(names[0]);
    var controls = d3.select(figure).select(".mechanism-controls");
    var start = controls.append("fieldset");
    start.append("legend").text("Begin with");
    names.forEach(function (name) {
      var label = start.append("label");
      label.append("input").attr("type", "radio").attr("name", id + "-mask").attr("value", name)
        .on("change", function () { begin(name); redraw(); });
      label.append("span").text(name);
    });

    var slide = controls.append("label").attr("class", "mechanism-slider");
    slide.append("span").text("Layers");
    slide.append("input").attr("type", "range").attr("min", 1).attr("max", state.reads.length - 1)
      .attr("step", 1).property("value", state.layers)
      .on("input", function () {
        state.layers = Number(this.value);
        this.nextElementSibling.textContent = this.value;
        redraw();
      });
    slide.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true")
      .text(state.layers);

    var cell = controls.append("fieldset").attr("class", "mechanism-cell");
    cell.append("legend").text("Switch a cell, here or by a click");
    ["query", "key"].forEach(function (name) {
      var label = cell.append("label").attr("class", "mechanism-choice");
      label.append("span").text(name);
      var list = label.append("select").attr("data-name", name)
        .on("change", function () { state[name] = Number(this.value); redraw(); });
      state.reads.forEach(function (_, n) { list.append("option").attr("value", n).text(n + 1); });
    });
    var may = cell.append("label");
    may.append("input").attr("type", "checkbox").attr("data-name", "may")
      .on("change", function () { choose(state.query, state.key, this.checked); redraw(); });
    may.append("span").text("may read");
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");

    d3.select(figure).selectAll("[data-part='cell']").on("click", function () {
      var t = Number(this.dataset.t), s = Number(this.dataset.s);
      choose(t, s, !state.reads[t][s]);
      redraw();
    });
    d3.select(figure).selectAll("[data-part='arrives']").on("click", function () {
      choose(Number(this.dataset.t), Number(this.dataset.s));
      redraw();
    });
    redraw();
  };
})();
