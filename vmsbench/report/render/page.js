// Tables sort by a click on a heading: once downwards, again upwards. Rows stay within their part; dashes come last.
for (const table of document.querySelectorAll("table.sortable")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "ascending" : "descending");
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.classList.contains("part"));
        const key = (row) => row.cells[head.cellIndex].dataset.value;
        const empty = (row) => key(row) === undefined || key(row) === "";
        rows.sort((one, other) => {
          if (empty(one) || empty(other)) return empty(one) - empty(other);
          const [a, b] = [key(one), key(other)];
          const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
          return down ? order : -order;
        });
        body.append(...rows);
      }
    });
  }
}
