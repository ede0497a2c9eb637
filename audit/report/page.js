"use strict";
(() => {
  // Sorting: a button in each column head. Text is compared as text, and as a
  // number if it begins with one.
  const text = (row, i) => {
    const cell = row.cells[i];
    return cell.dataset.v || cell.textContent.trim();
  };
  const value = (s) => {
    const m = /^<?\s*(\d[\d,]*(?:\.\d+)?)(?: %)?$/.exec(s);
    return m ? Number(m[1].replaceAll(",", "")) : NaN;
  };
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const sort = (table, head, i) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, s: text(row, i), n: value(text(row, i)) }));
    rows.sort((a, b) => {
      const c = Number.isNaN(a.n) || Number.isNaN(b.n) ? order(a.s, b.s) : a.n - b.n;
      return down ? -c : c;
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map((r) => r.row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, i) => {
      if ("nosort" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, head, i));
      head.replaceChildren(button);
    });
  }

  // Filtering: words that a row has to hold, and outcomes.
  const form = document.getElementById("filter");
  if (!form) return;
  const find = document.getElementById("find");
  const shown = document.getElementById("shown");
  const boxes = Array.from(form.querySelectorAll("input[type=checkbox]"));
  const rows = Array.from(document.getElementById("artifacts").tBodies[0].rows, (row) => ({
    row,
    outcome: row.cells[0].textContent,
    text: row.textContent.toLowerCase(),
  }));
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((b) => b.checked).map((b) => b.value));
    let n = 0;
    for (const r of rows) {
      const show = wanted.has(r.outcome) && words.every((w) => r.text.includes(w));
      r.row.hidden = !show;
      if (show) n++;
    }
    shown.textContent = n.toLocaleString("en") + " shown";
  };
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("input", filter);
  form.hidden = false;
  filter();
})();
