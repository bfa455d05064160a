// Moves the drawing of course_lib/plotting/rotated_pairs.py: a query and a key are the hands of four
// clocks; their positions turn the hands, and what the pairs add is the score.
(function () {
  "use strict";

  function written(number) {
    var shown = number.toFixed(2);
    return (shown === "-0.00" ? "0.00" : shown).replace("-", "\u2212");
  }

  function draw(figure, d3, data, state) {
    var at = { query: state.query + state.later, key: state.key + state.later };
    var sign = data.signs[state.sign];
    var way = { query: sign[1], key: sign[2] };
    var products = data.theta.map(function (theta) {
      return Math.cos((way.query * at.query - way.key * at.key) * theta);
    });
    var score = products.reduce(function (sum, one) { return sum + one; }, 0);
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this), frame = svg.select("g").node().dataset;
      var radius = Number(frame.radius), middle = Number(frame.middle);
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.s));
        });
      }
      ["query", "key"].forEach(function (name) {
        each(name + "-hand", function (hand, i) {
          var turn = way[name] * at[name] * data.theta[i];
          hand.attr("x2", Number(hand.attr("x1")) + radius * Math.cos(turn))
            .attr("y2", Number(hand.attr("y1")) - radius * Math.sin(turn));
        });
      });
      each("product", function (text, i) { text.text(written(products[i])); });
      each("score", function (text) { text.text(written(score)); });
      each("score-bar", function (bar) {
        var long = score / 4 * Number(frame.half);
        bar.attr("x", middle + Math.min(long, 0)).attr("width", Math.abs(long));
      });
    });
    var said = "Query at position " + at.query + ", key at " + at.key + ", distance " +
      written(at.query - at.key).replace(".00", "") + ". The pairs add " + products.map(written).join(", ") +
      " to the score, " + written(score) + ".";
    d3.select(figure).selectAll("svg").attr("aria-label", said);
    d3.select(figure).select(".mechanism-said").text(said);
  }

  window.courseMechanisms["rotated-pairs"] = function (figure, data, d3, id) {
    var state = { query: data.query, key: data.key, later: 0, sign: 0 };
    var controls = d3.select(figure).select(".mechanism-controls");

    function redraw() { draw(figure, d3, data, state); }

    [["query", "Query at position", 1], ["key", "Key at position", 1], ["later", "Both later by", 2]]
      .forEach(function (one) {
        var label = controls.append("label").attr("class", "mechanism-slider");
        label.append("span").text(one[1]);
        label.append("input").attr("type", "range").attr("min", 0)
          .attr("max", one[2] * data.farthest).attr("step", 1).attr("data-name", one[0])
          .property("value", state[one[0]])
          .on("input", function () {
            state[one[0]] = Number(this.value);
            this.nextElementSibling.textContent = this.value;
            redraw();
          });
        label.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true")
          .text(state[one[0]]);
      });
    var choice = controls.append("fieldset");
    choice.append("legend").text("Turn");
    data.signs.forEach(function (sign, n) {
      var label = choice.append("label");
      label.append("input").attr("type", "radio").attr("name", id + "-sign").attr("value", sign[0])
        .property("checked", n === 0)
        .on("change", function () { state.sign = n; redraw(); });
      label.append("span").text(sign[0]);
    });
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    redraw();
  };
})();
