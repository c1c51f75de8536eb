// The page that --html writes, around its data: `memories`, `states`, `page_size`.
#pragma once

namespace critpipe::filters {

inline constexpr const char* html_head = R"html(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Memory of a checkpoint</title>
<style>
body { font: 13px system-ui, sans-serif; margin: 0; color: #222; background: #fff; }
header { position: fixed; top: 0; left: 0; right: 0; height: 34px; padding: 6px 10px; background: #f4f4f4;
  border-bottom: 1px solid #ccc; display: flex; gap: 12px; align-items: center; box-sizing: border-box; z-index: 2; }
#view { position: sticky; top: 34px; display: block; }
#tall { padding-top: 34px; }
#tip { position: fixed; display: none; background: #222; color: #fff; padding: 6px 9px; border-radius: 4px;
  font: 12px ui-monospace, monospace; white-space: pre; pointer-events: none; z-index: 3; }
i { display: inline-block; width: 11px; height: 11px; margin-right: 4px; vertical-align: -1px;
  border: 1px solid #9998; }
select { max-width: 340px; }
</style>
<header><select id="memory"></select><button id="out">&minus;</button><span id="scale"></span><button id="in">+</button>
<span id="legend"></span></header>
<div id="tall"><canvas id="view"></canvas></div><div id="tip"></div>
<script>
)html";

inline constexpr const char* html_script = R"html(
const flag_names = ["parent", "lazy", "present"];
const label = 470, line = 14, bar = 11;
const canvas = document.getElementById("view"), tall = document.getElementById("tall");
const tip = document.getElementById("tip"), chooser = document.getElementById("memory");
let memory, per_cell = 1, cell = 6, cells, lines, total_lines;
const hex = n => "0x" + n.toString(16);
const size = n => { let u = 0; while (n >= 1024 && u < 6) { n /= 1024; u++; }
  return (u ? n.toFixed(1) : n) + [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"][u]; };

// Segments come as pages, state, flags; starts[i] is the first page of the i-th.
function prepare(one) {
  for (const row of one.rows) {
    const n = row.g.length / 3;
    row.starts = new Float64Array(n + 1);
    for (let i = 0; i < n; i++) row.starts[i + 1] = row.starts[i] + row.g[3 * i];
    row.pages = row.starts[n];
  }
  one.ready = true;
}
function segment_at(row, page) {
  let low = 0, high = row.starts.length - 2;
  while (low < high) { const mid = (low + high + 1) >> 1; if (row.starts[mid] <= page) low = mid; else high = mid - 1; }
  return low;
}
// What most pages of a cell are; those that are not stored only where nothing else is there. Of many runs in a cell,
// samples.
function state_of(row, from, to) {
  const counts = new Float64Array(states.length);
  let i = segment_at(row, from);
  const last = segment_at(row, Math.max(from, to - 1)), step = Math.max(1, Math.floor((last - i) / 64));
  for (; i <= last; i += step)
    counts[row.g[3 * i + 1]] += Math.min(to, row.starts[i + 1]) - Math.max(from, row.starts[i]);
  let most = counts[1] > 0 ? 1 : 0;
  for (let s = 2; s < counts.length; s++) if (counts[s] > 0 && (most < 2 || counts[s] > counts[most])) most = s;
  return most;
}
function lay_out() {
  const width = document.documentElement.clientWidth;
  cells = Math.max(16, Math.floor((width - label - 12) / cell));
  lines = new Float64Array(memory.rows.length + 1);
  memory.rows.forEach((row, i) => { lines[i + 1] = lines[i] + Math.max(1, Math.ceil(row.pages / per_cell / cells)); });
  total_lines = lines[memory.rows.length];
  tall.style.height = Math.min(15e6, total_lines * line + 20) + "px";
  const ratio = window.devicePixelRatio || 1, height = window.innerHeight - 34;
  canvas.width = width * ratio; canvas.height = height * ratio;
  canvas.style.width = width + "px"; canvas.style.height = height + "px";
  document.getElementById("scale").textContent =
    per_cell > 1 ? per_cell + " pages a block" : "a block a page, " + cell + " px";
  draw();
}
function first_line() {
  const room = tall.offsetHeight - window.innerHeight;
  const hidden = Math.max(0, total_lines - Math.floor((window.innerHeight - 54) / line));
  return room <= 0 ? 0 : Math.min(hidden, Math.round(window.scrollY / room * hidden));
}
function row_at(at) {
  let low = 0, high = memory.rows.length - 1;
  while (low < high) { const mid = (low + high + 1) >> 1; if (lines[mid] <= at) low = mid; else high = mid - 1; }
  return low;
}
function draw() {
  const context = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "top";
  const top = first_line(), shown = Math.ceil(canvas.height / ratio / line);
  for (let y = 0; y < shown && top + y < total_lines; y++) {
    const index = row_at(top + y), row = memory.rows[index], nth = top + y - lines[index];
    if (nth === 0 || y === 0) {
      context.font = "11px ui-monospace, monospace";
      context.fillStyle = "#222";
      context.fillText(hex(row.s).padStart(14) + " " + size(row.pages * page_size).padStart(10), 6, y * line + 1);
      context.save(); context.beginPath(); context.rect(200, y * line, label - 208, line); context.clip();
      const text = row.t, many = Math.floor((label - 208) / 6.7);
      const cut = text.length > many ? text.slice(0, 5) + "\u2026" + text.slice(6 - many) : text;
      context.fillText(cut, 200, y * line + 1);
      context.restore();
    }
    for (let x = 0, from = nth * cells * per_cell; x < cells && from < row.pages; x++, from += per_cell) {
      context.fillStyle = states[state_of(row, from, Math.min(row.pages, from + per_cell))].c;
      context.fillRect(label + x * cell, y * line, cell > 3 ? cell - 1 : cell, bar);
    }
  }
}
function zoom(closer) {
  const at = total_lines ? first_line() / total_lines : 0;
  if (closer) { if (per_cell > 1) per_cell /= 2; else cell = Math.min(24, cell * 2); }
  else if (cell > 6) cell /= 2;
  else if (memory.rows.some(row => row.pages > per_cell * cells)) per_cell *= 2;
  lay_out();
  window.scrollTo(0, at * (tall.offsetHeight - window.innerHeight));
  draw();
}
function choose() {
  memory = memories[chooser.value];
  if (!memory.ready) prepare(memory);
  cell = 6; per_cell = 1;
  const all = memory.rows.reduce((sum, row) => sum + row.pages, 0);
  while (all / per_cell > 100 * 120 + 200 * memory.rows.length) per_cell *= 2;
  window.scrollTo(0, 0);
  lay_out();
}
canvas.addEventListener("mousemove", event => {
  const at = first_line() + Math.floor(event.offsetY / line);
  if (at >= total_lines) { tip.style.display = "none"; return; }
  const index = row_at(at), row = memory.rows[index];
  let text = hex(row.s) + "-" + hex(row.s + row.pages * page_size) + "  " + size(row.pages * page_size) + "\n" + row.t;
  const x = Math.floor((event.offsetX - label) / cell), page = ((at - lines[index]) * cells + x) * per_cell;
  if (x >= 0 && x < cells && page < row.pages) {
    const i = segment_at(row, page), flags = row.g[3 * i + 2], pages = row.g[3 * i];
    text += "\n\n" + hex(row.s + page * page_size) + "  " + states[row.g[3 * i + 1]].n;
    if (flags) text += "  flags " + flag_names.filter((_, bit) => flags >> bit & 1).join(",");
    text += "\nfrom " + hex(row.s + row.starts[i] * page_size) + ": " + pages + (pages === 1 ? " page, " : " pages, ")
      + size(pages * page_size) + " (" + pages * page_size + " bytes)";
  }
  tip.textContent = text;
  tip.style.display = "block";
  tip.style.left = Math.max(0, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(36, Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)) + "px";
});
canvas.addEventListener("mouseleave", () => { tip.style.display = "none"; });
canvas.addEventListener("wheel", event => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0);
}, { passive: false });
document.addEventListener("keydown", event => {
  if (event.key === "+" || event.key === "-") zoom(event.key === "+");
});
document.getElementById("in").onclick = () => zoom(true);
document.getElementById("out").onclick = () => zoom(false);
window.addEventListener("scroll", draw);
window.addEventListener("resize", lay_out);
chooser.onchange = choose;
memories.forEach((one, i) => chooser.add(new Option(one.name + " (" + one.rows.length + ")", i)));
const present = new Set(memories.flatMap(one => one.rows.flatMap(row => row.g.filter((_, i) => i % 3 === 1))));
for (const [i, state] of states.entries()) {
  if (!present.has(i)) continue;
  const swatch = document.createElement("i");
  swatch.style.background = state.c;
  document.getElementById("legend").append(swatch, state.n + "\u2002 ");
}
if (memories.length) choose();
</script>
)html";

}  // namespace critpipe::filters
