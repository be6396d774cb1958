"use strict";
// The page: what is wanted stands in the address after #, so that every view and every conversation has a link.
// #ID is a row, #stage=decontamination&reason=contaminated&q=ozone&id=ID a view and a row of it; KEYS are all there is.

const $ = (id) => document.getElementById(id);
const FILTERS = ["outcome", "source", "technique", "move", "domain", "license", "flag"];
const LISTED = 100; // rows that are added to the list at once
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

let wanted = {}; // what the address asks for
let found = null; // a byte a row, 1 where the query was found; null without a query
let asked = ""; // the query that `found` is of
let matches = []; // rows in the list's order
let [start, end] = [0, 0]; // of them, which stand in the list: from start up to end
let listTop = 0; // how far the list was scrolled before a conversation was opened

// ---- the address

function parse(hash) {
  const given = new URLSearchParams(hash.slice(1));
  const [[only, rest] = []] = given;
  if (rest === "" && rowOf.has(only)) return { id: only };
  if (rest === "" && isId(only)) return { q: only }; // a seed's id, say: what was made of it
  return Object.fromEntries(KEYS.filter((key) => given.get(key)).map((key) => [key, given.get(key)]));
}

function address(state) {
  const kept = KEYS.filter((key) => state[key]);
  if (kept.length === 1 && kept[0] === "id") return `#${encodeURIComponent(state.id)}`;
  return `#${new URLSearchParams(kept.map((key) => [key, state[key]]))}`;
}

// Without a step in the history, unless a conversation is opened.
function go(changes) {
  const target = address({ ...wanted, ...changes });
  if (changes.id) location.hash = target;
  else location.replace(target);
}

// ---- filters

const outcomeOf = (state) => [state.stage, state.reason].filter(Boolean).join("/");

function tests() {
  const { stage, reason } = wanted;
  const made = {};
  if (stage === "rejected") made.outcome = (row) => columns.reason[row] >= 0;
  else if (stage) made.outcome = (row) => stageOf(row) === stage && (!reason || reasonOf(row) === reason);
  for (const name of FILTERS.slice(1)) {
    if (!wanted[name]) continue;
    const number = names[name].indexOf(wanted[name]);
    const column = columns[name];
    made[name] = (row) => (Array.isArray(column[row]) ? column[row].includes(number) : column[row] === number);
  }
  return made;
}

// The rows that pass all filters, and for each filter how many there would be of each of its values.
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
  matches = passed.sort(ORDERS[wanted.sort ?? ""] ?? ORDERS[""]);
  return counts;
}

function outcomes(row) {
  const stage = stageOf(row);
  const reason = reasonOf(row);
  return reason ? ["rejected", stage, `${stage}/${reason}`] : [stage];
}

function options(name, counts) {
  const current = name === "outcome" ? outcomeOf(wanted) : wanted[name] ?? "";
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
  const terms = wanted.q ? termsOf(wanted.q) : [];
  const snippet = terms.length ? excerpt(row, terms) : null;
  const flags = columns.flag[row].map((number) => names.flag[number]);
  const link = make("a", { href: address({ ...wanted, id: columns.key[row] }) },
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
  const next = Math.min(matches.length, end + LISTED);
  $("list").append(...matches.slice(end, next).map(item));
  end = next;
  $("more").hidden = end === matches.length;
}

function earlier() {
  const next = Math.max(0, start - LISTED);
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

// The row that is read, if it is among those that match, stands in the list and is seen there.
function mark() {
  const place = wanted.id ? matches.indexOf(rowOf.get(wanted.id)) : -1;
  if (place >= 0 && (place < start - LISTED || place >= end + LISTED)) listFrom(place - (place % LISTED));
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
  mark();
  const set = FILTERS.filter((name) => $(name).value !== "").length;
  $("summary").textContent = set ? `Filters (${set} set)` : "Filters";
  const said = `${matches.length.toLocaleString("en")} of ${size.toLocaleString("en")} rows match`;
  $("count").textContent = done < 1 ? `${said}, ${Math.floor(100 * done)} % searched` : said;
  $("count").dataset.done = done;
  const missing = index.left_out.filter(([stage, reason]) => [stage, "rejected", undefined].includes(wanted.stage) && [reason, undefined].includes(wanted.reason));
  $("left_out").textContent = missing.map(([stage, reason, rows]) => `${rows.toLocaleString("en")} more ${reason} are in ${stage}/rejected.jsonl alone.`).join(" ");
}

async function show() {
  const query = (wanted.q ?? "").trim();
  if (query === asked) return list(1);
  asked = query;
  found = query ? new Uint8Array(size) : null;
  if (!query) return list(1);
  list(0);
  const own = found;
  if (await search(termsOf(query), own, list, () => found !== own)) list(1);
}

// ---- what a person does

function move(step) {
  const place = matches.indexOf(rowOf.get(wanted.id));
  const next = Math.min(matches.length - 1, Math.max(0, place + (place < 0 ? 1 : step)));
  if (matches.length === 0) return;
  go({ id: columns.key[matches[next]] });
}

function follow() {
  const before = wanted;
  wanted = parse(location.hash);
  if (document.activeElement !== $("q")) $("q").value = wanted.q ?? "";
  $("sort").value = wanted.sort ?? "";
  const same = KEYS.every((key) => key === "id" || before[key] === wanted[key]);
  if (!same || end === 0) show().catch(tell);
  read().catch(tell);
}

async function read() {
  const { id } = wanted;
  const scroller = document.querySelector("main");
  const reading = document.body.classList.contains("reading");
  if (id && !reading) listTop = scroller.scrollTop;
  document.body.classList.toggle("reading", Boolean(id));
  mark();
  if (!id) {
    $("conversation").replaceChildren(make("p", { className: "soft" }, $("help").content.cloneNode(true)));
    if (reading) scroller.scrollTop = listTop; // on a phone list and conversation share it
    return;
  }
  if (!rowOf.has(id)) throw new Error(`There is no row ${id}.`);
  const number = rowOf.get(id);
  const row = await readRow(number);
  if (wanted.id !== id) return;
  const others = columns.key.filter((key) => key !== id && (key === row.id || key.startsWith(`${row.id}-`)));
  $("conversation").replaceChildren(
    make("p", { className: "head" }, make("a", { href: address({ ...wanted, id: undefined }), className: "back" }, "‹ list"),
      badge(number), make("bdi", {}, nameOf("source", number)), make("a", { href: `#${id}`, className: "link" }, id)),
    ...body(row, wanted.q ? termsOf(wanted.q) : [], others));
  $("conversation").scrollTop = 0;
  if (!reading) scroller.scrollTop = 0;
}

function tell(error) {
  $("conversation").replaceChildren(make("p", { className: "error" }, String(error.message ?? error)));
}

let typing;
$("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ q: $("q").value.trim(), id: undefined }), 250);
});
// Who goes there will search: the texts are read while the words are typed.
$("q").addEventListener("focus", () => search([], new Uint8Array(size), () => {}, () => asked !== "").catch(tell), { once: true });
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
    else if (wanted.id) location.replace(address({ ...wanted, id: undefined }));
  } else if (field) {
    if (field.id !== "q" || event.key !== "ArrowDown") return;
    field.blur();
    move(1);
  } else if (event.key === "/") $("q").focus();
  else if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter" && event.target.tagName !== "A" && event.target.tagName !== "BUTTON") move(wanted.id ? 0 : 1);
  else return;
  event.preventDefault();
});
$("filters").open = matchMedia("(min-width: 761px)").matches;
window.addEventListener("hashchange", follow);
follow();
