// Finds sections that have every word of the query, where a word may be the beginning of a longer one. SECTIONS is search-index.js.
"use strict";

const MOST = 40;
const AROUND = 90; // characters of text shown on either side of the first word found

function escaped(word) {
  return word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function beginning(word) {
  return new RegExp("(?<![\\p{L}\\p{N}])" + escaped(word), "iu");
}

function score(section, words) {
  const heading = section.page + " " + section.section;
  let points = 0;
  for (const word of words) {
    const pattern = beginning(word);
    const inHeading = pattern.test(heading);
    if (!inHeading && !pattern.test(section.words)) return 0;
    points += inHeading ? 10 : 1;
  }
  return points;
}

function search(query) {
  const words = query.trim().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  return SECTIONS.map((section) => ({ section, points: score(section, words), words }))
    .filter((hit) => hit.points)
    .sort((a, b) => b.points - a.points);
}

function excerpt(hit) {
  const places = hit.words.map((word) => hit.section.words.search(beginning(word))).filter((at) => at >= 0);
  const at = places.length ? Math.min(...places) : 0;
  const from = Math.max(0, at - AROUND);
  const text = hit.section.words.slice(from, at + AROUND);
  return (from ? "… " : "") + text + " …";
}

function entry(hit) {
  const item = document.createElement("li");
  const link = item.appendChild(document.createElement("a"));
  link.href = hit.section.link;
  link.textContent = hit.section.page + (hit.section.section ? ": " + hit.section.section : "");
  item.appendChild(document.createElement("p")).textContent = excerpt(hit);
  return item;
}

function show(query) {
  const hits = search(query);
  const many = hits.length > MOST ? ", the first " + MOST + " of them here" : "";
  const said = hits.length + (hits.length === 1 ? " section has" : " sections have");
  document.getElementById("said").textContent = query.trim() ? said + " “" + query.trim() + "”" + many + "." : "Type a word.";
  document.getElementById("found").replaceChildren(...hits.slice(0, MOST).map(entry));
}

const field = document.getElementById("q");
const asked = new URLSearchParams(location.search).get("q");
field.addEventListener("input", () => show(field.value));
if (asked) {
  field.value = asked;
  show(asked);
}
