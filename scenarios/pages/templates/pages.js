"use strict";
{
// Colours: those of the system, or the reader's choice; kept, where the browser lets a file keep.
const store = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch { /* A browser that keeps nothing for files shows the system's colours. */ }
  return null;
};
const choose = (theme) => {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.querySelectorAll("[data-theme-choice]").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (theme ?? "auto"))));
  document.dispatchEvent(new Event("themechange"));
};
choose(store("theme") ?? "auto");
document.querySelectorAll(".theme").forEach((group) => { group.hidden = false; });
document.querySelectorAll("[data-theme-choice]").forEach((button) => button.addEventListener("click", () => {
  store("theme", button.dataset.themeChoice);
  choose(button.dataset.themeChoice);
}));

// Sorting by a column; numbers by value, which the cell carries where its text is not plain.
document.querySelectorAll("table.sortable").forEach((table) => {
  const body = table.tBodies[0];
  table.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
    const column = button.closest("th").cellIndex;
    const down = button.dataset.down !== "yes";
    table.querySelectorAll("th button").forEach((other) => delete other.dataset.down);
    if (down) button.dataset.down = "yes";
    const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
    const rows = [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b), n = Number(x) - Number(y);
      const order = x !== "" && y !== "" && !Number.isNaN(n) ? n : x.localeCompare(y);
      return down ? order : -order;
    });
    body.append(...rows);
  }));
});

document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
  const text = button.closest(".code").querySelector("pre");
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(text);
    button.textContent = "selected";
  }
}));
}
