(function () {
"use strict";
document.documentElement.classList.add("js");
var data = JSON.parse(document.getElementById("data").textContent);

// The time line: stacked columns, the sum of a verdict and all below it.
function timeline() {
  var box = document.getElementById("chart"), n = data.ends[0] ? data.ends[0].length : 0;
  if (!box || n === 0) return;
  var css = getComputedStyle(document.documentElement);
  var color = function (name) { return css.getPropertyValue("--" + name).trim(); };
  var xs = [], sums = [], total = new Array(n).fill(0);
  for (var i = 0; i < n; i++) xs.push(data.begin + i * data.width + data.width / 2);
  data.ends.forEach(function (counts) {
    sums.push(total = total.map(function (t, i) { return t + counts[i]; }));
  });
  var series = [{label: "time (UTC)", value: function (u, v) { return v == null ? "" : new Date((v - data.width / 2) * 1e3).toISOString().replace("T", " ").slice(0, 23); }}];
  var values = [xs];
  for (var k = data.names.length - 1; k >= 0; k--) (function (k) {
    values.push(sums[k]);
    series.push({
      label: data.names[k], fill: color(data.names[k]), stroke: color(data.names[k]), width: 0,
      paths: uPlot.paths.bars({size: [1, Infinity], gap: n > 400 ? 0 : 1}), points: {show: false},
      value: function (u, v, s, i) { return i == null ? "" : String(data.ends[k][i]); }
    });
  })(k);
  // Hours of 24, like all times of the page; the day where it begins.
  var clock = function (u, ticks, a, space, step) {
    var day = "";
    return ticks.map(function (t) {
      var iso = new Date(t * 1e3).toISOString(), text = iso.slice(11, step < 1 ? 23 : step < 60 ? 19 : 16);
      if (step >= 86400) return iso.slice(0, 10);
      if (iso.slice(0, 10) === day) return text;
      day = iso.slice(0, 10);
      return text + "\n" + day;
    });
  };
  var axis = {stroke: color("dim"), grid: {stroke: color("line"), width: 1}, ticks: {stroke: color("line"), width: 1}, font: "12px system-ui,sans-serif"};
  var plot = new uPlot({
    width: box.clientWidth, height: 260, series: series,
    tzDate: function (ts) { return uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"); },
    cursor: {drag: {x: true, y: false}},
    scales: {
      // All of it is shown with whole first and last columns.
      x: {time: true, range: function (u, min, max) { return min === xs[0] && max === xs[n - 1] ? [data.begin, data.begin + n * data.width] : [min, max]; }},
      y: {range: function (u, min, max) { return [0, Math.max(1, max)]; }}
    },
    axes: [Object.assign({}, axis, {values: clock, space: 90}), Object.assign({}, axis, {size: 60, incrs: [1, 2, 5, 10, 20, 50, 1e2, 2e2, 5e2, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6]})]
  }, values, box);
  return plot;
}

var plot = timeline();
function redraw() {
  var box = document.getElementById("chart");
  if (!plot) return;
  var x = plot.scales.x, min = x.min, max = x.max;
  plot.destroy();
  box.textContent = "";
  plot = timeline();
  plot.setScale("x", {min: min, max: max});
}
if (plot) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(function () {
    var w = document.getElementById("chart").clientWidth;
    if (w > 0 && w !== plot.width) plot.setSize({width: w, height: 260});
  }).observe(document.getElementById("chart"));
  var from = data.begin, to = data.begin + data.width * data.ends[0].length;
  var zoom = function (factor, shift) {
    var x = plot.scales.x, span = Math.min((x.max - x.min) * factor, to - from), mid = (x.min + x.max) / 2 + (x.max - x.min) * shift;
    var min = Math.max(from, Math.min(mid - span / 2, to - span));
    plot.setScale("x", {min: min, max: min + span});
  };
  var act = {in: [.5, 0], out: [2, 0], left: [1, -.5], right: [1, .5], all: [1e9, 0]};
  document.querySelectorAll("[data-zoom]").forEach(function (b) {
    b.addEventListener("click", function () { zoom.apply(null, act[b.dataset.zoom]); });
  });
}

// Sorting: a button in each head of a sortable table.
document.querySelectorAll("table.sortable").forEach(function (table) {
  var heads = table.tHead.rows[0].cells, body = table.tBodies[0];
  Array.prototype.forEach.call(heads, function (th, column) {
    var button = th.querySelector("button");
    if (!button) return;
    button.addEventListener("click", function () {
      var down = th.getAttribute("aria-sort") !== "descending";
      Array.prototype.forEach.call(heads, function (h) { h.removeAttribute("aria-sort"); });
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      var rows = Array.prototype.slice.call(body.rows);
      var value = function (row) { var c = row.cells[column]; return c.dataset.v !== undefined ? Number(c.dataset.v) : c.textContent.trim(); };
      rows.sort(function (a, b) {
        var x = value(a), y = value(b), c = x < y ? -1 : x > y ? 1 : 0;
        return down ? -c : c;
      });
      rows.forEach(function (r) { body.appendChild(r); });
      if (table.id === "worst") show();
    });
  });
});

// The connections: the first ones, all on demand, or those that the filter finds.
var find = document.getElementById("find"), more = document.getElementById("more"), all = false;
function show() {
  var words = find.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0, matching = 0;
  document.querySelectorAll("#worst tbody tr").forEach(function (row) {
    var text = row.textContent.toLowerCase();
    var matches = words.every(function (w) { return text.indexOf(w) >= 0; });
    if (matches) matching++;
    row.hidden = !matches || !all && shown >= 30;
    if (!row.hidden) shown++;
  });
  document.getElementById("found").textContent = words.length ? matching + " found" : "";
  more.hidden = shown === matching;
  more.textContent = "Show all " + matching;
}
if (find) {
  find.addEventListener("input", show);
  more.addEventListener("click", function () { all = true; show(); });
  addEventListener("beforeprint", function () { all = true; show(); });
  show();
}
})();
