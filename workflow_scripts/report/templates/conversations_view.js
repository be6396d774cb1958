"use strict";
// The view of one conversation. Texts become text nodes, never HTML.

// Invisible and direction-changing characters (report/conversations.py) are displayed as code points.
const HIDDEN = new RegExp(index.hidden, "u");

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function codePoint(letter) {
  const number = letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return make("span", { className: "hidden", title: "invisible character" }, `U+${number}`);
}

// A text as nodes, with search terms marked and hidden characters as code points.
function marked(text, terms) {
  const pattern = new RegExp([...terms.map((term) => term.source), HIDDEN.source].join("|"), "giu");
  const nodes = [];
  let place = 0;
  for (const match of text.matchAll(pattern)) {
    const [found] = match;
    nodes.push(text.slice(place, match.index), HIDDEN.test(found) ? codePoint(found) : make("mark", {}, found));
    place = match.index + found.length;
  }
  return [...nodes, text.slice(place)];
}

// The same, with `spans` ([start, end) of benchmark texts) outlined.
function outlined(text, spans, terms) {
  const nodes = [];
  let place = 0;
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const from = Math.max(start, place);
    if (end <= from) continue;
    nodes.push(...marked(text.slice(place, from), terms), make("span", { className: "hit" }, ...marked(text.slice(from, end), terms)));
    place = end;
  }
  return [...nodes, ...marked(text.slice(place), terms)];
}

function dialogue(row, terms) {
  const moves = (row.provenance.steps ?? []).flatMap((step) => step.moves ?? []);
  const named = moves.length === row.conversation.length - 1 ? moves : [];
  return turnsOf(row).map((text, turn) => {
    const spans = row.hits.filter((hit) => hit.turn <= turn && turn <= hit.end_turn).map((hit) => [
      hit.turn === turn ? hit.start : 0, hit.end_turn === turn ? hit.end : text.length,
    ]);
    const user = turn % 2 === 0;
    const move = user && turn > 0 ? named[turn / 2 - 1] : undefined;
    return make("div", { className: user ? "turn user" : "turn" },
      make("b", {}, user ? "USER" : "ASSISTANT", move ? ` · ${move}` : ""),
      make("div", { className: "text", dir: "auto" }, ...outlined(text, spans, terms)));
  });
}

const isId = (value) => typeof value === "string" && /^[0-9a-f]{16}$/u.test(value);
const isEmpty = (value) => value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);

function facts(entries) {
  return make("dl", {}, ...entries.filter(([, value]) => !isEmpty(value)).flatMap(([name, value]) => [
    make("dt", {}, name.replaceAll("_", " ")),
    make("dd", {}, isId(value) ? make("a", { href: `#${value}` }, value) : make("span", { dir: "auto" }, ...marked(asText(value), []))),
  ]));
}

function evidence(row) {
  const found = row.evidence;
  const entries = found !== null && typeof found === "object" && !Array.isArray(found) ? Object.entries(found) : [["evidence", found]];
  return facts([["stage", row.stage], ["reason", row.reason], ["meaning", row.meaning], ...entries.filter(([name]) => name !== "hits" || row.hits.length === 0)]);
}

function hitLine(hit) {
  return make("li", {}, make("b", {}, `${(100 * hit.similarity).toFixed(2)} % `), make("bdi", {}, `${hit.benchmark} ${hit.item}`),
    `: ${hit.field}, turn ${hit.turn}, ${hit.verdict}. `, make("span", { className: "soft", dir: "auto" }, ...marked(hit.item_text, [])));
}

function checks(row) {
  const { stopped, steps, scores } = row.provenance;
  const planned = (steps ?? []).map((step) => step.planned).find(Boolean);
  return facts([
    ["exchanges", planned ? `${row.conversation.length} of ${planned} planned` : row.conversation.length],
    ["ended early by", stopped],
    ["meaning", stopped && row.meaning],
    ["scores", scores],
    ["benchmark texts", row.searched ? row.hits.length || "none found" : "not searched"],
  ]);
}

// The verdicts of experts by answer, the answer before a correction, and the exchanges removed after it.
function verified({ status, was, answers, cut }) {
  const turn = (conversation) => dialogue({ conversation, provenance: {}, hits: [] }, []);
  return [
    facts([["outcome", status], ["was", was]]),
    ...answers.flatMap(({ answer, verdict, by, on, before }) => [
      make("p", {}, `Answer ${answer}: ${verdict.replaceAll("_", " ")}, by `, make("bdi", {}, asText(by)), on === "seed" ? ", judged on its seed." : "."),
      ...(before ? [make("p", { className: "soft" }, "Before the correction:"), turn([{ input: "", output: before }])[1]] : []),
    ]),
    ...(cut?.length ? [make("p", { className: "soft" }, "Removed:"), ...turn(cut)] : []),
  ];
}

// Everything below the headline of a row.
function body(row, terms, others) {
  const { techniques, stopped, scores, verification, ...rest } = row.provenance;
  const section = (title, ...content) => [make("h3", {}, title), ...content];
  return [
    ...(row.conversation.length ? dialogue(row, terms) : [make("p", { className: "soft" }, "This row has no text.")]),
    ...(row.reason ? section("Reason for rejection", evidence(row)) : []),
    ...(row.hits.length ? section("Benchmark texts", make("ul", {}, ...row.hits.map(hitLine)),
      make("p", {}, make("a", { href: "hits.html" }, "All hits, with differences marked"))) : []),
    ...(verification ? section("Expert verification", ...verified(verification)) : []),
    ...(row.conversation.length ? section("Checks", checks(row)) : []),
    ...(Object.keys(row.provenance).length ? section("Provenance", facts([["techniques", (techniques ?? []).join(" → ")], ...Object.entries(rest)])) : []),
    ...(row.seed ? section("Original seed", ...dialogue({ conversation: row.seed, provenance: {}, hits: [] }, [])) : []),
    ...(others.length ? section("Other rows with this id", make("ul", {}, ...others.map((key) => make("li", {}, make("a", { href: `#${key}` }, key))))) : []),
  ];
}
