"use strict";
// The data of the page: the columns of all rows, which are part of the page, and their texts, which are in separate scripts.
// A page opened from disk cannot read files, but it can load scripts. Each script contains blocks of rows, compressed with
// deflate and encoded in base64 (report/embedded_data.py), which are decompressed on demand.

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

const waiting = new Map(); // scripts that are loading, with the function that receives their blocks
const parts = new Map(); // promises of blocks, by script
const MAX_CACHED_CHARS = 4e8; // text kept in memory after a search, to speed up the next one
const texts = []; // texts of each block's rows, once a search has read them
let cachedChars = 0;

// The page's policy forbids strings as script URLs. Only this Trusted Types policy can create one, from the known names.
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
        reject(new Error(`${index.parts[part]} cannot be read. Copy the folder of scripts together with this page.`));
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
  return [...turnsOf(row), ...more.map(asText)].join("\n");
}

// Any JSON value as text: lists with commas, objects as names and values.
function asText(value) {
  if (Array.isArray(value)) return value.map(asText).join(value.some((one) => one !== null && typeof one === "object") ? "; " : ", ");
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value).map(([name, inner]) => {
    const nested = inner !== null && typeof inner === "object" && !Array.isArray(inner);
    return nested ? `${name} (${asText(inner)})` : `${name} ${asText(inner)}`;
  }).join(", ");
}

// The words and "phrases in quotation marks" of a query as regular expressions, which ignore case and the form of
// apostrophes, quotation marks and dashes.
const EQUIVALENT = [["'", "['‘’]"], ['"', '["“”„]'], ["-", "[-‐-―]"]];
function termsOf(query) {
  const words = Array.from(query.matchAll(/"([^"]+)"?|[^\s"]+/gu), (found) => found[1] ?? found[0]);
  return words.map((word) => {
    let pattern = word.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
    for (const [plain, any] of EQUIVALENT) pattern = pattern.replaceAll(plain, any);
    return new RegExp(pattern, "iu");
  });
}

const nextTask = () => new Promise((resolve) => setTimeout(resolve));

// Sets `found` (one byte per row) for the rows that contain all terms, block by block. Calls `progress` with the searched
// share, from 0 to 1, about twice a second. Returns false as soon as `stale` returns true.
async function search(terms, found, progress, stale) {
  let paused = performance.now();
  for (let block = 0; block < blocks.length; block++) {
    let some = texts[block];
    if (!some) {
      some = (await rowsOf(block)).map(searchable);
      const length = some.reduce((sum, text) => sum + text.length, 0);
      if (cachedChars + length <= MAX_CACHED_CHARS) {
        texts[block] = some;
        cachedChars += length;
      }
    }
    for (const [place, text] of some.entries()) {
      if (terms.every((term) => term.test(text))) found[firstRow[block] + place] = 1;
    }
    if (stale()) return false;
    if (performance.now() - paused > 400) {
      progress((block + 1) / blocks.length);
      await nextTask();
      paused = performance.now();
    }
  }
  return !stale();
}

// The text around the first match of the first term, in a row that a search has read; null without a match.
function excerpt(row, terms) {
  let block = blocks.length - 1;
  while (firstRow[block] > row) block--;
  const text = texts[block]?.[row - firstRow[block]];
  const place = text?.search(terms[0]) ?? -1;
  if (place < 0) return null;
  const start = Math.max(0, place - 60);
  return `${start > 0 ? "…" : ""}${text.slice(start, place + 120).replace(/\s+/gu, " ")}…`;
}
