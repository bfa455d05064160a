// Moves the drawing of course_lib/plotting/head_contributions.py: a token is chosen from the list,
// heads are switched by boxes, by a click or by a tap; the sum of what is on follows.
(function () {
  "use strict";

  function written(number) {
    var text = number.toFixed(2);
    return (text === "-0.00" ? "0.00" : text).replace("-", "\u2212");
  }

  // The dot products of all contributions at one token, the bias last, from their upper half.
  function square(upper) {
    var n = (Math.sqrt(8 * upper.length + 1) - 1) / 2, at = 0, rows = [];
    for (var i = 0; i < n; i++) rows.push([]);
    for (var j = 0; j < n; j++) for (var k = j; k < n; k++) rows[j][k] = rows[k][j] = upper[at++];
    return rows;
  }

  function length(products, chosen) {
    var sum = 0;
    chosen.forEach(function (i) { chosen.forEach(function (j) { sum += products[i][j]; }); });
    return Math.sqrt(Math.max(sum, 0));
  }

  function draw(figure, data, d3, state) {
    var products = square(data.products[state.asks]), all = products.map(function (_, n) { return n; });
    var bias = all.length - 1;
    var on = all.filter(function (n) { return n === bias || state.on[n]; });
    var off = all.filter(function (n) { return n !== bias && !state.on[n]; });
    var whole = length(products, all), now = length(products, on), missing = length(products, off);
    var shares = products.map(function (row) {
      return row.reduce(function (sum, one) { return sum + one; }, 0) / (whole * whole);
    });
    function live(n) { return n === bias || state.on[n]; }
    d3.select(figure).selectAll("svg").each(function () {
      var svg = d3.select(this), frame = svg.select("g").node().dataset;
      function each(part, act) {
        svg.selectAll("[data-part='" + part + "']").each(function () {
          act(d3.select(this), Number(this.dataset.s));
        });
      }
      each("box", function (box, h) { box.style("fill", "var(--" + (live(h) ? "output" : "none") + ")"); });
      each("name", function (name, h) { name.style("fill", "var(--" + (live(h) ? "on-part" : "muted") + ")"); });
      each("reads", function (text, h) { text.text(data.reads[state.asks][h]); });
      each("length", function (text, n) { text.text(live(n) ? written(Math.sqrt(products[n][n])) : "off"); });
      each("length-bar", function (bar, n) {
        bar.attr("width", live(n) ? Math.sqrt(products[n][n]) * frame.length : 0);
      });
      each("share", function (text, n) { text.text(live(n) ? written(shares[n]) : "off"); });
      each("share-bar", function (bar, n) {
        var long = live(n) ? shares[n] * frame.share : 0;
        bar.attr("x", Number(frame.zero) + Math.min(long, 0)).attr("width", Math.abs(long));
      });
      [["sum", now], ["missing", missing]].forEach(function (pair) {
        each(pair[0], function (text) { text.text(written(pair[1])); });
        each(pair[0] + "-bar", function (bar) { bar.attr("width", pair[1] * frame.length); });
      });
      each("full", function (line) {
        var x = Number(svg.select("[data-part='sum-bar']").attr("x")) + whole * frame.length;
        line.attr("x1", x).attr("x2", x);
      });
    });
    var words = "At " + data.tokens[state.asks] + " all heads and the bias write a vector of length " +
      written(whole) + ".";
    if (off.length) {
      words += " Without head" + (off.length > 1 ? "s " : " ") + off.join(", ") + " its length is " +
        written(now) + ", and what is missing is " + written(missing) + " long.";
    }
    d3.select(figure).selectAll("svg").attr("aria-label", words);
    d3.select(figure).select(".mechanism-said").text(words);
    d3.select(figure).selectAll("input[type=checkbox]").each(function () {
      this.checked = state.on[Number(this.dataset.s)];
    });
  }

  window.courseMechanisms["head-contributions"] = function (figure, data, d3, id) {
    var state = { asks: data.start, on: data.reads[data.start].map(function () { return true; }) };
    function again() { draw(figure, data, d3, state); }
    function turn(h) { state.on[h] = !state.on[h]; again(); }
    var controls = d3.select(figure).select(".mechanism-controls");
    var label = controls.append("label").attr("class", "mechanism-choice");
    label.append("span").text("At which token?");
    var list = label.append("select").attr("id", id + "-asks")
      .on("change", function () { state.asks = Number(this.value); again(); });
    data.tokens.forEach(function (token, t) {
      list.append("option").attr("value", t).text(t + ": " + token);
    });
    list.property("value", data.start);
    var choice = controls.append("fieldset");
    choice.append("legend").text("Heads that are on");
    state.on.forEach(function (_, h) {
      var one = choice.append("label");
      one.append("input").attr("type", "checkbox").attr("data-s", h).property("checked", true)
        .on("change", function () { turn(h); });
      one.append("span").text("head " + h);
    });
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    d3.select(figure).selectAll("[data-part='box'], [data-part='name']")
      .on("click", function () { turn(Number(this.dataset.s)); });
  };
})();
