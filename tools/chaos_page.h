// The page that report.html is (tools/report_page.h fills it in).
#pragma once

#include <string_view>

namespace eddy::tools {

inline constexpr std::string_view kChaosPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>eddyctl chaos</title>
<style>/*STYLE*/
  :root { --read: #8fb8de; --write: #2f6fad; --bad: #d9822b; --unknown: #9657b3; --good: #2c7d4f;
    --broken: #b3261e; }
  @media (prefers-color-scheme: dark) { :root { --read: #3d668d; --write: #7fb2e5; --bad: #e59a4c;
    --unknown: #c08bd8; --good: #63bb88; --broken: #ef7d76; } }
  .verdict { font-weight: 600; }
  .kept { color: var(--good); } .broken { color: var(--broken); }
</style>
</head>
<body>
<h1>eddyctl chaos</h1>
<p id="verdict" class="verdict"></p>
<p id="about" class="soft"></p>
<div id="facts" class="facts"></div>
<div class="card"><svg id="chart" role="img"
  aria-label="Operations, errors and latency in each second, with the faults made"></svg></div>
<p class="legend">
  <span><i style="background:var(--write)"></i>writes done</span>
  <span><i style="background:var(--read)"></i>reads done</span>
  <span><i style="background:var(--bad)"></i>not done</span>
  <span><i style="background:var(--unknown)"></i>outcome unknown</span>
  <span><i style="background:var(--p50)"></i>median</span>
  <span><i style="background:var(--p99)"></i>99 %</span>
</p>
<div id="more"></div>
<div id="tip"></div>
<script>
"use strict";
const data = /*DATA*/null;
/*HELPERS*/

$("verdict").textContent = data.verdict;
$("verdict").className = "verdict " + (data.kept ? "kept" : "broken");
$("about").textContent = `Eddy ${data.version}, ${data.nodes} ${data.machines}, N = 3 and mostly ` +
  `R = W = 2; ${data.seconds.toFixed(0)} s of faults with seed ${data.seed}, ` +
  `${data.disks_lost} ${data.disks_lost === 1 ? "disk" : "disks"} taken away; then ` +
  `${count(data.final_reads)} reads, of each key through every node.`;
for (const [name, value] of [
  ["writes acknowledged", count(data.writes_acknowledged)], ["lost", count(data.lost)],
  ["outcome unknown", count(data.writes_unknown)], ["not done", count(data.not_done)],
  ["reads judged", count(data.reads)],
  ["until all equal", data.converged_in_seconds === null ? "never"
    : data.converged_in_seconds.toFixed(1) + " s"]]) {
  const fact = make($("facts"), "div", {class: "fact"});
  make(fact, "b", {}, value);
  make(fact, "span", {class: "soft"}, name);
}

const colours = {kill: "#b3261e", wipe: "#7d1d4f", pause: "#b07b1a", restart: "#6a7683",
  join: "#2c7d4f", leave: "#317b86", partition: "#5b4bb0", "one way": "#8a4bb0",
  isolate: "#3f5fb5", delay: "#8c7a2b", loss: "#a3572a",
  clock: "#4d7031", "disk full": "#84513f", unplug: "#26418f"};

// Rows of faults in which none lies over another.
const rows = [];
for (const fault of data.faults) {
  let row = rows.find(r => r.network === fault.network && r.end + 0.4 <= fault.began);
  if (!row) rows.push(row = {network: fault.network, faults: [], end: 0});
  row.faults.push(fault);
  row.end = fault.ended;
}
rows.sort((a, b) => a.network - b.network);

const W = 1140, left = 64, right = W - 14, rowHeight = 24, chartHeight = 190, latencyHeight = 120;
const top0 = 22, rowsTop = top0, chartTop = rowsTop + rows.length * rowHeight + 26;
const latencyTop = chartTop + chartHeight + 34, H = latencyTop + latencyHeight + 34;
const svg = $("chart");
svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
const length = Math.max(data.seconds, 1);
const x = s => left + (right - left) * s / length;
const series = data.each_second.slice(0, Math.max(1, Math.floor(length)));

rows.forEach((row, i) => {
  const y = rowsTop + i * rowHeight;
  if (i === 0 || rows[i - 1].network !== row.network) {
    make(svg, "text", {x: left - 8, y: y + 15, "text-anchor": "end", class: "name"},
         row.network ? "network" : "nodes");
  }
  for (const fault of row.faults) {
    const width = Math.max(3, x(fault.ended) - x(fault.began)), colour = colours[fault.kind];
    make(svg, "rect", {x: x(fault.began), y: chartTop, width: width, fill: colour,
      height: latencyTop + latencyHeight - chartTop, opacity: 0.07});
    const band = make(svg, "rect", {x: x(fault.began), y: y, width: width, height: rowHeight - 5,
      rx: 3, fill: colour});
    band.dataset.tip = `${fault.kind} ${fault.what}\n${fault.began.toFixed(1)} to ` +
      `${fault.ended.toFixed(1)} s`;
    const label = `${fault.kind} ${fault.what}`;
    const shown = label.length * 6.6 < width ? label : fault.kind.length * 7 < width ? fault.kind
      : "";
    if (shown) {
      make(svg, "text", {x: x(fault.began) + 5, y: y + 14, style: "fill:#fff",
                         "pointer-events": "none"}, shown);
    }
  }
});

const axis = (y0, height, most, title, unit) => {
  make(svg, "text", {x: left, y: y0 - 8, class: "name"}, title);
  for (let i = 0; i <= 4; i++) {
    const y = y0 + height - height * i / 4;
    make(svg, "line", {x1: left, x2: right, y1: y, y2: y, stroke: "var(--line)"});
    make(svg, "text", {x: left - 8, y: y + 4, "text-anchor": "end"},
         count(most * i / 4) + (i === 4 ? unit : ""));
  }
};

const most = nice(Math.max(1, ...series.map(s => s.reads + s.writes + s.not_done + s.unknown)));
axis(chartTop, chartHeight, most, "operations a second", "");
series.forEach((second, i) => {
  let base = chartTop + chartHeight;
  const width = Math.max(0.5, x(i + 1) - x(i) - (x(1) - x(0) > 4 ? 1 : 0));
  for (const [name, colour] of [["writes", "write"], ["reads", "read"], ["not_done", "bad"],
                                ["unknown", "unknown"]]) {
    const height = chartHeight * second[name] / most;
    if (!height) continue;
    base -= height;
    make(svg, "rect", {x: x(i), y: base, width: width, height: height, fill: `var(--${colour})`});
  }
});

// Latency on a logarithmic scale: from a tenth of a millisecond to ten seconds.
const low = -1, high = 4;
const ly = ms => latencyTop + latencyHeight -
  latencyHeight * (Math.log10(Math.max(ms, 0.1)) - low) / (high - low);
make(svg, "text", {x: left, y: latencyTop - 8, class: "name"}, "latency of what was done");
for (let power = low; power <= high; power++) {
  const y = ly(Math.pow(10, power));
  make(svg, "line", {x1: left, x2: right, y1: y, y2: y, stroke: "var(--line)"});
  make(svg, "text", {x: left - 8, y: y + 4, "text-anchor": "end"},
       power >= 3 ? Math.pow(10, power - 3) + " s" : Math.pow(10, power) + " ms");
}
for (const [name, colour] of [["p99_ms", "p99"], ["p50_ms", "p50"]]) {
  let path = "", broken = true;
  series.forEach((second, i) => {
    if (!(second.reads + second.writes)) { broken = true; return; }
    path += `${broken ? "M" : "L"}${x(i + 0.5).toFixed(1)} ${ly(second[name]).toFixed(1)}`;
    broken = false;
  });
  make(svg, "path", {d: path, fill: "none", stroke: `var(--${colour})`, "stroke-width": 1.6});
}
const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find(s => length / s <= 14) || 600;
for (let s = 0; s <= length; s += step) {
  make(svg, "text", {x: x(s), y: H - 12, "text-anchor": "middle"}, s + " s");
}

const cover = make(svg, "rect", {x: left, y: chartTop, width: right - left,
  height: latencyTop + latencyHeight - chartTop, fill: "transparent"});
const tip = $("tip");
svg.addEventListener("mousemove", event => {
  let text = event.target.dataset.tip;
  if (event.target === cover) {
    const box = svg.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) * W / box.width - left) /
                          (right - left) * length);
    const s = series[at];
    if (s) text = `second ${at}\n${s.writes} writes, ${s.reads} reads\n${s.not_done} not done, ` +
      `${s.unknown} unknown\nmedian ${s.p50_ms} ms, 99 % ${s.p99_ms} ms`;
  }
  tip.style.display = text ? "block" : "none";
  tip.textContent = text || "";
  tip.style.left = Math.min(event.clientX + 14, window.innerWidth - 230) + "px";
  tip.style.top = event.clientY + 14 + "px";
});
svg.addEventListener("mouseleave", () => { tip.style.display = "none"; });

const more = $("more");
if (data.violations.length) {
  make(more, "h2", {}, "Promises that were broken");
  for (const violation of data.violations) {
    const card = make(more, "div", {class: "card"});
    make(card, "p", {class: "broken"}, `not "${violation.promise}": ${violation.text}`);
    const details = make(card, "details", {});
    make(details, "summary", {class: "soft"}, "what happened to this key");
    make(details, "pre", {}, violation.operations.join("\n"));
  }
}
for (const [title, lines] of [["Processes that ended by themselves", data.crashes],
                              ["Notes", data.notes]]) {
  if (!lines.length) continue;
  make(more, "h2", {}, title);
  make(make(more, "div", {class: "card"}), "pre", {}, lines.join("\n"));
}
make(more, "h2", {}, "Faults");
const table = make(make(more, "div", {class: "card"}), "table", {});
const head = make(table, "tr", {});
for (const name of ["from", "to", "kind", "whom"]) make(head, "th", {}, name);
for (const fault of data.faults) {
  const row = make(table, "tr", {});
  for (const cell of [fault.began.toFixed(1) + " s", fault.ended.toFixed(1) + " s", fault.kind,
                      fault.what]) make(row, "td", {}, cell);
}
</script>
</body>
</html>
)page";

}  // namespace eddy::tools
