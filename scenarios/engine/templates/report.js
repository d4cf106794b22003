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

const filter = document.getElementById("filter");
if (filter) filter.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  document.querySelectorAll("#machines tbody tr").forEach((row) => {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
});
