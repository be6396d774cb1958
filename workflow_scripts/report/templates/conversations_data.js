"use strict";
// What the page knows: the columns of all rows, which stand in it, and their texts, which lie in scripts beside it.
// A page opened from disk may read no file, but it may load a script. Each script hands over blocks of rows, deflated
// and in base64 (report/parts.py); they are unpacked when they are wanted.

const index = JSON.parse(document.getElementById("index").textContent);
const { names, columns, blocks } = index;
const size = columns.key.length;
const rowOf = new Map(columns.key.map((key, row) => [key, row]));

const firstRow = []; // of each block
const firstBlock = []; // of each script
for (const [number, [part, rows]] of blocks.entries()) {
  firstRow.push(number === 0 ? 0 : firstRow[number - 1] + blocks[number - 1][1]);
  firstBlock[part] ??= number;
}

const waiting = new Map(); // scripts under way: what takes their blocks
const parts = new Map(); // promises of blocks, by script
const KEPT = 4e8; // characters of text kept after a search, so that the next one is quick
const texts = []; // of the rows of each block, once read by a search
let kept = 0;

// Under the page's policy a string is no address of a script: only this may make one, of the names that the page knows.
const addresses = window.trustedTypes?.createPolicy("parts", {
  createScriptURL: (number) => index.parts[number],
}) ?? { createScriptURL: (number) => index.parts[number] };

function conversationPart(number, packed) {
  waiting.get(number)?.(packed);
}

function load(part) {
  if (!parts.has(part)) {
    parts.set(part, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(part, resolve);
      script.onerror = () => {
        parts.delete(part);
        reject(new Error(`${index.parts[part]} cannot be read. It belongs beside this page: copy the folder with it.`));
      };
      script.src = addresses.createScriptURL(part);
      document.head.append(script);
    }));
  }
  return parts.get(part);
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

async function rowsOf(block) {
  const part = blocks[block][0];
  const packed = await load(part);
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  writer.write(bytesOf(packed[block - firstBlock[part]]));
  writer.close();
  return JSON.parse(await new Response(stream.readable).text());
}

async function readRow(row) {
  let block = blocks.length - 1;
  while (firstRow[block] > row) block--;
  return (await rowsOf(block))[row - firstRow[block]];
}

function turnsOf(row) {
  return row.conversation.flatMap((exchange) => [exchange.input, exchange.output]);
}

function searchable(row) {
  const { seed, verification } = row.provenance;
  const more = [row.evidence, verification, row.id, seed].filter((one) => one !== null && one !== undefined);
  return [...turnsOf(row), ...more.map(told)].join("\n");
}

// Anything as words: lists with commas, objects as name and value.
function told(value) {
  if (Array.isArray(value)) return value.map(told).join(value.some((one) => one !== null && typeof one === "object") ? "; " : ", ");
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value).map(([name, inner]) => {
    const nested = inner !== null && typeof inner === "object" && !Array.isArray(inner);
    return nested ? `${name} (${told(inner)})` : `${name} ${told(inner)}`;
  }).join(", ");
}

// The words and "phrases in quotation marks" of a query, each as an expression that finds it in any case, whichever way
// apostrophes, quotation marks and dashes are written.
const SAME = [["'", "['‘’]"], ['"', '["“”„]'], ["-", "[-‐-―]"]];
function termsOf(query) {
  const words = Array.from(query.matchAll(/"([^"]+)"?|[^\s"]+/gu), (found) => found[1] ?? found[0]);
  return words.map((word) => {
    let pattern = word.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
    for (const [plain, any] of SAME) pattern = pattern.replaceAll(plain, any);
    return new RegExp(pattern, "iu");
  });
}

const breath = () => new Promise((resolve) => setTimeout(resolve));

// Marks in `found` (a byte a row) the rows that hold all terms, block by block; tells `progress` how far it is, from 0 to
// 1, about twice a second. False if `stale` said that nobody waits any more.
async function search(terms, found, progress, stale) {
  let paused = performance.now();
  for (let block = 0; block < blocks.length; block++) {
    let some = texts[block];
    if (!some) {
      some = (await rowsOf(block)).map(searchable);
      const length = some.reduce((sum, text) => sum + text.length, 0);
      if (kept + length <= KEPT) {
        texts[block] = some;
        kept += length;
      }
    }
    for (const [place, text] of some.entries()) {
      if (terms.every((term) => term.test(text))) found[firstRow[block] + place] = 1;
    }
    if (stale()) return false;
    if (performance.now() - paused > 400) {
      progress((block + 1) / blocks.length);
      await breath();
      paused = performance.now();
    }
  }
  return !stale();
}

// A few words around the first place of a term in a row that a search has read.
function excerpt(row, terms) {
  let block = blocks.length - 1;
  while (firstRow[block] > row) block--;
  const text = texts[block]?.[row - firstRow[block]];
  const place = text?.search(terms[0]) ?? -1;
  if (place < 0) return null;
  const start = Math.max(0, place - 60);
  return `${start > 0 ? "…" : ""}${text.slice(start, place + 120).replace(/\s+/gu, " ")}…`;
}
