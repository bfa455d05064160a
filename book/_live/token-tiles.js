// Moves the drawing of course_lib/plotting/token_tiles.py: a text that is typed is cut into pre-tokens
// and encoded by byte pairs here, with as many merges as the slider says, in both widths alike.
(function () {
  "use strict";

  // GPT-2's pattern. White space is Unicode's property: JavaScript's \s has other characters.
  var CUTS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

  // A token is a string with one character for each byte.
  function bytesOf(text) {
    return Array.from(new TextEncoder().encode(text), function (byte) {
      return String.fromCharCode(byte);
    });
  }

  function vocabulary(data) {
    var tokens = data.bytes.map(function (byte) { return String.fromCharCode(byte); });
    data.merges.forEach(function (pair) { tokens.push(tokens[pair[0]] + tokens[pair[1]]); });
    var ids = new Map();
    tokens.forEach(function (token, id) { ids.set(token, id); });
    return { tokens: tokens, ids: ids };
  }

  // Again and again the neighbours whose union has the lowest id, the leftmost first.
  function encode(piece, ids, known) {
    var parts = bytesOf(piece);
    for (;;) {
      var best = known, at = -1;
      for (var i = 0; i + 1 < parts.length; i++) {
        var id = ids.get(parts[i] + parts[i + 1]);
        if (id !== undefined && id < best) { best = id; at = i; }
      }
      if (at < 0) return parts;
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
  }

  function readable(token, shown) {
    var bytes = Uint8Array.from(token, function (one) { return one.charCodeAt(0); });
    try {
      var text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      return Array.from(text, function (one) { return shown[one] || one; }).join("");
    } catch (error) {
      return "";
    }
  }

  function hex(one) { return one.charCodeAt(0).toString(16).padStart(2, "0"); }

  function layOut(pieces, width, sizes) {
    var byte = sizes[0], edge = sizes[1], least = sizes[2], tall = sizes[3];
    var close = sizes[4], apart = sizes[5], below = sizes[6], x = 0, y = sizes[7], tiles = [];
    pieces.forEach(function (piece) {
      piece.forEach(function (token) {
        var wide = Math.max(least, byte * token.length + edge);
        if (x + wide > width) { x = 0; y += tall + below; }
        tiles.push({ token: token, x: x, y: y, width: wide });
        x += wide + close;
      });
      x += apart - close;
    });
    return { tiles: tiles, height: y + tall + below };
  }

  window.courseMechanisms["token-tiles"] = function (figure, data, d3, id) {
    var words = vocabulary(data), sizes = data.sizes;
    var state = { text: data.texts[data.names[0]], merges: data.start };

    function write(svg, text, x, y, part, size, weight) {
      svg.append("text").attr("text-anchor", "middle").attr("x", x).attr("y", y)
        .attr("font-size", size).attr("font-weight", weight).attr("data-part", part)
        .style("fill", "var(--on-part)").text(text);
    }

    function draw() {
      var pieces = (state.text.match(CUTS) || []).map(function (piece) {
        return encode(piece, words.ids, 256 + state.merges);
      });
      var ids = [].concat.apply([], pieces).map(function (token) { return words.ids.get(token); });
      var counts = {
        characters: Array.from(state.text).length, bytes: bytesOf(state.text).length,
        tokens: ids.length
      };
      d3.select(figure).selectAll("svg").each(function () {
        var svg = d3.select(this), width = this.viewBox.baseVal.width;
        var scale = Number(svg.select("g").node().dataset.scale);
        Object.keys(counts).forEach(function (name) {
          // A text longer than the keyboard allows ends at the drawing's edge.
          var long = Math.min(counts[name], 3 * data.longest) * scale;
          svg.select("[data-part='" + name + "-bar']").attr("width", long);
          svg.select("[data-part='" + name + "']").attr("x", 88 + long).text(counts[name]);
        });
        svg.selectAll("[data-part='tile'], [data-part='piece'], [data-part='byte'], [data-part='id']")
          .remove();
        var laid = layOut(pieces, width, sizes);
        svg.attr("viewBox", "0 0 " + width + " " + laid.height);
        laid.tiles.forEach(function (tile) {
          var long = tile.token.length, middle = tile.x + tile.width / 2;
          svg.append("rect").attr("x", tile.x).attr("y", tile.y).attr("width", tile.width)
            .attr("height", sizes[3]).attr("rx", 4).attr("data-part", "tile")
            .style("fill", "var(--" + (long > 1 ? "output" : "muted") + ")");
          write(svg, readable(tile.token, data.shown), middle, tile.y + 19, "piece", 13, "bold");
          Array.from(tile.token).forEach(function (one, n) {
            write(svg, hex(one), middle + (n + 0.5 - long / 2) * sizes[0], tile.y + 36, "byte", 13);
          });
          write(svg, words.ids.get(tile.token), middle, tile.y + 53, "id", 13);
        });
      });
      var said = counts.characters + " characters, " + counts.bytes + " bytes, " + pieces.length +
        " pre-tokens, " + counts.tokens + " tokens.";
      d3.select(figure).selectAll("svg").attr("aria-label", said + " Ids: " + ids.join(", ") + ".");
      var controls = d3.select(figure).select(".mechanism-controls");
      controls.select(".mechanism-said").text(said);
      controls.selectAll("input[type=radio]").property("checked", function () {
        return data.texts[this.value] === state.text;
      });
    }

    var controls = d3.select(figure).select(".mechanism-controls");
    var typed = controls.append("label").attr("class", "mechanism-typed");
    typed.append("span").text("Type a text");
    typed.append("textarea").attr("rows", 2).attr("maxlength", data.longest)
      .attr("spellcheck", "false").property("value", state.text)
      .on("input", function () { state.text = this.value; draw(); });
    var start = controls.append("fieldset");
    start.append("legend").text("Or begin with");
    data.names.forEach(function (name) {
      var label = start.append("label");
      label.append("input").attr("type", "radio").attr("name", id + "-text").attr("value", name)
        .on("change", function () {
          state.text = data.texts[name];
          controls.select("textarea").property("value", state.text);
          draw();
        });
      label.append("span").text(name);
    });
    var slide = controls.append("label").attr("class", "mechanism-slider");
    slide.append("span").text("Merges learnt");
    slide.append("input").attr("type", "range").attr("min", 0).attr("max", data.merges.length)
      .attr("step", 1).property("value", state.merges)
      .on("input", function () {
        state.merges = Number(this.value);
        this.nextElementSibling.textContent = this.value;
        draw();
      });
    slide.append("span").attr("class", "mechanism-value").attr("aria-hidden", "true")
      .text(state.merges);
    controls.append("p").attr("class", "mechanism-said").attr("aria-live", "polite");
    draw();
  };
})();
