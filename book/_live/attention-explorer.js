// Moves the drawing of course_lib/plotting/attention_explorer.py: a token is chosen from the list,
// by a click or by a tap, and its scores, weights and parts of the output follow.
(function () {
  "use strict";

  function length(vector) {
    return Math.sqrt(vector.reduce(function (sum, one) { return sum + one * one; }, 0));
  }

  function written(number, digits) {
    return number.toFixed(digits).replace("-", "\u2212");
  }

  // One query: weights of its scores, what each value brings, and the sum of these vectors.
  function attend(scores, values) {
    var largest = Math.max.apply(null, scores);
    var powers = scores.map(function (score) { return Math.exp(score - largest); });
    var total = powers.reduce(function (sum, one) { return sum + one; }, 0);
    var weights = powers.map(function (power) { return power / total; });
    var output = values[0].map(function (_, d) {
      return values.reduce(function (sum, value, s) { return sum + weights[s] * value[d]; }, 0);
    });
    return {
      weights: weights,
      parts: values.map(function (value, s) { return weights[s] * length(value); }),
      length: length(output)
    };
  }

  function draw(figure, data, d3, asks) {
    var scores = data.score[asks], found = attend(scores, data.value);
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this), frame = svg.select("g").node().dataset;
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.s));
        });
      }
      each("box", function (box, s) { box.style("fill", "var(--" + (s === asks ? "query" : "none") + ")"); });
      each("name", function (name, s) { name.style("fill", "var(--" + (s === asks ? "on-part" : "key") + ")"); });
      each("score", function (text, s) { text.text(written(scores[s], 1)); });
      each("score-bar", function (bar, s) {
        var long = scores[s] * frame.score;
        bar.attr("x", Number(frame.zero) + Math.min(long, 0)).attr("width", Math.abs(long));
      });
      each("weight", function (text, s) { text.text(written(found.weights[s], 2)); });
      each("weight-bar", function (bar, s) { bar.attr("width", found.weights[s] * frame.weight); });
      each("part", function (text, s) { text.text(written(found.parts[s], 2)); });
      each("part-bar", function (bar, s) { bar.attr("width", found.parts[s] * frame.part); });
      each("length", function (text) { text.text(written(found.length, 2)); });
      each("length-bar", function (bar) { bar.attr("width", found.length * frame.part); });
    });
    function most(numbers) {
      return data.tokens.map(function (token, s) { return [numbers[s], token]; })
        .sort(function (one, other) { return other[0] - one[0]; }).slice(0, 3)
        .map(function (pair) { return pair[1] + " " + written(pair[0], 2); }).join(", ");
    }
    var words = data.tokens[asks] + " reads most: " + most(found.weights) +
      ". It gets most from: " + most(found.parts) +
      ". The output\u2019s length is " + written(found.length, 2) + ".";
    d3.select(figure).selectAll("svg").attr("aria-label", words);
    d3.select(figure).select(".mechanism-said").text(words);
    d3.select(figure).select("select").property("value", asks);
  }

  window.courseMechanisms["attention-explorer"] = function (figure, data, d3, id) {
    var controls = d3.select(figure).select(".mechanism-controls");
    var label = controls.append("label").attr("class", "mechanism-choice");
    label.append("span").text("Who asks?");
    var list = label.append("select").attr("id", id + "-asks")
      .on("change", function () { draw(figure, data, d3, Number(this.value)); });
    data.tokens.forEach(function (token, t) {
      list.append("option").attr("value", t).text(t + ": " + token);
    });
    list.property("value", data.start);
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    d3.select(figure).selectAll("[data-part='box'], [data-part='name']")
      .on("click", function () { draw(figure, data, d3, Number(this.dataset.s)); });
  };
})();
