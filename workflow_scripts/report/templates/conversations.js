"use strict";
// The page. Its state is in the URL fragment, so that every view and every conversation has a link.
// #ID opens a row, #stage=decontamination&reason=contaminated&q=ozone&id=ID a view with an open row; KEYS lists all keys.

const $ = (id) => document.getElementById(id);
const FILTERS = ["outcome", "source", "technique", "move", "domain", "license", "flag"];
const ROWS_PER_STEP = 100; // rows that are added to the list at once
const KEYS = ["q", "stage", "reason", ...FILTERS.slice(1), "sort", "id"];
const ORDERS = {
  "": (a, b) => rank[a] - rank[b] || a - b,
  longest: (a, b) => columns.length[b] - columns.length[a] || a - b,
  shortest: (a, b) => columns.length[a] - columns.length[b] || a - b,
  exchanges: (a, b) => columns.exchanges[b] - columns.exchanges[a] || columns.length[b] - columns.length[a] || a - b,
};
const stageOf = (row) => names.stage[columns.stage[row]];
const reasonOf = (row) => names.reason[columns.reason[row]] ?? "";
const nameOf = (column, row) => names[column][columns[column][row]] ?? "";
const rank = columns.key.map((_, row) => index.stages.indexOf(stageOf(row)));

let state = {}; // parsed from the URL fragment
let found = null; // one byte per row, 1 if the row matches the query; null without a query
let lastQuery = ""; // the query of `found`
let matches = []; // matching rows in list order
let [start, end] = [0, 0]; // the range of `matches` that is in the list
let listTop = 0; // scroll position of the list before a conversation was opened

// ---- URL fragment

function parse(hash) {
  const given = new URLSearchParams(hash.slice(1));
  const [[only, rest] = []] = given;
  if (rest === "" && rowOf.has(only)) return { id: only };
  if (rest === "" && isId(only)) return { q: only }; // e.g. the id of a seed: search for its conversations
  return Object.fromEntries(KEYS.filter((key) => given.get(key)).map((key) => [key, given.get(key)]));
}

function address(view) {
  const kept = KEYS.filter((key) => view[key]);
  if (kept.length === 1 && kept[0] === "id") return `#${encodeURIComponent(view.id)}`;
  return `#${new URLSearchParams(kept.map((key) => [key, view[key]]))}`;
}

// Only opening a conversation adds an entry to the browser history.
function go(changes) {
  const target = address({ ...state, ...changes });
  if (changes.id) location.hash = target;
  else location.replace(target);
}

// ---- filters

const outcomeOf = (view) => [view.stage, view.reason].filter(Boolean).join("/");

function tests() {
  const { stage, reason } = state;
  const active = {};
  if (stage === "rejected") active.outcome = (row) => columns.reason[row] >= 0;
  else if (stage) active.outcome = (row) => stageOf(row) === stage && (!reason || reasonOf(row) === reason);
  for (const name of FILTERS.slice(1)) {
    if (!state[name]) continue;
    const number = names[name].indexOf(state[name]);
    const column = columns[name];
    active[name] = (row) => (Array.isArray(column[row]) ? column[row].includes(number) : column[row] === number);
  }
  return active;
}

// Sets `matches` to the rows that pass all filters. Returns for each filter the number of rows per value, given the others.
function filter() {
  const active = Object.entries(tests());
  const counts = Object.fromEntries(FILTERS.map((name) => [name, new Map()]));
  const count = (name, row) => {
    const values = name === "outcome" ? outcomes(row) : [columns[name][row]].flat().map((number) => names[name][number]);
    for (const value of values) if (value !== undefined) counts[name].set(value, (counts[name].get(value) ?? 0) + 1);
  };
  const passed = [];
  for (let row = 0; row < size; row++) {
    if (found && !found[row]) continue;
    const failed = active.filter(([, test]) => !test(row));
    if (failed.length === 0) {
      passed.push(row);
      for (const name of FILTERS) count(name, row);
    } else if (failed.length === 1) {
      count(failed[0][0], row);
    }
  }
  matches = passed.sort(ORDERS[state.sort ?? ""] ?? ORDERS[""]);
  return counts;
}

function outcomes(row) {
  const stage = stageOf(row);
  const reason = reasonOf(row);
  return reason ? ["rejected", stage, `${stage}/${reason}`] : [stage];
}

function options(name, counts) {
  const current = name === "outcome" ? outcomeOf(state) : state[name] ?? "";
  const values = [...counts.keys()];
  if (current && !counts.has(current)) values.push(current);
  const order = (value) => ["train", "test", "rejected"].indexOf(value) + 1 || 9;
  values.sort((a, b) => (name === "outcome" ? order(a) - order(b) : 0) || a.localeCompare(b));
  const option = (value) => make("option", { value, dir: "auto" }, `${value.replace("/", ": ")} (${(counts.get(value) ?? 0).toLocaleString("en")})`);
  const select = $(name);
  select.replaceChildren(make("option", { value: "" }, "all"), ...values.map(option));
  select.value = current;
  select.classList.toggle("set", current !== "");
}

// ---- the list

function item(row) {
  const exchanges = columns.exchanges[row];
  const terms = state.q ? termsOf(state.q) : [];
  const snippet = terms.length ? excerpt(row, terms) : null;
  const flags = columns.flag[row].map((number) => names.flag[number]);
  const link = make("a", { href: address({ ...state, id: columns.key[row] }) },
    make("span", { className: "title", dir: "auto" }, ...marked(columns.title[row] || "no text", [])),
    snippet === null ? null : make("span", { className: "soft snippet", dir: "auto" }, ...marked(snippet, terms)),
    make("span", { className: "soft facts" }, badge(row), " ",
      make("bdi", {}, nameOf("source", row)), ` · ${exchanges} exchange${exchanges === 1 ? "" : "s"} · ${columns.length[row].toLocaleString("en")} characters`,
      ...flags.map((flag) => ` · ${flag}`)));
  return make("li", {}, link);
}

function badge(row) {
  return make("span", { className: `badge ${columns.reason[row] < 0 ? stageOf(row) : "rejected"}` }, outcomes(row).at(-1).replace("/", ": "));
}

function more() {
  const next = Math.min(matches.length, end + ROWS_PER_STEP);
  $("list").append(...matches.slice(end, next).map(item));
  end = next;
  $("more").hidden = end === matches.length;
}

function earlier() {
  const next = Math.max(0, start - ROWS_PER_STEP);
  $("list").prepend(...matches.slice(next, start).map(item));
  start = next;
  $("earlier").hidden = start === 0;
}

function listFrom(place) {
  $("list").replaceChildren();
  start = end = place;
  $("earlier").hidden = start === 0;
  more();
}

// Marks the open row in the list and scrolls it into view, if it matches.
function markOpenRow() {
  const place = state.id ? matches.indexOf(rowOf.get(state.id)) : -1;
  if (place >= 0 && (place < start - ROWS_PER_STEP || place >= end + ROWS_PER_STEP)) listFrom(place - (place % ROWS_PER_STEP));
  if (place >= 0 && place < start) earlier();
  if (place >= end) more();
  $("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
  const entry = $("list").children[place - start];
  entry?.setAttribute("aria-current", "true");
  entry?.scrollIntoView({ block: "nearest" });
}

function list(done) {
  const counts = filter();
  for (const name of FILTERS) options(name, counts[name]);
  listFrom(0);
  markOpenRow();
  const set = FILTERS.filter((name) => $(name).value !== "").length;
  $("summary").textContent = set ? `Filters (${set} set)` : "Filters";
  const summary = `${matches.length.toLocaleString("en")} of ${size.toLocaleString("en")} ${size === 1 ? "row" : "rows"} match`;
  $("count").textContent = done < 1 ? `${summary}, ${Math.floor(100 * done)} % searched` : summary;
  $("count").dataset.done = done;
  const missing = index.left_out.filter(([stage, reason]) => [stage, "rejected", undefined].includes(state.stage) && [reason, undefined].includes(state.reason));
  $("left_out").textContent = missing.map(([stage, reason, rows]) => `${rows.toLocaleString("en")} more with the reason ${reason} are only in ${stage}/rejected.jsonl.`).join(" ");
}

async function show() {
  const query = (state.q ?? "").trim();
  if (query === lastQuery) return list(1);
  lastQuery = query;
  found = query ? new Uint8Array(size) : null;
  if (!query) return list(1);
  list(0);
  const own = found;
  if (await search(termsOf(query), own, list, () => found !== own)) list(1);
}

// ---- user input

function move(step) {
  const place = matches.indexOf(rowOf.get(state.id));
  const next = Math.min(matches.length - 1, Math.max(0, place + (place < 0 ? 1 : step)));
  if (matches.length === 0) return;
  go({ id: columns.key[matches[next]] });
}

function follow() {
  const before = state;
  state = parse(location.hash);
  if (document.activeElement !== $("q")) $("q").value = state.q ?? "";
  $("sort").value = state.sort ?? "";
  const same = KEYS.every((key) => key === "id" || before[key] === state[key]);
  if (!same || end === 0) show().catch(showError);
  read().catch(showError);
}

async function read() {
  const { id } = state;
  const scroller = document.querySelector("main");
  const reading = document.body.classList.contains("reading");
  if (id && !reading) listTop = scroller.scrollTop;
  document.body.classList.toggle("reading", Boolean(id));
  markOpenRow();
  if (!id) {
    $("conversation").replaceChildren(make("p", { className: "soft" }, $("help").content.cloneNode(true)));
    if (reading) scroller.scrollTop = listTop; // on a phone, list and conversation share the scroll bar
    return;
  }
  if (!rowOf.has(id)) throw new Error(`Row ${id} does not exist.`);
  const number = rowOf.get(id);
  const row = await readRow(number);
  if (state.id !== id) return;
  const others = columns.key.filter((key) => key !== id && (key === row.id || key.startsWith(`${row.id}-`)));
  $("conversation").replaceChildren(
    make("p", { className: "head" }, make("a", { href: address({ ...state, id: undefined }), className: "back" }, "‹ list"),
      badge(number), make("bdi", {}, nameOf("source", number)), make("a", { href: `#${id}`, className: "link" }, id)),
    ...body(row, state.q ? termsOf(state.q) : [], others));
  $("conversation").scrollTop = 0;
  if (!reading) scroller.scrollTop = 0;
}

function showError(error) {
  $("conversation").replaceChildren(make("p", { className: "error" }, String(error.message ?? error)));
}

let typing;
$("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ q: $("q").value.trim(), id: undefined }), 250);
});
// Load the texts while the user types the query.
$("q").addEventListener("focus", () => search([], new Uint8Array(size), () => {}, () => lastQuery !== "").catch(showError), { once: true });
$("sort").addEventListener("change", () => go({ sort: $("sort").value }));
for (const name of FILTERS) {
  $(name).addEventListener("change", () => {
    const [stage, reason] = $(name).value.split("/");
    go(name === "outcome" ? { stage, reason } : { [name]: $(name).value });
  });
}
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  $("q").blur();
  go({ q: $("q").value.trim() });
});
$("clear").addEventListener("click", () => {
  $("q").value = "";
  location.replace("#");
});
$("more").addEventListener("click", more);
$("earlier").addEventListener("click", earlier);
new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && !$("more").hidden && more()).observe($("more"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select");
  if (event.key === "Escape") {
    if (field) field.blur();
    else if (state.id) location.replace(address({ ...state, id: undefined }));
  } else if (field) {
    if (field.id !== "q" || event.key !== "ArrowDown") return;
    field.blur();
    move(1);
  } else if (event.key === "/") $("q").focus();
  else if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter" && event.target.tagName !== "A" && event.target.tagName !== "BUTTON") move(state.id ? 0 : 1);
  else return;
  event.preventDefault();
});
$("filters").open = matchMedia("(min-width: 761px)").matches;
window.addEventListener("hashchange", follow);
follow();
