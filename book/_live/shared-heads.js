// Moves the drawing of course_lib/plotting/shared_heads.py: how many key and value heads there are,
// whose wires are followed and how many tokens have come, in both widths alike.
(function () {
  "use strict";

  function commas(number) { return String(number).replace(/\B(?=(\d{3})+$)/g, ","); }

  // "4", "4 and 6", "4, 6 and 7"
  function listed(all) {
    if (all.length < 2) return all.join("");
    return all.slice(0, -1).join(", ") + " and " + all[all.length - 1];
  }

  function sharers(state, data) {
    var all = [], R = state.groups ? data.heads / state.groups : data.heads;
    for (var h = 0; h < data.heads; h += 1) {
      if (Math.floor(h / R) === Math.floor(state.head / R)) all.push(h);
    }
    return all;
  }

  function told(state, data, shared, numbers, bytes) {
    var others = shared.filter(function (h) { return h !== state.head; });
    var what = state.groups ? "key and value" : "latent vector and one rotary key";
    var who = others.length ? " shares " + (state.groups ? "its " : "one ") + what + " with " +
      (others.length === data.heads - 1 ? "all others" : "head" + (others.length > 1 ? "s " : " ") +
        listed(others)) : " has a key and value of its own";
    return "Head " + state.head + who + ". The cache keeps " + commas(numbers) +
      " numbers per token and layer; " + commas(state.tokens) + " tokens take " +
      (bytes / Math.pow(2, 30)).toFixed(2) + " GiB, " +
      (100 * numbers / data.kept[data.groups[0]]).toFixed(1) + " % of multi-head.";
  }

  function draw(figure, data, d3, state) {
    var shared = sharers(state, data), isLatent = state.groups === 0;
    var R = isLatent ? data.heads : data.heads / state.groups;
    var numbers = data.kept[state.groups];
    var bytes = numbers * data.layers * data.bytes * state.tokens;
    function strength(h) { return shared.indexOf(h) < 0 ? data.faint : 1; }
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this);
      var pitch = Number(svg.select("[data-part='chosen']").node().dataset.pitch);
      function middle(g) { return (g * R + R / 2) * pitch; }
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.s), this.dataset);
        });
      }
      each("head", function (one, h) { one.attr("opacity", strength(h)); });
      each("wire", function (one, h) {
        one.attr("x2", middle(Math.floor(h / R))).attr("opacity", strength(h));
      });
      each("chosen", function (one) { one.attr("cx", (state.head + 0.5) * pitch); });
      each("block", function (one, g) {
        one.attr("visibility", g < state.groups ? "visible" : "hidden")
          .attr("x", middle(g) - pitch / 2 + 2)
          .attr("opacity", g === Math.floor(state.head / R) ? 1 : data.faint);
      });
      each("latent", function (one) { one.attr("visibility", isLatent ? "visible" : "hidden"); });
      each("label", function (one, n) {
        one.text(isLatent ? ["latent vector", "rotary key"][n] : ["keys", "values"][n]);
      });
      each("sum", function (one) { one.text(commas(numbers) + " numbers per token and layer"); });
      each("told", function (one) {
        one.text(data.layers + " layers, " + commas(state.tokens) + " tokens: " +
          (bytes / Math.pow(2, 30)).toFixed(2) + " GiB");
      });
      each("size", function (one, _, set) {
        var share = (Math.log2(bytes) - 20 - data.mib[0]) / (data.mib[1] - data.mib[0]);
        one.attr("cx", Number(set.left) + share * (Number(set.right) - Number(set.left)));
      });
    });
    var said = told(state, data, shared, numbers, bytes);
    d3.select(figure).selectAll("svg").attr("aria-label", said);
    d3.select(figure).select(".mechanism-said").text(said);
  }

  window.courseMechanisms["shared-heads"] = function (figure, data, d3, id) {
    var state = { groups: data.groups[0], head: data.head, tokens: Math.pow(2, data.tokens[2]) };
    var controls = d3.select(figure).select(".mechanism-controls");
    function redraw() { draw(figure, data, d3, state); }

    var set = controls.append("fieldset");
    set.append("legend").text("How many key and value heads?");
    data.groups.forEach(function (groups, n) {
      var label = set.append("label");
      label.append("input").attr("type", "radio").attr("name", id + "-groups")
        .property("checked", n === 0)
        .on("change", function () { state.groups = groups; redraw(); });
      label.append("span").text(data.names[n]);
    });

    function slider(name, low, high, first, shown, act) {
      var slide = controls.append("label").attr("class", "mechanism-slider");
      slide.append("span").text(name);
      slide.append("input").attr("type", "range").attr("min", low).attr("max", high)
        .attr("step", 1).property("value", first)
        .on("input", function () {
          act(Number(this.value));
          this.nextElementSibling.textContent = shown(Number(this.value));
          redraw();
        });
      slide.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true")
        .text(shown(first));
    }

    slider("Query head", 0, data.heads - 1, data.head, String, function (h) { state.head = h; });
    slider("Tokens", data.tokens[0], data.tokens[1], data.tokens[2],
      function (power) { return commas(Math.pow(2, power)); },
      function (power) { state.tokens = Math.pow(2, power); });
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    redraw();
  };
})();
