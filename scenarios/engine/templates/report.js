"use strict";
// Zoom of the time line: its width in percent of the room it has.
const zoom = document.getElementById("zoom");
const all = document.querySelector("svg.all");
if (zoom && all) zoom.addEventListener("input", () => { all.style.width = zoom.value + "%"; });

// A tap shows what hovering shows; phones have no pointer to hover with.
const said = document.getElementById("said");
if (all && said) all.addEventListener("click", (event) => {
  const title = event.target.querySelector(":scope > title");
  if (title) said.textContent = title.textContent;
});

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

const filter = document.getElementById("filter");
if (filter) filter.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  document.querySelectorAll("#machines tbody tr").forEach((row) => {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
});
