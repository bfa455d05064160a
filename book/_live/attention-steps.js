// Moves the drawing of course_lib/plotting/attention_steps.py: choose who asks, or change the
// question, and the products, scores, weights and the mean follow, in both widths alike.
(function () {
  "use strict";

  function written(number) {
    return String(Number(number.toFixed(2))).replace("-", "\u2212");
  }

  // The four steps for one query.
  function attend(query, data) {
    var products = data.key.map(function (key) {
      return key.map(function (one, d) { return query[d] * one || 0; });
    });
    var scores = products.map(function (row) {
      return row.reduce(function (sum, one) { return sum + one; }, 0);
    });
    var scaled = scores.map(function (score) { return score / Math.sqrt(query.length); });
    var largest = Math.max.apply(null, scaled);
    var powers = scaled.map(function (score) { return Math.exp(score - largest); });
    var total = powers.reduce(function (sum, one) { return sum + one; }, 0);
    var weights = powers.map(function (power) { return power / total; });
    var mean = [0, 1].map(function (axis) {
      return data.value.reduce(function (sum, value, s) { return sum + weights[s] * value[axis]; }, 0);
    });
    return { products: products, scores: scores, scaled: scaled, weights: weights, mean: mean };
  }

  function draw(figure, data, d3, state) {
    var found = attend(state.query, data);
    var point = "(" + found.mean[0].toFixed(2) + ", " + found.mean[1].toFixed(2) + ")";
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this);
      var frame = svg.select("g").node().dataset;
      var x = Number(frame.left) + found.mean[0] * frame.across;
      var y = Number(frame.bottom) - found.mean[1] * frame.up;
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.s), Number(this.dataset.d));
        });
      }
      each("asks", function (text) { text.text(state.asks + (state.anew ? " *" : "")); });
      each("query", function (text, s, d) { text.text(written(state.query[d])); });
      each("product", function (text, s, d) { text.text(written(found.products[s][d])); });
      each("score", function (text, s) { text.text(written(found.scores[s])); });
      each("scaled", function (text, s) { text.text(written(found.scaled[s])); });
      each("bar", function (bar, s) { bar.attr("width", found.weights[s] * frame.full); });
      each("weight", function (text, s) { text.text(found.weights[s].toFixed(2)); });
      each("share", function (text, s) { text.text((s ? "+ " : "") + found.weights[s].toFixed(2)); });
      each("pull", function (line, s) {
        line.attr("x2", x).attr("y2", y).attr("stroke-width", 1 + 9 * found.weights[s]);
      });
      each("mean-dot", function (dot) { dot.attr("cx", x).attr("cy", y); });
      each("mean-beside", function (text) { text.attr("x", x + 14).attr("y", y - 8).text(point); });
      each("mean", function (text) { text.text("= " + point); });
    });
    var told = data.tokens.map(function (token, s) {
      return token + " " + found.weights[s].toFixed(2);
    });
    var words = "Weights: " + told.join(", ") + ". Mean of the values: " + point + ".";
    d3.select(figure).selectAll("svg").attr("aria-label", state.asks + (state.anew ? " asks something else. " : " asks. ") + words);
    d3.select(figure).select(".mechanism-said").text(words);
  }

  window.courseMechanisms["attention-steps"] = function (figure, data, d3, id) {
    var state = { asks: data.tokens[data.start], query: data.query[data.start].slice() };
    var controls = d3.select(figure).select(".mechanism-controls");
    var choice = controls.append("fieldset");
    choice.append("legend").text("Who asks?");
    data.tokens.forEach(function (token, t) {
      var label = choice.append("label");
      label.append("input").attr("type", "radio").attr("name", id + "-asks")
        .property("checked", t === data.start)
        .on("change", function () {
          state.asks = token;
          state.anew = false;
          state.query = data.query[t].slice();
          controls.selectAll("input[type=range]").each(function () {
            tell(this, state.query[Number(this.dataset.d)]);
          });
          draw(figure, data, d3, state);
        });
      label.append("span").text(token);
    });

    function tell(slider, number) {
      slider.value = number;
      slider.setAttribute("aria-valuetext", written(number));
      slider.nextElementSibling.textContent = written(number);
    }

    data.features.forEach(function (feature, d) {
      // A question that no key answers moves nothing.
      if (!data.key.some(function (key) { return key[d]; })) return;
      var label = controls.append("label").attr("class", "mechanism-slider");
      label.append("span").text("\u201c" + feature + "\u201d counts");
      var slider = label.append("input").attr("type", "range").attr("min", -3).attr("max", 3)
        .attr("step", 0.5).attr("data-d", d)
        .on("input", function () {
          state.query[d] = Number(this.value);
          state.anew = true;
          tell(this, state.query[d]);
          draw(figure, data, d3, state);
        });
      label.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true");
      tell(slider.node(), state.query[d]);
    });
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
  };
})();
