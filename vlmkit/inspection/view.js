"use strict";
// Shows the cards that have the chosen fate and the words that are looked for. Reads the page, writes no markup.
const cards = Array.from(document.querySelectorAll(".card"), (card) => ({
  card,
  fate: card.dataset.fate,
  words: card.textContent.toLowerCase(),
}));
const search = document.getElementById("search");
const chips = Array.from(document.querySelectorAll("#fates button"));
let fate = null;

function show() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of cards) {
    const fits = fate === null || one.fate === fate;
    one.card.hidden = !(fits && wanted.every((word) => one.words.includes(word)));
  }
  for (const set of document.querySelectorAll(".set")) {
    set.querySelector(".shown").textContent = set.querySelectorAll(".card:not([hidden])").length.toLocaleString("en");
  }
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    fate = chip.dataset.fate === undefined ? null : chip.dataset.fate;
    for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
    show();
  });
}
search.addEventListener("input", show);

// Long texts are folded; a click unfolds a card, but not one that selects text or opens something else.
document.documentElement.classList.add("folds");
for (const { card } of cards) {
  card.addEventListener("click", (event) => {
    if (!event.target.closest("summary") && getSelection().isCollapsed) card.classList.toggle("open");
  });
}

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
