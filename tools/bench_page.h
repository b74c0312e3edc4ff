// The page that `eddyctl bench --html` writes (tools/report_page.h fills it in).
#pragma once

#include <string_view>

namespace eddy::tools {

inline constexpr std::string_view kBenchPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>eddyctl bench</title>
<style>/*STYLE*/
  td.number, th.number { text-align: right; }
  td i { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
    vertical-align: -1px; }
  tr.off td { color: var(--soft); }
  tr.off i { opacity: 0.25; }
  tbody tr { cursor: pointer; }
  .bad { color: var(--p99); }
</style>
</head>
<body>
<h1>eddyctl bench</h1>
<p id="about" class="soft"></p>
<h2>Measurements</h2>
<div class="card"><table id="rows"></table></div>
<p class="soft">A click on a line shows or hides its curves.</p>
<h2>Latency by share of operations</h2>
<div class="card"><svg id="quantiles" role="img" aria-label="Latency by share of operations"></svg>
</div>
<div id="by_rate"></div>
<h2>In each second</h2>
<div class="card"><svg id="seconds" role="img"
  aria-label="Operations a second and latency in each second, with errors"></svg></div>
<p class="legend soft">Latency: the line is the 99th percentile, the dashed one the median. Dots
  below are seconds with errors, the bar is the longest time in which nothing was answered.</p>
<div id="more"></div>
<div id="tip"></div>
<script>
"use strict";
const data = /*DATA*/null;
/*HELPERS*/
const colours = ["#2f6fad", "#d9822b", "#2c7d4f", "#9657b3", "#b3261e", "#317b86", "#8c7a2b",
                 "#6a7683"];
const shown = new Set([...data.rows.keys()].slice(0, colours.length));
const colour = i => colours[i % colours.length];
const nameOf = row => `${row.door} ${row.op}, ${row.distribution}, ${row.value_bytes} B, ` +
  `${row.connections} x ${row.depth}` + (row.rate ? `, ${count(row.rate)}/s` : "");
const time = us => us < 1000 ? `${us} µs` : us < 1e6 ? `${+(us / 1000).toPrecision(3)} ms`
  : `${+(us / 1e6).toPrecision(3)} s`;
const errorsOf = row => Object.entries(row.errors).map(([name, n]) => `${name} ${count(n)}`)
  .join(", ");

const loops = new Set(data.rows.map(row => row.rate ? "open" : "closed"));
$("about").textContent = `Eddy ${data.version}. ` +
  (loops.has("open") ? "Open loop: requests at a fixed rate, latencies from when they were due. "
                     : "Closed loop: each reply is followed by the next request. ") +
  "Latencies are those of operations without an error.";

const columns = [["door", row => row.door], ["op", row => row.op],
  ["keys", row => row.distribution], ["bytes", row => count(row.value_bytes), 1],
  ["conns", row => count(row.connections), 1], ["depth", row => count(row.depth), 1],
  ["rate", row => row.rate ? count(row.rate) : "", 1],
  ["ops/s", row => count(Math.round(row.ops_per_s)), 1], ["p50", row => time(row.p50_us), 1],
  ["p90", row => time(row.p90_us), 1], ["p99", row => time(row.p99_us), 1],
  ["p99.9", row => time(row.p999_us), 1], ["max", row => time(row.max_us), 1],
  ["pause", row => `${count(row.longest_pause_ms)} ms`, 1],
  ["late", row => row.rate ? count(row.late) : "", 1],
  ["unsent", row => row.rate ? count(row.unsent) : "", 1],
  ["CPU µs/op", row => row.server_us ? row.server_us.toFixed(1) : "", 1],
  ["errors", row => errorsOf(row) || "none"]]
  .filter(([name, cell]) => data.rows.some(row => cell(row) !== ""));
const head = make(make($("rows"), "thead", {}), "tr", {});
make(head, "th", {});
for (const [name, , number] of columns) make(head, "th", number ? {class: "number"} : {}, name);
const body = make($("rows"), "tbody", {});
data.rows.forEach((row, i) => {
  const line = make(body, "tr", {});
  make(make(line, "td", {}), "i", {style: `background:${colour(i)}`});
  for (const [name, cell, number] of columns) {
    const kind = number ? "number" : name === "errors" && errorsOf(row) ? "bad" : "";
    make(line, "td", {class: kind}, cell(row));
  }
  const mark = () => { line.className = shown.has(i) ? "" : "off"; };
  line.addEventListener("click", () => {
    shown.has(i) ? shown.delete(i) : shown.add(i);
    mark();
    draw();
  });
  mark();
});

const W = 1140, left = 74, right = W - 14;
// Whole powers of ten around the values.
const decades = values => {
  const some = values.filter(v => v > 0);
  if (!some.length) return [2, 3];
  const low = Math.floor(Math.log10(Math.min(...some)));
  return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...some))))];
};
const logAxis = (svg, top, height, [low, high], title) => {
  make(svg, "text", {x: left, y: top - 8, class: "name"}, title);
  const y = us => top + height - height * (Math.log10(Math.max(us, Math.pow(10, low))) - low) /
    (high - low);
  for (let power = low; power <= high; power++) {
    const at = y(Math.pow(10, power));
    make(svg, "line", {x1: left, x2: right, y1: at, y2: at, stroke: "var(--line)"});
    make(svg, "text", {x: left - 8, y: at + 4, "text-anchor": "end"}, time(Math.pow(10, power)));
  }
  return y;
};
const curve = (svg, points, stroke, dashed) => {
  let path = "", broken = true;
  for (const point of points) {
    if (point) path += `${broken ? "M" : "L"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    broken = !point;
  }
  make(svg, "path", {d: path, fill: "none", stroke: stroke, "stroke-width": dashed ? 1.2 : 1.8,
                     "stroke-dasharray": dashed ? "4 3" : "none"});
};
const clear = (svg, height) => {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${W} ${height}`);
};

// Each step to the right leaves a tenth of the slower operations.
function drawQuantiles(rows) {
  const svg = $("quantiles"), top = 26, height = 250;
  clear(svg, top + height + 34);
  const y = logAxis(svg, top, height, decades(rows.flatMap(([, row]) =>
    [...row.quantiles.map(q => q[1]), row.max_us])), "latency");
  const x = share => left + (right - left) * Math.min(-Math.log10(1 - share), 4.3) / 4.3;
  for (const [share, name] of [[0, "0 %"], [0.5, "50 %"], [0.9, "90 %"], [0.99, "99 %"],
                               [0.999, "99.9 %"], [0.9999, "99.99 %"]]) {
    make(svg, "line", {x1: x(share), x2: x(share), y1: top, y2: top + height,
                       stroke: "var(--line)"});
    make(svg, "text", {x: x(share), y: top + height + 18, "text-anchor": "middle"}, name);
  }
  make(svg, "text", {x: right, y: top + height + 18, "text-anchor": "end"}, "max");
  for (const [i, row] of rows) {
    const points = row.quantiles.map(([share, us]) => [x(share), y(us)]);
    curve(svg, [...points, [right, y(row.max_us)]], colour(i));
    for (const [share, us] of row.quantiles) {
      make(svg, "circle", {cx: x(share), cy: y(us), r: 5, fill: "transparent"}).dataset.tip =
        `${nameOf(row)}\n${+(share * 100).toFixed(2)} % within ${time(us)}`;
    }
  }
}

// Latency against rate, where a load was measured at several rates.
function drawByRate(rows) {
  $("by_rate").replaceChildren();
  const loads = new Map();
  for (const [i, row] of rows) {
    if (!row.rate) continue;
    const name = nameOf({...row, rate: 0});
    loads.set(name, [...(loads.get(name) || []), [i, row]]);
  }
  const curves = [...loads.values()].filter(load => load.length > 1);
  if (!curves.length) return;
  make($("by_rate"), "h2", {}, "Latency by rate");
  const svg = document.createElementNS($("quantiles").namespaceURI, "svg");
  make($("by_rate"), "div", {class: "card"}).appendChild(svg);
  const top = 26, height = 200;
  clear(svg, top + height + 34);
  const all = curves.flat().map(([, row]) => row);
  const y = logAxis(svg, top, height, decades(all.flatMap(row => [row.p50_us, row.p99_us])),
                    "latency: 99th percentile, and the median dashed");
  const most = nice(Math.max(...all.map(row => row.ops_per_s)));
  const x = rate => left + (right - left) * rate / most;
  for (let i = 0; i <= 4; i++) {
    make(svg, "text", {x: x(most * i / 4), y: top + height + 18,
                       "text-anchor": i ? "end" : "start"},
         count(most * i / 4) + (i === 4 ? " operations a second" : ""));
  }
  for (const load of curves) {
    load.sort(([, one], [, other]) => one.ops_per_s - other.ops_per_s);
    const first = colour(load[0][0]);
    curve(svg, load.map(([, row]) => [x(row.ops_per_s), y(row.p99_us)]), first);
    curve(svg, load.map(([, row]) => [x(row.ops_per_s), y(row.p50_us)]), first, true);
    for (const [i, row] of load) {
      make(svg, "circle", {cx: x(row.ops_per_s), cy: y(row.p99_us), r: 4, fill: colour(i)})
        .dataset.tip = `${nameOf(row)}\n${count(Math.round(row.ops_per_s))} operations a second\n` +
          `median ${time(row.p50_us)}, 99 % ${time(row.p99_us)}`;
    }
  }
}

function drawSeconds(rows) {
  const svg = $("seconds"), top = 26, height = 170, lowTop = top + height + 40, lowHeight = 170;
  const marksTop = lowTop + lowHeight + 12, bottom = marksTop + rows.length * 9 + 26;
  clear(svg, bottom);
  const lengthOf = row => row.each_second.reduce((sum, second) => sum + second.seconds, 0);
  const length = Math.max(0.1, ...rows.map(([, row]) => lengthOf(row)));
  const x = s => left + (right - left) * s / length;
  const most = nice(Math.max(1, ...rows.flatMap(([, row]) =>
    row.each_second.map(second => second.ops_per_s))));
  make(svg, "text", {x: left, y: top - 8, class: "name"}, "operations a second");
  for (let i = 0; i <= 4; i++) {
    const at = top + height - height * i / 4;
    make(svg, "line", {x1: left, x2: right, y1: at, y2: at, stroke: "var(--line)"});
    make(svg, "text", {x: left - 8, y: at + 4, "text-anchor": "end"}, count(most * i / 4));
  }
  const y = logAxis(svg, lowTop, lowHeight, decades(rows.flatMap(([, row]) =>
    row.each_second.flatMap(second => [second.p50_us, second.p99_us]))), "latency");
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]
    .find(s => length / s <= 14) || 36000;
  for (let i = 0; i * step <= length; i++) {
    make(svg, "text", {x: x(i * step), y: bottom - 6, "text-anchor": "middle"},
         `${+(i * step).toFixed(1)} s`);
  }
  rows.forEach(([i, row], place) => {
    let began = 0;
    const seconds = row.each_second.map(second => {
      const at = began + second.seconds / 2;
      began += second.seconds;
      return {...second, at: x(at)};
    });
    const rate = second => top + height - height * second.ops_per_s / most;
    const answered = (second, us) => second.ops_per_s > 0 ? [second.at, y(us)] : null;
    curve(svg, seconds.map(second => [second.at, rate(second)]), colour(i));
    curve(svg, seconds.map(second => answered(second, second.p99_us)), colour(i));
    curve(svg, seconds.map(second => answered(second, second.p50_us)), colour(i), true);
    const mark = marksTop + place * 9;
    if (row.longest_pause_ms >= 100) {
      const from = x(row.longest_pause_at_s);
      make(svg, "rect", {x: from, y: mark - 3, height: 6, rx: 3, fill: colour(i), opacity: 0.35,
        width: Math.max(3, x(row.longest_pause_at_s + row.longest_pause_ms / 1000) - from)})
        .dataset.tip = `${nameOf(row)}\nnothing was answered for ${count(row.longest_pause_ms)} ms`;
    }
    seconds.forEach((second, number) => {
      const text = `${nameOf(row)}\nsecond ${number}: ${count(Math.round(second.ops_per_s))} ` +
        `operations a second\nmedian ${time(second.p50_us)}, 99 % ${time(second.p99_us)}, ` +
        `longest ${time(second.max_us)}\n${count(second.errors)} errors`;
      const hover = (cy, r, fill) =>
        make(svg, "circle", {cx: second.at, cy: cy, r: r, fill: fill}).dataset.tip = text;
      const lone = seconds.length < 3;
      hover(rate(second), lone ? 4 : 6, lone ? colour(i) : "transparent");
      if (second.ops_per_s > 0) {
        hover(y(second.p99_us), lone ? 4 : 6, lone ? colour(i) : "transparent");
      }
      if (second.errors) hover(mark, 3.5, colour(i));
    });
  });
}

function draw() {
  const rows = [...data.rows.entries()].filter(([i]) => shown.has(i));
  drawQuantiles(rows);
  drawByRate(rows);
  drawSeconds(rows);
}
draw();

const tip = $("tip");
document.addEventListener("mousemove", event => {
  const text = event.target.dataset && event.target.dataset.tip;
  tip.style.display = text ? "block" : "none";
  tip.textContent = text || "";
  tip.style.left = Math.min(event.clientX + 14, window.innerWidth - 260) + "px";
  tip.style.top = event.clientY + 14 + "px";
});

const failed = data.rows.map((row, i) => [i, row]).filter(([, row]) => errorsOf(row));
if (failed.length) {
  make($("more"), "h2", {}, "Errors");
  const table = make(make($("more"), "div", {class: "card"}), "table", {});
  const titles = make(table, "tr", {});
  for (const name of ["", "of", "class", "times", "the first"]) make(titles, "th", {}, name);
  for (const [i, row] of failed) {
    for (const [name, times] of Object.entries(row.errors)) {
      const line = make(table, "tr", {});
      make(make(line, "td", {}), "i", {style: `background:${colour(i)}`});
      for (const cell of [nameOf(row), name, count(times)]) make(line, "td", {}, cell);
      make(line, "td", {style: "white-space: normal"}, row.error_examples[name]);
    }
  }
}
</script>
</body>
</html>
)page";

}  // namespace eddy::tools
