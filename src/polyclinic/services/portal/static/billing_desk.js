// Billing's lists by keyboard, a tick for all, and a file's text into the clipboard; nothing needs it.
"use strict";
(() => {
  // Only while the focus is in the list, so that no letter means something elsewhere (WCAG 2.1.4).
  for (const list of document.querySelectorAll("[data-rows]")) {
    const links = () => [...list.querySelectorAll("[data-row]")];
    list.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const row = event.target.closest("tr");
      const here = links().findIndex((link) => link.closest("tr") === row);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && !event.target.closest("select")) {
        const next = links()[here + step];
        if (next) { event.preventDefault(); next.focus(); }
      }
      const box = row?.querySelector("input[name=claim]");
      if (event.key === "x" && box) { event.preventDefault(); box.checked = !box.checked; }
      // Enter in a box would press the first button of the form.
      if (event.key === "Enter" && event.target.matches("input[type=checkbox]")) event.preventDefault();
    });
    const all = list.querySelector("[data-all]");
    if (!all) continue;
    all.hidden = false;
    list.querySelector("[data-all-words]").hidden = false;
    all.addEventListener("change", () => {
      for (const box of list.querySelectorAll("input[name=claim]")) box.checked = all.checked;
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const lines = [...document.getElementById(button.dataset.copy).querySelectorAll("code")];
      await navigator.clipboard.writeText(lines.map((line) => line.textContent).join("~\n"));
      button.textContent = "Copied";
    });
  }
})();
