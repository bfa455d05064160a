// Moves the drawing of course_lib/plotting/block_flow.py: where the norms stand, whose vector is
// shown and how large the input is, and all stations of the block follow, in both widths alike.
(function () {
  "use strict";

  function times(row, matrix) {
    return matrix[0].map(function (_, n) {
      return row.reduce(function (sum, one, c) { return sum + one * matrix[c][n]; }, 0);
    });
  }

  function size(row) {
    return Math.sqrt(row.reduce(function (sum, one) { return sum + one * one; }, 0) / row.length);
  }

  function plus(a, b) { return a.map(function (one, n) { return one + b[n]; }); }

  // What each token finds: causal attention, head by head.
  function attend(rows, m, heads) {
    var q = rows.map(function (row) { return times(row, m.w_q); });
    var k = rows.map(function (row) { return times(row, m.w_k); });
    var v = rows.map(function (row) { return times(row, m.w_v); });
    var wide = q[0].length / heads;
    return q.map(function (query, t) {
      var weights = [], found = [];
      for (var h = 0; h < heads; h += 1) {
        var scores = k.map(function (key, s) {
          if (s > t) return -Infinity;
          var sum = 0;
          for (var d = h * wide; d < (h + 1) * wide; d += 1) sum += query[d] * key[d];
          return sum / Math.sqrt(wide);
        });
        var most = Math.max.apply(null, scores);
        var powers = scores.map(function (score) { return Math.exp(score - most); });
        var total = powers.reduce(function (sum, one) { return sum + one; }, 0);
        var shares = powers.map(function (power) { return power / total; });
        weights = weights.concat(shares);
        for (var n = h * wide; n < (h + 1) * wide; n += 1) {
          found.push(shares.reduce(function (sum, share, s) { return sum + share * v[s][n]; }, 0));
        }
      }
      return { weights: weights, found: found };
    });
  }

  // All stations of one token.
  function flow(data, state) {
    var m = data.matrices, there = data.places[state.place];
    function norm(row, isThere) {
      if (!isThere) return row;
      var root = Math.sqrt(size(row) * size(row) + data.eps);
      return row.map(function (one) { return one / root; });
    }
    var x = data.x.map(function (row) {
      return row.map(function (one) { return one * state.factor; });
    });
    var reads = x.map(function (row) { return norm(row, there[0]); });
    var one = { x: x[state.token], reads: reads[state.token] };
    var attended = attend(reads, m, data.heads)[state.token];
    one.weights = attended.weights;
    one.found = attended.found;
    one.writes = times(one.found, m.w_o);
    one.adds = norm(one.writes, there[1]);
    one.between = norm(plus(one.x, one.adds), there[2]);
    one["reads again"] = norm(one.between, there[0]);
    one.gate = times(one["reads again"], m.w_gate).map(function (u) {
      return u / (1 + Math.exp(-u));
    });
    one.up = times(one["reads again"], m.w_up);
    one.product = one.gate.map(function (gate, n) { return gate * one.up[n]; });
    one["writes again"] = times(one.product, m.w_down);
    one["adds again"] = norm(one["writes again"], there[1]);
    one.y = norm(plus(one.between, one["adds again"]), there[2]);
    return one;
  }

  function named(station, there) {
    return {
      reads: there[0] ? "norm" : "no norm", "reads again": there[0] ? "norm" : "no norm",
      adds: there[1] ? "norm" : "no norm", "adds again": there[1] ? "norm" : "no norm",
      between: there[2] ? "norm of the sum" : "sum", y: there[2] ? "norm of the sum" : "sum",
    }[station];
  }

  function draw(figure, data, d3, state) {
    var found = flow(data, state), there = data.places[state.place];
    d3.select(figure).selectAll("[data-part='name']").each(function () {
      var name = named(this.dataset.station, there);
      if (name) d3.select(this).text(name);
    });
    d3.select(figure).selectAll("[data-part='bar']").each(function () {
      var station = this.dataset.station, line = Number(this.dataset.line);
      var one = found[station][Number(this.dataset.s)];
      var height = station === "weights" ? one * data.weight
        : Math.max(-data.cut, Math.min(data.cut, one)) * data.unit;
      d3.select(this).attr("y", line - Math.max(height, 0)).attr("height", Math.abs(height));
    });
    d3.select(figure).selectAll("[data-part='size']").each(function () {
      d3.select(this).text(size(found[this.dataset.station]).toFixed(2));
    });
    var said = data.tokens[state.token] + ", " + state.place + ", x times " + state.factor +
      ": the stream has the size " + size(found.x).toFixed(2) + ", then " +
      size(found.between).toFixed(2) + " and " + size(found.y).toFixed(2) +
      "; attention adds " + size(found.adds).toFixed(2) + " and the feed-forward layer " +
      size(found["adds again"]).toFixed(2) + ".";
    d3.select(figure).selectAll("svg").attr("aria-label", said);
    d3.select(figure).select(".mechanism-said").text(said);
  }

  window.courseMechanisms["block-flow"] = function (figure, data, d3, id) {
    var state = { place: data.order[0], token: data.start, factor: 1 };
    var controls = d3.select(figure).select(".mechanism-controls");
    function redraw() { draw(figure, data, d3, state); }

    function choice(title, name, all, act, first) {
      var set = controls.append("fieldset");
      set.append("legend").text(title);
      all.forEach(function (text, n) {
        var label = set.append("label");
        label.append("input").attr("type", "radio").attr("name", id + "-" + name)
          .property("checked", n === first)
          .on("change", function () { act(text, n); redraw(); });
        label.append("span").text(text);
      });
    }

    choice("Where do the norms stand?", "place", data.order,
      function (text) { state.place = text; }, 0);
    choice("Whose vector?", "token", data.tokens,
      function (_, n) { state.token = n; }, data.start);
    var slide = controls.append("label").attr("class", "mechanism-slider");
    slide.append("span").text("x times");
    slide.append("input").attr("type", "range").attr("min", 1).attr("max", 8).attr("step", 1)
      .property("value", 1)
      .on("input", function () {
        state.factor = Number(this.value);
        this.nextElementSibling.textContent = this.value;
        redraw();
      });
    slide.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true").text(1);
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    redraw();
  };
})();
