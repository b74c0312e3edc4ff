#include "tools/report_page.h"

namespace eddy::tools {

namespace {

constexpr std::string_view kStyle = R"style(
  :root { --ink: #1c2430; --soft: #66707d; --line: #dfe4ea; --paper: #fff; --back: #f5f7f9;
    --p50: #2f6fad; --p99: #a8452c; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e4e8ed; --soft: #98a3b0; --line: #323b46;
    --paper: #1a2028; --back: #12161b; --p50: #7fb2e5; --p99: #e58a70; } }
  body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
    margin: 0 auto; padding: 24px; max-width: 1180px; }
  h1 { font-size: 22px; margin: 0 0 4px; }
  h2 { font-size: 15px; margin: 22px 0 6px; }
  p { margin: 4px 0; }
  .soft { color: var(--soft); }
  .facts { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0; }
  .fact { background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
    padding: 8px 14px; min-width: 96px; }
  .fact b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
  .card { background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
    padding: 10px 12px; overflow-x: auto; }
  svg { display: block; width: 100%; height: auto; }
  svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
  svg .name { fill: var(--ink); }
  .legend span { display: inline-block; margin-right: 16px; color: var(--soft); font-size: 13px; }
  .legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
    margin-right: 5px; vertical-align: -1px; }
  table { border-collapse: collapse; width: 100%; font-size: 13px;
    font-variant-numeric: tabular-nums; }
  td, th { text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line);
    white-space: nowrap; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }
  #tip { position: fixed; pointer-events: none; background: var(--ink); color: var(--paper);
    padding: 5px 9px; border-radius: 6px; font-size: 12px; display: none; white-space: pre; }
)style";

constexpr std::string_view kHelpers = R"script(
const $ = id => document.getElementById(id);
const count = n => n.toLocaleString("en");
const make = (parent, tag, attributes, text) => {
  const svg = parent.namespaceURI.endsWith("svg");
  const node = svg ? document.createElementNS(parent.namespaceURI, tag)
                   : document.createElement(tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
};
const nice = top => {
  const power = Math.pow(10, Math.floor(Math.log10(Math.max(top, 1))));
  return [1, 2, 5, 10].map(m => m * power).find(v => v >= top) || 10 * power;
};
)script";

void Replace(std::string* text, std::string_view what, std::string_view by) {
  const size_t at = text->find(what);
  if (at != std::string::npos) text->replace(at, what.size(), by);
}

}  // namespace

std::string ReportPage(std::string_view page, const nlohmann::ordered_json& data) {
  std::string filled(page);
  Replace(&filled, "/*STYLE*/", kStyle);
  Replace(&filled, "/*HELPERS*/", kHelpers);
  // Inside a script element nothing may look like its end.
  std::string text = data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  for (size_t at = 0; (at = text.find("</", at)) != std::string::npos;) {
    text.replace(at, 2, "<\\/");
  }
  // Last, so that nothing in the data is taken for a place to fill in.
  Replace(&filled, "/*DATA*/null", text);
  return filled;
}

}  // namespace eddy::tools
